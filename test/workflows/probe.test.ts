/** Measuring a board: the figures are those of the virtual one, and its flash is afterwards what it was. */
import { describe, expect, test } from 'vitest';
import { BAUD_LADDER } from '#device/baud-rates.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { equalBytes } from '#formats/bytes.ts';
import {
  probeBoard,
  type ProbeOptions,
  probeRates,
  type ProbeReport,
  type ProbeStep,
  probeTime,
} from '#workflows/probe.ts';
import { type BlockKeeper, lookAtBlock, putBlockBack, type SavedBlock } from '#workflows/probe-block.ts';
import { hearRestart } from '#workflows/probe-restart.ts';
import { findScratch } from '#workflows/probe-scratch.ts';
import { type Bench, type BenchOptions, noise, onBench } from '../device/support/bench.ts';

const RATES = BAUD_LADDER.toReversed().filter((baud) => baud > 921_600);

const stateOf = ({ identity, size }: Bootloader): ProbeOptions['state'] => ({ identity, flashSize: size });

/** What a session would have in its memory. */
class MemoryKeeper implements BlockKeeper {
  held: SavedBlock | undefined;

  async hold(block: SavedBlock): Promise<boolean> {
    this.held = block;
    return true;
  }

  async release(): Promise<void> {
    this.held = undefined;
  }
}

async function probe(
  bench: Bench,
  options: { signal?: AbortSignal; onStep?: (step: ProbeStep) => void } = {},
): Promise<ProbeReport> {
  const board = await bench.connect();
  try {
    return await probeBoard(board, await findScratch(board), {
      clock: bench.clock,
      rates: RATES,
      state: stateOf(board),
      ...options,
    });
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

describe('a board that is lost in the middle', () => {
  test.each([
    ['blank', noise(0x20_0000).fill(0xff, 0x18_0000), 'write'],
    ['not blank', noise(0x20_0000), 'read'],
  ] as const)('gets back what was there on a later connection; its block was %s', (_, flash, at) =>
    onBench({ flash: flash.slice() }, async (bench) => {
      const before = bench.board.snapshot();
      const board = await bench.connect();
      const keeper = new MemoryKeeper();
      const onStep = (step: ProbeStep): void => {
        if (step === at) bench.clock.after(at === 'write' ? 300 : 50, () => bench.board.pullCable());
      };
      const options = { clock: bench.clock, rates: [], onStep, keeper, state: stateOf(board) };
      const probing = probeBoard(board, await findScratch(board), options);
      await expect(probing).rejects.toMatchObject({ name: 'DeviceError' });
      await board.close();
      expect(equalBytes(bench.board.snapshot(), before)).toBe(false);
      bench.board.plugIn();
      const again = await bench.connect();
      expect(await lookAtBlock(again, keeper.held!)).toBe('test-bytes');
      await putBlockBack(again, keeper.held!);
      expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
      await again.close();
    }),
  );

  test('before anything was erased is as it was', () =>
    onBench({}, async (bench) => {
      const board = await bench.connect();
      const keeper = new MemoryKeeper();
      const onStep = (step: ProbeStep): void => {
        if (step === 'save') bench.board.pullCable();
      };
      const options = { clock: bench.clock, rates: [], onStep, keeper, state: stateOf(board) };
      await expect(probeBoard(board, await findScratch(board), options)).rejects.toThrow();
      expect(keeper.held).toBeUndefined();
      await board.close();
    }));
});

test.each<[string, BenchOptions, boolean]>([
  ['a blank block at 921600 baud', { maxBaud: 1_600_000 }, true],
  ['a block with content', { flash: noise(0x20_0000), maxBaud: 1_600_000 }, true],
  ['native USB', { chip: 'esp32c3', wiring: 'usb-serial-jtag' }, true],
  ['the ROM alone', { maxBaud: 1_000_000 }, false],
])('the time is told ahead to within a half: %s', (_, options, stub) =>
  onBench(options, async (bench) => {
    const board = await bench.connect({ stub });
    const place = await findScratch(board);
    const rates = probeRates(board);
    const told = probeTime(place, board, rates);
    const started = bench.clock.now();
    await probeBoard(board, place, { clock: bench.clock, rates, state: stateOf(board) });
    const took = bench.clock.now() - started;
    expect(told / took).toBeGreaterThan(0.5);
    expect(told / took).toBeLessThan(1.5);
    await board.close();
  }),
);

test('rates are tried where there are some, and where a reset brings the board back', async () => {
  const ratesOf = async (options: BenchOptions, stub = true): Promise<number[]> => {
    let rates: number[] = [];
    await onBench(options, async (bench) => {
      const board = await bench.connect({ stub });
      rates = probeRates(board);
      expect(probeRates(board, 'none')).toEqual([]);
      await board.close();
    });
    return rates;
  };
  expect(await ratesOf({})).toEqual(RATES);
  expect(await ratesOf({}, false)).toEqual([]);
  expect(await ratesOf({ chip: 'esp32c3', wiring: 'usb-serial-jtag' })).toEqual([]);
});

test('a restart is heard by its first lines; an abort ends it, and the port is free', () =>
  onBench({}, async (bench) => {
    const { lines, firstAfterMs } = await hearRestart(await bench.connect(), { clock: bench.clock });
    expect(lines).toHaveLength(3);
    expect(firstAfterMs).toBeGreaterThan(0);
    const controller = new AbortController();
    const board = await bench.connect();
    bench.clock.after(120, () => controller.abort());
    const aborted = hearRestart(board, { clock: bench.clock, signal: controller.signal });
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect(board.isOver).toBe(true);
    expect(await bench.isFree()).toBe(true);
  }));

test('without reset lines the board says nothing', () =>
  onBench({ cut: ['modem'] }, async (bench) => {
    bench.board.holdBootButton(true);
    bench.board.pressReset();
    const board = await bench.connect();
    expect(await hearRestart(board, { clock: bench.clock })).toEqual({ lines: [] });
  }));
