// @vitest-environment happy-dom
/** Measuring the connected board from the page, with a virtual board in modelled time. */
import { type ProbePhase } from '#app/state/probe-job.svelte.ts';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { sleep } from '#clock.ts';
import { Op } from '#device/loader-commands.ts';
import { equalBytes } from '#formats/bytes.ts';
import { type BlockStore, type SavedBlock, testBytes } from '#workflows/probe-block.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import { Bench, type BenchOptions, noise } from '../../device/support/bench.ts';
import { layOut, TWO_SLOTS } from '../../workflows/boards.ts';
import { demoFiles } from '../../support/make-demo-release.ts';
import { picked, testPlanner } from './support/planner.ts';

interface Scene {
  bench: Bench;
  flow: Provisioning;
}

/** A visit of the page: what is in its memory only is gone with it. */
const visit = (bench: Bench, blocks?: BlockStore): Provisioning =>
  new Provisioning({
    planner: testPlanner(),
    clock: bench.clock,
    ports: bench.ports,
    startDemo: () => {
      throw new Error('No demo here');
    },
    facts: { version: '1.2.3', system: 'Chrome 140 on linux' },
    ...(blocks && { blocks }),
  });

/** With a connected board. */
async function onScene(
  { blocks, ...options }: BenchOptions & { blocks?: BlockStore },
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const bench = new Bench({ flash: layOut({ partitions: TWO_SLOTS }).bytes.slice(), ...options });
  const flow = visit(bench, blocks);
  await bench.clock.run(async () => {
    await flow.choosePort();
    expect(flow.connection.status).toBe('connected');
    await body({ bench, flow });
  });
}

// Rates that were found out before.
beforeEach(() => localStorage.clear());

const prepare = ({ probe, connection, settings }: Provisioning): Promise<void> =>
  probe.prepare(connection, settings.connectOptions);

/** Does something as soon as measuring is at that. */
async function at({ bench, flow }: Scene, phase: ProbePhase, act: () => void): Promise<void> {
  while (flow.probe.phase !== phase) {
    expect(flow.probe.running).toBe(true);
    await sleep(bench.clock, 1);
  }
  act();
}

const FULL = noise(0x40_0000);
const MAC = '24:0a:c4:12:34:56';

class MemoryBlocks implements BlockStore {
  readonly kept = new Map<string | undefined, SavedBlock>();

  async load(mac: string): Promise<SavedBlock | undefined> {
    return this.kept.get(mac);
  }

  async hold(block: SavedBlock): Promise<boolean> {
    this.kept.set(block.mac, block);
    return true;
  }

  async release({ mac }: Pick<SavedBlock, 'mac'>): Promise<void> {
    this.kept.delete(mac);
  }
}

/** Plugged in again after it was lost with its block erased. */
async function lost({ bench, flow }: Scene): Promise<void> {
  await prepare(flow);
  const measuring = flow.measure();
  await at({ bench, flow }, 'measure', () => bench.clock.after(200, () => bench.board.pullCable()));
  await measuring;
  bench.board.plugIn();
  await bench.clock.advance(1000);
}

describe.each<[string, BenchOptions]>([
  ['a board with a blank block', {}],
  ['a board without one', { flash: FULL.slice() }],
  ['a board on its own USB', { chip: 'esp32s3', wiring: 'usb-serial-jtag' }],
  ['a board without a stub', { crashesUploads: true }],
])('%s', (_, options) => {
  test('is measured, restarted, and connected again with its flash as it was', () =>
    onScene(options, async ({ bench, flow }) => {
      const { probe, connection } = flow;
      const before = bench.board.snapshot();
      await prepare(flow);
      expect(probe.plan?.place.isBlank).toBe(options.flash === undefined);
      const started = bench.clock.now();
      const told = probe.plan?.seconds ?? 0;
      const first = connection.idle;
      await flow.measure();
      expect(probe).toMatchObject({ status: 'done', error: undefined, owed: undefined, plan: undefined });
      const took = (bench.clock.now() - started) / 1000;
      expect(took).toBeLessThan(1.2 * told);
      expect(took).toBeGreaterThan(0.3 * told);
      expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
      expect(probe.report?.reset?.firstAfterMs).toBeGreaterThan(0);
      expect(probe.text).toContain('1.2.3 on Chrome 140 on linux');
      expect(connection).toMatchObject({ status: 'connected', error: undefined, present: true });
      expect(connection.idle).not.toBe(first);
      expect(connection.loader).toBe(options.crashesUploads ? 'rom' : 'stub');
      // It is as usable as before.
      expect(await connection.idle?.md5(0, 16)).toHaveLength(32);
    }));
});

