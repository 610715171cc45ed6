/** Backup of a flash: what is read, what is not, and that it can be broken off and gone on with anywhere. */
import { describe, expect, test } from 'vitest';
import { type JobOptions } from '#device/flash-memory.ts';
import { type BackupManifest } from '#formats/backup/backup.ts';
import { decodeBackup, readBackup } from '#formats/backup/backup-reader.ts';
import { concatBytes, equalBytes } from '#formats/bytes.ts';
import {
  type BackupPlanOptions,
  type BackupSink,
  backupTime,
  planBackup,
  resumableStretches,
  runBackup,
} from '#workflows/backup.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { TYPICAL_COSTS } from '#device/flash-costs.ts';
import { noise, onBench } from '../device/support/bench.ts';
import { MemoryFlash } from '../support/memory-flash.ts';
import { type BoardLayout, identity, layOut, MIB, row, text, TWO_SLOTS } from './boards.ts';

const CREATED = '2026-07-31T12:00:00.000Z';
const LAYOUT: BoardLayout = {
  partitions: TWO_SLOTS,
  settings: [text('app', 'name', 'kitchen')],
  boots: 0,
  contents: { 0x1000: noise(20_000), 0x10_0000: noise(300_000), 0x20_0000: noise(70_000, 3) },
};

/** A file in memory. */
class MemorySink implements BackupSink {
  bytes = new Uint8Array(0);
  /** Fails when so many appends were taken. */
  limit = Infinity;

  async append(bytes: Uint8Array): Promise<void> {
    if (this.limit-- <= 0) throw new Error('The disk is full');
    this.bytes = concatBytes(this.bytes, bytes);
  }
}

/** Counts what goes over the line, and reads wrong where told. */
class WatchedFlash extends MemoryFlash {
  readonly reads: [offset: number, length: number][] = [];
  /** How many reads of this offset are to come out wrong. */
  wrongReads = new Map<number, number>();
  wrongDigests = new Map<number, number>();

  override async read(offset: number, length: number, options: JobOptions = {}): Promise<Uint8Array> {
    options.signal?.throwIfAborted();
    this.reads.push([offset, length]);
    const bytes = await super.read(offset, length);
    options.onProgress?.({ done: length, total: length });
    if (this.#isWrong(this.wrongReads, offset)) bytes[7]! ^= 4;
    return bytes;
  }

  override async md5(offset: number, length: number): Promise<string> {
    const digest = await super.md5(offset, length);
    return this.#isWrong(this.wrongDigests, offset) ? digest.replace(/^./, 'x') : digest;
  }

  #isWrong(left: Map<number, number>, offset: number): boolean {
    const times = left.get(offset) ?? 0;
    left.set(offset, times - 1);
    return times > 0;
  }
}

function watched(layout = LAYOUT): WatchedFlash {
  const laid = layOut(layout);
  const flash = new WatchedFlash(laid.size);
  flash.bytes.set(laid.bytes);
  return flash;
}

async function planFor(
  flash: MemoryFlash,
  options: Partial<BackupPlanOptions> = {},
  layout = LAYOUT,
): Promise<BackupManifest> {
  return planBackup(await readBoardState(flash, identity(layout)), { created: CREATED, ...options });
}

/** How often an answer for an offset is to come out wrong. */
interface Wrong {
  reads?: [number, number][];
  digests?: [number, number][];
}

async function backUp(
  flash: WatchedFlash,
  options: Partial<BackupPlanOptions> = {},
  wrong: Wrong = {},
): Promise<MemorySink> {
  const plan = await planFor(flash, options);
  const sink = new MemorySink();
  flash.reads.length = 0;
  flash.wrongReads = new Map(wrong.reads);
  flash.wrongDigests = new Map(wrong.digests);
  await runBackup(flash, plan, { sink });
  return sink;
}

