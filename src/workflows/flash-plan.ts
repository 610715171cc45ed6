/** What will be written where, decided before anything is touched; `run-flash-plan.ts` carries it out. */
import { type FlashRange, SECTOR_SIZE } from '#device/flash-memory.ts';
import { alignUp, toHex } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { type Partition } from '#formats/partition-table.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type KeptPart } from './kept-guard.ts';
import { type Objection, type Warning } from './plan-notices.ts';

/** What a region is to the board. */
export type FlashRole = 'bootloader' | 'partition-table' | 'otadata' | 'nvs' | 'app' | 'data' | 'other';

export interface FlashWrite {
  role: FlashRole;
  /** Partition label, or `boot loader` and `partition table` for what stands in no table. */
  label: string;
  /** Flash offset in bytes, a multiple of the sector size. */
  offset: number;
  data: Uint8Array;
  /** MD5 of `data`, 32 lower-case hex digits. */
  md5: string;
  /** Why it is written, as a code for `messages`. */
  why: FlashReason;
  /** A later write of the same plan overwrites it; it is there for a run that is cut short. */
  transient?: boolean;
  /** Bytes of `data` that are the image, where more is written: nothing of a transient write stays behind it. */
  imageSize?: number;
}

/** A write with its digest, which is made when it is asked for: that takes long where the data are. */
export function flashWrite(write: Omit<FlashWrite, 'md5'>): FlashWrite {
  let digest: string | undefined;
  return {
    ...write,
    get md5() {
      return (digest ??= toHex(md5(write.data)));
    },
  };
}

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
  | 'data-packed'
  | 'from-backup'
  | 'blank-in-backup';

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
  /** What of the board's flash no write touches, more than is worth to be shown in `kept`: boot loader and table, too. */
  untouched: KeptPart[];
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

/** As much of a plan as is needed to carry it out. */
export interface WritePlan {
  writes: FlashWrite[];
  /** Why it must not be. */
  objections: readonly { code: string }[];
  /** Looked after while the plan is carried out; see kept-guard.ts. */
  untouched?: readonly KeptPart[];
}

/** Bytes that a plan writes, headers and padding included. */
export const plannedBytes = (plan: Pick<FlashPlan, 'writes'>): number =>
  plan.writes.reduce((sum, write) => sum + write.data.length, 0);

/** The sectors that a write erases, as `[first byte, byte after the last]`. */
export function writtenRange({ offset, data }: Pick<FlashWrite, 'offset' | 'data'>): [start: number, end: number] {
  return [offset, alignUp(offset + data.length, SECTOR_SIZE)];
}

/** The bytes of a range that lies inside the write. */
export const bytesOf = ({ offset, data }: Pick<FlashWrite, 'offset' | 'data'>, range: FlashRange): Uint8Array =>
  data.subarray(range.offset - offset, range.offset - offset + range.length);
