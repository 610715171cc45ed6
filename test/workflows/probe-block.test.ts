/** A block that a probe could not put back: what became of its place is told, and what was there comes back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes } from '#formats/bytes.ts';
import { flashWrite, type FlashRole, type FlashWrite } from '#workflows/flash-plan.ts';
import { probeBoard } from '#workflows/probe.ts';
import {
  type BlockKeeper,
  type BlockState,
  isOverwritten,
  lookAtBlock,
  putBlockBack,
  readBlock,
  type SavedBlock,
  testBytes,
} from '#workflows/probe-block.ts';
import { findScratch } from '#workflows/probe-scratch.ts';
import { md5OfBlank } from '#device/blank-digest.ts';
import { MemoryFlash } from '../support/memory-flash.ts';
import { type Bench, noise, onBench } from '../device/support/bench.ts';

const SIZE = 0x1_0000;
const FLASH = noise(0x8_0000, 11);
const AT = FLASH.length - SIZE;
const BLANK_THERE = FLASH.slice().fill(0xff, AT);

/** Measures until it is cut off. @returns the block that is not back. */
async function cutOff(bench: Bench): Promise<SavedBlock | undefined> {
  let held: SavedBlock | undefined;
  const keeper: BlockKeeper = {
    hold: async (block) => {
      held = block;
      return true;
    },
    release: async () => {
      held = undefined;
    },
  };
  const board = await bench.connect();
  const { identity, size } = board;
  const options = { clock: bench.clock, rates: [], keeper, state: { identity, flashSize: size } };
  await probeBoard(board, await findScratch(board), options).catch(() => undefined);
  await board.close();
  return held;
}

describe.each([
  ['blank', BLANK_THERE],
  ['not blank', FLASH],
])('whose place was %s', (_, before) => {
  test('is recognized and put back wherever the supply fails', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 9 }), fc.double({ min: 0, max: 1, noNaN: true }), (operation, share) =>
        onBench({ flash: before.slice(), faults: [{ kind: 'power-cut', operation, share }] }, async (bench) => {
          const block = await cutOff(bench);
          if (block) {
            bench.board.plugIn();
            const board = await bench.connect();
            expect(['test-bytes', 'as-before']).toContain(await lookAtBlock(board, block));
            await putBlockBack(board, block);
            expect(await lookAtBlock(board, block)).toBe('as-before');
            await board.close();
          }
          expect(equalBytes(bench.board.snapshot(), before)).toBe(true);
        }),
      ),
      { numRuns: 25 },
    ));
});

const BLOCK = { mac: undefined, offset: AT, size: SIZE, before: FLASH.slice(AT) };

test.each<[string, BlockState, (flash: Uint8Array) => unknown]>([
  ['what was there before', 'as-before', () => undefined],
  ['test bytes', 'test-bytes', (flash) => flash.set(testBytes(SIZE), AT)],
  ['test bytes in part', 'test-bytes', (flash) => flash.set(testBytes(0x5678), AT)],
  ['nothing', 'test-bytes', (flash) => flash.fill(0xff, AT)],
  ['nothing, as all of the flash', 'other', (flash) => flash.fill(0xff)],
  ['a little of somebody else', 'other', (flash) => flash.fill(0xff, AT).set(noise(64, 3), AT + 0x2000)],
  ['something else', 'other', (flash) => flash.set(noise(SIZE, 3), AT)],
])('%s is told apart', (_, state, change) =>
  onBench({ flash: FLASH.slice() }, async (bench) => {
    const board = await bench.connect();
    const tripwire = { offset: 0, length: 0x1000, digest: await board.md5(0, 0x1000) };
    const watched = [{ label: 'boot loader', offset: 0, length: 0x8000, tripwire }];
    change(bench.board.flash.bytes);
    expect(await lookAtBlock(board, { ...BLOCK, watched })).toBe(state);
    await board.close();
  }),
);

test('a block is overwritten by what covers all of it, and is made of nothing that is there', () => {
  const write = (role: FlashRole, offset: number, length: number): FlashWrite =>
    flashWrite({ role, label: '', offset, data: new Uint8Array(length), why: 'from-release' });
  const place = { offset: 0x2_0000, size: SIZE };
  const isBy = (...writes: FlashWrite[]): boolean => isOverwritten(place, writes);
  expect(isBy(write('app', 0x1_0000, 0x2_0000))).toBe(true);
  expect(isBy(write('data', 0x2_8000, 0x8000), write('app', 0x1_0000, 0x1_7fff))).toBe(true);
  expect(isBy(write('app', 0x1_0000, 0x1_f000))).toBe(false);
  expect(isBy(write('app', 0x2_1000, 0x2_0000))).toBe(false);
  expect(isBy(write('app', 0x1_0000, 0x1_8000), write('other', 0x2_9000, 0x8000))).toBe(false);
  expect(isBy(write('nvs', 0x1_0000, 0x2_0000))).toBe(false);
  expect(isBy()).toBe(false);
});

/** One question is answered for another place, which is blank. */
class MisheardFlash extends MemoryFlash {
  #left: number;

  constructor(bytes: Uint8Array, question: number) {
    super(bytes.length);
    this.bytes.set(bytes);
    this.#left = question;
  }

  override async md5(offset: number, length: number): Promise<string> {
    return this.#left-- === 0 ? md5OfBlank(length) : super.md5(offset, length);
  }
}

test.each([0, 1, 2])('question %i that is answered for a blank place makes no block blank', async (question) => {
  const place = { offset: AT, size: SIZE, isBlank: false };
  expect(await readBlock(new MisheardFlash(FLASH, question), place)).toEqual(FLASH.slice(AT));
  const block = { mac: undefined, offset: AT, size: SIZE, before: noise(SIZE, 12), watched: [] };
  expect(await lookAtBlock(new MisheardFlash(FLASH, question), block)).toBe('other');
});