test('what the app changed when it ran is read anew', () =>
  onScene({}, async ({ bench, flow }) => {
    await prepare(flow);
    const { board } = flow.connection;
    const measuring = flow.measure();
    await at({ bench, flow }, 'restart', () => bench.board.flash.bytes.set([0xff], 0x8000));
    await measuring;
    expect(board?.table).toBeDefined();
    expect(flow.connection.board?.table).toBeUndefined();
  }));

test.each<ProbePhase>(['latency', 'measure', 'ladder'])(
  'cancelled at %s, the block is put back and the board still connected',
  (phase) =>
    onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
      const { probe, connection } = flow;
      await prepare(flow);
      const first = connection.idle;
      const measuring = flow.measure();
      await at({ bench, flow }, phase, () => probe.cancel());
      await measuring;
      expect(probe).toMatchObject({ status: 'cancelled', error: undefined, owed: undefined, report: undefined });
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
      expect(connection.status).toBe('connected');
      expect(connection.idle).toBe(first);
      expect(await connection.idle?.md5(0, 16)).toHaveLength(32);
    }),
);

test('cancelled while the restart is listened to, it is connected again, and what was measured stays', () =>
  onScene({}, async ({ bench, flow }) => {
    await prepare(flow);
    const measuring = flow.measure();
    await at({ bench, flow }, 'restart', () => flow.probe.cancel());
    await measuring;
    expect(flow.probe).toMatchObject({ status: 'cancelled', report: { reset: undefined } });
    expect(flow.connection.status).toBe('connected');
    expect(await flow.connection.idle?.md5(0, 16)).toHaveLength(32);
  }));

describe('a board whose cable is pulled while it is measured', () => {
  test('gets back what was there as soon as it is connected again', () =>
    onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
      const { probe, connection } = flow;
      await prepare(flow);
      const measuring = flow.measure();
      await at({ bench, flow }, 'measure', () => bench.clock.after(200, () => bench.board.pullCable()));
      await measuring;
      expect(probe).toMatchObject({ status: 'failed', owed: { block: { mac: '24:0a:c4:12:34:56' } } });
      expect(connection).toMatchObject({ status: 'failed', error: { code: 'port-lost' } });
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(false);
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await flow.choosePort();
      expect(connection.status).toBe('connected');
      expect(probe).toMatchObject({ status: 'idle', owed: undefined, settled: 'put-back' });
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
    }));

  test('is told apart from another one, which is left alone', () =>
    onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
      await prepare(flow);
      const measuring = flow.measure();
      await at({ bench, flow }, 'measure', () => bench.clock.after(200, () => bench.board.pullCable()));
      await measuring;
      const other = new VirtualEsp32({ chip: 'esp32', clock: bench.clock, efuses: { mac: '24:0a:c4:99:99:99' } });
      const before = other.snapshot();
      bench.ports.add(other);
      await flow.choosePort();
      expect(flow.connection.status).toBe('connected');
      expect(flow.probe).toMatchObject({ owed: { block: { mac: '24:0a:c4:12:34:56' } }, settled: undefined });
      expect(equalBytes(other.snapshot(), before)).toBe(true);
      // What is owed to the first is not lost by another measurement.
      await prepare(flow);
      await flow.measure();
      expect(flow.probe.status).toBe('idle');
      flow.probe.forget(bench.ports);
      expect(flow.probe.owed).toBeUndefined();
    }));

  test('whose flash does not take it any more is connected all the same', () =>
    onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
      await prepare(flow);
      const measuring = flow.measure();
      await at({ bench, flow }, 'measure', () => bench.clock.after(200, () => bench.board.pullCable()));
      await measuring;
      bench.board.flash.badSectors.add(0x3f_0000 / 0x1000);
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await flow.choosePort();
      expect(flow.connection.status).toBe('connected');
      expect([flow.probe.owed, flow.probe.settled]).toEqual([undefined, 'given-up']);
      // It is the user's, and nowhere else any more.
      expect(flow.probe.refused?.before).toEqual(FULL.slice(0x3f_0000, 0x40_0000));
    }));
});

