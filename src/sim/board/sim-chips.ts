/**
 * The chips that can be virtual, one row each. Texts, registers and quirks of ESP32 and ESP32-C3 by experiment with
 * their mask ROMs; those of the ESP32-S3 from public boot logs and, for the loader, taken to be as on the ESP32-C3.
 */
import { type ChipName } from '#formats/chips.ts';
import { type ResetReason } from '#sim/machine.ts';

/** Which way the straps send the ROM at reset. */
export interface BootMode {
  /** What stands in brackets behind `boot:0x..`. */
  readonly text: string;
  /** Whether the loader starts; otherwise the chip boots from flash. */
  readonly download: boolean;
  /** The line that follows in download mode. */
  readonly waiting?: string;
}

/** Text and data of a stub image that is known, so that its rules apply. */
export interface StubImage {
  readonly text: readonly [start: number, length: number];
  readonly data: readonly [start: number, length: number];
  readonly entry: number;
  /** SHA-256 of text followed by data. */
  readonly sha256: string;
}

/** Registers of the SPI controller that hosts poke: base address and offsets from it. */
export interface SpiRegisters {
  readonly base: number;
  readonly user2: number;
  readonly data0: number;
}

/** Registers of the RTC watchdog, by which a host restarts a chip that has no reset line. */
export interface WatchdogRegisters {
  readonly config: number;
  readonly timeout: number;
  readonly protect: number;
  /** Bit 0 of it sends the chip to download mode at the next reset; undefined where hosts do not use it. */
  readonly force?: number;
}

export interface SimChip {
  readonly name: ChipName;
  readonly imageChipId: number;
  /** What the ROM prints before the `rst:` line. */
  readonly banner: string;
  readonly resetWords: Readonly<Record<ResetReason, readonly [code: number, word: string]>>;
  /** Strap values that boards show with the boot button held and not. */
  readonly straps: { readonly download: number; readonly normal: number };
  readonly bootMode: (strap: number) => BootMode;
  /** First address of the eFuse registers, and how they are laid out. */
  readonly efuseBase: number;
  readonly efuseLayout: 'esp32' | 'later';
  readonly defaultMac: string;
  readonly defaultRevision: { readonly major: number; readonly minor: number };
  /** Registers with a fixed value besides the eFuses. */
  readonly registers: readonly (readonly [address: number, value: number])[];
  /** Divider register of UART0, what it holds at 115200 baud, and the clock that ROM and stub reckon with for other rates. */
  readonly uartDivider: {
    readonly address: number;
    readonly atStart: number;
    readonly romHertz: number;
    readonly stubHertz: number;
  };
  readonly spi: SpiRegisters;
  readonly watchdog?: WatchdogRegisters;
  /** Bytes of FLASH_BEGIN and FLASH_DEFL_BEGIN that the ROM takes, exactly. */
  readonly beginBytes: 16 | 20;
  /** The ROM programs its whole 32 KB inflate window at the end of a stream, whatever it holds. */
  readonly flushesWholeWindow: boolean;
  /** Where plain data land that follow a compressed BEGIN: a pointer that nobody has set. Undefined: nowhere. */
  readonly strayOffset?: number;
  /** What the ROM prints when it leaves the loader without an entry point. */
  readonly leavesWith: string;
  /** After that text a BASIC prompt takes the bytes; without one the chip is silent. */
  readonly hasBasic: boolean;
  /** With secure boot the ROM does not jump to what was loaded into RAM. */
  readonly keepsUploadsOut: boolean;
  /** Variable of the ROM that holds where its function for reading flash begins; undefined where hosts do not change it. */
  readonly readPointer?: number;
  /** CHANGE_BAUDRATE with rate 0 kills the ROM. */
  readonly diesAtBaudZero: boolean;
  /** Addresses whose read ends the ROM, and what it prints then. */
  readonly deadlyRead: (address: number) => boolean;
  readonly panicText: string;
  /** The stub of esptool-js 0.7.0. */
  readonly stub: StubImage;
}

