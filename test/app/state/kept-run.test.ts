// @vitest-environment happy-dom
/** Going on after the page was reloaded: what is kept, for how long, and that no password is in it. */
import { type KeptRun, KeptRuns, type RunStore } from '#app/state/kept-run.ts';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { nextWords } from '#app/screens/Provision/next-words.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type Fault } from '#sim/faults.ts';
import { expect, test } from 'vitest';
import { Bench } from '../../device/support/bench.ts';
import { demoFiles } from '../../support/make-demo-release.ts';
import { fileOf, picked, testPlanner } from './support/planner.ts';

const NETWORK = { ssid: 'workshop', password: 'two steps ahead' };

class MemoryRuns implements RunStore {
  run: KeptRun | undefined;
  /** Every state that was ever kept. */
  readonly saved: KeptRun[] = [];

  async load(): Promise<KeptRun | undefined> {
    return this.run;
  }

  async save(run: KeptRun): Promise<void> {
    this.run = run;
    this.saved.push(run);
  }

  async clear(): Promise<void> {
    this.run = undefined;
  }
}

/** A visit of the page: what is in memory only is gone with it. */
const visit = (bench: Bench, runs: RunStore): Provisioning =>
  new Provisioning({
    planner: testPlanner(),
    clock: bench.clock,
    ports: bench.ports,
    startDemo: () => {
      throw new Error('No demo here');
    },
    runs,
  });

async function begin(flow: Provisioning): Promise<void> {
  const files = demoFiles();
  const data = files.find(({ path }) => path === 'voices.bin')!;
  const others = picked(
    files.filter((file) => file !== data),
    'demo/',
  );
  const unused = { path: 'demo/build/huge.o', file: fileOf('huge.o', new Uint8Array(10)) };
  await flow.release.takeBoth(async () => ({ files: [...others, unused], data: fileOf('voices.bin', data.bytes) }));
  Object.assign(flow.settings, NETWORK);
  await flow.choosePort();
}

async function onScene(
  faults: readonly Fault[],
  body: (scene: { bench: Bench; runs: MemoryRuns; flow: Provisioning }) => Promise<void>,
): Promise<void> {
  const bench = new Bench({ network: { accessPoint: NETWORK }, faults });
  const runs = new MemoryRuns();
  await bench.clock.run(() => body({ bench, runs, flow: visit(bench, runs) }));
}

const unplugAfter = (bytes: number): Fault[] => [{ kind: 'unplug', direction: 'to-device', at: bytes }];

async function plugInAgain(bench: Bench): Promise<void> {
  bench.board.plugIn();
  await bench.clock.advance(1000);
}

function asPlanned(bench: Bench, flow: Provisioning): boolean {
  return (flow.plan?.writes ?? [])
    .filter(({ transient }) => !transient)
    .every(({ offset, data }) => data.every((byte, index) => bench.board.flash.bytes[offset + index] === byte));
}

test('a run that came to its end leaves nothing behind, and never was a password in what was kept', async () => {
  await onScene([], async ({ runs, flow }) => {
    await begin(flow);
    await flow.write();
    expect(flow.job.status).toBe('done');
    expect(runs.run).toBeUndefined();
    expect(runs.saved.map(({ wifiWritten }) => wifiWritten)).toEqual([false, false, true]);
    expect(runs.saved[0]).toMatchObject({
      mac: '24:0a:c4:12:34:56',
      settings: { ssid: NETWORK.ssid, hasPassword: true },
    });
    expect(JSON.stringify(runs.saved)).not.toContain(NETWORK.password);
    expect(runs.saved[0]!.files.map(({ path }) => path)).toContain('demo/manifest.json');
    expect(runs.saved[0]!.files.map(({ path }) => path)).not.toContain('demo/build/huge.o');
  });
});

test('after a reload it goes on; the Wi-Fi is on the board already, and nobody is asked for the password', async () => {
  await onScene(unplugAfter(160_000), async ({ bench, runs, flow: before }) => {
    await begin(before);
    await before.write();
    expect(before.job.error).toMatchObject({ code: 'port-lost' });
    expect(runs.run?.wifiWritten).toBe(true);
    await plugInAgain(bench);
    const flow = visit(bench, runs);
    await flow.findUnfinished();
    expect(flow.unfinished).toMatchObject({ release: 'Voice box 2.4.0', mac: '24:0a:c4:12:34:56' });
    await flow.goOn();
    expect([flow.unfinished, flow.awaited, flow.next]).toEqual([undefined, '24:0a:c4:12:34:56', 'connect']);
    expect(flow.release.data?.name).toBe('voices.bin');
    await flow.choosePort();
    flow.replan();
    await flow.planning.settled();
    expect(flow.next).toBe('write');
    await flow.write();
    expect(flow.job.status).toBe('done');
    const { offset, size } = flow.plan!.table!.partitions.find(({ name }) => name === 'nvs')!;
    const { entries } = decodeNvs(bench.board.flash.bytes.subarray(offset, offset + size));
    expect(entries.map(({ key }) => key)).toContain('sta.pswd');
    // What the board had acknowledged is not sent again, but for the blocks of 64 KiB around the break.
    const { sent, toSend } = before.job.progress;
    expect(sent).toBeGreaterThan(0x3_0000);
    expect(flow.job.progress.toSend).toBeLessThanOrEqual(toSend - sent + 2 * 0x1_0000);
    expect(asPlanned(bench, flow)).toBe(true);
    expect(runs.run).toBeUndefined();
  });
});