describe('a page that is reloaded while it measures', () => {
  const blocks = new MemoryBlocks();
  beforeEach(() => blocks.kept.clear());

  /** The next visit, with the board connected. */
  async function onNextVisit(body: (scene: Scene) => Promise<void>, meanwhile?: (bench: Bench) => void): Promise<void> {
    await onScene({ flash: FULL.slice(), blocks }, async ({ bench, flow: before }) => {
      await lost({ bench, flow: before });
      expect(before.probe.outlives).toBe(true);
      meanwhile?.(bench);
      const flow = visit(bench, blocks);
      await flow.choosePort();
      expect(flow.connection.status).toBe('connected');
      await body({ bench, flow });
    });
  }

  test('asks on the next visit, and puts back what was there before anything else is done', () =>
    onNextVisit(async ({ bench, flow }) => {
      expect(flow.probe.asked?.found).toBe('test-bytes');
      expect([flow.asksForBlock, flow.blocked]).toEqual([true, true]);
      await flow.measure();
      expect(flow.probe.status).toBe('idle');
      const { board } = flow.connection;
      const putting = flow.putBlockBack();
      expect(flow.busy).toBe(true);
      await putting;
      expect(flow.probe).toMatchObject({ asked: undefined, settled: 'put-back', restoring: false });
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
      expect(blocks.kept.size).toBe(0);
      // What was read of the board before may have been test bytes.
      expect(flow.connection.board).not.toBe(board);
      expect([flow.blocked, flow.connection.status]).toEqual([false, 'connected']);
    }));

  test('leaves it for good when the user wants that', () =>
    onNextVisit(async ({ bench, flow }) => {
      const before = bench.board.snapshot();
      await flow.leaveBlock();
      expect([flow.probe.asked, flow.blocked, blocks.kept.size]).toEqual([undefined, false, 0]);
      expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
    }));

  test.each<[string, (bench: Bench) => void]>([
    ['written by somebody else', ({ board }) => board.flash.bytes.set(noise(0x100, 3), 0x3f_0000)],
    ['erased with all the rest', ({ board }) => board.flash.bytes.fill(0xff)],
  ])('asks otherwise where the place was %s', (_, meanwhile) =>
    onNextVisit(async ({ bench, flow }) => {
      expect(flow.probe.asked?.found).toBe('other');
      await flow.putBlockBack();
      expect(equalBytes(bench.board.snapshot().subarray(0x3f_0000), FULL.subarray(0x3f_0000))).toBe(true);
    }, meanwhile),
  );

  test('names what else has become blank meanwhile', () =>
    onNextVisit(
      async ({ flow }) => {
        expect(flow.probe).toMatchObject({ asked: { found: 'test-bytes' }, damage: { code: 'kept-in-doubt' } });
        await flow.putBlockBack();
        expect(flow.probe).toMatchObject({ settled: 'put-back', damage: { code: 'kept-in-doubt' } });
      },
      ({ board }) => {
        board.flash.bytes.fill(0xff, 0, 0x1000);
        board.flash.bytes.set(testBytes(0x1000), 0x3f_0000);
      },
    ));

  test('asks again when the board is lost while it is put back', () =>
    onNextVisit(async ({ bench, flow }) => {
      bench.clock.after(100, () => bench.board.pullCable());
      await flow.putBlockBack();
      expect([flow.connection.status, flow.probe.restoring, flow.busy]).toEqual(['failed', false, false]);
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await flow.choosePort();
      expect(flow.probe.asked?.found).toBe('test-bytes');
      await flow.putBlockBack();
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
    }));

  test('asks of no other board', () =>
    onNextVisit(async ({ bench, flow }) => {
      bench.board.pullCable();
      bench.ports.add(new VirtualEsp32({ chip: 'esp32', clock: bench.clock, efuses: { mac: '24:0a:c4:99:99:99' } }));
      await flow.choosePort();
      expect(flow.connection.board?.identity.mac).not.toBe(MAC);
      expect([flow.probe.asked, blocks.kept.size]).toEqual([undefined, 1]);
    }));

  test('and another tab that puts it back leave nothing to do for the first', () =>
    onScene({ flash: FULL.slice(), blocks }, async ({ bench, flow }) => {
      await lost({ bench, flow });
      const other = visit(bench, blocks);
      await other.choosePort();
      await other.putBlockBack();
      await other.connection.disconnect();
      await flow.choosePort();
      expect(flow.probe).toMatchObject({ owed: undefined, asked: undefined, settled: 'put-back' });
      expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
    }));

  describe('and whose block is written over by the release', () => {
    const onOverwritten = (body: (scene: Scene) => Promise<void>): Promise<void> =>
      onScene({ flash: layOut({ partitions: TWO_SLOTS }).bytes.slice(), blocks }, async ({ bench, flow }) => {
        await flow.connection.disconnect();
        await flow.release.take(picked(demoFiles(), 'demo/'));
        const block = { mac: MAC, offset: 0x3_0000, size: 0x1_0000, before: noise(0x1_0000, 9), watched: [] };
        await blocks.hold(block);
        await flow.choosePort();
        flow.replan();
        await flow.planning.settled();
        expect(flow.probe.asked).toBeDefined();
        expect([flow.asksForBlock, flow.plan?.objections]).toEqual([false, []]);
        await body({ bench, flow });
      });

    test('does not ask, and forgets it then', () =>
      onOverwritten(async ({ flow }) => {
        await flow.write();
        expect([flow.job.status, flow.probe.asked, blocks.kept.size]).toEqual(['done', undefined, 0]);
      }));

    test('keeps it until something is written', () =>
      onOverwritten(async ({ flow }) => {
        const writing = flow.write();
        flow.job.cancel();
        await writing;
        expect([flow.job.status, blocks.kept.size]).toEqual(['cancelled', 1]);
      }));

    test('does not ask after a second run either, when the first had ended before it found the board', () =>
      onOverwritten(async ({ bench, flow }) => {
        bench.board.pullCable();
        const waiting = flow.write();
        await bench.clock.advance(1000);
        flow.job.cancel();
        await waiting;
        expect([flow.job.status, blocks.kept.size]).toEqual(['cancelled', 1]);
        bench.board.plugIn();
        await bench.clock.advance(1000);
        await flow.write();
        expect([flow.job.status, flow.probe.asked, blocks.kept.size]).toEqual(['done', undefined, 0]);
      }));
  });

  test('keeps nothing where the browser does not, and says so', () =>
    onScene({}, async ({ flow }) => {
      await prepare(flow);
      await flow.measure();
      expect(flow.probe).toMatchObject({ status: 'done', outlives: false });
    }));
});

