/** Who the board is: chip, revision, MAC, flash, security. Reads registers only, and only where the chip lets it. */
import { type ROM } from 'esptool-js';
import { CHIP_DEFS, ROM_LIST } from 'esptool-js/lib/targets/index.js';
import {
  type ChipRevision,
  type ChipSecurity,
  EFUSE_REGISTERS,
  type EfuseValues,
  identifyEfuses,
  OPEN_CHIP,
  securityFromInfo,
} from '#formats/chip-security.ts';
import { type Chip, chipByName } from '#formats/chips.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type LoaderCommands, MAGIC_REGISTER, Op } from './loader-commands.ts';
import { type PortInfo } from './port.ts';

export interface BoardIdentity {
  chip: Chip;
  /** `ESP32-C3`. */
  chipName: string;
  /** Package and revision as esptool prints them: `ESP32-C3 (QFN32) (revision v0.4)`. */
  description: string;
  /** `undefined` where registers cannot be read (secure download mode). */
  revision: ChipRevision | undefined;
  /** `24:0a:c4:12:34:56`, or `undefined` where registers cannot be read. */
  mac: string | undefined;
  /** JEDEC id: manufacturer in bits 0 to 7, device in 8 to 15, size code in 16 to 23; `undefined` where it cannot be read. */
  flashId: number | undefined;
  /** Bytes, or `undefined` when neither detected nor given. */
  flashSize: number | undefined;
  /** What the chip has: `Wi-Fi`, `BLE`, `Embedded PSRAM 8MB (AP_3v3)` … */
  features: string[];
  crystalMhz: number | undefined;
  security: ChipSecurity;
  usb: PortInfo;
}

/** What is known before registers are read. */
export interface FoundChip {
  chip: Chip;
  /** esptool-js's definition; shared by all boards, so nothing may be kept on it. */
  rom: ROM;
  /** Answer to GET_SECURITY_INFO, 20 or 12 bytes; the ESP32 does not know the command. */
  securityInfo: Uint8Array | undefined;
  secureDownload: boolean;
}

/** Values of the register that tells the families without a chip id apart (esptool targets/*.py, CHIP_DETECT_MAGIC_VALUE). */
const ROM_OF_MAGIC: Readonly<Record<number, ROM>> = {
  0x00f0_1d83: CHIP_DEFS.esp32,
  0x0000_07c6: CHIP_DEFS.esp32s2,
};

/** Codes that mean "the loader has no such command, or not in this mode". */
const isRefused = (error: unknown): boolean => isDeviceError(error, 'command-unknown', 'command-refused');

/**
 * Finds out which chip answers.
 *
 * @throws {DeviceError} `unsupported-chip`, and as `LoaderCommands.command`.
 */
export async function findChip(commands: LoaderCommands): Promise<FoundChip> {
  const securityInfo = await readTwice(() => readSecurityInfo(commands));
  const info = securityInfo && securityFromInfo(securityInfo);
  const secureDownload = info?.secureDownload ?? false;
  const rom =
    info?.chipId === undefined
      ? await romByMagic(commands, secureDownload)
      : ROM_LIST.find((candidate) => !candidate.USES_MAGIC_VALUE && candidate.IMAGE_CHIP_ID === info.chipId);
  const chip = rom && chipByName(rom.CHIP_NAME);
  if (!chip) {
    const which = rom ? rom.CHIP_NAME : `chip id ${info?.chipId ?? 'unknown'}`;
    throw new DeviceError('unsupported-chip', `This program does not know the chip (${which})`);
  }
  commands.loader.chip = rom;
  commands.loader.secureDownloadMode = secureDownload;
  return { chip, rom, securityInfo, secureDownload };
}

async function readSecurityInfo(commands: LoaderCommands): Promise<Uint8Array | undefined> {
  try {
    const reply = await commands.command(Op.SecurityInfo, new Uint8Array(0), {
      dataLength: (length) => (length >= 22 ? 20 : 12),
    });
    return reply.data;
  } catch (error) {
    // The ROM of the ESP32 does not know the command, its stub does not implement it.
    if (isRefused(error)) return undefined;
    throw error;
  }
}

async function romByMagic(commands: LoaderCommands, secureDownload: boolean): Promise<ROM> {
  // The one chip that has the command without a chip id, and then refuses to read registers.
  if (secureDownload) return CHIP_DEFS.esp32s2;
  const magic = await readTwice(() => commands.readRegister(MAGIC_REGISTER));
  const rom = ROM_OF_MAGIC[magic];
  if (!rom) throw new DeviceError('unsupported-chip', `Unknown chip, magic number 0x${magic.toString(16)}`);
  return rom;
}

