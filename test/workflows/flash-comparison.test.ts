/** Only what changed is sent: comparing a plan with the flash, and carrying it out. */
import { describe, expect, test } from 'vitest';
import { type WriteOptions } from '#device/flash-memory.ts';
import { equalBytes } from '#formats/bytes.ts';
import { compareWithFlash } from '#workflows/flash-comparison.ts';
import { type FlashPlan, flashWrite } from '#workflows/flash-plan.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashStep, type PlanProgress, runFlashPlan } from '#workflows/run-flash-plan.ts';
import { noise, onBench } from '../device/support/bench.ts';
import { MemoryFlash } from '../support/memory-flash.ts';
import { makeRelease } from '../support/releases.ts';
import { identity, layOut, payload, text, TWO_SLOTS } from './boards.ts';

const release = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS, appSize: 0x4_0000 });
const OPTIONS: ProvisionOptions = {
  data: { name: 'voices.bin', bytes: payload(300_000) },
  wifi: { store: { kind: 'idf' }, ssid: 'workshop', password: 'correct horse' },
};

async function planFor(flash: MemoryFlash, options = OPTIONS): Promise<FlashPlan> {
  return planProvision(release, await readBoardState(flash, identity()), options);
}

async function provisioned(): Promise<MemoryFlash> {
  const flash = layOut({ partitions: TWO_SLOTS, settings: [text('app', 'name', 'mine')] });
  await runFlashPlan(flash, await planFor(flash));
  flash.writes.length = 0;
  return flash;
}

const holds = (flash: MemoryFlash, plan: FlashPlan): boolean =>
  plan.writes
    .filter(({ transient }) => !transient)
    .every(({ offset, data }) => equalBytes(flash.bytes.subarray(offset, offset + data.length), data));

test('a second run of the same finds that nothing is to be sent, and writes nothing', async () => {
  const flash = await provisioned();
  const plan = await planFor(flash);
  const comparison = await compareWithFlash(flash, plan);
  expect(comparison.bytesToSend(plan)).toBe(0);
  const steps: FlashStep['kind'][] = [];
  await runFlashPlan(flash, plan, { comparison, onStep: ({ kind }) => steps.push(kind) });
  expect(flash.writes).toEqual([]);
  expect(steps).toContain('verify');
});

test('new data are sent, the app is not', async () => {
  const flash = await provisioned();
  const plan = await planFor(flash, {
    ...OPTIONS,
    data: { name: 'voices.bin', bytes: payload(300_000, 'voices 2.5') },
  });
  await runFlashPlan(flash, plan);
  const { roles } = plan;
  expect(new Set(flash.writes)).toEqual(new Set([roles!.data!.offset]));
  expect(holds(flash, plan)).toBe(true);
});

test('changed settings are written behind their copy, and the app over that again', async () => {
  const flash = await provisioned();
  const wifi = { store: { kind: 'idf' as const }, ssid: 'another', password: 'correct horse' };
  const plan = await planFor(flash, { ...OPTIONS, wifi });
  const comparison = await compareWithFlash(flash, plan);
  const app = plan.writes.find(({ role }) => role === 'app')!;
  const copy = plan.writes.find(({ transient }) => transient)!;
  expect(comparison.rangesOf(copy)).toEqual([{ offset: copy.offset, length: copy.data.length }]);
  expect(comparison.rangesOf(app)[0]!.offset).toBe(app.offset);
  expect(comparison.bytesToSend(plan)).toBeLessThan(0x1_8000);
  await runFlashPlan(flash, plan, { comparison });
  expect(holds(flash, plan)).toBe(true);
});

test('with `full` everything is sent', async () => {
  const flash = await provisioned();
  const plan = await planFor(flash);
  const progress: PlanProgress[] = [];
  await runFlashPlan(flash, plan, { full: true, onProgress: (now) => progress.push(now) });
  expect(flash.writes).toHaveLength(plan.writes.length);
  expect(progress.at(-1)).toEqual({ ...progress.at(-1), sent: progress.at(-1)!.total, toSend: progress.at(-1)!.total });
});