/** The flash as the backup has it; what it does not hold is `undefined`. */
function isSame(flash: MemoryFlash, sink: MemorySink): boolean {
  return decodeBackup(sink.bytes).stretches.every(({ offset, length, blank, data }) => {
    const there = flash.bytes.subarray(offset, offset + length);
    return blank ? there.every((byte) => byte === 0xff) : equalBytes(there, data);
  });
}

describe('a whole flash', () => {
  test('is in the backup to the last byte, with who it is of and what is what in it', async () => {
    const flash = watched();
    const sink = await backUp(flash, { notes: ['from the kitchen'] });
    expect(isSame(flash, sink)).toBe(true);
    const { manifest } = decodeBackup(sink.bytes);
    expect(manifest).toEqual({
      created: CREATED,
      chip: 'esp32',
      description: 'ESP32',
      revision: { major: 3, minor: 1 },
      mac: '24:0a:c4:12:34:56',
      flashId: 0x16_4020,
      flashSize: 4 * MIB,
      flashEncryption: 'off',
      notes: ['from the kitchen'],
      table: { offset: 0x8000, partitions: TWO_SLOTS },
      ranges: [{ offset: 0, length: 4 * MIB }],
    });
  });

  test('is read only where it is not blank', async () => {
    const flash = watched();
    await backUp(flash);
    const read = flash.reads.reduce((sum, [, length]) => sum + length, 0);
    // What is there, up to the next 64 KiB, or to the end of its partition.
    expect(read).toBeLessThan(600_000);
    expect(flash.reads.filter(([offset]) => offset >= 0x22_0000)).toEqual([]);
  });

  test('without a table is one region', async () => {
    const flash = watched({ contents: { 0x3_0000: noise(5000) } });
    const plan = await planFor(flash);
    expect(plan.table).toBeUndefined();
    const sink = await backUp(flash);
    expect(isSame(flash, sink)).toBe(true);
  });

  test('stretches do not cross from one partition into the next', async () => {
    const sink = await backUp(watched());
    const borders = TWO_SLOTS.flatMap(({ offset, size }) => [offset, offset + size]);
    for (const { offset, length } of decodeBackup(sink.bytes).stretches) {
      expect(borders.filter((border) => offset < border && border < offset + length)).toEqual([]);
    }
  });

  test('says how far it is, and never goes back', async () => {
    const flash = watched();
    const done: number[] = [];
    await runBackup(flash, await planFor(flash), {
      sink: new MemorySink(),
      onProgress: (progress) => {
        expect(progress.total).toBe(4 * MIB);
        done.push(progress.done);
      },
    });
    expect(done.every((value, index) => value >= (done[index - 1] ?? 0))).toBe(true);
    expect([done[0], done.at(-1)]).toEqual([0, 4 * MIB]);
  });
});

