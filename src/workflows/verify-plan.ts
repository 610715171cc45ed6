/** The last look at what a plan has written, by the board's own digests. */
import { findDifferences } from '#device/flash-differences.ts';
import { BLOCK_SIZE, type FlashMemory, type FlashRange, SECTOR_SIZE } from '#device/flash-memory.ts';
import { joinRanges, rangesLength } from '#device/flash-ranges.ts';
import { alignDown, alignUp, hexAddress, isBlank, padBytes } from '#formats/bytes.ts';
import { type FlashComparison } from './flash-comparison.ts';
import { bytesOf, type FlashWrite, type WritePlan } from './flash-plan.ts';
import { type FlashStep } from './run-flash-plan.ts';
import { WorkflowError } from './workflow-error.ts';

/** How often what reads back different is written again. */
const MENDINGS = 2;

export interface VerifyOptions {
  /** What was sent, and what was the same before. */
  comparison: FlashComparison;
  /** Nothing went wrong while it was sent. */
  smooth: boolean;
  signal?: AbortSignal | undefined;
  onStep?: ((step: FlashStep) => void) | undefined;
}

/**
 * Hashes what was sent, and writes again what differs. Where all went well it leaves out what was the same before, but not its beginnings: a
 * damaged command that erases too much goes upwards, and reaches them first. With the first thing that differs everything is hashed.
 *
 * @throws {WorkflowError} `verify-failed`.
 */
export async function verifyPlan(flash: FlashMemory, plan: WritePlan, options: VerifyOptions): Promise<void> {
  const lasting = plan.writes.filter(({ transient }) => !transient);
  const { comparison, signal, onStep } = options;
  const tellStep = (write: FlashWrite, index: number): void =>
    onStep?.({ kind: 'verify', write, index, count: lasting.length });
  const nothingSent = comparison.bytesToSend(plan) === 0;
  let { smooth } = options;
  for (const [index, write] of lasting.entries()) {
    if (!smooth) break;
    tellStep(write, index);
    const ranges = nothingSent ? [] : rangesToVerify(write, comparison.rangesOf(write));
    smooth = await isAsPlanned(flash, write, { ranges, signal });
  }
  if (smooth) return;
  for (const [index, write] of lasting.entries()) {
    tellStep(write, index);
    await verifyWhole(flash, write, signal);
  }
}

async function verifyWhole(flash: FlashMemory, write: FlashWrite, signal: AbortSignal | undefined): Promise<void> {
  for (let mending = 0; !(await isAsPlanned(flash, write, { ranges: [wholeOf(write)], signal })); mending++) {
    const differing = await findDifferences(flash, write, { signal, exact: true });
    if (mending >= MENDINGS) throw readsBackDifferent(write, differing[0]);
    for (const range of differing) await flash.noteMissing(range, { signal });
    for (const range of differing) await flash.write(range.offset, bytesOf(write, range), { signal });
  }
}

const wholeOf = ({ offset, data }: FlashWrite): FlashRange => ({ offset, length: data.length });

/**
 * What was sent, with all of the blocks that it lies in, in which the chip erases; where that is much, all of the write. Else also the beginning
 * of the write, and of what follows behind each range.
 */
function rangesToVerify(write: FlashWrite, sent: readonly FlashRange[]): FlashRange[] {
  const end = write.offset + write.data.length;
  const blocks = sent.map(({ offset, length }) => {
    const start = Math.max(alignDown(offset, BLOCK_SIZE), write.offset);
    return { offset: start, length: Math.min(alignUp(offset + length, BLOCK_SIZE), end) - start };
  });
  const beginnings = [write.offset, ...blocks.map(({ offset, length }) => offset + length)].flatMap((from) =>
    beginningOf(write, from),
  );
  const joined = joinRanges([...blocks, ...beginnings].toSorted((a, b) => a.offset - b.offset));
  return rangesLength(joined) > write.data.length / 2 ? [wholeOf(write)] : joined;
}

/** From there on up to the end of the first sector that is not blank. */
function beginningOf({ offset, data }: FlashWrite, from: number): FlashRange[] {
  for (let at = from - offset; at < data.length; at += SECTOR_SIZE) {
    const sector = data.subarray(at, at + SECTOR_SIZE);
    if (!isBlank(sector)) return [{ offset: from, length: at + sector.length - (from - offset) }];
  }
  return [];
}

async function isAsPlanned(
  flash: FlashMemory,
  write: FlashWrite,
  { ranges, signal }: { ranges: readonly FlashRange[]; signal: AbortSignal | undefined },
): Promise<boolean> {
  const parts = ranges.map((range) => ({ offset: range.offset, data: bytesOf(write, range) }));
  const rest = write.data.length % SECTOR_SIZE;
  const last = ranges.at(-1);
  if (rest !== 0 && last && last.offset + last.length === write.offset + write.data.length) {
    // What stands behind the data in their last sector has to be blank.
    const sector = padBytes(write.data.subarray(write.data.length - rest), SECTOR_SIZE);
    parts.push({ offset: write.offset + write.data.length - rest, data: sector });
  }
  return (await flash.holdsEach(parts, { signal })).every(Boolean);
}

function readsBackDifferent({ label, offset }: FlashWrite, first: FlashRange | undefined): WorkflowError {
  const at = first?.offset ?? offset;
  return new WorkflowError('verify-failed', `${label} at ${hexAddress(at)} reads back different`, {
    values: { label, offset: at },
  });
}
