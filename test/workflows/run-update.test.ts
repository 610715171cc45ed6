import { describe, expect, test } from 'vitest';
import { sleep } from '#clock.ts';
import { ModelClock } from '#model-clock.ts';
import { type RunningSlot, updateSlot } from '#formats/ota-slots.ts';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { UpdateRun } from '#workflows/run-update.ts';
import { UPDATE_TIMES, type UpdateSurroundings } from '#workflows/update-surroundings.ts';
import {
  type Candidate,
  initialState,
  type RunFacts,
  type Transfer,
  type UpdateEvent,
  type UpdateState,
} from '#workflows/update-state.ts';

const SIZES: Record<Transfer, number> = { app: 200_000, data: 300_000, restore: 250_000 };
const SHOWN = { before: '6f6c64', data: '6e6577', restore: '6f6c64' };
const FACTS: RunFacts = { steps: ['app', 'data'], from: 'PA', sizes: SIZES, shown: SHOWN, trialMs: 0 };
const RANGE = 65_536;

/** A board by its behaviour: what it does with the transfers it is asked for, one after the other. */
class World {
  readonly clock = new ModelClock();
  readonly journal: { event: UpdateEvent; state: UpdateState }[] = [];
  readonly asked: Transfer[] = [];
  running: RunningSlot = 'PA';
  shown = SHOWN.before;
  address = 'a';
  reachable = true;
  /** What becomes of each request, in turn; `well` when there is nothing more. */
  readonly fates: ('well' | 'refused' | 'breaks' | 'stalls' | 'not-delivered' | 'moves' | 'old')[] = [];
  candidates: Candidate[] = [];
  readonly offers = new Map<string, { transfer: Transfer; serve: (range: ByteRange) => void; open: boolean }>();
  #names = 0;

  run(state: UpdateState = initialState(FACTS, 'a'), options: { resumed?: boolean } = {}): UpdateRun {
    return new UpdateRun(state, this.surroundings(), options);
  }

  surroundings(): UpdateSurroundings {
    return {
      clock: this.clock,
      journal: async (event, state) => void this.journal.push({ event, state }),
      readPage: async (address) =>
        this.reachable && address === this.address ? { running: this.running, shown: this.shown } : undefined,
      startDownload: async ({ url }) => {
        const fate = this.fates.shift() ?? 'well';
        if (fate === 'not-delivered') return 'not-delivered';
        const offer = this.offers.get(url);
        if (!offer) throw new Error(`Nothing is offered as ${url}`);
        this.asked.push(offer.transfer);
        if (fate !== 'refused') void this.#download(offer, fate);
        return 'taken';
      },
      offer: async ({ transfer, file }, serve) => {
        const offer = { transfer, serve, open: false };
        this.offers.set(file, offer);
        return {
          url: file,
          get open() {
            return offer.open;
          },
          withdraw: () => void this.offers.delete(file),
        };
      },
      find: async () => this.candidates,
      newFileName: () => `file${++this.#names}`,
    };
  }

  async #download(
    offer: { transfer: Transfer; serve: (range: ByteRange) => void; open: boolean },
    fate: string,
  ): Promise<void> {
    const { transfer } = offer;
    const size = SIZES[transfer];
    for (let at = 0; at < size; at += RANGE) {
      offer.open = true;
      await sleep(this.clock, 300);
      if (at > 0 && fate === 'stalls') return;
      offer.open = false;
      if (at > 0 && fate === 'breaks') return;
      offer.serve([at, Math.min(at + RANGE, size)]);
    }
    if (transfer !== 'app') {
      this.shown = SHOWN[transfer];
      return;
    }
    this.reachable = false;
    await sleep(this.clock, 4000);
    if (fate === 'moves') this.address = 'b';
    if (fate !== 'old') this.running = updateSlot(this.running);
    this.reachable = true;
  }
}

async function deciding(run: UpdateRun): Promise<UpdateState> {
  while (run.state.position.at !== 'deciding')
    await new Promise<void>((resolve) => {
      const stop = run.onState(() => (stop(), resolve()));
    });
  return run.state;
}

