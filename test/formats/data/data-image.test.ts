import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { CHIPS, chipByName } from '#formats/chips.ts';
import {
  appHazard,
  checkFits,
  dataCapacity,
  dataImageWarnings,
  isDataImage,
  MIN_DATA_IMAGE,
  packDataImage,
  payloadOffset,
} from '#formats/data/data-image.ts';
import { readDataImage } from '#formats/data/data-reader.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { imageFixture, imageFixtureFiles } from '../app-fixtures.ts';

const esp32 = chipByName('esp32')!;
const esp32c3 = chipByName('esp32c3')!;
const MIB = 0x10_0000;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

test("the demo project's packer and this one make the same bytes", () => {
  const packed = packDataImage(text('Hello from the data partition'), { chip: esp32c3, slotSize: MIB });
  expect(toHex(packed)).toBe(toHex(imageFixture('seed-data.bin')));
});

test('the vector for the ESP32 comes out of its payload', () => {
  const vector = imageFixture('data-esp32.bin');
  expect(packDataImage(readDataImage(vector).payload, { chip: esp32, slotSize: MIB })).toEqual(vector);
});

test('a payload whose byte 181 is not zero is refused, because ESP-IDF 6.1 compares byte 213 of the file', () => {
  const payload = new Uint8Array(300);
  payload[181] = 2;
  expect(() => packDataImage(payload, { chip: esp32, slotSize: MIB })).toThrowError(coded('data-spi-mode-byte'));
  const packed = packDataImage(payload, { chip: esp32, slotSize: MIB, allowSpiModeByte: true });
  expect(packed[213]).toBe(2);
  // Behind the end of a short payload the byte is padding.
  expect(packDataImage(payload.subarray(0, 181), { chip: esp32, slotSize: MIB })[213]).toBe(0);
});

test.each(imageFixtureFiles())('%s is told apart from a data image', (file) => {
  const packed = ['seed-data.bin', 'data-esp32.bin', 'data-byte31-ef.bin'].includes(file);
  expect(isDataImage(imageFixture(file))).toBe(packed);
});

test('a slot keeps one sector free', () => {
  const most = dataCapacity(MIB);
  expect(most).toBe(MIB - 4096 - 32);
  expect(packDataImage(new Uint8Array(most), { chip: esp32, slotSize: MIB }).length).toBe(MIB - 4096);
  expect(() => packDataImage(new Uint8Array(most + 1), { chip: esp32, slotSize: MIB })).toThrowError(
    coded('data-too-large'),
  );
  expect(dataCapacity(4096)).toBe(0);
});

test.each([
  ['data-empty', new Uint8Array(0)],
  ['data-already-packed', imageFixture('seed-data.bin')],
  ['data-already-packed', imageFixture('data-byte31-ef.bin')],
  ['data-looks-like-app', Uint8Array.from([0x32, 0x54, 0xcd, 0xab, 1, 2])],
])('%s is refused', (code, payload) => {
  expect(() => packDataImage(payload, { chip: esp32, slotSize: MIB })).toThrowError(coded(code));
});

test('without a header the whole slot may be filled: the firmware is newer than the fault', () => {
  expect(dataCapacity(MIB, { header: 'none' })).toBe(MIB);
  expect(dataCapacity(MIB, { header: 'none', tagged: true })).toBe(MIB - 16);
  const image = packDataImage(new Uint8Array(MIB), { chip: esp32, slotSize: MIB, header: 'none' });
  expect(image.length).toBe(MIB);
  expect(() => checkFits(MIB + 1, MIB, 'none')).toThrowError(coded('data-too-large'));
  // What is filled up must fit too.
  expect(() => packDataImage(text('a'), { chip: esp32, slotSize: 1000, header: 'none' })).toThrowError(
    coded('data-too-large'),
  );
});

test.each([
  ['two-step', undefined, 32],
  ['two-step', 'v1', 48],
  ['none', undefined, 0],
  ['none', 'v1', 16],
] as const)('header %s, tag %s: the payload is at %d', (header, tag, offset) => {
  const image = packDataImage(text('payload'), { chip: esp32c3, header, tag });
  expect(payloadOffset({ header, tagged: tag !== undefined })).toBe(offset);
  expect(toHex(image.subarray(offset, offset + 8))).toBe(toHex(text('payload\0')));
  if (tag !== undefined) expect(toHex(image.subarray(offset - 16, offset))).toBe('7631'.padEnd(32, '0'));
  expect(isDataImage(image)).toBe(header === 'two-step');
});

