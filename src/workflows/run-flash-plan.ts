/** The one function that carries out a plan. */
import { findDifferences } from '#device/flash-differences.ts';
import {
  BLOCK_SIZE,
  type FlashMemory,
  type FlashRange,
  type JobOptions,
  type Progress,
  SECTOR_SIZE,
} from '#device/flash-memory.ts';
import { joinRanges, rangesLength } from '#device/flash-ranges.ts';
import { alignDown, alignUp, hexAddress, padBytes } from '#formats/bytes.ts';
import { compareWithFlash, EVERYTHING, type FlashComparison } from './flash-comparison.ts';
import { type FlashRole, type FlashWrite, plannedBytes, type WritePlan } from './flash-plan.ts';
import { WorkflowError } from './workflow-error.ts';

/** What happens while a plan is carried out. */
export type FlashStep =
  | { kind: 'compare' }
  | { kind: 'write'; write: FlashWrite; index: number; count: number; toSend: number }
  | { kind: 'verify'; write: FlashWrite; index: number; count: number };

/** `done` of `total` bytes of the plan are in the flash. Of those that had to be sent, `sent` of `toSend` are acknowledged. */
export interface PlanProgress extends Progress {
  sent: number;
  toSend: number;
}

export interface RunPlanOptions extends Pick<JobOptions, 'signal'> {
  onProgress?: ((progress: PlanProgress) => void) | undefined;
  onStep?: ((step: FlashStep) => void) | undefined;
  /** What was compared already. Without it the flash is compared first. */
  comparison?: FlashComparison | undefined;
  /** Send everything, whatever the flash holds. */
  full?: boolean | undefined;
}

/** What is too long to be hashed twice. */
const BULK_BYTES = 0x2_0000;
const BULK_ROLES: ReadonlySet<FlashRole> = new Set<FlashRole>(['app', 'data', 'other']);
const isBulk = ({ role, data }: FlashWrite): boolean => BULK_ROLES.has(role) && data.length > BULK_BYTES;
/** How often what reads back different at the end is written again. */
const MENDINGS = 2;

/**
 * Writes what the flash does not hold yet of `plan`, then has the board compute the MD5 of what was sent, when nothing is written any more: a
 * write that damaged an earlier one is found too. After any trouble on the way everything is hashed. What differs then is written again,
 * and named if it differs still.
 *
 * @throws {WorkflowError} `plan-refused` when the plan has objections (nothing is touched), `verify-failed`.
 * @throws {DeviceError} when the board or the cable fails; flash is then half-written and the same plan may be run again.
 * @throws {DOMException} `AbortError` when `signal` aborts; flash is then half-written, and no settings are lost.
 */
export async function runFlashPlan(flash: FlashMemory, plan: WritePlan, options: RunPlanOptions = {}): Promise<void> {
  if (plan.objections.length > 0) {
    throw new WorkflowError('plan-refused', plan.objections.map(({ code }) => code).join(', '));
  }
  const comparison = await comparisonFor(flash, plan, options);
  const troubles = flash.troubles;
  await writeAll(flash, plan, { ...options, comparison });
  await verifyAll(flash, plan, { ...options, comparison, smooth: flash.troubles === troubles });
}

async function comparisonFor(
  flash: FlashMemory,
  plan: WritePlan,
  { comparison, full, signal, onStep }: RunPlanOptions,
): Promise<FlashComparison> {
  if (full) return EVERYTHING;
  if (comparison) return comparison;
  onStep?.({ kind: 'compare' });
  return compareWithFlash(flash, plan, { signal });
}