describe('parts of a flash', () => {
  test.each([
    ['a partition', { partitions: ['nvs'] }, [{ offset: 0x9000, length: 0x4000 }]],
    ['partitions that touch', { partitions: ['otadata', 'nvs'] }, [{ offset: 0x9000, length: 0x6000 }]],
    [
      'what stands in no table',
      { partitions: ['partition-table', 'bootloader'] },
      [{ offset: 0x1000, length: 0x8000 }],
    ],
    [
      'a range, on whole sectors',
      { ranges: [{ offset: 0x9100, length: 0x1000 }] },
      [{ offset: 0x9000, length: 0x2000 }],
    ],
    [
      'both, those that overlap once',
      { partitions: ['ota_1'], ranges: [{ offset: 0x2f_0000, length: 0x2_0000 }] },
      [{ offset: 0x20_0000, length: 0x11_0000 }],
    ],
  ])('%s', async (_, options, ranges) => {
    const flash = watched();
    const sink = await backUp(flash, options);
    expect(decodeBackup(sink.bytes).manifest.ranges).toEqual(ranges);
    expect(isSame(flash, sink)).toBe(true);
  });

  test.each([
    ['a partition that is not there', { partitions: ['nvs', 'spiffs'] }, 'partition-not-found'],
    ['a range beyond the end', { ranges: [{ offset: 0x3f_f000, length: 0x1001 }] }, 'range-beyond-flash'],
  ])('%s is refused', async (_, options, code) => {
    await expect(planFor(watched(), options)).rejects.toMatchObject({ code });
  });

  test('a partition beyond the flash is refused, and the whole is not', async () => {
    const layout = { ...LAYOUT, partitions: [...TWO_SLOTS, row('more', [1, 0x82], [4 * MIB, MIB])] };
    await expect(planFor(watched(layout), { partitions: ['more'] }, layout)).rejects.toMatchObject({
      code: 'range-beyond-flash',
    });
    const flash = watched(layout);
    expect(isSame(flash, await backUp(flash))).toBe(true);
  });

  test('a partition that is called as what stands in no table is meant', async () => {
    const partitions = [...TWO_SLOTS, row('bootloader', [1, 0x40], [0x30_0000, 0x1000])];
    const plan = await planFor(watched({ partitions }), { partitions: ['bootloader'] });
    expect(plan.ranges).toEqual([{ offset: 0x30_0000, length: 0x1000 }]);
  });
});

describe('what does not read well', () => {
  test('is read again until it has the digest of the flash', async () => {
    const flash = watched();
    const sink = await backUp(flash, {}, { reads: [[0x10_0000, 2]], digests: [[0x9000, 1]] });
    expect(flash.reads.filter(([offset]) => offset === 0x10_0000)).toHaveLength(3);
    expect(isSame(flash, sink)).toBe(true);
  });

  test('each time ends the backup', async () => {
    const flash = watched();
    await expect(backUp(flash, {}, { reads: [[0x10_0000, Infinity]] })).rejects.toMatchObject({
      code: 'backup-unstable',
      values: { offset: 0x10_0000 },
    });
  });
});