test.each(['', 'seventeen letters', 'größe', 'a\nb', '<b>', 'a&b'])('%j is no tag', (tag) => {
  expect(() => packDataImage(text('a'), { chip: esp32, tag })).toThrowError(coded('data-bad-tag'));
});

test.each([
  ['data-starts-like-image', Uint8Array.from([0xe9, 1, 2, 3])],
  ['data-starts-like-image', imageFixture('esp32-small.bin')],
  ['data-already-packed', imageFixture('seed-data.bin')],
  [
    'data-looks-like-app',
    new Uint8Array(40).fill(0).fill(0xab, 35).fill(0xcd, 34, 35).fill(0x54, 33, 34).fill(0x32, 32, 33),
  ],
])('%s is refused without a header', (code, payload) => {
  expect(() => packDataImage(payload, { chip: esp32, header: 'none' })).toThrowError(coded(code));
});

test('a tag before it makes the same bytes harmless', () => {
  const like = Uint8Array.from([0xe9, 1, 2, 3]);
  expect(appHazard(packDataImage(like, { chip: esp32, header: 'none', tag: 'v1' }))).toBeUndefined();
  const description = Uint8Array.from([0x32, 0x54, 0xcd, 0xab]);
  expect(appHazard(packDataImage(description, { chip: esp32, tag: 'v1' }))).toBeUndefined();
});

test('a tag moves the byte that ESP-IDF 6.1 compares, and without a header nobody compares it', () => {
  const payload = new Uint8Array(300);
  payload[181 - 16] = 1;
  payload[213] = 1;
  const chip = esp32;
  expect(dataImageWarnings(packDataImage(payload, { chip }), { chip })).toEqual([]);
  const tagged = packDataImage(payload, { chip, tag: 'v1', allowSpiModeByte: true });
  expect(dataImageWarnings(tagged, { chip })).toMatchObject([{ code: 'data-spi-mode-byte', place: { offset: 213 } }]);
  expect(dataImageWarnings(packDataImage(payload, { chip, header: 'none' }), { chip })).toEqual([]);
});

test.each([
  ['esp32', 0x40_0000],
  ['esp32s2', 0x3f_0000],
  ['esp32c3', 0x80_0000],
  ['esp32c2', 0x40_0000],
])('%s cannot map %d bytes at once', (name, limit) => {
  const chip = chipByName(name)!;
  const image = packDataImage(text('a'), { chip });
  const codes = (slotSize: number): string[] => dataImageWarnings(image, { chip, slotSize }).map(({ code }) => code);
  expect(codes(limit)).toEqual(['data-slot-too-large-to-map']);
  expect(codes(limit - 0x1_0000)).toEqual([]);
});

test('the larger chips map any slot', () => {
  const chip = chipByName('esp32s3')!;
  expect(dataImageWarnings(packDataImage(text('a'), { chip }), { chip, slotSize: 0x100_0000 })).toEqual([]);
});

test('whatever the payload, the image is written by every board and started by none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 3000 }), fc.constantFrom(...CHIPS), (payload, chip) => {
      fc.pre(!isDataImage(payload));
      const image = packDataImage(payload, { chip, slotSize: MIB, allowSpiModeByte: true });
      expect(image.length).toBe(Math.max(MIN_DATA_IMAGE, payload.length + 32));
      expect([image[0], image[1], image[23], image[31]]).toEqual([0xe9, 0, 0, 0]);
      expect(parseImage(image).header).toMatchObject({
        chipId: chip.imageChipId,
        minChipRev: 0,
        minChipRevFull: 0,
        maxChipRevFull: 0,
      });
      expect(verifyImage(image, { chipId: chip.imageChipId, partitionSize: MIB })).toMatchObject({
        ok: false,
        code: 'image-bad-checksum',
        calculated: 0xef,
        read: 0,
      });
      expect(toHex(image.subarray(32, 32 + payload.length))).toBe(toHex(payload));
      expect(image.subarray(32 + payload.length).every((byte) => byte === 0)).toBe(true);
    }),
    { numRuns: 200 },
  );
});
