/**
 * How the mask ROMs differ in starting from flash. Address ranges: memory maps of the chips' technical reference
 * manuals; texts: by experiment (ESP32) and from public boot logs (ESP32-C3, ESP32-S3).
 */
import { CHIPS, type ChipName } from '#formats/chips.ts';

/** First address and first address behind. */
type Range = readonly [from: number, to: number];

interface RomRow {
  ram: readonly Range[];
  mapped: readonly Range[];
  /** Lines `configsip` and `clk_drv`. */
  printsPins: boolean;
  /** Segment lengths in hex. */
  hexLengths: boolean;
  checksChipId: boolean;
  /** Compares the appended SHA-256, though it boots whatever comes out. */
  checksDigest: boolean;
  /** A BASIC interpreter waits behind a boot loader that does not load. */
  hasBasic: boolean;
  fatalLine: string;
}

export interface RomFacts extends RomRow {
  readonly bootloaderOffset: number;
  readonly imageChipId: number;
  /** Whether the ROM gets past the copying of a segment. */
  canLoad(address: number, length: number): boolean;
  /** Whether the address belongs to the flash mapping. */
  isMapped(address: number): boolean;
}

const LATER = {
  printsPins: false,
  hexLengths: true,
  checksChipId: true,
  checksDigest: true,
  hasBasic: false,
  fatalLine: 'ets_main.c 329 ',
};

const ROWS: Partial<Record<ChipName, RomRow>> = {
  esp32: {
    ram: [
      [0x3ff8_0000, 0x3ff8_2000],
      [0x3ffa_e000, 0x4000_0000],
      [0x4007_0000, 0x400a_0000],
      [0x400c_0000, 0x400c_2000],
      [0x5000_0000, 0x5000_2000],
    ],
    mapped: [
      [0x3f40_0000, 0x3f80_0000],
      [0x400d_0000, 0x4040_0000],
    ],
    printsPins: true,
    hexLengths: false,
    checksChipId: false,
    checksDigest: false,
    hasBasic: true,
    fatalLine: 'ets_main.c 371 ',
  },
  esp32s3: {
    ...LATER,
    ram: [
      [0x3fc8_8000, 0x3fd0_0000],
      [0x4037_0000, 0x403e_0000],
      [0x5000_0000, 0x5000_2000],
      [0x600f_e000, 0x6010_0000],
    ],
    mapped: [
      [0x3c00_0000, 0x3e00_0000],
      [0x4200_0000, 0x4400_0000],
    ],
  },
  esp32c3: {
    ...LATER,
    ram: [
      [0x3fc8_0000, 0x3fce_0000],
      [0x4037_c000, 0x403e_0000],
      [0x5000_0000, 0x5000_2000],
    ],
    mapped: [
      [0x3c00_0000, 0x3c80_0000],
      [0x4200_0000, 0x4280_0000],
    ],
  },
};

/**
 * Facts of a chip that can be simulated.
 *
 * @throws {RangeError} for any other chip.
 */
export function romFacts(name: ChipName): RomFacts {
  const row = ROWS[name];
  const chip = CHIPS.find((candidate) => candidate.name === name);
  if (!row || !chip) throw new RangeError(`No virtual ${name}`);
  const inside = (ranges: readonly Range[], address: number, length: number): boolean =>
    ranges.some(([from, to]) => address >= from && address + length <= to);
  // The ESP32 stops dead at the first segment outside RAM; the later ROMs go on past mapped addresses and padding.
  const skips = (address: number, length: number): boolean =>
    name !== 'esp32' && (address === 0 ? length < 0x100_0000 : inside(row.mapped, address, length));
  return {
    ...row,
    bootloaderOffset: chip.bootloaderOffset,
    imageChipId: chip.imageChipId,
    canLoad: (address, length) => inside(row.ram, address, length) || skips(address, length),
    isMapped: (address) => inside(row.mapped, address, 0),
  };
}
