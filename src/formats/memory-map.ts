/**
 * What lies where in each chip's address space, as far as images are loaded or mapped there.
 * Names and ranges: esptool 5.2 `targets/*.py` (MEMORY_MAP, for the types; IROM_MAP and DROM_MAP, for the mapped ranges).
 */
import { type Chip, chipByImageId, type ChipName } from './chips.ts';

/** From the first address to the one behind the last. */
type Range = readonly [from: number, to: number];
type Region = readonly [name: string, ...range: Range];

/** Segments whose load address is 0 only fill the file; esptool takes the first 64 KiB for it. */
const PADDING: Region = ['PADDING', 0, 0x1_0000];

interface SharedBusLayout {
  /** Flash as constants and as code: one range for both. */
  flash: Range;
  /** RAM, the same for data and code. */
  ram: Range;
  dataRom: Range;
  codeRom: Range;
  rtc: Range;
}

/** RISC-V chips in which data and code share their addresses, so that one address has several names. */
const sharedBus = ({ flash, ram, dataRom, codeRom, rtc }: SharedBusLayout): Region[] => [
  PADDING,
  ['DROM', ...flash],
  ['DRAM', ...ram],
  ['BYTE_ACCESSIBLE', ...ram],
  ['DROM_MASK', ...dataRom],
  ['IROM_MASK', ...codeRom],
  ['IROM', ...flash],
  ['IRAM', ...ram],
  ['RTC_IRAM', ...rtc],
  ['RTC_DRAM', ...rtc],
  ['MEM_INTERNAL2', 0x600f_e000, 0x6010_0000],
];

const C6_LAYOUT: SharedBusLayout = {
  flash: [0x4200_0000, 0x4300_0000],
  ram: [0x4080_0000, 0x4088_0000],
  dataRom: [0x4004_ac00, 0x4005_0000],
  codeRom: [0x4000_0000, 0x4004_ac00],
  rtc: [0x5000_0000, 0x5000_4000],
};