test('what was to be kept and is blank after a run that was cut off is named by the next visit, once', async () => {
  await onScene([], async ({ bench, runs, flow: first }) => {
    await begin(first);
    await first.write();
    expect(first.job.status).toBe('done');
    const { offset } = first.plan!.table!.partitions.find(({ name }) => name === 'phy_init')!;
    bench.board.flash.bytes.set([1, 2, 3], offset);
    // Something is to be written again.
    bench.board.flash.bytes.fill(0, 0x2_0000, 0x4_0000);
    await first.nextBoard();
    const before = visit(bench, runs);
    await begin(before);
    bench.faults.add({ kind: 'unplug', direction: 'to-device', at: 20_000 });
    await before.write();
    expect(before.job.error).toMatchObject({ code: 'port-lost' });
    bench.board.flash.bytes.fill(0xff, offset, offset + 3);
    await plugInAgain(bench);
    const flow = visit(bench, runs);
    await flow.findUnfinished();
    await flow.goOn();
    await flow.choosePort();
    Object.assign(flow.settings, NETWORK);
    await flow.write();
    expect(flow.job.error).toMatchObject({ code: 'kept-in-doubt', values: { doubtful: 'phy_init' } });
    expect(asPlanned(bench, flow)).toBe(true);
    await flow.write();
    expect(flow.job.status).toBe('done');
  });
});

test('cut off before the Wi-Fi was written, its password is asked for again', async () => {
  await onScene(unplugAfter(15_900), async ({ bench, runs, flow: before }) => {
    await begin(before);
    await before.write();
    expect(runs.run?.wifiWritten).toBe(false);
    await plugInAgain(bench);
    const flow = visit(bench, runs);
    await flow.findUnfinished();
    await flow.goOn();
    await flow.choosePort();
    expect(flow.settings.problems).toHaveProperty('password');
    expect(flow.next).toBe('settle');
    flow.settings.ssid = 'another network';
    expect(flow.settings.problems).toEqual({});
    Object.assign(flow.settings, NETWORK);
    await flow.write();
    expect(flow.job).toMatchObject({ status: 'done', verdict: { address: '192.168.1.57' } });
  });
});

test('a run that is forgotten, or whose board makes room for the next, is not offered again', async () => {
  await onScene(unplugAfter(160_000), async ({ bench, runs, flow: before }) => {
    await begin(before);
    await before.write();
    const flow = visit(bench, runs);
    await flow.findUnfinished();
    await flow.forgetUnfinished();
    expect([flow.unfinished, runs.run]).toEqual([undefined, undefined]);
    await plugInAgain(bench);
    await before.write();
    await before.nextBoard();
    expect(runs.run).toBeUndefined();
  });
});

test('a run that begins while the one before is looked for is not mistaken for it', async () => {
  await onScene(unplugAfter(160_000), async ({ runs, flow }) => {
    await begin(flow);
    await flow.write();
    const before = runs.run!;
    const kept = new KeptRuns(runs);
    const looking = kept.load();
    kept.begin(flow.plan!, { ...before, mac: '24:0a:c4:99:99:99' });
    expect((await looking)?.mac).toBe('24:0a:c4:99:99:99');
    expect(before.watched).toBeDefined();
    expect(kept.watchedOn(before.mac)).toBeUndefined();
  });
});

test('a browser that keeps nothing changes nothing', async () => {
  const { browserRunStore } = await import('#app/state/kept-run.ts');
  expect('indexedDB' in globalThis).toBe(false);
  expect(await browserRunStore.load()).toBeUndefined();
  await browserRunStore.clear();
  const { browserBlockStore } = await import('#app/state/kept-blocks.ts');
  const block = { mac: '24:0a:c4:12:34:56', offset: 0, size: 0x1_0000, before: undefined, watched: [] };
  expect(await browserBlockStore.hold(block)).toBe(false);
  expect(await browserBlockStore.load(block.mac)).toBeUndefined();
  await browserBlockStore.release(block);
});

test('the button says what is left to do when the board is back', () => {
  const facts = {
    ability: 'ready' as const,
    virtual: false,
    knownPorts: 1,
    objections: 0,
    connecting: false,
    touched: true,
    present: true,
    lost: true,
    sent: 0x10_0000,
    toSend: 0x30_0000,
    nothingToSend: false,
  };
  expect(nextWords('again', facts).hint).toBe(
    'The board is back. It goes on where it was: some 1 MiB of 3 MiB are on the board already.',
  );
  expect(nextWords('again', { ...facts, present: false }).hint).toContain('plugged in');
  expect(nextWords('again', { ...facts, touched: false, lost: false }).hint).toBe('Nothing was changed so far.');
  expect(nextWords('again', { ...facts, sent: 0, lost: false }).hint).toContain('not sent again');
});
