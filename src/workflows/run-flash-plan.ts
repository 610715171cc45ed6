/** The one function that carries out a plan. */
import { type FlashMemory, type JobOptions, type Progress } from '#device/flash-memory.ts';
import { rangesLength } from '#device/flash-ranges.ts';
import { compareWithFlash, EVERYTHING, type FlashComparison } from './flash-comparison.ts';
import { bytesOf, type FlashRole, type FlashWrite, plannedBytes, type WritePlan } from './flash-plan.ts';
import { KeptGuard, stillAnswers, type WatchedPart } from './kept-guard.ts';
import { verifyPlan } from './verify-plan.ts';
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
  /** What a run on this board watched that ended before it could look after what it kept. */
  earlier?: readonly WatchedPart[] | undefined;
  /** Is told what is watched, before the first write: to be given to the next run as `earlier`, should this one end too soon. */
  onWatch?: ((watched: readonly WatchedPart[]) => void) | undefined;
}

/** What is too long to be hashed twice. */
const BULK_BYTES = 0x2_0000;
const BULK_ROLES: ReadonlySet<FlashRole> = new Set<FlashRole>(['app', 'data', 'other']);
const isBulk = ({ role, data }: FlashWrite): boolean => BULK_ROLES.has(role) && data.length > BULK_BYTES;

/**
 * Writes what the flash does not hold yet of `plan`, then has the board compute the MD5 of what was sent, when nothing is written any more: a
 * write that damaged an earlier one is found too. What differs then is written again, and named if it differs still. What the plan keeps is
 * looked after as well.
 *
 * @throws {WorkflowError} `plan-refused` when the plan has objections (nothing is touched), `verify-failed`, `kept-damaged`, `kept-in-doubt`.
 * @throws {DeviceError} when the board or the cable fails; flash is then half-written and the same plan may be run again.
 * @throws {DOMException} `AbortError` when `signal` aborts; flash is then half-written, and no settings are lost.
 */
export async function runFlashPlan(flash: FlashMemory, plan: WritePlan, options: RunPlanOptions = {}): Promise<void> {
  if (plan.objections.length > 0) {
    throw new WorkflowError('plan-refused', plan.objections.map(({ code }) => code).join(', '));
  }
  const comparison = await comparisonFor(flash, plan, options);
  // Only what is sent can do harm, or was.
  const isInDanger = comparison.bytesToSend(plan) > 0 || options.earlier !== undefined;
  const guard = await KeptGuard.set(flash, isInDanger ? (plan.untouched ?? []) : [], options);
  options.onWatch?.(guard.watched);
  const troubles = flash.troubles;
  try {
    await writeAll(flash, plan, { ...options, comparison });
    await verifyPlan(flash, plan, { ...options, comparison, smooth: flash.troubles === troubles });
  } catch (error) {
    if (stillAnswers(error)) await guard.check(options, error);
    throw error;
  }
  await guard.check(options);
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
        differs: comparison.isKnownToDiffer(write, range),
        onProgress: onRange,
      });
      same += range.length;
      sent += range.length;
    }
    finished += write.data.length;
    onProgress?.({ done: finished, total, sent, toSend });
  }
}
