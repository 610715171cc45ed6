import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkRange, splitLong, splitRange } from '#device/flash-ranges.ts';
import { flashSizeOfId, isNoFlash } from '#device/identify.ts';

const SIZE = 0x40_0000;

test.each([
  ['past the end', { offset: SIZE - 0x1000, length: 0x2000 }, 'start'],
  ['behind the end', { offset: SIZE, length: 1 }, 'none'],
  ['below zero', { offset: -0x1000, length: 0x1000 }, 'none'],
  ['half a byte', { offset: 0.5, length: 1 }, 'none'],
  ['no number', { offset: Number.NaN, length: 1 }, 'none'],
  ['a length without end', { offset: 0, length: Infinity }, 'none'],
  ['a negative length', { offset: 0x1000, length: -1 }, 'none'],
  ['a start inside a sector', { offset: 0x1004, length: 4 }, 'start'],
  ['an end inside a sector', { offset: 0x1000, length: 4 }, 'both'],
] as const)('a range is refused: %s', (_, range, aligned) => {
  expect(() => checkRange(SIZE, range, aligned)).toThrow(expect.objectContaining({ code: 'range-invalid' }));
});

test.each([
  [{ offset: 0, length: SIZE }, 'both'],
  [{ offset: SIZE - 0x1000, length: 0x1000 }, 'both'],
  [{ offset: 0x1000, length: 5 }, 'start'],
  [{ offset: 0x1003, length: 5 }, 'none'],
  [{ offset: SIZE, length: 0 }, 'none'],
] as const)('the range %j is taken (%s)', (range, aligned) => {
  expect(() => checkRange(SIZE, range, aligned)).not.toThrow();
});

test('the pieces of a range are the range, and end on the multiples of the unit', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(100_000), fc.integer({ min: 500, max: 5000 }), (offset, length, unit) => {
      const pieces = splitRange({ offset, length }, unit);
      expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(length);
      let at = offset;
      for (const piece of pieces) {
        expect(piece.offset).toBe(at);
        expect(piece.length).toBeGreaterThan(0);
        at += piece.length;
        if (at !== offset + length) expect(at % unit).toBe(0);
      }
    }),
  );
});

test('long pieces of a range are the range, end on borders of 64 KiB, and none is much shorter or longer than the unit', () => {
  const unit = 0x8_0000;
  fc.assert(
    fc.property(fc.nat(0x400), fc.integer({ min: 1, max: 0x80_0000 }), (sector, length) => {
      const offset = sector * 0x1000;
      const pieces = splitLong({ offset, length }, unit);
      let at = offset;
      for (const piece of pieces) {
        expect(piece.offset).toBe(at);
        expect(piece.length).toBeLessThan(2 * unit);
        at += piece.length;
        if (at === offset + length) break;
        expect(at % 0x1_0000).toBe(0);
        expect(piece.length).toBeGreaterThan(unit - 0x1_0000);
      }
      expect(at).toBe(offset + length);
      if (pieces.length > 1) expect(pieces.at(-1)!.length).toBeGreaterThanOrEqual(unit);
    }),
  );
});

test.each([
  [0x16_40c8, 4],
  [0x18_40ef, 16],
  [0x19_40ef, 32],
  [0x14_4068, 1],
  [0x20_bb20, 64],
  [0x37_2520, 8],
])('flash id %i has so many megabytes', (id, megabytes) => {
  expect(flashSizeOfId(id)).toBe(megabytes * 0x10_0000);
});

test('an unknown size code is no size, and an empty bus no flash', () => {
  expect(flashSizeOfId(0x51_40ef)).toBeUndefined();
  expect([0, 0xff_ffff, 0xffff_ffff].every(isNoFlash)).toBe(true);
  expect(isNoFlash(0x16_40c8)).toBe(false);
});
