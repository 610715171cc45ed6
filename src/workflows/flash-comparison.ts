/** What of a plan the flash holds already, by the board's own digests: that is not sent again, after a broken run as well. */
import { findDifferences } from '#device/flash-differences.ts';
import {
  BLOCK_SIZE,
  type ComparableFlash,
  type FlashRange,
  type JobOptions,
  type Progress,
  SECTOR_SIZE,
} from '#device/flash-memory.ts';
import { joinRanges, rangesLength } from '#device/flash-ranges.ts';
import { alignDown, alignUp } from '#formats/bytes.ts';
import { type FlashPlan, type FlashWrite, writtenRange } from './flash-plan.ts';

/** What is left to be sent of each write. */
export class FlashComparison {
  readonly #ranges: ReadonlyMap<FlashWrite, readonly FlashRange[]>;

  constructor(ranges: ReadonlyMap<FlashWrite, readonly FlashRange[]>) {
    this.#ranges = ranges;
  }

  /** Ranges of the write that have to be sent; all of it when nothing is known of it. */
  rangesOf(write: FlashWrite): readonly FlashRange[] {
    return this.#ranges.get(write) ?? [wholeOf(write)];
  }

  /**
   * Whether the board's own digest says that the flash holds something else in that range, which is one of `rangesOf`. Of larger ranges
   * parts may have been passed over.
   */
  isKnownToDiffer(write: FlashWrite, { length }: FlashRange): boolean {
    return this.#ranges.has(write) && !write.transient && length < BLOCK_SIZE;
  }

  /** Bytes of the plan that have to be sent, before they are compressed. */
  bytesToSend({ writes }: Pick<FlashPlan, 'writes'>): number {
    return writes.reduce((sum, write) => sum + rangesLength(this.rangesOf(write)), 0);
  }
}

/** Everything is to be sent. */
export const EVERYTHING = new FlashComparison(new Map());

/** What was found of writes, by their place and digest. Holds as long as nothing is written to that flash. */
export class KnownDifferences extends Map<string, readonly FlashRange[]> {}

export interface ComparisonOptions extends JobOptions {
  /** Not looked for again; what is found is added. */
  known?: KnownDifferences | undefined;
}

const keyOf = ({ offset, data, md5 }: FlashWrite): string => `${offset} ${data.length} ${md5}`;

const wholeOf = ({ offset, data }: FlashWrite): FlashRange => ({ offset, length: data.length });

/**
 * Compares the flash with what the plan writes; changes nothing.
 *
 * A write that an earlier write of the same plan overlaps (the copy of the settings lies where the app goes) has those sectors to be sent
 * in any case, unless the copy itself is not needed, because what it protects stays as it is.
 *
 * @throws {DeviceError} when the board or the cable fails.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function compareWithFlash(
  flash: ComparableFlash,
  plan: Pick<FlashPlan, 'writes'>,
  { signal, onProgress, known }: ComparisonOptions = {},
): Promise<FlashComparison> {
  const lasting = plan.writes.filter(({ transient }) => !transient);
  const total = lasting.reduce((sum, { data }) => sum + data.length, 0);
  const ranges = new Map<FlashWrite, readonly FlashRange[]>();
  let finished = 0;
  for (const write of lasting) {
    const onFound = ({ done }: Progress): void => onProgress?.({ done: finished + done, total });
    const found = known?.get(keyOf(write)) ?? (await findDifferences(flash, write, { signal, onProgress: onFound }));
    known?.set(keyOf(write), found);
    ranges.set(write, found);
    finished += write.data.length;
    onProgress?.({ done: finished, total });
  }
  const isProtected = ({ role }: FlashWrite): boolean => role === 'nvs' || role === 'partition-table';
  const protectedChange = lasting.some((write) => isProtected(write) && ranges.get(write)?.length !== 0);
  for (const write of plan.writes.filter(({ transient }) => transient)) {
    ranges.set(write, protectedChange ? [wholeOf(write)] : []);
    if (protectedChange) markOverlapping(ranges, write, lasting);
  }
  return new FlashComparison(ranges);
}

/** Adds the sectors that the transient write destroys to what has to be sent. */
function markOverlapping(
  ranges: Map<FlashWrite, readonly FlashRange[]>,
  transient: FlashWrite,
  lasting: readonly FlashWrite[],
): void {
  const [start, end] = writtenRange(transient);
  for (const write of lasting) {
    const from = Math.max(alignDown(start, SECTOR_SIZE), write.offset);
    const to = Math.min(alignUp(end, SECTOR_SIZE), write.offset + write.data.length);
    if (to <= from) continue;
    const all = [...(ranges.get(write) ?? []), { offset: from, length: to - from }];
    ranges.set(write, joinRanges(all.toSorted((a, b) => a.offset - b.offset)));
  }
}
