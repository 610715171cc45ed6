import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { CHIPS, chipByName } from '#formats/chips.ts';
import { dataCapacity, isDataImage, MIN_DATA_IMAGE, packDataImage, unpackDataImage } from '#formats/data-image.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { imageFixture, imageFixtureFiles } from './app-fixtures.ts';

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
  expect(packDataImage(unpackDataImage(vector).payload, { chip: esp32, slotSize: MIB })).toEqual(vector);
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

test('a data image that would verify is read, and told', () => {
  expect(unpackDataImage(imageFixture('data-byte31-ef.bin'))).toMatchObject({ chipId: 0, chip: esp32, verifies: true });
  expect(unpackDataImage(imageFixture('seed-data.bin'))).toMatchObject({ chip: esp32c3, verifies: false });
});

test('of a slot the erased end is not payload', () => {
  const slot = new Uint8Array(8192).fill(0xff);
  slot.set(packDataImage(new Uint8Array(2000).fill(0).fill(7, 1000), { chip: esp32, slotSize: 8192 }));
  expect(unpackDataImage(slot, { slot: true }).payload.length).toBe(2000);
  expect(unpackDataImage(slot).payload.length).toBe(8192 - 32);
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

test('what was never packed is not unpacked', () => {
  expect(() => unpackDataImage(imageFixture('data-raw.bin'))).toThrowError(coded('data-not-packed'));
  expect(() => unpackDataImage(imageFixture('esp32-small.bin'))).toThrowError(coded('data-not-packed'));
  expect(() => unpackDataImage(new Uint8Array(31))).toThrowError(coded('data-not-packed'));
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
      const back = unpackDataImage(image).payload;
      expect(toHex(back.subarray(0, payload.length))).toBe(toHex(payload));
      expect(back.subarray(payload.length).every((byte) => byte === 0)).toBe(true);
    }),
    { numRuns: 200 },
  );
});