describe('what goes wrong on the way', () => {
  /** Spoils a byte of what was written first when the last write comes. */
  class CrossFlash extends MemoryFlash {
    spoilt = 0;
    times = 1;

    override async write(offset: number, data: Uint8Array, options?: WriteOptions): Promise<void> {
      await super.write(offset, data, options);
      if (offset >= 0x20_0000 && this.spoilt < this.times) this.bytes[0x1020]! ^= 0x80 << this.spoilt++;
    }

    override async md5(offset: number, length: number): Promise<string> {
      // A worn cell: it flips as often as it is looked at.
      if (this.times === Infinity && offset <= 0x1020 && offset + length > 0x1020) this.bytes[0x1020]! ^= 1;
      return super.md5(offset, length);
    }
  }

  async function onCross(times: number): Promise<{ flash: CrossFlash; plan: FlashPlan }> {
    const flash = new CrossFlash(0x40_0000);
    flash.times = times;
    return { flash, plan: await planFor(flash) };
  }

  test('a write that a later one damaged is found at the end, and mended', async () => {
    const { flash, plan } = await onCross(1);
    await runFlashPlan(flash, plan);
    expect(flash.spoilt).toBe(1);
    expect(holds(flash, plan)).toBe(true);
  });

  test('what cannot be mended is named by its sector', async () => {
    const { flash, plan } = await onCross(Infinity);
    await expect(runFlashPlan(flash, plan)).rejects.toMatchObject({
      code: 'verify-failed',
      values: { label: 'boot loader', offset: 0x1000 },
    });
  });
});

test('a sector that stays as it was behind the data is named, though the data are right', async () => {
  /** Its last sector takes nothing any more, and holds the data already. */
  class DeadTail extends MemoryFlash {
    override async write(offset: number, data: Uint8Array, options?: WriteOptions): Promise<void> {
      const before = this.bytes.slice(TAIL, TAIL + 0x1000);
      await super.write(offset, data, options);
      this.bytes.set(before, TAIL);
    }
  }
  const TAIL = 0x1_1000;
  const flash = new DeadTail(0x10_0000);
  const data = noise(0x1100);
  flash.bytes.set(data, 0x1_0000);
  flash.bytes[TAIL + 0x200] = 0;
  const write = flashWrite({ role: 'other', label: 'tail', offset: 0x1_0000, data, why: 'from-release' });
  await expect(runFlashPlan(flash, { writes: [write], objections: [] })).rejects.toMatchObject({
    code: 'verify-failed',
    values: { offset: TAIL },
  });
});

test('a run whose cable was pulled goes on where it was', () =>
  onBench({}, async (bench) => {
    const small = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS });
    // The line carries all of it, as it does not compress.
    const data = { name: 'noise.bin', bytes: noise(260_000).fill(0, 181, 182) };
    const run = async (): Promise<number> => {
      const before = bench.faults.passed['to-device'];
      const board = await bench.connect();
      try {
        await runFlashPlan(board, planProvision(small, await readBoardState(board, board.identity), { data }));
      } finally {
        await board.close();
      }
      return bench.faults.passed['to-device'] - before;
    };
    bench.clock.after(3300, () => bench.board.pullCable());
    await expect(run()).rejects.toMatchObject({ code: 'port-lost' });
    const sentBefore = bench.faults.passed['to-device'];
    expect(sentBefore).toBeGreaterThan(data.bytes.length / 4);
    bench.board.plugIn();
    await bench.clock.advance(1000);
    // The stub is uploaded again, some 9 KB; and what was under way when the cable left: two blocks, and what the stub had not written.
    expect(await run()).toBeLessThan(data.bytes.length - sentBefore + 80_000);
    expect(await run()).toBeLessThan(20_000);
  }));