const LATER_RESETS: SimChip['resetWords'] = {
  'power-on': [0x1, 'POWERON'],
  software: [0x3, 'RTC_SW_SYS_RST'],
  'cpu-software': [0xc, 'RTC_SW_CPU_RST'],
  watchdog: [0x10, 'RTCWDT_RTC_RST'],
  usb: [0x15, 'USB_UART_CHIP_RESET'],
  brownout: [0xf, 'BROWN_OUT_RST'],
};

const LATER_CHIP = {
  resetWords: LATER_RESETS,
  efuseLayout: 'later',
  spi: { base: 0x6000_2000, user2: 0x20, data0: 0x58 },
  beginBytes: 20,
  flushesWholeWindow: false,
  strayOffset: 0x31_b9f0,
  leavesWith: 'user code done\r\n',
  hasBasic: false,
  keepsUploadsOut: true,
  diesAtBaudZero: false,
  // Between the end of the ROM's data and its code nothing answers; the USB side of 3FF5xxxx exists on the ESP32 only.
  deadlyRead: (address: number) => (address >= 0x3ff2_0000 && address < 0x4000_0000) || address >= 0x7000_0000,
  panicText: "Guru Meditation Error: Core 0 panic'ed (Load access fault)\r\n",
} as const;

const WAITING = 'waiting for download';

function esp32BootMode(strap: number): BootMode {
  // Bits of GPIO_STRAP: 0 GPIO5, 1 MTDO, 2 GPIO4, 3 GPIO2, 4 GPIO0, 5 MTDI.
  if (strap & 0x10) return { text: 'SPI_FAST_FLASH_BOOT', download: false };
  if (strap === 0xf) return { text: 'UART_BOOT(UART0)', download: true };
  if (strap & 0x8) return { text: 'HSPI_FLASH_BOOT', download: false };
  return { text: 'DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2)', download: true, waiting: WAITING };
}

function c3BootMode(strap: number): BootMode {
  if (strap & 0x8) return { text: 'SPI_FAST_FLASH_BOOT', download: false };
  if (strap & 0x4) return { text: 'DOWNLOAD(USB/UART0/1)', download: true, waiting: WAITING };
  if (strap & 0x2) return { text: 'UART0_BOOT', download: true, waiting: 'wait uart0 download' };
  return strap & 0x1
    ? { text: 'SPI_DOWNLOAD_BOOT', download: true, waiting: 'wait spi download' }
    : { text: 'USB_BOOT', download: true, waiting: 'wait usb download' };
}

const s3BootMode = (strap: number): BootMode =>
  strap & 0x8
    ? { text: 'SPI_FAST_FLASH_BOOT', download: false }
    : { text: 'DOWNLOAD(USB/UART0)', download: true, waiting: WAITING };

