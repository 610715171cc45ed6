/**
 * What will be written where, decided before anything is touched, and the one function that carries it out.
 */
import { type FlashMemory, type JobOptions, SECTOR_SIZE } from '#device/flash-memory.ts';
import { alignUp, hexAddress, toHex } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { type Partition } from '#formats/partition-table.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type Objection, type Warning } from './plan-notices.ts';
import { WorkflowError } from './workflow-error.ts';

/** What a region is to the board. */
export type FlashRole = 'bootloader' | 'partition-table' | 'otadata' | 'nvs' | 'app' | 'data' | 'other';

export interface FlashWrite {
  role: FlashRole;
  /** Partition label, or `boot loader` and `partition table` for what stands in no table. */
  label: string;
  /** Flash offset in bytes, a multiple of the sector size. */
  offset: number;
  data: Uint8Array;
  /** MD5 of `data`, 32 lower-case hex digits: made with the plan, so that the run only compares. */
  md5: string;
  /** Why it is written, as a code for `messages`. */
  why: FlashReason;
  /** A later write of the same plan overwrites it; it is there for a run that is cut short. */
  transient?: boolean;
}

/** A write with its digest. */
export const flashWrite = (write: Omit<FlashWrite, 'md5'>): FlashWrite => ({ ...write, md5: toHex(md5(write.data)) });

export type FlashReason =
  | 'from-release'
  | 'header-changed'
  | 'table-from-release'
  | 'table-from-csv'
  | 'table-proposed'
  | 'selects-app-slot'
  | 'nvs-merged'
  | 'nvs-moved'
  | 'nvs-new'
  | 'nvs-copy'
  | 'old-table-erased'
  | 'data-packed';

/** Something that the board has now, and what becomes of it. */
export interface BoardItem {
  label: string;
  offset: number;
  size: number;
  /** What it is, as a code with values: `settings` with `count`, `app` with `version`, `data`, `unknown`. */
  content: 'settings' | 'app' | 'data' | 'unknown';
  values: Readonly<Record<string, string | number>>;
  /** Why it stays or goes. */
  why: 'untouched' | 'carried-over' | 'replaced' | 'overwritten' | 'not-in-new-table';
}

/** Which slot has which role when the plan is done. */
export interface PlannedRoles {
  app: Partition;
  /** `undefined` for a plain release without a second slot. */
  data?: Partition;
  /** PA and PB by subtype; `undefined` without two slots. */
  pa?: Partition;
  pb?: Partition;
  /** The app lies in PB and the data in PA. */
  swapped: boolean;
}

/** What proves that the board is up. */
export interface BootCheck {
  /** A regular expression that one line of the console must match. */
  line?: string;
  timeoutSeconds: number;
}

export interface FlashPlan {
  chip: Chip;
  flashSize: number;
  /** In the order in which they are carried out. */
  writes: FlashWrite[];
  kept: BoardItem[];
  lost: BoardItem[];
  objections: Objection[];
  warnings: Warning[];
  /** The table in force afterwards. */
  table?: { offset: number; partitions: Partition[] };
  roles?: PlannedRoles;
  bootCheck: BootCheck;
  /** Rate of the app's console, where the release tells it; 115200 otherwise. */
  consoleBaud?: number;
  /** The Wi-Fi that the board should join, without its password. */
  wifi?: { ssid: string };
}

/** What one file of the planner adds to a plan. */
export interface PlanPart {
  writes?: FlashWrite[];
  objections: Objection[];
  warnings?: Warning[];
}

/** What happens while a plan is carried out. */
export type FlashStep =
  | { kind: 'write'; write: FlashWrite; index: number; count: number }
  | { kind: 'verify'; write: FlashWrite; index: number; count: number };

export interface RunPlanOptions extends JobOptions {
  onStep?: ((step: FlashStep) => void) | undefined;
}

/** Bytes that a plan writes, headers and padding included. */
export const plannedBytes = (plan: FlashPlan): number => plan.writes.reduce((sum, write) => sum + write.data.length, 0);

/** The sectors that a write erases, as `[first byte, byte after the last]`. */
export function writtenRange({ offset, data }: Pick<FlashWrite, 'offset' | 'data'>): [start: number, end: number] {
  return [offset, alignUp(offset + data.length, SECTOR_SIZE)];
}

/**
 * Writes every part of `plan`, then has the board compute the MD5 of each once more, when nothing is written any more:
 * a write that damaged an earlier one is found too.
 *
 * @throws {WorkflowError} `plan-refused` when the plan has objections (nothing is touched), `verify-failed`.
 * @throws {DeviceError} when the board or the cable fails; flash is then half-written and the same plan may be run again.
 * @throws {DOMException} `AbortError` when `signal` aborts; flash is then half-written, and no settings are lost.
 */
export async function runFlashPlan(
  flash: FlashMemory,
  plan: FlashPlan,
  { signal, onProgress, onStep }: RunPlanOptions = {},
): Promise<void> {
  if (plan.objections.length > 0) {
    throw new WorkflowError('plan-refused', plan.objections.map(({ code }) => code).join(', '));
  }
  const total = plannedBytes(plan);
  const count = plan.writes.length;
  let finished = 0;

  for (const [index, write] of plan.writes.entries()) {
    signal?.throwIfAborted();
    onStep?.({ kind: 'write', write, index, count });
    await flash.write(write.offset, write.data, {
      signal,
      onProgress: ({ done }) => onProgress?.({ done: finished + done, total }),
    });
    finished += write.data.length;
    onProgress?.({ done: finished, total });
  }
  const lasting = plan.writes.filter(({ transient }) => !transient);
  for (const [index, write] of lasting.entries()) {
    onStep?.({ kind: 'verify', write, index, count: lasting.length });
    const found = await flash.md5(write.offset, write.data.length, { signal });
    if (found !== write.md5) {
      throw new WorkflowError('verify-failed', `${write.label} at ${hexAddress(write.offset)} reads back different`, {
        values: { label: write.label, offset: write.offset },
      });
    }
  }
}
