/** Blank flash is told by its digest: that costs a fraction of reading it. */
import { toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type FlashMemory, type JobOptions, SECTOR_SIZE } from './flash-memory.ts';
import { splitRange } from './flash-ranges.ts';

/** Bytes up to which reading costs no more than asking. */
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

/** As `flash.read`, but what is blank is not sent over the line. For reads of which much may be blank. */
export async function readSparsely(
  flash: Pick<FlashMemory, 'read' | 'md5'>,
  offset: number,
  length: number,
  { signal }: Pick<JobOptions, 'signal'> = {},
): Promise<Uint8Array> {
  if (length < LEAST) return flash.read(offset, length, { signal });
  const bytes = new Uint8Array(length).fill(0xff);
  if ((await flash.md5(offset, length, { signal })) === md5OfBlank(length)) return bytes;
  for (const piece of splitRange({ offset, length }, PIECE)) {
    const isWhole = piece.length === length;
    if (!isWhole && (await flash.md5(piece.offset, piece.length, { signal })) === md5OfBlank(piece.length)) continue;
    bytes.set(await flash.read(piece.offset, piece.length, { signal }), piece.offset - offset);
  }
  return bytes;
}