test('a damaged command that erases more than the block is told, and the board is read anew', () =>
  onScene({ flash: FULL.slice().fill(0xff, 0x37_0000, 0x38_0000) }, async ({ bench, flow }) => {
    await prepare(flow);
    const { board } = flow.connection;
    const toBoard = bench.board.hostWrites.bind(bench.board);
    let isFlipped = false;
    bench.board.hostWrites = (bytes) => {
      if (bytes[2] === Op.EraseRegion && !isFlipped) {
        isFlipped = true;
        // A bit of the size, behind border, header and offset.
        bench.faults.add({ kind: 'flip', direction: 'to-device', at: 9 + 4 + 2, bit: 2 });
      }
      toBoard(bytes);
    };
    await flow.measure();
    expect(flow.probe).toMatchObject({ status: 'failed', damage: { code: 'kept-damaged' }, owed: undefined });
    expect(equalBytes(bench.board.snapshot().subarray(0x38_0000), FULL.subarray(0x38_0000))).toBe(false);
    expect(flow.connection.status).toBe('connected');
    expect(flow.connection.board).not.toBe(board);
  }));

test('a block whose place somebody else has written to is not put back unasked', () =>
  onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
    await lost({ bench, flow });
    bench.board.flash.bytes.set(noise(0x1000, 3), 0x3f_4000);
    const before = bench.board.snapshot();
    await flow.choosePort();
    expect(flow.probe).toMatchObject({ owed: undefined, asked: { found: 'other' } });
    expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
  }));

