/**
 * Where a flash differs from what it is to hold, found by digests that the board itself computes: over blocks first, over their parts
 * where that costs less than sending what is right already. Digests cost time too, so a flash that differs everywhere is not
 * looked at everywhere.
 */
import { alignDown, alignUp, padBytes, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { digestsCost, type FlashCosts, writeCost } from './flash-costs.ts';
import { BLOCK_SIZE, type ComparableFlash, type FlashRange, type JobOptions, SECTOR_SIZE } from './flash-memory.ts';
import { md5OfBlank } from './blank-digest.ts';
import { joinRanges, rangesLength, splitRange } from './flash-ranges.ts';

/** Largest block of the first look. */
const LARGEST_BLOCK = 0x10_0000;
/** Share of the digests' time that the commands may cost on top; where the line answers slowly blocks are larger. */
const OVERHEAD = 0.3;
/** Blocks in a row that must differ before only each `STRIDE`th is looked at. */
const STREAK = 4;
const STRIDE = 4;
/** Into how many parts a block is cut that differs. */
const PARTS = 4;
/** Bytes at most that are asked for at once: whoever wants to stop waits for them. */
const MOST_AT_ONCE = 0x8_0000;
/** Bytes from which it pays to ask first whether there is anything to compare at all, by so many sectors behind the first. */
const SAMPLES_PAY = 4 * BLOCK_SIZE;
const SAMPLES = 4;
/** Milliseconds that may go into looking at parts before anything was gained by it, and most that is saved up. */
const FIRST_CREDIT = 150;
const MOST_CREDIT = 1000;

export interface DifferenceOptions extends JobOptions {
  /** Look at everything, down to the last sector, whatever it costs: to name what is broken. */
  exact?: boolean;
}

/**
 * The ranges, in order, in which the flash may differ from what it holds once `data` are written at `offset`; everything outside of them is
 * the same. They begin at sector borders and end there or with the data. What the last sector holds behind the data has to be blank, as a
 * write leaves it: an erase that was broken off leaves anything there.
 */
export async function findDifferences(
  flash: ComparableFlash,
  { offset, data }: { offset: number; data: Uint8Array },
  options: DifferenceOptions = {},
): Promise<FlashRange[]> {
  if (data.length === 0) return [];
  const whole = data.length % SECTOR_SIZE === 0 ? data : padBytes(data, alignUp(data.length, SECTOR_SIZE));
  const ranges = await new Search(flash, { offset, data: whole }, options).run();
  const end = offset + data.length;
  return ranges.map((range) => ({ offset: range.offset, length: Math.min(range.length, end - range.offset) }));
}

class Search {
  readonly #flash: ComparableFlash;
  readonly #offset: number;
  readonly #data: Uint8Array;
  readonly #options: DifferenceOptions;
  #credit = FIRST_CREDIT;
  #looked = 0;

  constructor(
    flash: ComparableFlash,
    { offset, data }: { offset: number; data: Uint8Array },
    options: DifferenceOptions,
  ) {
    this.#flash = flash;
    this.#offset = offset;
    this.#data = data;
    this.#options = options;
  }

  async run(): Promise<FlashRange[]> {
    const range = { offset: this.#offset, length: this.#data.length };
    if (await this.#holdsOther()) {
      this.#report(this.#data.length);
      return [range];
    }
    const blocks = splitRange(range, firstBlock(this.#flash.costs));
    const states = await this.#lookAtBlocks(blocks);
    const found: FlashRange[] = [];
    for (const [index, block] of blocks.entries()) {
      if (states[index] === 'same') continue;
      found.push(...(states[index] === 'differs' ? await this.#refine(block) : [block]));
    }
    this.#report(this.#data.length);
    return this.#options.exact ? joinRanges(found) : chooseRuns(found, range, this.#flash.costs);
  }

  /**
   * Whether there is hardly anything to compare: the start is blank and should not be, as writing begins there; or it differs, and so do
   * all of some sectors behind it.
   */
  async #holdsOther(): Promise<boolean> {
    const { length } = this.#data;
    if (this.#options.exact || length < SAMPLES_PAY) return false;
    const first = await this.#flash.md5(this.#offset, SECTOR_SIZE, { signal: this.#options.signal });
    if (first === toHex(md5(this.#data.subarray(0, SECTOR_SIZE)))) return false;
    if (first === md5OfBlank(SECTOR_SIZE)) return true;
    const samples = Array.from({ length: SAMPLES }, (_, sample) => ({
      offset: this.#offset + alignDown(((sample + 0.5) * length) / SAMPLES, SECTOR_SIZE),
      length: SECTOR_SIZE,
    }));
    return !(await this.#holdEach(samples)).includes(true);
  }

  /** What is not looked at is taken to differ: `unknown`. */
  async #lookAtBlocks(blocks: readonly FlashRange[]): Promise<('same' | 'differs' | 'unknown')[]> {
    const states = blocks.map((): 'same' | 'differs' | 'unknown' => 'unknown');
    const look = async (from: number, to: number): Promise<void> => {
      const same = await this.#areSame(blocks.slice(from, to));
      same.forEach((isSame, index) => (states[from + index] = isSame ? 'same' : 'differs'));
    };
    const together = Math.max(1, Math.min(STREAK, Math.floor(MOST_AT_ONCE / blocks[0]!.length)));
    let streak = 0;
    for (let seen = 0; seen < blocks.length;) {
      const isSparse = streak >= STREAK && !this.#options.exact;
      const at = isSparse ? Math.min(alignUp(seen + 1, STRIDE) - 1, blocks.length - 1) : seen;
      const end = isSparse ? at + 1 : Math.min(at + together, blocks.length);
      await look(at, end);
      // Those that were passed over before it may be the same as well.
      if (states[at] === 'same' && at > seen) await look(seen, at);
      for (seen = at; seen < end; seen++) streak = states[seen] === 'same' ? 0 : streak + 1;
    }
    return states;
  }

  /** The parts of a block that differ, as long as looking for them pays. */
  async #refine(block: FlashRange): Promise<FlashRange[]> {
    if (block.length <= SECTOR_SIZE) return [block];
    const { costs } = this.#flash;
    const parts = splitRange(block, Math.max(SECTOR_SIZE, nextPowerOfTwo(block.length) / PARTS));
    const price = digestsCost(parts.length, block.length, costs);
    if (!this.#options.exact && (price > this.#credit || price > writeCost(block, costs) / 2)) return [block];
    const same = await this.#areSame(parts);
    const differing = parts.filter((_, index) => !same[index]);
    const gained = writeCost(block, costs) - differing.reduce((sum, part) => sum + writeCost(part, costs), 0);
    this.#credit = Math.min(MOST_CREDIT, this.#credit - price + Math.max(0, gained));
    // All parts the same: the digest of the block arrived wrong. Nothing to be done.
    const found: FlashRange[] = [];
    for (const part of differing) found.push(...(await this.#refine(part)));
    return found;
  }

  async #areSame(ranges: readonly FlashRange[]): Promise<boolean[]> {
    const same = await this.#holdEach(ranges);
    const ends = ranges.map(({ offset, length }) => offset + length - this.#offset);
    this.#looked = Math.max(this.#looked, ...ends);
    this.#report(this.#looked);
    return same;
  }

  #holdEach(ranges: readonly FlashRange[]): Promise<boolean[]> {
    const parts = ranges.map(({ offset, length }) => {
      const from = offset - this.#offset;
      return { offset, data: this.#data.subarray(from, from + length) };
    });
    return this.#flash.holdsEach(parts, { signal: this.#options.signal });
  }

  #report(done: number): void {
    this.#options.onProgress?.({ done, total: this.#data.length });
  }
}

/** Bytes of the first look's blocks: as small as the commands' own cost allows. */
function firstBlock(costs: FlashCosts): number {
  let size = BLOCK_SIZE;
  const isDear = (): boolean => digestsCost(STREAK, STREAK * size, costs) > (1 + OVERHEAD) * STREAK * size * costs.md5;
  while (size < LARGEST_BLOCK && isDear()) size *= 2;
  return size;
}

const nextPowerOfTwo = (value: number): number => 2 ** Math.ceil(Math.log2(value));

/** Differing sectors as ranges to write; in each block of 64 KiB either those sectors or all of it, whichever is faster. */
function chooseRuns(found: readonly FlashRange[], whole: FlashRange, costs: FlashCosts): FlashRange[] {
  const chosen: FlashRange[] = [];
  for (const block of splitRange(whole, BLOCK_SIZE)) {
    const inside = joinRanges(
      found.flatMap(({ offset, length }) => {
        const start = Math.max(offset, block.offset);
        const end = Math.min(offset + length, block.offset + block.length);
        return end > start ? [{ offset: start, length: end - start }] : [];
      }),
    );
    const apart = inside.reduce((sum, range) => sum + writeCost(range, costs), 0);
    const isWhole = rangesLength(inside) === block.length;
    chosen.push(...(inside.length > 0 && (isWhole || writeCost(block, costs) < apart) ? [block] : inside));
  }
  return joinRanges(chosen);
}
