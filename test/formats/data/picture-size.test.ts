import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pictureSize } from '#formats/data/picture-size.ts';
import { jpeg, png } from './pictures.ts';

const NONE = { width: 0, height: 0 };

test('a PNG tells its size in the first chunk', () => {
  expect(pictureSize(png(1, 65_535))).toEqual({ width: 1, height: 65_535 });
  expect(pictureSize(png(65_536, 1))).toEqual(NONE);
  expect(pictureSize(png(5, 5).subarray(0, 23))).toEqual(NONE);
});

test.each([0xc0, 0xc1, 0xc2, 0xcf])('a JPEG tells its size in the frame header %d', (marker) => {
  expect(pictureSize(jpeg(640, 480, marker))).toEqual({ width: 640, height: 480 });
});

test.each([0xc4, 0xc8, 0xcc, 0xda])('marker %d is no frame header', (marker) => {
  expect(pictureSize(jpeg(640, 480, marker))).toEqual(NONE);
});

test('whatever the bytes, there is an answer', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(png(9, 9), jpeg(9, 9)),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(40),
      (start, more, cut) => {
        const bytes = Uint8Array.from([...start.subarray(0, cut), ...more]);
        const { width, height } = pictureSize(bytes);
        expect(width >= 0 && width <= 65_535 && height >= 0 && height <= 65_535).toBe(true);
      },
    ),
  );
});