test('a block that only this page has is asked of again when the board is lost while it is asked of, or put back', () =>
  onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
    await lost({ bench, flow });
    bench.board.flash.bytes.set(noise(0x1000, 3), 0x3f_4000);
    await flow.choosePort();
    expect(flow.probe.asked?.found).toBe('other');
    const again = async (): Promise<void> => {
      bench.board.plugIn();
      await bench.clock.advance(1000);
      await flow.choosePort();
    };
    expect(flow.probe.isOnlyHere).toBe(true);
    bench.board.pullCable();
    await again();
    expect(flow.probe.asked).toBeDefined();
    bench.clock.after(100, () => bench.board.pullCable());
    await flow.putBlockBack();
    expect(flow.connection.status).toBe('failed');
    await again();
    expect(flow.probe.asked).toBeDefined();
    await flow.putBlockBack();
    expect(equalBytes(bench.board.snapshot(), FULL)).toBe(true);
    await flow.choosePort();
    expect(flow.probe).toMatchObject({ asked: undefined, owed: undefined, isOnlyHere: false });
  }));

test('a block that is asked of is forgotten with a virtual board that is thrown away', () =>
  onScene({ flash: FULL.slice() }, async ({ bench, flow }) => {
    await lost({ bench, flow });
    bench.board.flash.bytes.set(noise(0x1000, 3), 0x3f_4000);
    await flow.choosePort();
    await flow.connection.disconnect();
    expect(flow.probe.isOnlyHere).toBe(true);
    flow.probe.forget(bench.ports);
    expect(flow.probe.isOnlyHere).toBe(false);
  }));

test('a rate that the user fixed holds again afterwards, also when it was cancelled at a higher one', () =>
  onScene({}, async ({ bench, flow }) => {
    await flow.connection.disconnect();
    flow.settings.baud = '460800';
    await flow.choosePort();
    await prepare(flow);
    const measuring = flow.measure();
    await at({ bench, flow }, 'ladder', () => bench.clock.after(600, () => flow.probe.cancel()));
    await measuring;
    expect(flow.probe.status).toBe('cancelled');
    expect(flow.connection.idle?.baud).toBe(460_800);
    await prepare(flow);
    await flow.measure();
    expect(flow.probe.report?.rates.length).toBeGreaterThan(0);
    expect(flow.connection.idle?.baud).toBe(460_800);
  }));

test('a board that is reset by hand is not restarted, and no rate is tried that only a reset would get it back from', () =>
  onScene({}, async ({ bench, flow }) => {
    await flow.connection.disconnect();
    flow.settings.before = 'none';
    bench.board.holdBootButton(true);
    bench.board.pressReset();
    await sleep(bench.clock, 100);
    await flow.choosePort();
    await prepare(flow);
    expect(flow.probe.plan).toMatchObject({ restarts: false, rates: [] });
    const first = flow.connection.idle;
    await flow.measure();
    expect(flow.probe).toMatchObject({ status: 'done', report: { reset: undefined, rates: [] } });
    expect(flow.connection.idle).toBe(first);
  }));

test('nothing else is begun meanwhile, and it does not begin while something else goes on', () =>
  onScene({}, async ({ bench, flow }) => {
    await prepare(flow);
    const measuring = flow.measure();
    await flow.write();
    await flow.backup.run(flow.connection);
    expect([flow.busy, flow.job.status, flow.backup.status]).toEqual([true, 'idle', 'failed']);
    flow.backup.reset();
    await measuring;
    await prepare(flow);
    bench.clock.after(500, () => flow.backup.cancel());
    const backup = flow.backup.run(flow.connection);
    await flow.measure();
    expect(flow.probe.running).toBe(false);
    await backup;
  }));

test('a board that does not come back after the restart is told as failed, with the report at hand', () =>
  onScene({}, async ({ bench, flow }) => {
    await prepare(flow);
    const measuring = flow.measure();
    await at({ bench, flow }, 'connect', () => bench.board.pullCable());
    await measuring;
    expect(flow.probe.report).toBeDefined();
    expect(flow.connection.status).toBe('failed');
    expect(flow.next).not.toBe('write');
    expect(await bench.isFree()).toBe(true);
  }));
