/**
 * What a chip's eFuses say about security, and its revision. Pure: the device layer reads the registers named here and hands over
 * the numbers.
 *
 * Bits: ESP-IDF v5.5 `components/soc/esp32/register/soc/efuse_reg.h`, `components/efuse/<chip>/esp_efuse_table.csv`,
 * `components/hal/esp32/efuse_hal.c`; esptool `targets/*.py`, `loader.py` (GET_SECURITY_INFO).
 */
import { readU32 } from './bytes.ts';
import { type ChipName } from './chips.ts';
import { FormatError } from './format-error.ts';

export interface ChipSecurity {
  /** `v1` exists on the ESP32 only. */
  secureBoot: 'off' | 'v1' | 'v2';
  /** One failed verification revokes the key. */
  aggressiveRevoke: boolean;
  /** Secure boot digests 0 to 2 that are revoked. */
  revokedKeys: number[];
  /** `development`: encrypted writes through the ROM are still possible. Plain writes break the board in both. */
  flashEncryption: 'off' | 'development' | 'release';
  /** Flash encryption was on and has been switched off again. */
  flashEncryptionWasOn: boolean;
  /** Only writing works: no reading, no RAM upload, no registers. */
  secureDownload: boolean;
  /** The download mode is switched off for good. */
  downloadDisabled: boolean;
  /** JTAG is off, for good or until a key opens it. */
  jtagDisabled: boolean;
  /** USB (OTG) is off. */
  usbDisabled: boolean;
  /** Purposes of key blocks 0 to 5 as numbers (`KEY_PURPOSES` of esptool), where the chip tells them. */
  keyPurposes?: number[];
  /** `chip_id` of the image header; an ESP32-S2 does not tell it. */
  chipId?: number;
}

/** A chip with everything open. */
export const OPEN_CHIP: ChipSecurity = {
  secureBoot: 'off',
  aggressiveRevoke: false,
  revokedKeys: [],
  flashEncryption: 'off',
  flashEncryptionWasOn: false,
  secureDownload: false,
  downloadDisabled: false,
  jtagDisabled: false,
  usbDisabled: false,
};

/** Major and minor of a chip's revision: v3.1. */
export interface ChipRevision {
  major: number;
  minor: number;
}

/** As image headers count: major * 100 + minor. */
export const revisionNumber = ({ major, minor }: ChipRevision): number => major * 100 + minor;

/** What an address is read for; the list is in the order in which the readers below want the values. */
export interface EfuseRegisters {
  /** ESP32: words 0 to 6 of BLOCK0. Others: the five words of BLOCK0 with data, from +0x2C to +0x3C. */
  readonly block0: readonly number[];
  /** ESP32: none. Others: the six words of BLOCK1 (MAC, chip version), from +0x44 to +0x58. */
  readonly block1: readonly number[];
  /** ESP32-S3: word 4 of BLOCK2, the version of the block. ESP32: APB_CTRL_DATE, bit 31 tells revision 3. Others: none. */
  readonly extra: readonly number[];
}

const words = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + 4 * index);
const newer = (base: number, extra: number[] = []): EfuseRegisters => ({
  block0: words(base + 0x2c, 5),
  block1: words(base + 0x44, 6),
  extra,
});

/**
 * Registers to read for `identifyEfuses`, for the chips whose layout is known here. They are readable only outside secure
 * download mode.
 */
export const EFUSE_REGISTERS: Readonly<Partial<Record<ChipName, EfuseRegisters>>> = {
  esp32: { block0: words(0x3ff5_a000, 7), block1: [], extra: [0x3ff6_607c] },
  esp32s2: newer(0x3f41_a000),
  esp32s3: newer(0x6000_7000, [0x6000_706c]),
  esp32c3: newer(0x6000_8800),
};

const bits = (word: number, low: number, count: number): number => (word >>> low) & (2 ** count - 1);
const bit = (word: number, index: number): boolean => ((word >>> index) & 1) === 1;

