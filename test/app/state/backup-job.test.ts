// @vitest-environment happy-dom
/** The backup that the page offers before it overwrites a board, with a virtual board in modelled time. */
import { backupSeconds, isWorthBackup } from '#app/state/backup-facts.ts';
import { type BackupPlace } from '#app/state/backup-place.ts';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { TYPICAL_COSTS } from '#device/flash-costs.ts';
import { decodeBackup } from '#formats/backup/backup-reader.ts';
import { concatBytes, equalBytes, padBytes } from '#formats/bytes.ts';
import { expect, test } from 'vitest';
import { type BenchOptions, Bench, noise } from '../../device/support/bench.ts';
import { layOut, readBoard, TWO_SLOTS } from '../../workflows/boards.ts';
import { testPlanner } from './support/planner.ts';

/** A file that the user chose. */
class TestPlace implements BackupPlace {
  readonly name: string;
  bytes = new Uint8Array(0);
  state: 'open' | 'finished' | 'discarded' = 'open';
  cuts = 0;

  constructor(name: string) {
    this.name = name;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.bytes = concatBytes(this.bytes, bytes);
  }

  async cut(size: number): Promise<void> {
    this.cuts++;
    this.bytes = this.bytes.slice(0, size);
  }

  async finish(): Promise<void> {
    this.state = 'finished';
  }

  async discard(): Promise<void> {
    this.state = 'discarded';
  }
}

interface Scene {
  bench: Bench;
  flow: Provisioning;
  places: TestPlace[];
}

const LAYOUT = { partitions: TWO_SLOTS, contents: { 0x10_0000: noise(600_000) } };

async function onScene(
  { declines = false, ...options }: BenchOptions & { declines?: boolean },
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const bench = new Bench({ flash: layOut(LAYOUT).bytes.slice(), ...options });
  const places: TestPlace[] = [];
  const flow = new Provisioning({
    planner: testPlanner(),
    clock: bench.clock,
    ports: bench.ports,
    startDemo: () => {
      throw new Error('No demo here');
    },
    chooseBackupPlace: async (name) => {
      if (declines) return undefined;
      places.push(new TestPlace(name));
      return places.at(-1);
    },
  });
  await bench.clock.run(async () => {
    await flow.choosePort();
    expect(flow.connection.status).toBe('connected');
    await body({ bench, flow, places });
  });
}

function holdsFlash({ bench, places }: Scene): boolean {
  const { stretches } = decodeBackup(places.at(-1)!.bytes);
  return stretches.every(({ offset, length, data }) =>
    equalBytes(bench.board.flash.bytes.subarray(offset, offset + length), padBytes(data, length)),
  );
}

test('a board is backed up, and is connected afterwards', async () => {
  await onScene({}, async (scene) => {
    const { flow, places } = scene;
    await flow.backup.run(flow.connection);
    expect(flow.backup).toMatchObject({ status: 'done', error: undefined, savedAs: places[0]!.name });
    expect(places[0]!.name).toMatch(/^esp32-240ac4123456-\d{4}-\d\d-\d\d\.backup$/);
    expect(places[0]!.state).toBe('finished');
    expect(holdsFlash(scene)).toBe(true);
    expect(flow.connection.status).toBe('connected');
    expect(flow.backup.progress).toEqual({ done: 0x40_0000, total: 0x40_0000 });
  });
});

test('nothing is written to the board meanwhile', async () => {
  await onScene({}, async ({ flow, bench }) => {
    const before = bench.board.snapshot();
    const run = flow.backup.run(flow.connection);
    await flow.write();
    expect(flow.job.status).toBe('idle');
    await run;
    expect(flow.backup.status).toBe('done');
    expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
  });
});

test('one that is cancelled leaves no file, and a board that is still connected', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench, places } = scene;
    bench.clock.after(3000, () => flow.backup.cancel());
    await flow.backup.run(flow.connection);
    expect([flow.backup.status, places[0]!.state]).toEqual(['cancelled', 'discarded']);
    expect(flow.connection.status).toBe('connected');
    await flow.backup.run(flow.connection);
    expect(flow.backup.status).toBe('done');
    expect(places).toHaveLength(2);
    expect(holdsFlash(scene)).toBe(true);
  });
});

test('one whose cable was pulled is gone on with when the board is back', async () => {
  await onScene({}, async (scene) => {
    const { flow, bench, places } = scene;
    bench.clock.after(5500, () => bench.board.pullCable());
    await flow.backup.run(flow.connection);
    expect(flow.backup).toMatchObject({
      status: 'failed',
      error: { code: 'port-lost' },
      waitsFor: '24:0a:c4:12:34:56',
    });
    expect(flow.connection).toMatchObject({ status: 'failed', error: { code: 'port-lost' } });
    bench.board.plugIn();
    await bench.clock.advance(1000);
    await flow.choosePort();
    expect(flow.backup.status).toBe('idle');
    const before = bench.faults.passed['to-host'];
    await flow.backup.run(flow.connection);
    expect(flow.backup).toMatchObject({ status: 'done', waitsFor: undefined });
    expect([places.length, places[0]!.cuts, places[0]!.state]).toEqual([1, 1, 'finished']);
    expect(bench.faults.passed['to-host'] - before).toBeLessThan(500_000);
    expect(holdsFlash(scene)).toBe(true);
  });
});

test('a user who chooses no place has changed his mind', async () => {
  await onScene({ declines: true }, async ({ flow }) => {
    await flow.backup.run(flow.connection);
    expect([flow.backup.status, flow.backup.error]).toEqual(['idle', undefined]);
    expect(flow.connection.status).toBe('connected');
  });
});

test('a blank board and one that is locked have nothing to back up, others have', async () => {
  expect(isWorthBackup(await readBoard())).toBe(false);
  expect(isWorthBackup(await readBoard({ ...LAYOUT, security: { flashEncryption: 'release' } }))).toBe(false);
  expect(isWorthBackup(await readBoard(LAYOUT))).toBe(true);
  expect(isWorthBackup(await readBoard({ contents: { 0x2_0000: noise(5000) } }))).toBe(true);
  expect(backupSeconds(await readBoard(), TYPICAL_COSTS)).toBeCloseTo(46.7, 0);
});
