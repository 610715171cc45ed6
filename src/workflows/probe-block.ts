/**
 * What was in the block that a probe measures in, until it is there again. It may have to wait: the board is lost, the page reloaded, the
 * command killed. Then the block is looked at before it is put back: it may have been written by somebody else since.
 */
import { isBlankRange } from '#device/blank-digest.ts';
import { type FlashMemory, type JobOptions } from '#device/flash-memory.ts';
import { equalBytes, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type FlashWrite, writtenRange } from './flash-plan.ts';
import { damageError, findEmptied, type WatchedPart } from './kept-guard.ts';
import { type ScratchPlace } from './probe-scratch.ts';
import { type WorkflowError } from './workflow-error.ts';

/** All that is needed to put a block back, in this session or a later one. */
export interface SavedBlock extends Pick<ScratchPlace, 'offset' | 'size'> {
  /** Of the board; `undefined` where the chip does not tell. */
  mac: string | undefined;
  /** What was there; `undefined`: nothing. */
  before: Uint8Array | undefined;
  /** All else on the board, as it was. */
  watched: readonly WatchedPart[];
}

/** Holds a block until it is back. */
export interface BlockKeeper {
  /** Before anything is written to the place. @returns whether it can be had again should this session end before its time. */
  hold(block: SavedBlock): Promise<boolean>;
  /** It is as it was, or is not wanted any more. */
  release(block: Pick<SavedBlock, 'mac'>): Promise<void>;
}

/** A keeper that a later session can ask: one block for a board. Where nothing can be kept it fails in nothing. */
export interface BlockStore extends BlockKeeper {
  load(mac: string): Promise<SavedBlock | undefined>;
}

/** What a place holds now, of which a block is kept. */
export type BlockState =
  | 'as-before'
  /** What the probe may have left there: test bytes, blank flash, either of them or what was there before in part. */
  | 'test-bytes'
  /** Something else, or the board was erased or written anew: what was kept is perhaps not wanted there any more. */
  | 'other';

/** Reads what is there; changes nothing. */
export async function readBlock(
  flash: FlashMemory,
  { offset, size }: ScratchPlace,
  { signal }: Pick<JobOptions, 'signal'> = {},
): Promise<SavedBlock['before']> {
  if (await isBlankRange(flash, { offset, length: size }, { signal })) return undefined;
  return flash.read(offset, size, { signal });
}

/**
 * What became of the place meanwhile. Changes nothing.
 *
 * @throws {DeviceError} when the board or the cable fails.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function lookAtBlock(
  flash: FlashMemory,
  block: SavedBlock,
  { signal }: Pick<JobOptions, 'signal'> = {},
): Promise<BlockState> {
  const { offset, size, before, watched } = block;
  const isBlank = await isBlankRange(flash, { offset, length: size }, { signal });
  if (before ? (await flash.md5(offset, size, { signal })) === toHex(md5(before)) : isBlank) return 'as-before';
  if (isBlank) {
    // The probe erases, and so do others, but those hardly ever this block alone. What lies first is the boot loader, which no app writes to.
    const [first] = watched.flatMap(({ tripwire }) => tripwire ?? []);
    const isSameBoard = !first || (await flash.md5(first.offset, first.length, { signal })) === first.digest;
    return isSameBoard ? 'test-bytes' : 'other';
  }
  return isOfProbe(await flash.read(offset, size, { signal }), block) ? 'test-bytes' : 'other';
}

/**
 * Looks after what is beside the block, which the session that was cut off could not do any more. Of no use where the place holds `other`.
 *
 * @returns `kept-in-doubt` with the names of parts that have become blank; nothing when all is well.
 */
export async function lookAround(
  flash: FlashMemory,
  { watched }: SavedBlock,
  options: Pick<JobOptions, 'signal'> = {},
): Promise<WorkflowError | undefined> {
  const emptied = await findEmptied(flash, watched, options);
  return emptied.length === 0 ? undefined : damageError([], [...new Set(emptied.map(({ label }) => label))]);
}

/** A program or an erase that was cut off has more bits set than its end, or its beginning; anything else is not of the probe. */
function isOfProbe(now: Uint8Array, { before }: SavedBlock): boolean {
  const test = testBytes(now.length);
  const mayCome = (byte: number, from: number): boolean => (byte & from) === from;
  return now.every((byte, index) => mayCome(byte, test[index]!) || mayCome(byte, before?.[index] ?? 0xff));
}

/**
 * Puts back what was there, if it is not.
 *
 * @throws {DeviceError} `verify-failed` or `flash-failed` when the flash does not take it; others when the board or the cable fails.
 */
export async function putBlockBack(flash: FlashMemory, { offset, size, before }: SavedBlock): Promise<void> {
  // As a write, blank too: unlike an erase, it sends nothing to a place that is right already.
  const bytes = before ?? new Uint8Array(size).fill(0xff);
  const [isThere] = await flash.holdsEach([{ offset, data: bytes }]);
  if (!isThere) await flash.write(offset, bytes);
}

/** Whether all of the place is written anew, and with nothing that was made of what is there, as settings are. */
export function isOverwritten(
  { offset, size }: Pick<SavedBlock, 'offset' | 'size'>,
  writes: readonly FlashWrite[],
): boolean {
  const ranges = writes
    .filter(({ role, transient }) => role !== 'nvs' && role !== 'otadata' && !transient)
    .map((write) => writtenRange(write))
    .toSorted(([a], [b]) => a - b);
  const reached = ranges.reduce((end, [from, to]) => (from <= end ? Math.max(end, to) : end), offset);
  return reached >= offset + size;
}

/** What a probe writes: the same at every run; its entropy is that of a linear congruential generator's upper byte. */
export function testBytes(length: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

/** Whether what was read is what a probe wrote. */
export const areTestBytes = (bytes: Uint8Array): boolean => equalBytes(bytes, testBytes(bytes.length));