/** Whether an odd number of bits is set: the chips count what is switched on and off again so. */
function isOdd(value: number): boolean {
  let odd = false;
  for (let rest = value; rest !== 0; rest >>>= 1) if (rest & 1) odd = !odd;
  return odd;
}

export interface SecurityInfoContext {
  /** eFuse DIS_DOWNLOAD_MANUAL_ENCRYPT, where it could be read. */
  manualEncryptDisabled?: boolean;
}

/**
 * Reads the answer data of GET_SECURITY_INFO (0x14): 20 bytes, 12 on the ESP32-S2; a status behind them is ignored.
 * Whether encryption is in release mode is not in the answer: it is taken for release when manual encryption is disabled, in secure
 * download mode (which takes no encrypted writes), and when the counter is used up.
 *
 * @throws {FormatError} `security-info-short` below 12 bytes.
 */
export function securityFromInfo(bytes: Uint8Array, { manualEncryptDisabled }: SecurityInfoContext = {}): ChipSecurity {
  if (bytes.length < 12) {
    throw new FormatError('security-info-short', `Security info has 12 or 20 bytes, got ${bytes.length}`);
  }
  const flags = readU32(bytes, 0);
  const cryptCount = bytes[4] ?? 0;
  const secureDownload = bit(flags, 2);
  const release = manualEncryptDisabled === true || secureDownload || cryptCount === 7;
  return {
    secureBoot: bit(flags, 0) ? 'v2' : 'off',
    aggressiveRevoke: bit(flags, 1),
    revokedKeys: [0, 1, 2].filter((key) => bit(flags, 3 + key)),
    ...encryptionState(cryptCount, release),
    secureDownload,
    downloadDisabled: false,
    jtagDisabled: bit(flags, 6) || bit(flags, 7),
    usbDisabled: bit(flags, 8),
    keyPurposes: [...bytes.subarray(5, 11)],
    ...(bytes.length >= 20 && { chipId: readU32(bytes, 12) }),
  };
}

function encryptionState(
  count: number,
  release: boolean,
): Pick<ChipSecurity, 'flashEncryption' | 'flashEncryptionWasOn'> {
  if (!isOdd(count)) return { flashEncryption: 'off', flashEncryptionWasOn: count !== 0 };
  return { flashEncryption: release ? 'release' : 'development', flashEncryptionWasOn: false };
}

/** Reads words 0 to 6 of an ESP32's eFuses; which fuses count depends on the revision. */
export function securityFromEsp32Efuses(efuses: readonly number[], { major }: ChipRevision): ChipSecurity {
  const [word0 = 0, , , , , , word6 = 0] = efuses;
  const count = bits(word0, 20, 7);
  // Release: no more encrypting through the ROM, or the counter is used up or write-protected.
  const release = bit(word6, 7) || count === 0x7f || bit(word0, 2);
  return {
    ...OPEN_CHIP,
    // ABS_DONE_0 is the first scheme; ABS_DONE_1, the second, counts from revision 3 on.
    secureBoot: bit(word6, 4) ? 'v1' : bit(word6, 5) && major >= 3 ? 'v2' : 'off',
    ...encryptionState(count, release),
    downloadDisabled: bit(word0, 27) && major >= 3,
    jtagDisabled: bit(word6, 6),
    chipId: 0,
  };
}

/**
 * Reads the five BLOCK0 words (from +0x2C) of an ESP32-S2, -S3 or -C3. The key purposes come out as GET_SECURITY_INFO gives them.
 */
export function securityFromBlock0(chip: 'esp32s2' | 'esp32s3' | 'esp32c3', block0: readonly number[]): ChipSecurity {
  const [, word1 = 0, word2 = 0, word3 = 0, word4 = 0] = block0;
  const s2 = chip === 'esp32s2';
  const count = bits(word2, 18, 3);
  const purposes = [bits(word2, 24, 4), bits(word2, 28, 4), ...[0, 4, 8, 12].map((low) => bits(word3, low, 4))];
  return {
    secureBoot: bit(word3, 20) ? 'v2' : 'off',
    aggressiveRevoke: bit(word3, 21),
    revokedKeys: [0, 1, 2].filter((key) => bit(word2, 21 + key)),
    ...encryptionState(count, bit(word1, s2 ? 19 : 20) || bit(word4, 5) || count === 7),
    secureDownload: bit(word4, 5),
    downloadDisabled: bit(word4, 0),
    jtagDisabled: s2 ? bit(word1, 17) || bit(word1, 18) : isOdd(bits(word1, 16, 3)) || bit(word1, 19),
    usbDisabled: chip !== 'esp32c3' && bit(word1, 13),
    keyPurposes: purposes,
  };
}

