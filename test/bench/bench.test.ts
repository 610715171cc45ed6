/** The benchmarks run, each at a tiny size. How fast anything is shows only in a full run. */
import { describe, expect, test } from 'vitest';
import { BENCHMARKS } from './benchmarks.ts';
import { inTurns, median } from './measure.ts';

describe.each(BENCHMARKS)('$name', ({ run }) => {
  test('yields a finite positive ratio for each of its figures', async () => {
    const figures = await run({ share: 0.01, rounds: 1 });
    expect(figures.length).toBeGreaterThan(0);
    for (const figure of figures) {
      expect(figure.ratio, figure.name).toBeGreaterThan(0);
      expect(figure.ratio, figure.name).toBeLessThan(Infinity);
    }
  });
});

test('measurements are taken in turns, and the middle one counts', async () => {
  const order: string[] = [];
  const measure = (name: string, results: number[]) => async (): Promise<number> => {
    order.push(name);
    return results.shift()!;
  };
  expect(await inTurns(3, measure('a', [9, 1, 2]), measure('b', [5, 7, 6]))).toEqual({ ours: 2, other: 6 });
  expect(order).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