export const SIM_CHIPS: readonly SimChip[] = [
  {
    name: 'esp32',
    imageChipId: 0,
    banner: 'ets Jul 29 2019 12:21:46\r\n\r\n',
    resetWords: {
      'power-on': [0x1, 'POWERON_RESET'],
      software: [0x3, 'SW_RESET'],
      'cpu-software': [0xc, 'SW_CPU_RESET'],
      watchdog: [0x10, 'RTCWDT_RTC_RESET'],
      usb: [0x1, 'POWERON_RESET'],
      brownout: [0xf, 'RTCWDT_BROWN_OUT_RESET'],
    },
    straps: { download: 0x3, normal: 0x13 },
    bootMode: esp32BootMode,
    efuseBase: 0x3ff5_a000,
    efuseLayout: 'esp32',
    defaultMac: '24:0a:c4:12:34:56',
    defaultRevision: { major: 3, minor: 0 },
    registers: [
      [0x4000_1000, 0x00f0_1d83],
      [0x4000_1004, 0x6500_4136],
      [0x6000_0078, 0x1512_2500],
    ],
    // The ROM takes its crystal for one of 26 MHz when it is asked for another rate, by experiment.
    uartDivider: { address: 0x3ff4_0014, atStart: 0x15a, romHertz: 26_000_000, stubHertz: 40_000_000 },
    spi: { base: 0x3ff4_2000, user2: 0x24, data0: 0x80 },
    beginBytes: 16,
    flushesWholeWindow: true,
    leavesWith: 'flash read err, 631\r\nFalling back to built-in command interpreter.\r\nOK\r\n>',
    hasBasic: true,
    keepsUploadsOut: false,
    diesAtBaudZero: true,
    deadlyRead: (address) => address >= 0x7000_0000,
    panicText: '',
    stub: {
      text: [0x400a_8000, 6456],
      data: [0x3ffd_ed6c, 212],
      entry: 0x400a_902c,
      sha256: 'f45a88d48ce374b3d91b302e899ab7374010e6ed1b94d0ffc4c3d81893e3feee',
    },
  },
  {
    ...LATER_CHIP,
    name: 'esp32s3',
    imageChipId: 9,
    banner: 'ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n',
    straps: { download: 0x0, normal: 0x8 },
    bootMode: s3BootMode,
    efuseBase: 0x6000_7000,
    defaultMac: '34:85:18:12:34:56',
    defaultRevision: { major: 0, minor: 2 },
    registers: [
      [0x4000_1000, 0x0000_0009],
      [0x6000_0078, 0x1512_2500],
    ],
    uartDivider: { address: 0x6000_0014, atStart: 0x15b, romHertz: 40_000_000, stubHertz: 40_000_000 },
    // esptool targets/esp32s3.py; ESP-IDF v5.5 soc/esp32s3/register/soc/rtc_cntl_reg.h.
    watchdog: { config: 0x6000_8098, timeout: 0x6000_809c, protect: 0x6000_80b0, force: 0x6000_812c },
    deadlyRead: (address) => address >= 0x7000_0000,
    // esptool loader.py, run_stub.
    readPointer: 0x3fce_f688,
    stub: {
      text: [0x4037_8000, 7832],
      data: [0x3fcb_2dc0, 264],
      entry: 0x4037_9524,
      sha256: 'be0fa453e1b4089c9bcf57b51d4db0c3749150caa0e140c6fe0e82e3ccff3456',
    },
  },
  {
    ...LATER_CHIP,
    name: 'esp32c3',
    imageChipId: 5,
    banner: 'ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n',
    straps: { download: 0x7, normal: 0xd },
    bootMode: c3BootMode,
    efuseBase: 0x6000_8800,
    defaultMac: '60:55:f9:12:34:56',
    defaultRevision: { major: 0, minor: 3 },
    registers: [
      [0x4000_1000, 0x1b31_506f],
      [0x4000_1004, 0x0000_706f],
      [0x6000_0078, 0x1512_2500],
    ],
    uartDivider: { address: 0x6000_0014, atStart: 0x152, romHertz: 40_000_000, stubHertz: 40_000_000 },
    // esptool targets/esp32c3.py.
    watchdog: { config: 0x6000_8090, timeout: 0x6000_8094, protect: 0x6000_80a8 },
    stub: {
      text: [0x4038_0000, 5880],
      data: [0x3fc9_6d68, 204],
      entry: 0x4038_0e9a,
      sha256: 'd73bd88cdeac7b90c57821d81e77cb96cfeb73d8db572e634ec1d1dcafdb853d',
    },
  },
];

/**
 * The row of that chip.
 *
 * @throws {RangeError} when there is none.
 */
export function simChip(name: string): SimChip {
  const chip = SIM_CHIPS.find((row) => row.name === name);
  if (!chip) throw new RangeError(`No virtual ${name}; there are ${SIM_CHIPS.map((row) => row.name).join(', ')}`);
  return chip;
}