/** Everything but the flash. */
export async function identifyBoard(
  commands: LoaderCommands,
  { chip, rom, securityInfo, secureDownload }: FoundChip,
  usb: PortInfo,
): Promise<BoardIdentity> {
  const info = securityInfo && securityFromInfo(securityInfo);
  const common = { chip, chipName: rom.CHIP_NAME, usb, flashId: undefined, flashSize: undefined };
  if (secureDownload) {
    return {
      ...common,
      description: rom.CHIP_NAME,
      revision: undefined,
      mac: undefined,
      features: [],
      crystalMhz: undefined,
      security: info ?? OPEN_CHIP,
    };
  }
  const efuses = await readTwice(() => readEfuses(commands, chip));
  const known = efuses && identifyEfuses(chip.name, efuses);
  return {
    ...common,
    description: await commands.through((loader) => rom.getChipDescription(loader)),
    revision: known?.revision ?? (await revisionByRom(commands, rom)),
    mac: await readTwice(() => commands.through((loader) => rom.readMac(loader))),
    features: (await commands.through((loader) => rom.getChipFeatures(loader))).map((feature) => feature.trim()),
    crystalMhz: await commands.through((loader) => rom.getCrystalFreq(loader)),
    security: mergeSecurity(known?.security, info),
  };
}

/**
 * Register values come without a checksum, and much depends on these: a wrong bit must not decide what is safe.
 *
 * @throws {DeviceError} `bad-reply` when the two differ.
 */
export async function readTwice<T>(read: () => Promise<T>): Promise<T> {
  const value = await read();
  if (JSON.stringify(await read()) === JSON.stringify(value)) return value;
  throw new DeviceError('bad-reply', 'The board gave two different answers to one question');
}

async function readEfuses(commands: LoaderCommands, chip: Chip): Promise<EfuseValues | undefined> {
  const registers = EFUSE_REGISTERS[chip.name];
  if (!registers) return undefined;
  const readAll = async (addresses: readonly number[]): Promise<number[]> => {
    const values: number[] = [];
    for (const address of addresses) values.push(await commands.readRegister(address));
    return values;
  };
  return {
    block0: await readAll(registers.block0),
    block1: await readAll(registers.block1),
    extra: await readAll(registers.extra),
  };
}

/** Chips whose eFuses are not in our table: esptool-js has the two numbers for most. */
async function revisionByRom(commands: LoaderCommands, rom: ROM): Promise<ChipRevision | undefined> {
  const versions = rom as ROM & {
    getMajorChipVersion?(loader: unknown): Promise<number>;
    getMinorChipVersion?(loader: unknown): Promise<number>;
  };
  if (!versions.getMajorChipVersion || !versions.getMinorChipVersion) return undefined;
  return commands.through(async (loader) => ({
    major: (await versions.getMajorChipVersion?.(loader)) ?? 0,
    minor: (await versions.getMinorChipVersion?.(loader)) ?? 0,
  }));
}

/** The ROM's own answer counts; the eFuses add what it does not tell. */
function mergeSecurity(efuses: ChipSecurity | undefined, info: ChipSecurity | undefined): ChipSecurity {
  if (!efuses || !info) return efuses ?? info ?? OPEN_CHIP;
  return {
    ...info,
    flashEncryption: info.flashEncryption === 'off' ? 'off' : efuses.flashEncryption,
    downloadDisabled: efuses.downloadDisabled,
    jtagDisabled: info.jtagDisabled || efuses.jtagDisabled,
    usbDisabled: info.usbDisabled || efuses.usbDisabled,
  };
}

/** Whether a stub can be used: not in secure download mode; and with secure boot the ROM of the ESP32-C3 does not start one. */
export function allowsStub({ chip, security }: BoardIdentity): boolean {
  return !security.secureDownload && (security.secureBoot === 'off' || chip.name !== 'esp32c3');
}

/**
 * Bytes of a flash chip by its JEDEC id, or `undefined` when the size code is not known (as esptool knows them).
 */
export function flashSizeOfId(flashId: number): number | undefined {
  const code = (flashId >>> 16) & 0xff;
  if (code >= 0x12 && code <= 0x1c) return 2 ** code;
  // Two makers count from other numbers: 20 is 64 MB, 32 is 256 KB.
  if (code >= 0x20 && code <= 0x22) return 2 ** (code - 6);
  if (code >= 0x32 && code <= 0x3a) return 2 ** (code - 0x20);
  return undefined;
}

/** Whether the id is what a bus without a chip reads. */
export const isNoFlash = (flashId: number): boolean =>
  (flashId & 0xff_ffff) === 0 || (flashId & 0xff_ffff) === 0xff_ffff;
