import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equalBytes, toHex } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { mergeFlash } from '#formats/flash-merge.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type SplitFlash, splitFlash, type SplitOptions } from '#formats/release/split-flash.ts';
import { imageFixture } from '../app-fixtures.ts';
import { file, imageFor, merge, tableOf } from './support.ts';

const esp32Boot = imageFixture('esp32-bootloader.bin');
const esp32App = imageFixture('esp32-small.bin');
const table = tableOf(
  ['nvs', 1, 2, 0x9000, 0x4000],
  ['otadata', 1, 0, 0xd000, 0x2000],
  ['ota_0', 0, 0x10, 0x1_0000, 0x10_0000],
  ['ota_1', 0, 0x11, 0x11_0000, 0x10_0000],
);
const otadata = encodeOtadata({ slot: 0, slotCount: 2 });
const parts = { 0x1000: esp32Boot, 0x8000: table, 0xd000: otadata, 0x1_0000: esp32App };

const split = (data: Uint8Array, options: Partial<SplitOptions> = {}): SplitFlash =>
  splitFlash(data, { file: 'flash.bin', ...options });
const placesOf = ({ files }: SplitFlash): [string, number, number][] =>
  files.map(({ name, offset, data }) => [name, offset, data.length]);

test('a dump becomes files with the names of its partitions, data whole, blank ones left out', () => {
  const result = split(merge(0, parts, 0x40_0000));
  expect(placesOf(result)).toEqual([
    ['bootloader.bin', 0x1000, esp32Boot.length],
    ['partition-table.bin', 0x8000, 0xc00],
    ['otadata.bin', 0xd000, 0x2000],
    ['ota_0.bin', 0x1_0000, esp32App.length],
  ]);
  expect(result).toMatchObject({ start: 0, chip: { name: 'esp32' }, blank: ['nvs', 'ota_1'] });
});

test('the files are a release again, the same as the image itself', () => {
  const image = merge(
    0,
    { ...parts, 0x9000: new Uint8Array(0x4000).fill(3), 0x21_0000: new Uint8Array(5).fill(9) },
    0x40_0000,
  );
  const { files, flasherArgs } = split(image);
  const again = recogniseRelease([
    ...files.map(({ name, data }) => file(name, data)),
    file('flasher_args.json', flasherArgs),
  ]);
  const [build, whole] = [again, recogniseRelease([file('merged.bin', image)])].map(({ builds }) => builds[0]!);
  expect(again).toMatchObject({ kind: 'idf-build', name: 'demo_app', notes: [] });
  expect(build!.notes.map(({ code }) => code)).toEqual(whole!.notes.map(({ code }) => code));
  expect(build!.chip).toBe(whole!.chip);
  for (const role of ['app', 'bootloader', 'table', 'otadata'] as const) {
    expect(build![role]!.offset).toBe(whole![role]!.offset);
    expect(toHex(build![role]!.data)).toBe(toHex(whole![role]!.data));
  }
  expect(build!.extra.map(({ offset }) => offset)).toEqual(whole!.extra.map(({ offset }) => offset));
});

test.each([
  [0, 0x1000],
  [2, 0x1000],
  [5, 0],
  [9, 0],
  [18, 0x2000],
])('where it starts is found from the boot loader alone, too (chip id %d)', (chipId, bootOffset) => {
  const boot = imageFor(chipId, 'esp32-bootloader.bin');
  for (const start of [0, bootOffset]) {
    expect(split(merge(start, { [bootOffset]: boot, 0x8000: table })).start).toBe(start);
  }
});

test('without a boot loader it starts where the table is at its usual place, or as told', () => {
  const image = merge(0x8000, { 0x8000: table, 0xd000: otadata });
  expect(split(image)).toMatchObject({ start: 0x8000, blank: ['nvs'] });
  expect(split(image)).not.toHaveProperty('chip');
  expect(JSON.parse(split(image).flasherArgs)).not.toHaveProperty('extra_esptool_args');
  const moved = merge(0xc000, { 0xc000: tableOf(['a', 1, 0x99, 0xd000, 0x1000]), 0xd000: otadata });
  expect(placesOf(split(moved, { start: 0xc000 }))[1]).toEqual(['a.bin', 0xd000, 0x1000]);
});

