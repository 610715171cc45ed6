/**
 * Bits are turned in the commands that erase, which carry no checksum: whatever the board does then, the run ends with the flash as planned and
 * everything else untouched, or names what of the rest was hit.
 */
import { describe, expect, test } from 'vitest';
import { type ConnectOptions } from '#device/bootloader.ts';
import { BLOCK_SIZE, SECTOR_SIZE } from '#device/flash-memory.ts';
import { Op } from '#device/loader-commands.ts';
import { type KeptPart, type WatchedPart } from '#workflows/kept-guard.ts';
import { type FlashWrite, flashWrite, type WritePlan } from '#workflows/flash-plan.ts';
import { runFlashPlan, type RunPlanOptions } from '#workflows/run-flash-plan.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { Bench, noise, sampleData } from '../device/support/bench.ts';

const FLASH_SIZE = 0x10_0000;

const write = (label: string, offset: number, data: Uint8Array): FlashWrite =>
  flashWrite({ role: 'other', label, offset, data, why: 'from-release' });

/** One transfer with what follows it directly kept, blocks that are only erased, and the last sector, behind which is the first. */
const WRITES = [
  write('packed', 0x2_0000, sampleData(0x9000)),
  write('blank', 0x4_0000, new Uint8Array(2 * BLOCK_SIZE).fill(0xff)),
  write('last', 0xf_f000, noise(SECTOR_SIZE, 3)),
];
const KEPT: KeptPart[] = [
  { label: 'low', offset: 0, length: 0x2_0000 },
  { label: 'middle', offset: 0x2_9000, length: 0x1_7000 },
  { label: 'high', offset: 0x6_0000, length: 0x6_0000 },
  { label: 'top', offset: 0xc_0000, length: 0x3_f000 },
];
const PLAN: WritePlan = { writes: WRITES, objections: [], untouched: KEPT };

/** Content everywhere but in the end of one kept part and the beginning of another. */
const BEFORE = noise(FLASH_SIZE, 5);
BEFORE.fill(0xff, 0x1_8000, 0x2_0000);
BEFORE.fill(0xff, 0xc_0000, 0xc_6000);
const afterOf = (before: Uint8Array): Uint8Array => {
  const after = before.slice();
  for (const { offset, data } of WRITES) after.set(data, offset);
  return after;
};
const AFTER = afterOf(BEFORE);
const BLANK = new Uint8Array(FLASH_SIZE).fill(0xff);

const ERASING: readonly number[] = [Op.FlashBegin, Op.DeflateBegin, Op.EraseRegion];

interface Flip {
  /** Number of the frame among those that erase. */
  frame: number;
  /** Byte of the frame as it is on the line, its borders included. */
  byte: number;
  bit: number;
}

interface Loader {
  title: string;
  chip: string;
  connect: Partial<ConnectOptions>;
}

const LOADERS: Loader[] = [
  { title: 'the stub', chip: 'esp32', connect: {} },
  { title: 'the ROM of an ESP32', chip: 'esp32', connect: { stub: false } },
  { title: 'the ROM of an ESP32-C3', chip: 'esp32c3', connect: { stub: false } },
];

interface Outcome {
  /** `done`, or the code of the error. */
  code: string;
  /** Labels of kept parts. */
  damaged: readonly string[];
  doubtful: readonly string[];
  flash: Uint8Array;
  /** The frames that erase. */
  frames: readonly { op: number; length: number }[];
}

interface RunOptions extends Pick<RunPlanOptions, 'full'> {
  flip?: Flip;
  /** The flash before. */
  flash?: Uint8Array;
}

