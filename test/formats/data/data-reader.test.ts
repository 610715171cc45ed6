/** Reading what was packed: every shape comes back, every damage is told, nothing throws. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toHex } from '#formats/bytes.ts';
import { CHIPS, chipByName } from '#formats/chips.ts';
import { encodeAssets } from '#formats/data/assets.ts';
import { DATA_HEADERS, packDataImage } from '#formats/data/data-image.ts';
import { readDataImage, type ReadDataOptions } from '#formats/data/data-reader.ts';
import { digestTag } from '#formats/data/data-tag.ts';
import { imageFixture } from '../app-fixtures.ts';
import { assetFiles } from './data-arbitrary.ts';

const esp32 = chipByName('esp32')!;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const codesOf = (image: Uint8Array, options?: ReadDataOptions): string[] =>
  readDataImage(image, options).issues.map(({ code }) => code);

const payloads = fc
  .uint8Array({ minLength: 1, maxLength: 3000 })
  .filter((payload) => payload[0] !== 0xe9 && payload[0] !== 0x32 && payload[32] !== 0x32);
const shapes = fc.record({ chip: fc.constantFrom(...CHIPS), header: fc.constantFrom(...DATA_HEADERS) });

describe('what was packed is read', () => {
  test('a raw file that does not end in zeros', () => {
    fc.assert(
      fc.property(payloads, shapes, fc.option(fc.stringMatching(/^[a-z0-9 .-]{1,16}$/)), (payload, shape, tag) => {
        payload[payload.length - 1] ||= 1;
        const tagged = tag === null ? {} : { tag };
        const image = packDataImage(payload, { ...shape, ...tagged, allowSpiModeByte: true });
        const content = readDataImage(image, { header: shape.header, layout: 'raw', ...tagged });
        expect(content.issues).toEqual([]);
        expect(toHex(content.payload)).toBe(toHex(payload));
        expect(content).toMatchObject({ ...tagged, layout: 'raw', header: shape.header });
        expect(content.chip).toBe(shape.header === 'two-step' ? shape.chip : undefined);
      }),
      { numRuns: 200 },
    );
  });

  test('a raw file behind the tag of its digest, whatever it ends in and without being told anything', () => {
    fc.assert(
      fc.property(payloads, fc.nat(20), shapes, (start, zeros, shape) => {
        const payload = concatBytes(start, new Uint8Array(zeros));
        const tag = digestTag(payload);
        const content = readDataImage(packDataImage(payload, { ...shape, tag, allowSpiModeByte: true }));
        expect(content).toMatchObject({ header: shape.header, layout: 'raw', tag, issues: [] });
        expect(toHex(content.payload)).toBe(toHex(payload));
      }),
      { numRuns: 200 },
    );
  });

  test('files, with or without a tag, without being told anything', () => {
    const tags = fc.option(fc.stringMatching(/^[a-z]{1,16}$/));
    fc.assert(
      fc.property(assetFiles, shapes, tags, fc.integer({ min: 16, max: 40 }), (files, shape, tag, nameLength) => {
        const { payload, entries } = encodeAssets(files, { nameLength });
        const tagged = tag === null ? {} : { tag };
        const content = readDataImage(packDataImage(payload, { ...shape, ...tagged, allowSpiModeByte: true }));
        expect(content).toMatchObject({
          ...(shape.header === 'none' ? {} : { chip: shape.chip }),
          layout: 'assets',
          issues: [],
        });
        expect(content.tag).toBe(tag ?? undefined);
        expect(content.assets?.entries.map(({ name, bytes }) => [name, toHex(bytes)])).toEqual(
          entries.map(({ name, bytes }) => [name, toHex(bytes)]),
        );
      }),
      { numRuns: 200 },
    );
  });
});

test('the length of a short file can be told', () => {
  const image = packDataImage(Uint8Array.of(1, 2, 0, 0), { chip: esp32 });
  expect(readDataImage(image).payload).toEqual(Uint8Array.of(1, 2));
  expect(readDataImage(image, { size: 4 }).payload).toEqual(Uint8Array.of(1, 2, 0, 0));
  expect(codesOf(image, { size: 2000 })).toEqual(['data-truncated']);
});

test('of a slot the erased end is not payload', () => {
  const slot = new Uint8Array(8192).fill(0xff);
  slot.set(packDataImage(new Uint8Array(2000).fill(7, 1000), { chip: esp32, slotSize: 8192 }));
  expect(readDataImage(slot, { slot: true }).payload.length).toBe(2000);
  expect(readDataImage(slot).payload.length).toBe(8192 - 32);
  slot.fill(0xff).set(packDataImage(text('short'), { chip: esp32, slotSize: 8192 }));
  expect(readDataImage(slot, { slot: true }).payload).toEqual(text('short'));
});

test('files are found in a slot that holds older bytes behind them', () => {
  const { payload } = encodeAssets([{ name: 'a', bytes: text('a') }]);
  const slot = concatBytes(packDataImage(payload, { chip: esp32 }), new Uint8Array(500).fill(3));
  expect(readDataImage(slot)).toMatchObject({ layout: 'assets', issues: [], payload });
});

describe('told', () => {
  const tagged = packDataImage(text('payload'), { chip: esp32, tag: 'v1' });
  const assets = encodeAssets([
    { name: 'a', bytes: text('first') },
    { name: 'b', bytes: text('second') },
  ]).payload;
  const changed = (image: Uint8Array, at: number, value: number): Uint8Array => {
    const copy = image.slice();
    copy[at] = value;
    return copy;
  };
  const packedAssets = packDataImage(assets, { chip: esp32 });

  test.each<[string[], Uint8Array, ReadDataOptions]>([
    [[], imageFixture('seed-data.bin'), {}],
    [[], imageFixture('data-esp32.bin'), { chip: esp32 }],
    [['data-verifies-as-app'], imageFixture('data-byte31-ef.bin'), {}],
    [['data-not-packed'], imageFixture('data-raw.bin'), {}],
    [[], imageFixture('data-raw.bin'), { header: 'none' }],
    [['data-not-packed', 'data-starts-like-image'], imageFixture('esp32-small.bin'), {}],
    [['data-not-packed'], imageFixture('data-raw.bin'), { header: 'two-step' }],
    [['data-not-packed', 'data-empty'], new Uint8Array(0), {}],
    [['data-not-packed', 'data-empty'], new Uint8Array(7), { header: 'two-step' }],
    [['data-wrong-chip'], imageFixture('seed-data.bin'), { chip: esp32 }],
    [['data-unknown-chip'], changed(tagged, 12, 77), {}],
    [['data-looks-like-app'], changed(changed(changed(changed(tagged, 32, 0x32), 33, 0x54), 34, 0xcd), 35, 0xab), {}],
    [['data-empty'], tagged.subarray(0, 32), {}],
    [['data-bad-tag'], changed(tagged, 33, 7), { tagged: true }],
    [[], tagged, { tag: 'v1' }],
    [['data-wrong-tag'], tagged, { tag: 'v2' }],
    [['data-wrong-tag'], tagged, { tag: 'auto' }],
    [['data-assets-bad-checksum'], changed(packedAssets, 32 + assets.length - 1, 0), {}],
    [['data-wrong-tag'], packDataImage(assets, { chip: esp32, tag: 'v1' }), { tag: 'auto' }],
    [[], packDataImage(assets, { chip: esp32, tag: digestTag(assets) }), { tag: 'auto' }],
    [['data-assets-bad-entry'], tagged, { layout: 'assets' }],
  ])('%j', (codes, image, options) => {
    expect(codesOf(image, options)).toEqual(codes);
  });

  test('places count from the start of the image', () => {
    const { issues } = readDataImage(changed(packedAssets, 32 + 12 + 2 * 44, 0));
    expect(issues).toMatchObject([
      { code: 'data-assets-bad-checksum', place: { offset: 36 } },
      { code: 'data-assets-bad-magic', place: { offset: 44 } },
    ]);
  });

  test('what is told to be raw is not taken for files', () => {
    expect(readDataImage(packedAssets, { layout: 'raw' })).toMatchObject({ layout: 'raw', issues: [] });
  });
});

test('mutated bytes are read without a throw', () => {
  const options = fc.record(
    {
      header: fc.constantFrom(...DATA_HEADERS),
      layout: fc.constantFrom('raw' as const, 'assets' as const),
      tagged: fc.boolean(),
      slot: fc.boolean(),
      size: fc.nat(2000),
      nameLength: fc.integer({ min: 2, max: 64 }),
    },
    { requiredKeys: [] },
  );
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(assetFiles, changes, fc.nat(), options, (files, mutations, cut, told) => {
      const image = packDataImage(encodeAssets(files).payload, { chip: esp32, allowSpiModeByte: true });
      for (const [at, value] of mutations) image[at % 200] = value;
      const { payload, payloadOffset } = readDataImage(image.subarray(0, cut % 4 === 0 ? cut % 1024 : 1024), told);
      expect(payloadOffset + payload.length).toBeLessThanOrEqual(Math.max(1024, payloadOffset));
    }),
    { numRuns: 2500 },
  );
});
