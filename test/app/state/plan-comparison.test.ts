/** What of a plan a board has already: found once, shown for that plan only, handed to the run. */
import { PlanComparison } from '#app/state/plan-comparison.svelte.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { expect, test, vi } from 'vitest';
import { MemoryFlash } from '../../support/memory-flash.ts';
import { makeRelease } from '../../support/releases.ts';
import { identity, payload, TWO_SLOTS } from '../../workflows/boards.ts';

const release = makeRelease({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS, appSize: 0x4_0000 });
const NEVER = new AbortController().signal;

/** Counts the digests that it is asked for. */
class AskedFlash extends MemoryFlash {
  asked = 0;

  override async md5(offset: number, length: number): Promise<string> {
    this.asked++;
    return super.md5(offset, length);
  }
}

async function planFor(flash: MemoryFlash, ssid = 'workshop'): Promise<FlashPlan> {
  return planProvision(release, await readBoardState(flash, identity()), {
    data: { name: 'voices.bin', bytes: payload(300_000) },
    wifi: { store: { kind: 'idf' }, ssid, password: 'two steps ahead' },
  });
}

async function provisioned(): Promise<AskedFlash> {
  const flash = new AskedFlash(0x40_0000);
  await runFlashPlan(flash, await planFor(flash));
  flash.asked = 0;
  return flash;
}

const known = (comparison: PlanComparison, plan: FlashPlan): Promise<number> =>
  // Zero is waited out as well: it is not what the tests expect.
  vi.waitUntil(() => comparison.bytesToSend(plan));

test('to a blank board app and data are to be sent, to one that was written nothing', async () => {
  const blank = new AskedFlash(0x40_0000);
  const comparison = new PlanComparison();
  const first = await planFor(blank);
  expect(comparison.bytesToSend(first)).toBeUndefined();
  comparison.begin({ board: blank, plan: first });
  const { data } = first.writes.find(({ role }) => role === 'app')!;
  expect(await known(comparison, first)).toBeGreaterThan(data.length + 300_000);
  const written = await provisioned();
  const plan = await planFor(written);
  comparison.begin({ board: written, plan });
  await vi.waitUntil(() => comparison.bytesToSend(plan) === 0);
  expect(comparison.bytesToSend(first)).toBeUndefined();
});

test('a plan with other settings asks for them alone, and the run for nothing more', async () => {
  const board = await provisioned();
  const comparison = new PlanComparison();
  const plan = await planFor(board);
  comparison.begin({ board, plan });
  await vi.waitUntil(() => comparison.bytesToSend(plan) === 0);
  const other = await planFor(board, 'attic');
  board.asked = 0;
  comparison.begin({ board, plan: other });
  expect(await known(comparison, other)).toBeGreaterThan(0);
  expect(board.asked).toBeLessThan(8);
  board.asked = 0;
  const handed = await comparison.forRun({ board, plan: other }, NEVER);
  expect(board.asked).toBe(0);
  expect(handed.bytesToSend(other)).toBe(comparison.bytesToSend(other));
});

test('what was known before a run is not believed after it', async () => {
  const board = await provisioned();
  const comparison = new PlanComparison();
  const plan = await planFor(board);
  await comparison.forRun({ board, plan }, NEVER);
  board.bytes[plan.writes.find(({ role }) => role === 'app')!.offset]! ^= 1;
  const handed = await comparison.forRun({ board, plan }, NEVER);
  expect(handed.bytesToSend(plan)).toBeGreaterThan(0);
});

test('what is stopped asks for nothing more and says nothing', async () => {
  const board = await provisioned();
  const comparison = new PlanComparison();
  const plan = await planFor(board);
  comparison.begin({ board, plan });
  comparison.stop();
  const { asked } = board;
  await new Promise((done) => setTimeout(done));
  expect(board.asked).toBe(asked);
  expect(comparison.bytesToSend(plan)).toBeUndefined();
  // Begun anew it comes to its end.
  comparison.begin({ board, plan });
  await vi.waitUntil(() => comparison.bytesToSend(plan) === 0);
});