/** A run with a bit turned. */
async function run({ chip, connect }: Loader, { flip, flash = BEFORE, full }: RunOptions = {}): Promise<Outcome> {
  const silent = { receive: () => undefined, stop: () => undefined };
  const bench = new Bench({ chip, flash: flash.slice(), startFirmware: () => silent });
  const frames: { op: number; length: number }[] = [];
  return bench.clock.run(async () => {
    const board = await bench.connect(connect);
    const toBoard = bench.board.hostWrites.bind(bench.board);
    bench.board.hostWrites = (bytes) => {
      const [op = 0] = bytes.subarray(2);
      if (ERASING.includes(op)) {
        if (flip?.frame === frames.length) {
          bench.faults.add({ kind: 'flip', direction: 'to-device', at: flip.byte, bit: flip.bit });
        }
        frames.push({ op, length: bytes.length });
      }
      toBoard(bytes);
    };
    const error: unknown = await runFlashPlan(board, PLAN, { full }).catch((reason: unknown) => reason);
    await board.close();
    if (error instanceof Error && !(error instanceof WorkflowError)) throw error;
    const failed = error instanceof WorkflowError ? error : undefined;
    const named = (key: string): string[] => String(failed?.values[key] ?? '').match(/[^, ]+/g) ?? [];
    return {
      code: failed?.code ?? 'done',
      damaged: named('damaged'),
      doubtful: named('doubtful'),
      flash: bench.board.snapshot(),
      frames,
    };
  });
}

const differ = (a: Uint8Array, b: Uint8Array, { offset, length }: { offset: number; length: number }): boolean =>
  Buffer.compare(a.subarray(offset, offset + length), b.subarray(offset, offset + length)) !== 0;

const PARTS = [...KEPT, ...WRITES.map(({ label, offset, data }) => ({ label, offset, length: data.length }))];

/** What is not as it should be and was not named, and what was said to be damaged and is not. */
function untruths({ flash, damaged, doubtful }: Outcome, after = AFTER): string[] {
  const hit = PARTS.filter((part) => differ(flash, after, part)).map(({ label }) => label);
  const silent = hit.filter((label) => !damaged.includes(label) && !doubtful.includes(label));
  return [...silent, ...damaged.filter((label) => !hit.includes(label))];
}

/** Bits of a byte of the frame that are turned: all where they make another command, place or size in this flash, else one. */
function bitsOf(byte: number, op: number): readonly number[] {
  // Behind border and header; words: an erase has offset and size, the others size, blocks, size of a block, offset.
  const word = Math.floor((byte - 9) / 4);
  const matters = (op === Op.EraseRegion ? [0, 1] : [0, 3]).includes(word) && [1, 2].includes((byte - 9) % 4);
  return matters || byte === 2 ? [0, 1, 2, 3, 4, 5, 6, 7] : [(byte * 5) % 8];
}

const flipsOf = ({ frames }: Outcome, frame: number): Flip[] => {
  const { op, length } = frames[frame]!;
  return Array.from({ length }, (_, byte) => bitsOf(byte, op).map((bit) => ({ frame, byte, bit }))).flat();
};

describe.each(LOADERS)('through $title', (loader) => {
  // The ROM erases blocks of 64 KiB one by one.
  test.each(loader.connect.stub === false ? [0, 1, 2, 3] : [0, 1, 2])(
    'a bit turned in command %i that erases does no harm, or what it did is named',
    async (frame) => {
      const clean = await run(loader);
      expect(clean).toMatchObject({ code: 'done', damaged: [], doubtful: [] });
      const codes = new Set<string>();
      for (const flip of flipsOf(clean, frame)) {
        const outcome = await run(loader, { flip });
        codes.add(outcome.code);
        expect(untruths(outcome), JSON.stringify({ ...flip, code: outcome.code })).toEqual([]);
      }
      // All kinds of turned bits are among them.
      expect(codes).toContain('done');
      expect(codes).toContain('kept-damaged');
    },
    30_000,
  );

  test('also on a board that was blank, where a write that began too late in its own place ran on into the next part', async () => {
    const after = afterOf(BLANK);
    const clean = await run(loader, { flash: BLANK });
    const codes = new Set<string>();
    for (const frame of clean.frames.keys()) {
      const offsets = flipsOf(clean, frame).filter(({ byte }) => byte > 9 + 3 * 4);
      for (const flip of offsets) {
        const outcome = await run(loader, { flip, flash: BLANK });
        codes.add(outcome.code);
        expect(untruths(outcome, after), JSON.stringify({ ...flip, code: outcome.code })).toEqual([]);
      }
    }
    expect(codes).toContain('kept-damaged');
  });

  test('also when everything is written anew that the flash holds already', async () => {
    const clean = await run(loader, { flash: AFTER, full: true });
    expect(clean.code).toBe('done');
    expect(untruths(clean)).toEqual([]);
    for (const frame of clean.frames.keys()) {
      const offsets = flipsOf(clean, frame).filter(({ byte }) => byte === clean.frames[frame]!.length - 3);
      for (const flip of offsets) {
        const outcome = await run(loader, { flip, flash: AFTER, full: true });
        expect(untruths(outcome), JSON.stringify({ ...flip, code: outcome.code })).toEqual([]);
      }
    }
  });
});

