/**
 * Bits are turned in the commands that erase, which carry no checksum, while a board is measured: whatever it does then, its flash is afterwards
 * what it was, or what was hit is named.
 */
import { describe, expect, test } from 'vitest';
import { type ConnectOptions } from '#device/bootloader.ts';
import { Op } from '#device/loader-commands.ts';
import { chipByName } from '#formats/chips.ts';
import { probeBoard } from '#workflows/probe.ts';
import { findScratch, partsAround } from '#workflows/probe-scratch.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { Bench, noise } from '../device/support/bench.ts';
import { row } from './boards.ts';

const FLASH_SIZE = 0x8_0000;
const TABLE = {
  offset: 0x8000,
  partitions: [row('app', [0, 0x10], [0x1_0000, 0x4_0000]), row('files', [1, 0x82], [0x5_0000, 0x3_0000])],
};
const FULL = noise(FLASH_SIZE, 5);
/** The block that is taken is blank, and what is around it is not. */
const WITH_BLANK = FULL.slice().fill(0xff, 0x6_0000, 0x7_0000);

const ERASING: readonly number[] = [Op.FlashBegin, Op.DeflateBegin, Op.EraseRegion];

/** `byte`: of the frame as it is on the line. */
interface Flip {
  frame: number;
  byte: number;
  bit: number;
}

/** The bits of place and size that lead elsewhere in this flash, or just beyond it; other flips are for kept-guard.test.ts. */
function flipsOf(frame: number, op: number): Flip[] {
  // Behind border and header an erase has offset and size, the others size, blocks, size of a block, offset.
  const words = op === Op.EraseRegion ? [0, 1] : [0, 3];
  const bits = Array.from({ length: 8 }, (_, index) => index + 12);
  return words.flatMap((word) => bits.map((bit) => ({ frame, byte: 9 + 4 * word + (bit >> 3), bit: bit & 7 })));
}

interface Outcome {
  error: unknown;
  flash: Uint8Array;
  /** Commands of the frames that erase. */
  frames: readonly number[];
}

async function run(before: Uint8Array, connect: Partial<ConnectOptions>, flip?: Flip): Promise<Outcome> {
  const silent = { receive: () => undefined, stop: () => undefined };
  const bench = new Bench({ flash: before.slice(), startFirmware: () => silent });
  const frames: number[] = [];
  return bench.clock.run(async () => {
    const board = await bench.connect(connect);
    const toBoard = bench.board.hostWrites.bind(bench.board);
    bench.board.hostWrites = (bytes) => {
      if (ERASING.includes(bytes[2] ?? 0)) {
        if (flip?.frame === frames.length) {
          bench.faults.add({ kind: 'flip', direction: 'to-device', at: flip.byte, bit: flip.bit });
        }
        frames.push(bytes[2]!);
      }
      toBoard(bytes);
    };
    const state = { identity: board.identity, flashSize: board.size, table: TABLE };
    const options = { clock: bench.clock, rates: [], state };
    const place = await findScratch(board);
    const error: unknown = await probeBoard(board, place, options).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await board.close();
    return { error, flash: bench.board.snapshot(), frames };
  });
}

describe.each([
  ['the stub', {}],
  ['the ROM', { stub: false }],
] as const)('through %s', (_, connect) => {
  test.each([
    ['blank', WITH_BLANK],
    ['not blank', FULL],
  ])(
    'nothing beside the block is hit in silence; it was %s',
    async (_, before) => {
      const clean = await run(before, connect);
      expect(clean.error).toBeUndefined();
      const codes = new Set<string>();
      for (const [frame, op] of clean.frames.entries()) {
        for (const flip of flipsOf(frame, op)) {
          const { error, flash } = await run(before, connect, flip);
          const code = error instanceof WorkflowError ? error.code : error === undefined ? 'done' : 'other';
          codes.add(code);
          const isHit = Buffer.compare(flash, before) !== 0;
          const isTold = code === 'kept-damaged' || code === 'kept-in-doubt';
          expect(isHit && !isTold, JSON.stringify({ ...flip, code })).toBe(false);
        }
      }
      expect(codes).toContain('done');
      expect(codes).toContain('kept-damaged');
    },
    30_000,
  );
});

test('a block in the middle of a partition has that partition on both sides, and nothing is left out', () => {
  const layout = { chip: chipByName('esp32')!, flashSize: FLASH_SIZE, table: TABLE };
  const parts = partsAround(layout, { offset: 0x6_0000, size: 0x1_0000 }, FLASH_SIZE);
  const labels = parts.map(({ label }) => label);
  const outside = 'outside of partitions';
  expect(labels).toEqual([outside, 'boot loader', 'partition table', outside, 'app', 'files', 'files']);
  expect(parts.reduce((sum, { length }) => sum + length, 0)).toBe(FLASH_SIZE - 0x1_0000);
});