/** In the order in which esptool names them. */
const MEMORY_MAP: Readonly<Record<ChipName, readonly Region[]>> = {
  esp32: [
    PADDING,
    ['DROM', 0x3f40_0000, 0x3f80_0000],
    ['EXTRAM_DATA', 0x3f80_0000, 0x3fc0_0000],
    ['RTC_DRAM', 0x3ff8_0000, 0x3ff8_2000],
    ['BYTE_ACCESSIBLE', 0x3ff9_0000, 0x4000_0000],
    ['DRAM', 0x3ffa_e000, 0x4000_0000],
    ['DIRAM_DRAM', 0x3ffe_0000, 0x3fff_fffc],
    ['IROM', 0x4000_0000, 0x4007_0000],
    ['CACHE_PRO', 0x4007_0000, 0x4007_8000],
    ['CACHE_APP', 0x4007_8000, 0x4008_0000],
    ['IRAM', 0x4008_0000, 0x400a_0000],
    ['DIRAM_IRAM', 0x400a_0000, 0x400b_fffc],
    ['RTC_IRAM', 0x400c_0000, 0x400c_2000],
    ['IROM', 0x400d_0000, 0x4040_0000],
    ['RTC_DATA', 0x5000_0000, 0x5000_2000],
  ],
  esp32s2: [
    PADDING,
    ['DROM', 0x3f00_0000, 0x3ff8_0000],
    ['EXTRAM_DATA', 0x3f50_0000, 0x3ff8_0000],
    ['RTC_DRAM', 0x3ff9_e000, 0x3ffa_0000],
    ['BYTE_ACCESSIBLE', 0x3ff9_e000, 0x4000_0000],
    ['MEM_INTERNAL', 0x3ff9_e000, 0x4007_2000],
    ['DRAM', 0x3ffb_0000, 0x4000_0000],
    ['IROM_MASK', 0x4000_0000, 0x4001_a100],
    ['IRAM', 0x4002_0000, 0x4007_0000],
    ['RTC_IRAM', 0x4007_0000, 0x4007_2000],
    ['IROM', 0x4008_0000, 0x4080_0000],
    ['RTC_DATA', 0x5000_0000, 0x5000_2000],
  ],
  esp32s3: [
    PADDING,
    ['DROM', 0x3c00_0000, 0x3d00_0000],
    ['EXTRAM_DATA', 0x3d00_0000, 0x3e00_0000],
    ['RTC_DRAM', 0x600f_e000, 0x6010_0000],
    ['BYTE_ACCESSIBLE', 0x3fc8_8000, 0x3fd0_0000],
    ['MEM_INTERNAL', 0x3fc8_8000, 0x403e_2000],
    ['DRAM', 0x3fc8_8000, 0x3fd0_0000],
    ['IROM_MASK', 0x4000_0000, 0x4001_a100],
    ['IRAM', 0x4037_0000, 0x403e_0000],
    ['RTC_IRAM', 0x600f_e000, 0x6010_0000],
    ['IROM', 0x4200_0000, 0x4280_0000],
    ['RTC_DATA', 0x5000_0000, 0x5000_2000],
  ],
  esp32c2: [
    PADDING,
    ['DROM', 0x3c00_0000, 0x3c40_0000],
    ['DRAM', 0x3fca_0000, 0x3fce_0000],
    ['BYTE_ACCESSIBLE', 0x3fc8_8000, 0x3fd0_0000],
    ['DROM_MASK', 0x3ff0_0000, 0x3ff5_0000],
    ['IROM_MASK', 0x4000_0000, 0x4009_0000],
    ['IROM', 0x4200_0000, 0x4240_0000],
    ['IRAM', 0x4037_c000, 0x403c_0000],
  ],
  esp32c3: [
    PADDING,
    ['DROM', 0x3c00_0000, 0x3c80_0000],
    ['DRAM', 0x3fc8_0000, 0x3fce_0000],
    ['BYTE_ACCESSIBLE', 0x3fc8_8000, 0x3fd0_0000],
    ['DROM_MASK', 0x3ff0_0000, 0x3ff2_0000],
    ['IROM_MASK', 0x4000_0000, 0x4006_0000],
    ['IROM', 0x4200_0000, 0x4280_0000],
    ['IRAM', 0x4037_c000, 0x403e_0000],
    ['RTC_IRAM', 0x5000_0000, 0x5000_2000],
    ['RTC_DRAM', 0x5000_0000, 0x5000_2000],
    ['MEM_INTERNAL2', 0x600f_e000, 0x6010_0000],
  ],
  esp32c5: sharedBus({
    ...C6_LAYOUT,
    flash: [0x4200_0000, 0x4400_0000],
    ram: [0x4080_0000, 0x4086_0000],
    dataRom: [0x4003_a000, 0x4004_0000],
    codeRom: [0x4000_0000, 0x4003_a000],
  }),
  esp32c6: sharedBus(C6_LAYOUT),
  esp32c61: sharedBus({ ...C6_LAYOUT, flash: [0x4200_0000, 0x4400_0000], ram: [0x4080_0000, 0x4086_0000] }),
  esp32h2: sharedBus(C6_LAYOUT),
  esp32p4: sharedBus({
    flash: [0x4000_0000, 0x4c00_0000],
    ram: [0x4ff0_0000, 0x4ffa_0000],
    dataRom: [0x4fc0_0000, 0x4fc2_0000],
    codeRom: [0x4fc0_0000, 0x4fc2_0000],
    rtc: [0x5010_8000, 0x5011_0000],
  }),
};

/** What the memory at `address` is on that chip, in esptool's words: `DROM`, `IRAM`, …; several where areas overlap, or none. */
export function memoryTypes(chip: Chip, address: number): string[] {
  return MEMORY_MAP[chip.name].filter(([, from, to]) => address >= from && address < to).map(([name]) => name);
}

const SHARED_42: readonly Range[] = [[0x4200_0000, 0x4400_0000]];

/** Where the cache shows flash; chips with one range for constants and code have the range of ESP-IDF's `soc.h`. */
const FLASH_MAPPED: Readonly<Record<ChipName, readonly Range[]>> = {
  esp32: [[0x3f40_0000, 0x3f80_0000], [0x400d_0000, 0x4040_0000]], // prettier-ignore
  esp32s2: [[0x3f00_0000, 0x3f3f_0000], [0x4008_0000, 0x40b8_0000]], // prettier-ignore
  esp32s3: [[0x3c00_0000, 0x3e00_0000], [0x4200_0000, 0x4400_0000]], // prettier-ignore
  esp32c2: [[0x3c00_0000, 0x3c40_0000], [0x4200_0000, 0x4240_0000]], // prettier-ignore
  esp32c3: [[0x3c00_0000, 0x3c80_0000], [0x4200_0000, 0x4280_0000]], // prettier-ignore
  esp32c5: SHARED_42,
  esp32c6: SHARED_42,
  esp32c61: SHARED_42,
  esp32h2: SHARED_42,
  esp32p4: [[0x4000_0000, 0x4c00_0000]],
};

/** Whether that chip shows flash at `address`; such segments are not loaded but mapped. */
export function isFlashMapped(chipId: number, address: number): boolean {
  const chip = chipByImageId(chipId);
  return chip !== undefined && FLASH_MAPPED[chip.name].some(([from, to]) => address >= from && address < to);
}
