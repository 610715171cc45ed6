/**
 * One table of chip facts. Sources: esptool `targets/*.py` (image chip ids, boot loader offsets, flash codes),
 * ESP-IDF `components/bootloader/Kconfig.projbuild` (BOOTLOADER_OFFSET_IN_FLASH).
 */
export interface Chip {
  /** Name as build systems write it. */
  readonly name: ChipName;
  /** Name as people write it; esptool-js's CHIP_NAME and the `chipFamily` of esp-web-tools manifests. */
  readonly title: string;
  /** `chip_id` in an image header (byte 12), and what GET_SECURITY_INFO tells. */
  readonly imageChipId: number;
  /** Flash offset from which the ROM loads the second-stage boot loader. */
  readonly bootloaderOffset: number;
  /** Low nibble of header byte 3 for each flash frequency. */
  readonly flashFrequencies: Readonly<Record<string, number>>;
  /**
   * Most bytes of flash that the data cache can map at once, shared with the app's own constants; `undefined` where it is larger than
   * any slot. The width of the window for constants (esptool `targets/*.py`, DROM_MAP).
   */
  readonly dataMapLimit?: number;
}

export type ChipName =
  'esp32' | 'esp32s2' | 'esp32s3' | 'esp32c2' | 'esp32c3' | 'esp32c5' | 'esp32c6' | 'esp32c61' | 'esp32h2' | 'esp32p4';

const USUAL = { '80m': 0xf, '40m': 0x0, '26m': 0x1, '20m': 0x2 };

export const CHIPS: readonly Chip[] = [
  {
    name: 'esp32',
    title: 'ESP32',
    imageChipId: 0,
    bootloaderOffset: 0x1000,
    flashFrequencies: USUAL,
    dataMapLimit: 0x40_0000,
  },
  {
    name: 'esp32s2',
    title: 'ESP32-S2',
    imageChipId: 2,
    bootloaderOffset: 0x1000,
    flashFrequencies: USUAL,
    dataMapLimit: 0x3f_0000,
  },
  {
    name: 'esp32c3',
    title: 'ESP32-C3',
    imageChipId: 5,
    bootloaderOffset: 0,
    flashFrequencies: USUAL,
    dataMapLimit: 0x80_0000,
  },
  { name: 'esp32s3', title: 'ESP32-S3', imageChipId: 9, bootloaderOffset: 0, flashFrequencies: USUAL },
  {
    name: 'esp32c2',
    title: 'ESP32-C2',
    imageChipId: 12,
    bootloaderOffset: 0,
    flashFrequencies: { '60m': 0xf, '30m': 0x0, '20m': 0x1, '15m': 0x2 },
    dataMapLimit: 0x40_0000,
  },
  {
    name: 'esp32c6',
    title: 'ESP32-C6',
    imageChipId: 13,
    bootloaderOffset: 0,
    // 80m shares its code with 40m on purpose (esptool targets/esp32c6.py).
    flashFrequencies: { '80m': 0x0, '40m': 0x0, '20m': 0x2 },
  },
  {
    name: 'esp32h2',
    title: 'ESP32-H2',
    imageChipId: 16,
    bootloaderOffset: 0,
    flashFrequencies: { '48m': 0xf, '24m': 0x0, '16m': 0x1, '12m': 0x2 },
  },
  { name: 'esp32p4', title: 'ESP32-P4', imageChipId: 18, bootloaderOffset: 0x2000, flashFrequencies: USUAL },
  {
    name: 'esp32c61',
    title: 'ESP32-C61',
    imageChipId: 20,
    bootloaderOffset: 0,
    flashFrequencies: { '80m': 0xf, '40m': 0x0, '20m': 0x2 },
  },
  {
    name: 'esp32c5',
    title: 'ESP32-C5',
    imageChipId: 23,
    bootloaderOffset: 0x2000,
    flashFrequencies: { '80m': 0xf, '40m': 0x0, '20m': 0x2 },
  },
];

/** The chip of that name or title (any case, dashes ignored: `ESP32-S3`, `esp32s3`), if known. */
export function chipByName(name: string): Chip | undefined {
  const plain = name.toLowerCase().replaceAll('-', '');
  return CHIPS.find((chip) => chip.name === plain);
}

/** The chip that an image header's `chip_id` means, if known. */
export function chipByImageId(imageChipId: number): Chip | undefined {
  return CHIPS.find((chip) => chip.imageChipId === imageChipId);
}

/** `spi_mode` of an image header (byte 2). */
export const FLASH_MODES = ['qio', 'qout', 'dio', 'dout', 'fast_read', 'slow_read'] as const;
export type FlashMode = (typeof FLASH_MODES)[number];

/** Flash size in bytes of the high nibble of header byte 3: 0 is 1 MB, 7 is 128 MB. */
export const flashSizeOfCode = (code: number): number => 0x10_0000 * 2 ** code;

/** `4MB` of 4194304; sizes below 1 MB in KB. */
export function flashSizeName(size: number): string {
  return size >= 0x10_0000 ? `${size / 0x10_0000}MB` : `${size / 1024}KB`;
}

/** Bytes of `4MB` or `512KB` (any case), or `undefined`. */
export function parseFlashSize(text: string): number | undefined {
  const match = /^(\d+)(k|m)b?$/i.exec(text.trim());
  if (!match) return undefined;
  return Number(match[1]) * (match[2]?.toLowerCase() === 'm' ? 0x10_0000 : 1024);
}
