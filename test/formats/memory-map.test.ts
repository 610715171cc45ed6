import { describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { chipByImageId, CHIPS } from '#formats/chips.ts';
import { isFlashMapped, memoryTypes } from '#formats/memory-map.ts';
import { imageFixture } from './app-fixtures.ts';

/** The column "Memory types" of esptool 5.2 image-info. */
test.each<[string, string[]]>([
  ['esp32-small.bin', ['DROM', 'BYTE_ACCESSIBLE, DRAM', 'IRAM']],
  ['esp32-bootloader.bin', ['BYTE_ACCESSIBLE, DRAM', 'IRAM']],
  ['esp32s2-small.bin', ['DROM', 'BYTE_ACCESSIBLE, MEM_INTERNAL, DRAM', 'MEM_INTERNAL, IRAM']],
  ['esp32s3-small.bin', ['DROM', 'BYTE_ACCESSIBLE, MEM_INTERNAL, DRAM', 'MEM_INTERNAL, IRAM']],
  ['esp32c3-full.bin', ['DROM', 'DRAM', 'IRAM', 'PADDING', 'IROM']],
  ['esp32c6-small.bin', ['DROM, IROM', 'DRAM, BYTE_ACCESSIBLE, IRAM', 'DRAM, BYTE_ACCESSIBLE, IRAM']],
])('the segments of %s lie where esptool says', (file, types) => {
  const { header, segments } = parseImage(imageFixture(file));
  const chip = chipByImageId(header.chipId)!;
  expect(segments.map(({ loadAddress }) => memoryTypes(chip, loadAddress).join(', '))).toEqual(types);
});

describe.each(CHIPS)('$title', (chip) => {
  test('shows flash only where constants, code or external RAM can be', () => {
    for (let page = 0x3c00_0000; page < 0x4c00_0000; page += 0x1_0000) {
      if (!isFlashMapped(chip.imageChipId, page)) continue;
      const types = memoryTypes(chip, page);
      // Beyond what esptool names, the soc.h of some chips goes on; what is named is never internal RAM.
      expect(types.filter((type) => !/^(DROM|IROM|EXTRAM_DATA)$/.test(type))).toEqual([]);
    }
  });

  test('loads nothing where there is no memory', () => {
    expect(memoryTypes(chip, 0xffff_ffff)).toEqual([]);
    expect(memoryTypes(chip, 0)).toEqual(['PADDING']);
  });
});