describe('a backup that was broken off', () => {
  /** Goes on as a command does: with the file cut behind what the board has still. */
  async function resume(
    flash: WatchedFlash,
    sink: MemorySink,
    options: Partial<BackupPlanOptions> = {},
  ): Promise<number> {
    const found = readBackup(sink.bytes);
    const plan = await planFor(flash, { ...options, created: '2027-01-01T00:00:00Z' });
    const done = await resumableStretches(flash, found, { plan });
    sink.bytes = sink.bytes.slice(0, done.at(-1)?.fileEnd ?? found.headSize);
    sink.limit = Infinity;
    flash.reads.length = 0;
    await runBackup(flash, found.manifest, { sink, done });
    return done.length;
  }

  test('anywhere becomes what it would have been', async () => {
    const flash = watched();
    const options = {
      partitions: ['bootloader', 'nvs', 'phy_init'],
      ranges: [{ offset: 0x1f_0000, length: 0x3_0000 }],
    };
    const whole = await backUp(flash, options);
    const { length } = decodeBackup(whole.bytes).stretches;
    expect(length).toBeGreaterThan(4);
    for (let cut = 1; cut <= length + 1; cut++) {
      const sink = new MemorySink();
      sink.limit = cut;
      await expect(runBackup(flash, await planFor(flash, options), { sink })).rejects.toThrow('The disk is full');
      // Some bytes of what was under way may be there too.
      sink.bytes = concatBytes(sink.bytes, whole.bytes.subarray(sink.bytes.length, sink.bytes.length + 20));
      expect(await resume(flash, sink, options)).toBe(cut - 1);
      expect(equalBytes(sink.bytes, whole.bytes)).toBe(true);
    }
  });

  test('is read again from where the board has changed since', async () => {
    const flash = watched();
    const sink = await backUp(flash);
    flash.bytes[0x9800]! ^= 1;
    const kept = await resume(flash, sink);
    expect(kept).toBeGreaterThan(1);
    expect(flash.reads.some(([offset]) => offset < 0x9000)).toBe(false);
    expect(isSame(flash, sink)).toBe(true);
  });

  test('of another board, or of other parts, is not gone on with', async () => {
    const flash = watched();
    const found = readBackup((await backUp(flash)).bytes);
    const plan = await planFor(flash);
    const resumed = (other: Partial<BackupManifest>): Promise<unknown> =>
      resumableStretches(flash, found, { plan: { ...plan, ...other } });
    await expect(resumed({ mac: '24:0a:c4:99:99:99' })).rejects.toMatchObject({ code: 'backup-other-board' });
    await expect(resumed({ flashSize: 2 * MIB })).rejects.toMatchObject({ code: 'backup-other-board' });
    await expect(resumed({ ranges: [] })).rejects.toMatchObject({ code: 'backup-other-ranges' });
  });

  test('by its user leaves what was read', async () => {
    const flash = watched();
    const sink = new MemorySink();
    const abort = new AbortController();
    const run = runBackup(flash, await planFor(flash), {
      sink,
      signal: abort.signal,
      onStretch: ({ offset }) => {
        if (offset >= 0x10_0000) abort.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(readBackup(sink.bytes).unbroken).toBeGreaterThan(3);
    await resume(flash, sink);
    expect(isSame(flash, sink)).toBe(true);
  });
});

test('a pulled cable and an abort leave what was read, and the same session or the next goes on with it', () =>
  onBench({ flash: layOut(LAYOUT).bytes.slice() }, async (bench) => {
    const sink = new MemorySink();
    const options = { ranges: [{ offset: 0x10_0000, length: 0x8_0000 }] };
    let board = await bench.connect();
    const plan = planBackup(await readBoardState(board, board.identity), { created: CREATED, ...options });
    const abort = new AbortController();
    bench.clock.after(1500, () => abort.abort());
    const first = runBackup(board, plan, { sink, signal: abort.signal });
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });

    const goOn = async (): Promise<number> => {
      const found = readBackup(sink.bytes);
      const done = await resumableStretches(board, found, { plan });
      sink.bytes = sink.bytes.slice(0, done.at(-1)?.fileEnd ?? found.headSize);
      await runBackup(board, plan, { sink, done });
      return done.length;
    };
    bench.clock.after(3300, () => bench.board.pullCable());
    await expect(goOn()).rejects.toMatchObject({ code: 'port-lost' });
    await board.close();
    bench.board.plugIn();
    await bench.clock.advance(1000);
    board = await bench.connect();
    expect(await goOn()).toBe(1);
    const { stretches } = decodeBackup(sink.bytes);
    for (const { offset, data } of stretches) {
      expect(equalBytes(bench.board.flash.bytes.subarray(offset, offset + data.length), data)).toBe(true);
    }
    await board.close();
  }));

test('takes as long as the wire needs, and a few per cent for the digests', () =>
  onBench({ flash: layOut({ contents: { 0: noise(MIB) } }).bytes }, async (bench) => {
    const board = await bench.connect();
    const sink = new MemorySink();
    const state = await readBoardState(board, board.identity);
    const plan = planBackup(state, { created: CREATED, ranges: [{ offset: 0, length: MIB }] });
    const begun = bench.clock.now();
    await runBackup(board, plan, { sink });
    const took = bench.clock.now() - begun;
    const wire = (MIB * 10_000) / board.baud;
    expect(took).toBeLessThan(1.1 * wire);
    expect(took).toBeGreaterThan(wire);
    // What was told before is near it.
    expect(backupTime(MIB, board.costs) / took).toBeCloseTo(1, 1);
    expect(decodeBackup(sink.bytes).stretches).toHaveLength(4);
    await board.close();
  }));

test('the time it takes at most is told from what work costs', () => {
  expect(backupTime(4 * MIB, TYPICAL_COSTS) / 1000).toBeCloseTo(46.7, 0);
});
