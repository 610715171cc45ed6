import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AppImage, looksLikeImage, parseImage } from '#formats/app-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { imageFixture, imageFixtureFiles, imageVectors, type ParsedByTool } from './app-fixtures.ts';

const images = imageVectors.filter(({ kind }) => kind !== 'merged_flash');

test('every image in the folder has a vector', () => {
  const known = new Set(imageVectors.map(({ file }) => file));
  expect(imageFixtureFiles().filter((file) => !known.has(file) && file !== 'pt.bin')).toEqual([]);
  expect(images.length).toBeGreaterThan(15);
});

/** What a parsed image says, in the words of the vectors. */
function inToolWords({ header, segments, checksum, sha256, length }: AppImage): Partial<ParsedByTool> {
  return {
    header: {
      segment_count: header.segmentCount,
      spi_mode: header.spiMode,
      spi_speed: header.frequencyCode,
      spi_size: header.sizeCode,
      entry_addr: header.entry,
      wp_pin: header.wpPin,
      chip_id: header.chipId,
      min_chip_rev: header.minChipRev,
      min_chip_rev_full: header.minChipRevFull,
      max_chip_rev_full: header.maxChipRevFull,
      hash_appended: header.hashAppended ? 1 : 0,
    },
    segments: segments.map((segment, index) => ({
      index,
      load_addr: segment.loadAddress,
      length: segment.length,
      file_offset: segment.fileOffset,
    })),
    checksum_offset: checksum.offset,
    checksum_calc: checksum.computed,
    ...(checksum.stored !== undefined && { checksum_stored: checksum.stored }),
    image_length: length,
    ...(sha256 && { sha256_calc: sha256.computed }),
  };
}

const REFUSED: Record<string, string> = {
  'app-bad-magic': 'image-bad-magic',
  'app-bad-segcount-17': 'image-too-many-segments',
  'app-bad-seglen-huge': 'image-bad-segment-length',
  'app-data-raw': 'image-bad-magic',
};

describe.each(images)('$id', ({ id, file, expected, kind }) => {
  const bytes = imageFixture(file);
  const refused = REFUSED[id];
  const parsed = expected.parsed!;

  if (refused !== undefined) {
    test(`is refused as ${refused}, with the place`, () => {
      expect(codeOf(() => parseImage(bytes))).toBe(refused);
      expect(placeOf(() => parseImage(bytes))).toEqual(expect.any(Number));
    });
    return;
  }

  test('is read as the tools read it', () => {
    expect(parsed).toMatchObject(inToolWords(parseImage(bytes)));
    expect(parsed.segments).toHaveLength(parseImage(bytes).segments.length);
  });

  test('its stored digest is the one of the file', () => {
    const { sha256 } = parseImage(bytes);
    expect(sha256 !== undefined).toBe(parsed.header.hash_appended === 1);
    if (sha256) expect(sha256.stored).toBe(id === 'app-bad-nosha-file' ? '' : parsed.sha256_stored);
  });

  test('its description is read as the tools read it', () => {
    const { description } = parseImage(bytes);
    const mine = description && {
      secure_version: description.secureVersion,
      version: description.version,
      project_name: description.projectName,
      time: description.time,
      date: description.date,
      idf_ver: description.idfVersion,
      app_elf_sha256: description.elfSha256,
      min_efuse_blk_rev_full: description.minEfuseBlockRevFull,
      max_efuse_blk_rev_full: description.maxEfuseBlockRevFull,
      mmu_page_size: description.mmuPageSize === undefined ? 0 : Math.log2(description.mmuPageSize),
      spi_flash_mode: description.spiFlashMode,
    };
    expect(mine ?? null).toEqual(parsed.app_desc ?? null);
  });

  test('its kind is told', () => {
    const data = id.includes('data');
    expect(parseImage(bytes).kind).toBe(data ? 'unknown' : kind === 'bootloader_image' ? 'bootloader' : 'app');
  });

  test('is read the same from a slot that goes on behind it', () => {
    if (id === 'app-bad-nosha-file') return expect(parseImage(bytes).sha256!.stored).toBe('');
    const slot = new Uint8Array(bytes.length + 4096).fill(0xff);
    slot.set(bytes);
    expect(parseImage(slot)).toEqual(parseImage(bytes));
  });
});

test('a boot loader description gives its versions', () => {
  const { bootloaderDescription } = parseImage(imageFixture('esp32-bootloader.bin'));
  expect(bootloaderDescription).toEqual({ version: 1, idfVersion: 'v5.1', dateTime: 'Jan  2 2024 12:34:56' });
});

test('a boot loader without description is told by running from RAM alone', () => {
  const bytes = imageFixture('esp32-bootloader.bin');
  bytes[32] = 0;
  expect(parseImage(bytes)).toMatchObject({ kind: 'bootloader' });
  expect(parseImage(bytes).bootloaderDescription).toBeUndefined();
});

test('flash settings have their names', () => {
  expect(parseImage(imageFixture('esp32-small.bin')).header).toMatchObject({ flashMode: 'dio', flashSize: 0x40_0000 });
  const odd = imageFixture('esp32-small.bin');
  odd[2] = 9;
  odd[3] = 0x80;
  expect(parseImage(odd).header).not.toHaveProperty('flashMode');
  expect(parseImage(odd).header).not.toHaveProperty('flashSize');
});

test.each([
  ['image-too-short', 0],
  ['image-too-short', 23],
  ['image-truncated', 24],
  ['image-truncated', 31],
  ['image-truncated', 887],
  ['image-truncated', 1900],
])('%s when only %d bytes are there', (code, length) => {
  expect(codeOf(() => parseImage(imageFixture('esp32-small.bin').subarray(0, length)))).toBe(code);
});

test('an image that ends before its checksum byte has none', () => {
  const { checksum } = parseImage(imageFixture('esp32-nodigest.bin').subarray(0, 1930));
  expect(checksum.stored).toBeUndefined();
});

test('what begins like an image is recognised', () => {
  expect(looksLikeImage(imageFixture('esp32-small.bin'))).toBe(true);
  expect(looksLikeImage(imageFixture('seed-data.bin'))).toBe(true);
  expect(looksLikeImage(imageFixture('bad-segcount-17.bin'))).toBe(false);
  expect(looksLikeImage(imageFixture('pt.bin'))).toBe(false);
  expect(looksLikeImage(new Uint8Array(0))).toBe(false);
});

test('whatever bytes come, reading ends in an image or in a FormatError', () => {
  const small = imageFixture('esp32-small.bin');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(small.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(small.length),
      (changes, length) => {
        const bytes = small.slice(0, length);
        for (const [offset, value] of changes) if (offset < length) bytes[offset] = value;
        const code = codeOf(() => parseImage(bytes));
        expect(code === undefined || code.startsWith('image-')).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

function codeOf(action: () => unknown): string | undefined {
  const error = caught(action);
  if (error === undefined || error instanceof FormatError) return error?.code;
  throw error as Error;
}

const placeOf = (action: () => unknown): number | undefined => (caught(action) as FormatError).place.offset;
