import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FlashArea } from '../../../src/app/components/FlashMap/flash-area.ts';
import { layoutFlashMap, layoutFlashRows } from '../../../src/app/components/FlashMap/layout.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const area = (id: string, offset: number, size: number, extra: Partial<FlashArea> = {}): FlashArea => ({
  id,
  label: id,
  role: 'other',
  offset,
  size,
  ...extra,
});

/** The usual two-slot table of an 8 MiB board. */
const TYPICAL = [
  area('boot', 0, 32 * KIB),
  area('table', 32 * KIB, 4 * KIB),
  area('nvs', 36 * KIB, 16 * KIB),
  area('otadata', 52 * KIB, 8 * KIB),
  area('phy', 60 * KIB, 4 * KIB),
  area('PA', 64 * KIB, 3968 * KIB),
  area('PB', 4032 * KIB, 3968 * KIB),
];
const OPTIONS = { size: 8 * MIB, width: 1000, minWidth: 30 };
const ids = (boxes: { area: FlashArea }[]): string[] => boxes.map((box) => box.area.id);

describe('a map', () => {
  test('is to scale where the areas are large enough', () => {
    const boxes = layoutFlashMap([area('a', 0, 2 * MIB), area('b', 2 * MIB, 6 * MIB)], OPTIONS);
    expect(boxes.map(({ x, width }) => [x, width])).toEqual([
      [0, 250],
      [250, 750],
    ]);
  });

  test('gives small areas their least width, and the large ones share the rest by size', () => {
    const boxes = layoutFlashMap(TYPICAL, OPTIONS);
    expect(boxes.slice(0, 5).map(({ width }) => width)).toEqual([30, 30, 30, 30, 30]);
    expect(Math.abs(boxes[5]!.width - boxes[6]!.width)).toBeLessThanOrEqual(1);
  });

  test('shows gaps between, before and after the areas as free', () => {
    const boxes = layoutFlashMap([area('a', MIB, MIB), area('b', 4 * MIB, MIB)], OPTIONS);
    expect(boxes.map((box) => [box.area.role, box.area.offset, box.area.size])).toEqual([
      ['free', 0, MIB],
      ['other', MIB, MIB],
      ['free', 2 * MIB, 2 * MIB],
      ['other', 4 * MIB, MIB],
      ['free', 5 * MIB, 3 * MIB],
    ]);
  });

  test('shows a flash that holds nothing as one free area', () => {
    const boxes = layoutFlashMap([], OPTIONS);
    expect(boxes.map((box) => [box.area.role, box.x, box.width])).toEqual([['free', 0, 1000]]);
  });

  test('sorts by offset, and shows an area beyond the end of the flash too', () => {
    const boxes = layoutFlashMap([area('late', 9 * MIB, MIB), area('early', 0, MIB)], OPTIONS);
    expect(ids(boxes)).toEqual(['early', `free-${MIB}`, 'late']);
  });

  test('keeps areas apart that overlap in the flash, as in a damaged table', () => {
    const boxes = layoutFlashMap([area('a', 0, 4 * MIB), area('b', MIB, MIB)], OPTIONS);
    expect(ids(boxes)).toEqual(['a', 'b', `free-${4 * MIB}`]);
    expect(boxes[1]!.x).toBe(boxes[0]!.x + boxes[0]!.width);
  });

  test('shrinks all least widths alike where they do not fit', () => {
    const boxes = layoutFlashMap(TYPICAL, { ...OPTIONS, width: 105 });
    expect(boxes.at(-1)!.x + boxes.at(-1)!.width).toBe(105);
    for (const { area: one, width } of boxes) if (one.role !== 'free') expect(width).toBeGreaterThanOrEqual(13);
  });

  test('of any areas: nothing overlaps, the order holds, the widths sum up, and each has its least width', () => {
    const sizes = fc.array(fc.tuple(fc.nat(2 * MIB), fc.integer({ min: 0, max: 4 * MIB })), { maxLength: 24 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 900, max: 4000 }), (parts, width) => {
        let at = 0;
        const areas = parts.map(([gap, size], index) => {
          const one = area(String(index), at + gap, size);
          at = one.offset + size;
          return one;
        });
        const boxes = layoutFlashMap(areas, { size: 16 * MIB, width, minWidth: 24 });
        let edge = 0;
        for (const box of boxes) {
          expect(box.x).toBe(edge);
          expect(box.width).toBeGreaterThanOrEqual(box.area.role === 'free' ? 5 : 23);
          edge += box.width;
        }
        expect(edge).toBe(width);
        expect(ids(boxes).filter((id) => !id.startsWith('free'))).toEqual(areas.map(({ id }) => id));
      }),
    );
  });
});

describe('a narrow map', () => {
  const NARROW = { ...OPTIONS, width: 320, minWidth: 24, breakBelow: 600 };

  test('gives the small areas at the start a line with a scale of their own', () => {
    const rows = layoutFlashRows(TYPICAL, NARROW);
    expect(rows.map(({ boxes }) => ids(boxes))).toEqual([
      ['boot', 'table', 'nvs', 'otadata', 'phy'],
      ['PA', 'PB', `free-${8000 * KIB}`],
    ]);
    expect(rows.map(({ from, to }) => [from, to])).toEqual([
      [0, 64 * KIB],
      [64 * KIB, 8 * MIB],
    ]);
    for (const { boxes } of rows) expect(boxes.at(-1)!.x + boxes.at(-1)!.width).toBe(320);
  });

  test('stays one line where that can be read', () => {
    expect(layoutFlashRows([area('a', 0, MIB), area('b', MIB, MIB)], NARROW)).toHaveLength(1);
  });

  test('stays one line where there is room', () => {
    expect(layoutFlashRows(TYPICAL, { ...NARROW, width: 900 })).toHaveLength(1);
  });
});
