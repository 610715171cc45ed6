/** Blank flash is told by its digest: that costs a fraction of reading it. */
import { isBlank, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type FlashMemory, type FlashRange, type JobOptions, SECTOR_SIZE } from './flash-memory.ts';
import { splitRange } from './flash-ranges.ts';

/** Bytes below which reading costs no more than asking, unless the answer is likely. */
const LEAST = SECTOR_SIZE;
/** Bytes that are read or passed over as a whole. */
const PIECE = 0x4000;

const known = new Map<number, string>();

/** MD5 of so many erased bytes. */
export function md5OfBlank(length: number): string {
  const before = known.get(length);
  if (before !== undefined) return before;
  const digest = md5.create();
  const block = new Uint8Array(SECTOR_SIZE).fill(0xff);
  for (let left = length; left > 0; left -= block.length)
    digest.update(block.subarray(0, Math.min(left, block.length)));
  const text = toHex(digest.digest());
  known.set(length, text);
  return text;
}

/**
 * Whether a range is blank. That is asked twice before it counts: a question that arrives damaged is answered for another place, and what is
 * taken for blank is nobody's to keep.
 */
export async function isBlankRange(
  flash: Pick<FlashMemory, 'md5'>,
  { offset, length }: FlashRange,
  { signal }: Pick<JobOptions, 'signal'> = {},
): Promise<boolean> {
  for (let asked = 0; asked < 2; asked++) {
    if ((await flash.md5(offset, length, { signal })) !== md5OfBlank(length)) return false;
  }
  return true;
}

/** As `flash.read`, but what is blank is not sent over the line. For reads of which much may be blank. */
export class SparseReader {
  readonly #flash: Pick<FlashMemory, 'read' | 'md5'>;
  readonly #signal: AbortSignal | undefined;
  /** What was read last of a few bytes was blank: then the next may be, and a digest takes half as long as a read. */
  #wasBlank = false;

  constructor(flash: Pick<FlashMemory, 'read' | 'md5'>, { signal }: Pick<JobOptions, 'signal'> = {}) {
    this.#flash = flash;
    this.#signal = signal;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (length < LEAST) return this.#readShort(offset, length);
    const bytes = new Uint8Array(length).fill(0xff);
    if (await this.#isBlank(offset, length)) return bytes;
    for (const piece of splitRange({ offset, length }, PIECE)) {
      const isWhole = piece.length === length;
      if (!isWhole && (await this.#isBlank(piece.offset, piece.length))) continue;
      bytes.set(await this.#read(piece.offset, piece.length), piece.offset - offset);
    }
    return bytes;
  }

  async #readShort(offset: number, length: number): Promise<Uint8Array> {
    if (this.#wasBlank && (await this.#isBlank(offset, length))) return new Uint8Array(length).fill(0xff);
    const bytes = await this.#read(offset, length);
    this.#wasBlank = isBlank(bytes);
    return bytes;
  }

  #read(offset: number, length: number): Promise<Uint8Array> {
    return this.#flash.read(offset, length, { signal: this.#signal });
  }

  #isBlank(offset: number, length: number): Promise<boolean> {
    return isBlankRange(this.#flash, { offset, length }, { signal: this.#signal });
  }
}
