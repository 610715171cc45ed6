/** What measuring will do, in words. */
import { placeText, probePhases, ratesText } from '#app/screens/Provision/probe-words.ts';
import { expect, test } from 'vitest';
import { readBoard, TWO_SLOTS } from '../../workflows/boards.ts';

const place = (offset: number) => ({ offset, size: 0x1_0000, isBlank: true });

test('the block is named by what it lies in', async () => {
  const board = await readBoard({ partitions: TWO_SLOTS });
  const [pa, last] = [TWO_SLOTS.find(({ name }) => name === 'ota_0')!, TWO_SLOTS.at(-1)!];
  expect(placeText(place(pa.offset), board)).toBe(`64 KiB at 0x${pa.offset.toString(16)} in PA`);
  expect(placeText(place(last.offset + last.size), board)).toContain('outside every partition');
  expect(placeText(place(0x3f_0000), await readBoard())).toBe('64 KiB at 0x3f0000');
});

test('rates are named where there are some', () => {
  const texts = [
    ratesText({ baud: 921_600, rates: [1_500_000, 3_000_000] }),
    ratesText({ baud: 921_600, rates: [] }),
    ratesText({ baud: undefined, rates: [] }),
  ];
  expect(texts[0]).toMatch(/921.600 baud up to 3.000.000 baud/);
  expect(texts[1]).toMatch(/921.600 baud/);
  expect(texts[2]).not.toContain('baud');
});

test('what is not done on this board is not shown as to come', () => {
  const plan = { place: place(0x3f_0000), baud: undefined, rates: [], restarts: false, seconds: 3 };
  const states = Object.fromEntries(probePhases(plan, 'measure', 'now').map(({ id, state }) => [id, state]));
  expect(states).toEqual({
    latency: 'done',
    save: 'done',
    measure: 'running',
    ladder: 'skipped',
    restore: 'waiting',
    restart: 'skipped',
    connect: 'skipped',
  });
});
