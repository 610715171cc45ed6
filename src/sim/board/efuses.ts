/**
 * The eFuses of a virtual chip: from settings in plain words to register words and the answer of GET_SECURITY_INFO.
 * Bits: ESP-IDF v5.5 `components/efuse/<chip>/esp_efuse_table.csv` and `soc/efuse_reg.h`.
 */
import { type SimChip } from './sim-chips.ts';

export interface EfuseSettings {
  /** `aa:bb:cc:dd:ee:ff`. */
  mac?: string;
  revision?: { major: number; minor: number };
  /** Package number of the chip's series. */
  package?: number;
  /** `true` is v2. `v1` exists on the ESP32 only. */
  secureBoot?: boolean | 'v1' | 'v2';
  flashEncryption?: 'development' | 'release';
  /** Secure download mode; not on the ESP32. */
  secureDownload?: boolean;
  /** No download mode at all. */
  downloadDisabled?: boolean;
  jtagDisabled?: boolean;
  /** ESP32: 0 none, 1 three quarters. */
  codingScheme?: 0 | 1;
  /** ESP32: the supply of the flash is set by eFuse, whatever GPIO12 says. */
  flashVoltage?: '1.8V' | '3.3V';
  /** ESP32-S3, ESP32-C3: code of the flash inside the package, 0 for none. */
  flashCapacity?: number;
  /** ESP32-S3: code of the PSRAM inside the package, 0 for none. */
  psramCapacity?: number;
  /** Further words, ORed in: register address to bits. */
  extra?: Readonly<Record<number, number>>;
}

export interface Efuses {
  readonly settings: EfuseSettings;
  readonly mac: string;
  readonly revision: { readonly major: number; readonly minor: number };
  /** Register address to word. */
  readonly words: ReadonlyMap<number, number>;
  /** The 20 bytes of GET_SECURITY_INFO; undefined where the ROM has no such command. */
  readonly securityInfo: Uint8Array | undefined;
}

type Put = (offset: number, bits: number) => void;

/**
 * Burns the fuses.
 *
 * @throws {RangeError} on a setting that the chip does not have, or a MAC that is none.
 */
export function burnEfuses(chip: SimChip, settings: EfuseSettings = {}): Efuses {
  const mac = settings.mac ?? chip.defaultMac;
  const revision = settings.revision ?? chip.defaultRevision;
  const words = new Map<number, number>();
  const put: Put = (offset, bits) => {
    const address = chip.efuseBase + offset;
    words.set(address, ((words.get(address) ?? 0) | bits) >>> 0);
  };
  const values = { macBytes: parseMac(mac), revision, settings };
  if (chip.efuseLayout === 'esp32') burnEsp32(put, words, values);
  else burnLater(put, values);
  for (const [address, bits] of Object.entries(settings.extra ?? {})) put(Number(address) - chip.efuseBase, bits);
  const securityInfo = chip.efuseLayout === 'esp32' ? undefined : encodeSecurityInfo(chip, settings);
  return { settings, mac, revision, words, securityInfo };
}

interface Values {
  readonly macBytes: Uint8Array;
  readonly revision: { readonly major: number; readonly minor: number };
  readonly settings: EfuseSettings;
}

const macLow = (mac: Uint8Array): number => new DataView(mac.buffer).getUint32(2);
const macHigh = (mac: Uint8Array): number => new DataView(mac.buffer).getUint16(0);

function burnEsp32(put: Put, words: Map<number, number>, { macBytes, revision, settings }: Values): void {
  if (settings.secureDownload) throw new RangeError('An ESP32 has no secure download mode');
  const released = settings.flashEncryption === 'release';
  put(0x00, settings.flashEncryption ? 1 << 20 : 0);
  put(0x00, settings.downloadDisabled ? 1 << 27 : 0);
  put(0x04, macLow(macBytes));
  put(0x08, macHigh(macBytes) | (macCrc(macBytes) << 16));
  const packageNumber = settings.package ?? 0;
  put(0x0c, ((packageNumber & 7) << 9) | ((packageNumber & 8) >> 1) | (revision.major >= 1 ? 0x8000 : 0));
  put(0x10, settings.flashVoltage === undefined ? 0 : 0x1_4000 | (settings.flashVoltage === '3.3V' ? 0x8000 : 0));
  put(0x14, (revision.major >= 2 ? 1 << 20 : 0) | ((revision.minor & 3) << 24));
  put(0x14, settings.flashEncryption ? 0xf << 28 : 0);
  put(0x18, settings.codingScheme ?? 0);
  put(0x18, settings.secureBoot === 'v1' ? 1 << 4 : settings.secureBoot ? 1 << 5 : 0);
  put(0x18, settings.jtagDisabled ? 1 << 6 : 0);
  put(0x18, released ? 0x380 : 0);
  // Not a fuse: bit 31 of APB_CTRL_DATE is the third bit of the revision.
  words.set(0x3ff6_607c, (0x1604_2000 | (revision.major >= 3 ? 0x8000_0000 : 0)) >>> 0);
}

function burnLater(put: Put, { macBytes, revision, settings }: Values): void {
  if (settings.secureBoot === 'v1') throw new RangeError('Secure boot v1 exists on the ESP32 only');
  if (settings.codingScheme || settings.flashVoltage) throw new RangeError('A setting of the ESP32 only');
  put(0x30, (settings.jtagDisabled ? 1 << 19 : 0) | (settings.flashEncryption === 'release' ? 1 << 20 : 0));
  put(0x34, (cryptCount(settings) << 18) | (settings.secureBoot ? 9 << 28 : 0));
  put(0x34, settings.flashEncryption ? 4 << 24 : 0);
  put(0x38, settings.secureBoot ? 1 << 20 : 0);
  put(0x3c, (settings.downloadDisabled ? 1 : 0) | (settings.secureDownload ? 1 << 5 : 0));
  put(0x44, macLow(macBytes));
  put(0x48, macHigh(macBytes));
  put(0x50, ((settings.package ?? 0) & 7) << 21);
  put(0x50, ((revision.minor & 7) << 18) | ((settings.flashCapacity ?? 0) << 27));
  put(0x54, ((settings.psramCapacity ?? 0) & 3) << 3);
  put(0x58, ((revision.major & 3) << 24) | ((revision.minor >> 3) << 23));
}

const cryptCount = ({ flashEncryption }: EfuseSettings): number =>
  flashEncryption === 'release' ? 7 : flashEncryption === 'development' ? 1 : 0;

function encodeSecurityInfo(chip: SimChip, settings: EfuseSettings): Uint8Array {
  const info = new Uint8Array(20);
  const view = new DataView(info.buffer);
  let flags = 0;
  if (settings.secureBoot) flags |= 1;
  if (settings.secureDownload) flags |= 1 << 2;
  if (settings.jtagDisabled) flags |= 1 << 7;
  view.setUint32(0, flags, true);
  info[4] = cryptCount(settings);
  info[5] = settings.flashEncryption ? 4 : 0;
  info[6] = settings.secureBoot ? 9 : 0;
  info[11] = 0x0c;
  view.setUint32(12, chip.imageChipId, true);
  view.setUint32(16, 3, true);
  return info;
}

function parseMac(text: string): Uint8Array {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text)) throw new RangeError(`Not a MAC: ${text}`);
  return Uint8Array.from(text.split(':'), (digits) => Number.parseInt(digits, 16));
}

/** CRC-8 of Maxim (reflected 8C, start 0), as eFuse word 2 holds it. */
function macCrc(mac: Uint8Array): number {
  let crc = 0;
  for (const byte of mac) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x8c : crc >> 1;
  }
  return crc;
}