async function writeAll(
  flash: FlashMemory,
  plan: WritePlan,
  { comparison, signal, onStep, onProgress }: RunPlanOptions & { comparison: FlashComparison },
): Promise<void> {
  const total = plannedBytes(plan);
  const toSend = comparison.bytesToSend(plan);
  const count = plan.writes.length;
  // What a copy protects has to be right before the copy is overwritten; all else is verified when all is written.
  const guarded = plan.writes.some(({ transient }) => transient);
  let finished = 0;
  let sent = 0;
  for (const [index, write] of plan.writes.entries()) {
    signal?.throwIfAborted();
    const ranges = comparison.rangesOf(write);
    onStep?.({ kind: 'write', write, index, count, toSend: rangesLength(ranges) });
    let same = write.data.length - rangesLength(ranges);
    for (const range of ranges) {
      const onRange = ({ done }: Progress): void =>
        onProgress?.({ done: finished + same + done, total, sent: sent + done, toSend });
      await flash.write(range.offset, bytesOf(write, range), {
        signal,
        verify: guarded && !isBulk(write),
        onProgress: onRange,
      });
      same += range.length;
      sent += range.length;
    }
    finished += write.data.length;
    onProgress?.({ done: finished, total, sent, toSend });
  }
}

async function verifyAll(
  flash: FlashMemory,
  plan: WritePlan,
  { comparison, smooth, signal, onStep }: RunPlanOptions & { comparison: FlashComparison; smooth: boolean },
): Promise<void> {
  const lasting = plan.writes.filter(({ transient }) => !transient);
  for (const [index, write] of lasting.entries()) {
    onStep?.({ kind: 'verify', write, index, count: lasting.length });
    const ranges = smooth ? rangesToVerify(write, comparison.rangesOf(write)) : [wholeOf(write)];
    for (let mending = 0; !(await isAsPlanned(flash, write, { ranges, signal })); mending++) {
      const [first, ...more] = await findDifferences(flash, write, { signal, exact: true });
      if (mending >= MENDINGS) throw readsBackDifferent(write, first);
      for (const range of first ? [first, ...more] : []) {
        await flash.write(range.offset, bytesOf(write, range), { signal });
      }
    }
  }
}

const wholeOf = ({ offset, data }: FlashWrite): FlashRange => ({ offset, length: data.length });

/**
 * What was compared before and not sent was verified by that. What was sent is hashed with all of the blocks that it lies in, in which the
 * chip erases; where that is much, all of the write.
 */
function rangesToVerify(write: FlashWrite, sent: readonly FlashRange[]): FlashRange[] {
  const end = write.offset + write.data.length;
  const blocks = sent.map(({ offset, length }) => {
    const start = Math.max(alignDown(offset, BLOCK_SIZE), write.offset);
    return { offset: start, length: Math.min(alignUp(offset + length, BLOCK_SIZE), end) - start };
  });
  const joined = joinRanges(blocks);
  return rangesLength(joined) > write.data.length / 2 ? [wholeOf(write)] : joined;
}

async function isAsPlanned(
  flash: FlashMemory,
  write: FlashWrite,
  { ranges, signal }: { ranges: readonly FlashRange[]; signal: AbortSignal | undefined },
): Promise<boolean> {
  for (const range of ranges) {
    if (!(await flash.holds(range.offset, bytesOf(write, range), { signal }))) return false;
  }
  const rest = write.data.length % SECTOR_SIZE;
  if (rest === 0 || ranges.length === 0) return true;
  // What stands behind the data in their last sector has to be blank; only that sector is hashed here, the data were with the plan.
  const last = padBytes(write.data.subarray(write.data.length - rest), SECTOR_SIZE);
  return flash.holds(write.offset + write.data.length - rest, last, { signal });
}

const bytesOf = ({ offset, data }: FlashWrite, range: FlashRange): Uint8Array =>
  data.subarray(range.offset - offset, range.offset - offset + range.length);

function readsBackDifferent({ label, offset }: FlashWrite, first: FlashRange | undefined): WorkflowError {
  const at = first?.offset ?? offset;
  return new WorkflowError('verify-failed', `${label} at ${hexAddress(at)} reads back different`, {
    values: { label, offset: at },
  });
}