test('app, restart, data: two requests, and every state is written down before it is acted on', async () => {
  const world = new World();
  const run = world.run();
  expect(await world.clock.run(run.ended)).toBe('complete');
  expect(world.asked).toEqual(['app', 'data']);
  expect(run.state.slots).toEqual({ PA: 'new-data', PB: 'new-app' });
  expect(world.journal.at(-1)?.state).toBe(run.state);
  expect(world.offers.size).toBe(0);
});

describe('what fails is told apart', () => {
  test.each([
    { fate: 'refused', failure: 'refused', within: UPDATE_TIMES.waiting },
    { fate: 'breaks', failure: 'broken-off', within: UPDATE_TIMES.brokenOff },
    { fate: 'stalls', failure: 'stalled', within: UPDATE_TIMES.stalled },
    { fate: 'not-delivered', failure: 'unreachable', within: 1000 },
    { fate: 'old', failure: 'back-on-old', within: UPDATE_TIMES.arriving },
  ] as const)('$fate → $failure', async ({ fate, failure, within }) => {
    const world = new World();
    world.fates.push(fate);
    const run = world.run();
    const state = await world.clock.run(() => deciding(run));
    expect(state.position).toMatchObject({ failure, transfer: 'app' });
    expect(world.clock.now()).toBeLessThan(within + 15_000);
    run.send({ event: 'decided', choice: 'retry' });
    expect(await world.clock.run(run.ended)).toBe('complete');
  });

  test('a board that never comes back is gone, and goes on when it is there again', async () => {
    const world = new World();
    const run = world.run();
    run.onState(({ position }) => {
      if (position.at === 'arriving' && position.transfer === 'app') world.address = 'nowhere';
    });
    expect((await world.clock.run(() => deciding(run))).position).toMatchObject({ failure: 'gone' });
    world.address = 'a';
    expect(await world.clock.run(run.ended)).toBe('complete');
  });
});

test('a board with another address after the restart is found again', async () => {
  const world = new World();
  world.fates.push('moves');
  world.candidates = [{ address: 'b' }];
  const run = world.run();
  expect(await world.clock.run(run.ended)).toBe('complete');
  expect(run.state.address).toBe('b');
});

test('where several boards could be it the user says which', async () => {
  const world = new World();
  world.fates.push('moves');
  world.candidates = [{ address: 'b' }, { address: 'c' }];
  const run = world.run();
  run.onState(({ position }) => {
    if (position.at === 'picking') run.send({ event: 'picked', address: 'b' });
  });
  expect(await world.clock.run(run.ended)).toBe('complete');
});

test('the old data are put back by the old app', async () => {
  const world = new World();
  world.fates.push('breaks');
  const run = world.run();
  await world.clock.run(() => deciding(run));
  run.send({ event: 'decided', choice: 'restore' });
  expect(await world.clock.run(run.ended)).toBe('restored');
  expect(world.asked).toEqual(['app', 'restore']);
  expect(run.state.slots).toEqual({ PA: 'old-app', PB: 'old-data' });
});

test('stopping breaks the download off and asks what to do', async () => {
  const world = new World();
  const run = world.run();
  run.onState(({ position }) => {
    if (position.at === 'downloading') run.send({ event: 'stop' });
  });
  expect((await world.clock.run(() => deciding(run))).position).toMatchObject({ failure: 'stopped' });
  expect(world.offers.size).toBe(0);
  run.send({ event: 'decided', choice: 'leave' });
  expect(await world.clock.run(run.ended)).toBe('left');
});

test('a program that ends at any state is followed by one that ends the run, and never asks twice for one attempt', async () => {
  const states = await journalOf();
  for (const [index, state] of states.entries()) {
    const world = new World();
    const first = world.run();
    first.onState(() => {
      if (world.journal.length === index + 1) first.halt();
    });
    await world.clock.run(first.ended.catch(() => undefined));
    expect(world.journal.at(-1)?.state.position.at).toBe(state.position.at);
    const second = world.run(world.journal.at(-1)?.state, { resumed: true });
    second.onState(({ position }) => {
      if (position.at === 'deciding') second.send({ event: 'decided', choice: 'retry' });
    });
    expect(await world.clock.run(second.ended)).toBe('complete');
    expect([world.running, world.shown]).toEqual(['PB', SHOWN.data]);
  }
});

async function journalOf(): Promise<UpdateState[]> {
  const world = new World();
  await world.clock.run(world.run().ended);
  return world.journal.map(({ state }) => state);
}
