/** Measuring a board: the figures are those of the virtual one, and its flash is afterwards what it was. */
import { describe, expect, test } from 'vitest';
import { BAUD_LADDER } from '#device/baud-rates.ts';
import { equalBytes } from '#formats/bytes.ts';
import { probeBoard, type ProbeReport, type ProbeStep } from '#workflows/probe.ts';
import { type Bench, type BenchOptions, noise, onBench } from '../device/support/bench.ts';

const RATES = BAUD_LADDER.toReversed();

async function probe(
  bench: Bench,
  options: { signal?: AbortSignal; onStep?: (step: ProbeStep) => void } = {},
): Promise<ProbeReport> {
  const board = await bench.connect();
  try {
    return await probeBoard(board, { clock: bench.clock, rates: RATES, ...options });
  } finally {
    await board.close();
  }
}

const half = noise(0x40_0000).fill(0xff, 0x30_0000, 0x38_0000);

describe.each<[string, BenchOptions, { offset: number; wasBlank: boolean }]>([
  ['a blank block is taken', { flash: half }, { offset: 0x37_0000, wasBlank: true }],
  [
    'without a blank block the last one is, and put back',
    { flash: noise(0x20_0000) },
    { offset: 0x1f_0000, wasBlank: false },
  ],
])('%s', (_, options, scratch) => {
  test('and the flash is what it was', () =>
    onBench({ ...options, maxBaud: 1_600_000 }, async (bench) => {
      const before = bench.board.snapshot();
      const report = await probe(bench);
      expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
      expect(report.scratch).toMatchObject(scratch);
      expect(report.rates).toEqual([
        { baud: 1_500_000, works: true },
        { baud: 2_000_000, works: false },
      ]);
      expect(report.speeds.map(({ baud }) => baud)).toEqual([921_600, 1_500_000]);
      const [usual, top] = report.speeds;
      // Not more than the line carries, and most of it.
      expect(usual!.read / 92_160).toBeGreaterThan(0.8);
      expect(usual!.read / 92_160).toBeLessThanOrEqual(1);
      expect(top!.read).toBeGreaterThan(1.3 * usual!.read);
      expect(report.latency.median).toBeGreaterThan(1);
      expect(report.md5).toBeGreaterThan(1_000_000);
    }));
});

test('an abort in the middle puts back what was there', () =>
  onBench({ flash: noise(0x20_0000) }, async (bench) => {
    const before = bench.board.snapshot();
    const controller = new AbortController();
    const onStep = (step: ProbeStep): void => {
      if (step === 'read') controller.abort();
    };
    await expect(probe(bench, { signal: controller.signal, onStep })).rejects.toMatchObject({ name: 'AbortError' });
    expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
  }));