test('the chip of an app counts where there is no boot loader', () => {
  expect(split(merge(0x8000, { 0x8000: table, 0x1_0000: esp32App }))).toMatchObject({ chip: { name: 'esp32' } });
});

test('labels that are no file names, or twice the same, become names of their own', () => {
  const odd = tableOf(
    ['../../etc', 1, 0x99, 0x9000, 0x1000],
    ['bootloader', 1, 0x99, 0xa000, 0x1000],
    ['Nvs', 1, 0x99, 0xb000, 0x1000],
    ['nvs', 1, 0x99, 0xc000, 0x1000],
    ['ä b', 1, 0x99, 0xd000, 0x1000],
    ['', 1, 0x99, 0xe000, 0x1000],
  );
  const image = merge(0, { 0x1000: esp32Boot, 0x8000: odd, 0x9000: new Uint8Array(0x6000).fill(1) });
  expect(split(image).files.map(({ name }) => name)).toEqual([
    'bootloader.bin',
    'partition-table.bin',
    '__.._etc.bin',
    'bootloader-0xa000.bin',
    'Nvs.bin',
    'nvs-0xc000.bin',
    '__b.bin',
    '_.bin',
  ]);
});

test.each<[string, () => Uint8Array, Partial<SplitOptions>]>([
  ['image-no-table', () => new Uint8Array(0x1_0000).fill(0x5a), {}],
  ['image-no-table', () => new Uint8Array(0), {}],
  ['image-wrong-chip', () => merge(0, parts), { chip: chipByName('esp32s3')! }],
  ['release-wrongly-merged', () => merge(0, { 0: esp32Boot, 0x8000: table, 0x1_0000: esp32App }), {}],
  ['release-wrongly-merged', () => merge(0, parts), { start: 0x1000 }],
])('%s is refused', (code, image, options) => {
  expect(() => split(image(), options)).toThrow(expect.objectContaining({ code }));
});

test('merged again, the files are the image, whatever its table says and wherever bytes lie', () => {
  const row = fc.record({
    subtype: fc.nat(255),
    type: fc.constantFrom(0, 1, 2, 3, 0x40),
    // Also such as overlap, lie across boot loader and table, or end inside of a sector.
    offset: fc.oneof(
      fc.nat(0x50).map((page) => page * 0x400),
      fc.nat(0x1_4000),
    ),
    size: fc.oneof(
      fc.nat(0x10).map((page) => page * 0x400),
      fc.nat(0x4000),
    ),
  });
  const content = fc.record({ at: fc.nat(0x1_5000), bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }) });
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 6 }),
      fc.array(content, { maxLength: 12 }),
      fc.constantFrom(0, 0x1000),
      fc.integer({ min: 0x1_0000, max: 0x1_5000 }),
      (rows, contents, start, end) => {
        const image = new Uint8Array(end - start).fill(0xff);
        const put = (offset: number, bytes: Uint8Array): void => {
          if (offset >= start && offset + bytes.length <= end) image.set(bytes, offset - start);
        };
        for (const { at, bytes } of contents) put(at, bytes);
        put(0x1000, esp32Boot);
        put(
          0x8000,
          tableOf(
            ['nvs', 1, 2, 0x9000, 0x1000],
            ...rows.map(({ type, subtype, offset, size }, index): [string, number, number, number, number] => [
              `part${index % 3}`,
              type,
              subtype,
              offset,
              size,
            ]),
          ),
        );
        const { files, start: found } = split(image);
        expect(found).toBe(start);
        const merged = mergeFlash(files, { targetOffset: found, padTo: end });
        expect(equalBytes(merged, image)).toBe(true);
        expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever bytes come, they are split or refused', () => {
  const image = merge(0, parts);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.oneof(fc.nat(image.length - 1), fc.integer({ min: 0x8000, max: 0x80c0 })), fc.nat(255)), {
        maxLength: 4,
      }),
      fc.nat(image.length),
      (changes, length) => {
        const bytes = image.slice(0, length);
        for (const [offset, value] of changes) if (offset < length) bytes[offset] = value;
        try {
          expect(split(bytes).files.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ name: 'FormatError' });
        }
      },
    ),
    { numRuns: 1000 },
  );
});