/** Whether encryption through the ROM is disabled: decides `development` or `release` for `securityFromInfo`. */
export function manualEncryptDisabled(chip: 'esp32s2' | 'esp32s3' | 'esp32c3', block0: readonly number[]): boolean {
  return bit(block0[1] ?? 0, chip === 'esp32s2' ? 19 : 20);
}

/** Revision of an ESP32 from eFuse words 0 to 6 and APB_CTRL_DATE (0x3FF6607C). */
export function esp32Revision(efuses: readonly number[], apbCtrlDate: number): ChipRevision {
  const [, , , word3 = 0, , word5 = 0] = efuses;
  const steps = [bit(word3, 15), bit(word5, 20), bit(apbCtrlDate, 31)];
  // 000, 100, 110, 111 are revisions 0 to 3; every other mix counts as 0.
  const set = steps.filter(Boolean).length;
  const major = steps.indexOf(false) === -1 || steps.indexOf(false) === set ? set : 0;
  return { major, minor: bits(word5, 24, 2) };
}

/** Revision of an ESP32-S3 from its six BLOCK1 words and word 4 of BLOCK2. */
export function esp32s3Revision(block1: readonly number[], block2Word4: number): ChipRevision {
  const [, , , word3 = 0, , word5 = 0] = block1;
  const minorLow = bits(word3, 18, 3);
  // The first silicon left the fields empty and is told by the version of its eFuse blocks, 1.1.
  if (minorLow === 0 && bits(block2Word4, 0, 2) === 1 && bits(word3, 24, 3) === 1) return { major: 0, minor: 0 };
  return { major: bits(word5, 24, 2), minor: (bits(word5, 23, 1) << 3) | minorLow };
}

/** Revision of an ESP32-C3 from its six BLOCK1 words. */
export function esp32c3Revision(block1: readonly number[]): ChipRevision {
  const [, , , word3 = 0, , word5 = 0] = block1;
  return { major: bits(word5, 24, 2), minor: (bits(word5, 23, 1) << 3) | bits(word3, 18, 3) };
}

/** Revision of an ESP32-S2 from its six BLOCK1 words. */
export function esp32s2Revision(block1: readonly number[]): ChipRevision {
  const [, , , word3 = 0, word4 = 0] = block1;
  return { major: bits(word3, 18, 2), minor: (bits(word3, 20, 1) << 3) | bits(word4, 4, 3) };
}

/** The values of `EfuseRegisters`, in its order. */
export interface EfuseValues {
  block0: readonly number[];
  block1: readonly number[];
  extra: readonly number[];
}

/** Revision and security of a chip from all registers that `EFUSE_REGISTERS` names for it; `undefined` for other chips. */
export function identifyEfuses(
  chip: ChipName,
  { block0, block1, extra }: EfuseValues,
): { revision: ChipRevision; security: ChipSecurity } | undefined {
  switch (chip) {
    case 'esp32': {
      const revision = esp32Revision(block0, extra[0] ?? 0);
      return { revision, security: securityFromEsp32Efuses(block0, revision) };
    }
    case 'esp32s2':
      return { revision: esp32s2Revision(block1), security: securityFromBlock0(chip, block0) };
    case 'esp32s3':
      return { revision: esp32s3Revision(block1, extra[0] ?? 0), security: securityFromBlock0(chip, block0) };
    case 'esp32c3':
      return { revision: esp32c3Revision(block1), security: securityFromBlock0(chip, block0) };
    default:
      return undefined;
  }
}