test('nothing is looked after when nothing is sent', async () => {
  const { frames, code } = await run(LOADERS[0]!, { flash: AFTER });
  expect({ frames, code }).toEqual({ frames: [], code: 'done' });
});

describe('a run whose cable is pulled before it can look after what it kept', () => {
  /** The second command that erases reaches into the part above; with the third the cable is out. @returns what was watched. */
  async function cutOff(bench: Bench): Promise<readonly WatchedPart[]> {
    let watched: readonly WatchedPart[] = [];
    let frames = 0;
    const board = await bench.connect();
    const toBoard = bench.board.hostWrites.bind(bench.board);
    bench.board.hostWrites = (bytes) => {
      if (ERASING.includes(bytes[2] ?? 0)) {
        frames++;
        // Of the size of an erase, behind border, header and offset.
        if (frames === 2) bench.faults.add({ kind: 'flip', direction: 'to-device', at: 9 + 4 + 2, bit: 2 });
        if (frames === 3) bench.faults.add({ kind: 'unplug', direction: 'to-device', at: 1 });
      }
      toBoard(bytes);
    };
    const run = runFlashPlan(board, PLAN, { onWatch: (parts) => (watched = parts) });
    await expect(run).rejects.toMatchObject({ name: 'DeviceError' });
    await board.close();
    bench.board.hostWrites = toBoard;
    bench.board.plugIn();
    await bench.clock.advance(1000);
    return watched;
  }

  async function onCutOff(
    body: (
      bench: Bench,
      run: (options: RunPlanOptions) => Promise<void>,
      watched: readonly WatchedPart[],
    ) => Promise<void>,
  ): Promise<void> {
    const silent = { receive: () => undefined, stop: () => undefined };
    const bench = new Bench({ flash: BEFORE.slice(), startFirmware: () => silent });
    await bench.clock.run(async () => {
      const watched = await cutOff(bench);
      expect(differ(bench.board.snapshot(), AFTER, KEPT[2]!)).toBe(true);
      const board = await bench.connect();
      await body(bench, (options) => runFlashPlan(board, PLAN, options), watched);
      await board.close();
    });
  }

  test('is told of by the next one, and by the one after that, also when nothing is left to send', () =>
    onCutOff(async (bench, run, earlier) => {
      let watched: readonly WatchedPart[] = [];
      const doubt = { code: 'kept-in-doubt', values: { damaged: '', doubtful: 'high' } };
      await expect(run({ earlier, onWatch: (parts) => (watched = parts) })).rejects.toMatchObject(doubt);
      for (const write of WRITES)
        expect(differ(bench.board.snapshot(), AFTER, { ...write, length: write.data.length })).toBe(false);
      await expect(run({ earlier: watched })).rejects.toMatchObject(doubt);
    }));

  test('is forgotten when what was lost is there again', () =>
    onCutOff(async (bench, run, earlier) => {
      bench.board.flash.bytes.set(BEFORE.subarray(0x6_0000, 0xc_0000), 0x6_0000);
      await run({ earlier });
    }));
});
