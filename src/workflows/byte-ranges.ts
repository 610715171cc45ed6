/** Which bytes of a file have been fetched, as a list of ranges. */

/** From the first byte (included) to the last (excluded). */
export type ByteRange = readonly [from: number, to: number];

/** The list with one more range: sorted, without overlaps, neighbours joined. */
export function addRange(ranges: readonly ByteRange[], [from, to]: ByteRange): ByteRange[] {
  if (to <= from) return [...ranges];
  const apart = ranges.filter(([start, end]) => end < from || start > to);
  const touching = ranges.filter(([start, end]) => end >= from && start <= to);
  const joined: ByteRange = [
    Math.min(from, ...touching.map(([start]) => start)),
    Math.max(to, ...touching.map(([, end]) => end)),
  ];
  return [...apart, joined].sort(([a], [b]) => a - b);
}

/** Number of bytes in a list without overlaps. */
export const coveredBytes = (ranges: readonly ByteRange[]): number =>
  ranges.reduce((sum, [from, to]) => sum + to - from, 0);
