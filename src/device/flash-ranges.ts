/** Ranges of flash: cut, checked, joined. */
import { alignDown, alignUp, isBlank } from '#formats/bytes.ts';
import { DeviceError } from './device-error.ts';
import { BLOCK_SIZE, type FlashRange, SECTOR_SIZE } from './flash-memory.ts';

/** Cuts a range at the multiples of `unit`. */
export function splitRange({ offset, length }: FlashRange, unit: number): FlashRange[] {
  const pieces: FlashRange[] = [];
  for (let at = offset; at < offset + length;) {
    const end = Math.min(alignDown(at, unit) + unit, offset + length);
    pieces.push({ offset: at, length: end - at });
    at = end;
  }
  return pieces;
}

/** Cuts a range at borders of 64 KiB into pieces of about `unit`; a shorter rest joins the last, as between two the line rests. */
export function splitLong({ offset, length }: FlashRange, unit: number): FlashRange[] {
  const pieces: FlashRange[] = [];
  const end = offset + length;
  for (let at = offset; at < end;) {
    const cut = alignDown(at + unit, BLOCK_SIZE);
    const next = end - cut < unit ? end : cut;
    pieces.push({ offset: at, length: next - at });
    at = next;
  }
  return pieces;
}

/** Ranges that touch each other as one; they must be in the order of their offsets. */
export function joinRanges(ranges: readonly FlashRange[]): FlashRange[] {
  const joined: FlashRange[] = [];
  for (const { offset, length } of ranges) {
    const last = joined.at(-1);
    if (last && last.offset + last.length >= offset) {
      last.length = Math.max(last.length, offset + length - last.offset);
    } else joined.push({ offset, length });
  }
  return joined;
}

/** Bytes of all of them. */
export const rangesLength = (ranges: readonly FlashRange[]): number =>
  ranges.reduce((sum, { length }) => sum + length, 0);

/**
 * Checks that a range lies inside the flash, and on sector borders where `aligned` says so: past the end the stub goes on
 * at sector 0, and a start inside a sector erases what lies before it.
 *
 * @throws {DeviceError} `range-invalid`; nothing has been sent.
 */
export function checkRange(size: number, { offset, length }: FlashRange, aligned: 'start' | 'both' | 'none'): void {
  const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  const isInside = isWhole && offset >= 0 && length >= 0 && offset + length <= size;
  const isAligned =
    (aligned === 'none' || offset % SECTOR_SIZE === 0) && (aligned !== 'both' || length % SECTOR_SIZE === 0);
  if (isInside && isAligned) return;
  const what = isInside ? 'is not on sector borders' : `is not inside the flash of ${size} bytes`;
  throw new DeviceError('range-invalid', `The range ${offset}+${length} ${what}`, { details: { offset, length } });
}

/** A stretch of a range, and whether it is to hold nothing but FF. */
interface Stretch extends FlashRange {
  blank: boolean;
}

/** Cuts `data`, which belongs at `offset`, into what has to be sent and what need only be erased: blocks of 64 KiB, or all of it. */
export function splitBlank(offset: number, data: Uint8Array): Stretch[] {
  if (data.length > 0 && isBlank(data)) return [{ offset, length: alignUp(data.length, SECTOR_SIZE), blank: true }];
  const stretches: Stretch[] = [];
  for (const piece of splitRange({ offset, length: data.length }, BLOCK_SIZE)) {
    const bytes = data.subarray(piece.offset - offset, piece.offset - offset + piece.length);
    const blank = piece.length === BLOCK_SIZE && bytes.every((byte) => byte === 0xff);
    const last = stretches.at(-1);
    if (last?.blank === blank) last.length += piece.length;
    else stretches.push({ ...piece, blank });
  }
  return stretches;
}
