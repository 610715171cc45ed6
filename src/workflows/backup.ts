/**
 * Backup of a flash: what is to be read is decided first, then it goes stretch by stretch to wherever the caller keeps it. Blank flash is
 * told by its digest and not read; what is read has to have the digest that the board computes by itself.
 */
import { md5OfBlank } from '#device/blank-digest.ts';
import { type FlashCosts } from '#device/flash-costs.ts';
import { BLOCK_SIZE, type FlashMemory, type FlashRange, type JobOptions } from '#device/flash-memory.ts';
import { rangesLength, splitRange } from '#device/flash-ranges.ts';
import { type BackupManifest, type BackupStretch } from '#formats/backup/backup.ts';
import { type ReadBackup } from '#formats/backup/backup-reader.ts';
import { encodeBackupEnd, encodeBackupHead, encodeBackupStretch } from '#formats/backup/backup-writer.ts';
import { hexAddress, toHex } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { type BoardState } from './board-state.ts';
import { commonRanges, type FlashLayout, flashRegions, rangesOfPartitions, soundRanges } from './flash-regions.ts';
import { WorkflowError } from './workflow-error.ts';

/** Where a backup goes. Bytes are in the file, or in the hands of whoever writes it, when `append` is done. */
export interface BackupSink {
  append(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** What is to be backed up: everything unless told. */
export interface BackupWish {
  /** Labels of partitions; `bootloader` and `partition-table` as well. */
  partitions?: readonly string[] | undefined;
  /** Widened to whole sectors. */
  ranges?: readonly FlashRange[] | undefined;
}

export interface BackupPlanOptions extends BackupWish {
  /** The time now, as `2026-07-31T12:00:00.000Z`. */
  created: string;
  /** Lines to be kept with it. */
  notes?: readonly string[] | undefined;
}

/** Bytes that are held in memory, and lost when a backup is broken off. */
const WINDOW = 0x4_0000;
/** How often a stretch is read that has not the digest of the flash. */
const TRIES = 3;

/**
 * What a backup of this board will hold.
 *
 * @throws {WorkflowError} `partition-not-found`, `range-beyond-flash`.
 */
export function planBackup(
  { identity, flashSize, table }: Pick<BoardState, 'identity' | 'flashSize' | 'table'>,
  { created, notes = [], partitions = [], ranges = [] }: BackupPlanOptions,
): BackupManifest {
  const { chip, description, revision, mac, flashId, security } = identity;
  const asked = [...rangesOfPartitions({ chip, flashSize, table }, partitions), ...ranges];
  const all = partitions.length + ranges.length === 0;
  return {
    created,
    chip: chip.name,
    description,
    ...(revision && { revision }),
    ...(mac !== undefined && { mac }),
    ...(flashId !== undefined && { flashId }),
    flashSize,
    flashEncryption: security.flashEncryption,
    notes: [...notes],
    ...(table && { table }),
    ranges: all ? [{ offset: 0, length: flashSize }] : soundRanges(asked, flashSize),
  };
}

/** Milliseconds that so many bytes take at most; what is blank takes a fraction. */
export const backupTime = (bytes: number, { wire, md5: perByte, roundTrip }: FlashCosts): number =>
  bytes * (wire + perByte) + Math.ceil(bytes / BLOCK_SIZE) * roundTrip;

export interface RunBackupOptions extends JobOptions {
  sink: BackupSink;
  /** What the sink has already, behind its head: it is gone on with. Without it the backup begins anew. */
  done?: readonly BackupStretch[] | undefined;
  /** A stretch is in the sink. */
  onStretch?: ((stretch: BackupStretch) => void) | undefined;
}

/**
 * Reads everything that the manifest names and appends it to the sink, with head and end. What the sink has at any moment is a
 * backup that can be gone on with.
 *
 * @returns all stretches, without their data.
 * @throws {WorkflowError} `backup-unstable` when the flash reads differently each time.
 * @throws {DeviceError} when the board or the cable fails.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function runBackup(
  flash: Pick<FlashMemory, 'read' | 'md5'>,
  manifest: BackupManifest,
  { sink, done, onStretch, signal, onProgress }: RunBackupOptions,
): Promise<BackupStretch[]> {
  const stretches = [...(done ?? [])];
  const total = rangesLength(manifest.ranges);
  let finished = rangesLength(stretches);
  if (!done) await sink.append(encodeBackupHead(manifest));
  onProgress?.({ done: finished, total });
  for (const window of windowsOf(manifest, stretches)) {
    for (const run of await findRuns(flash, window, signal)) {
      signal?.throwIfAborted();
      const data = run.blank
        ? new Uint8Array(0)
        : await readRun(flash, run, {
            signal,
            onProgress: (progress) => onProgress?.({ done: finished + progress.done, total }),
          });
      const { offset, length, blank } = run;
      const stretch = { offset, length, blank, md5: blank ? md5OfBlank(length) : toHex(md5(data)) };
      await sink.append(encodeBackupStretch({ ...stretch, data }));
      stretches.push(stretch);
      onStretch?.(stretch);
      finished += length;
      onProgress?.({ done: finished, total });
    }
  }
  await sink.append(encodeBackupEnd(manifest, stretches));
  return stretches;
}

export const layoutOf = ({ chip, flashSize, table }: BackupManifest): FlashLayout => {
  const facts = chipByName(chip);
  if (!facts) throw new RangeError(`Unknown chip ${chip}`);
  return { chip: facts, flashSize, table };
};

/** What is still to be read, in pieces that do not cross from one partition into the next. */
function windowsOf(manifest: BackupManifest, done: readonly BackupStretch[]): FlashRange[] {
  const last = done.at(-1);
  const from = last ? last.offset + last.length : 0;
  const rest = commonRanges(manifest.ranges, [{ offset: from, length: manifest.flashSize - from }]);
  return commonRanges(rest, flashRegions(layoutOf(manifest))).flatMap((range) => splitRange(range, WINDOW));
}

/** Blocks that follow each other and are blank, or are not. */
interface Run extends FlashRange {
  blank: boolean;
  /** Of each of its blocks. */
  digests: string[];
}

async function findRuns(
  flash: Pick<FlashMemory, 'md5'>,
  window: FlashRange,
  signal: AbortSignal | undefined,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (const { offset, length } of splitRange(window, BLOCK_SIZE)) {
    let digest = await flash.md5(offset, length, { signal });
    // What is blank is not read: the answer to a question that arrived damaged must not pass for that.
    if (digest === md5OfBlank(length)) digest = await flash.md5(offset, length, { signal });
    const blank = digest === md5OfBlank(length);
    const last = runs.at(-1);
    if (last?.blank === blank) {
      last.length += length;
      last.digests.push(digest);
    } else runs.push({ offset, length, blank, digests: [digest] });
  }
  return runs;
}

async function readRun(
  flash: Pick<FlashMemory, 'read' | 'md5'>,
  { offset, length, digests }: Run,
  options: JobOptions,
): Promise<Uint8Array> {
  const blocks = splitRange({ offset, length }, BLOCK_SIZE);
  const expected = [...digests];
  for (let attempt = 1; ; attempt++) {
    const data = await flash.read(offset, length, { ...options, verify: false });
    const wrong = blocks.flatMap((block, index) => {
      const from = block.offset - offset;
      const digest = toHex(md5(data.subarray(from, from + block.length)));
      return digest === expected[index] ? [] : [{ block, index }];
    });
    const [first] = wrong;
    if (!first) return data;
    if (attempt >= TRIES) {
      const at = first.block.offset;
      throw new WorkflowError('backup-unstable', `The flash at ${hexAddress(at)} has another digest each time`, {
        values: { offset: at },
      });
    }
    // The digest itself may have been damaged on its way.
    for (const { block, index } of wrong) {
      expected[index] = await flash.md5(block.offset, block.length, { signal: options.signal });
    }
  }
}

/**
 * What a broken-off backup has and the board has still, from its beginning up to the first difference: the rest is to be read again.
 *
 * @throws {WorkflowError} `backup-other-board`, `backup-other-ranges`.
 * @throws {DeviceError} when the board or the cable fails.
 */
export async function resumableStretches<Stretch extends BackupStretch>(
  flash: Pick<FlashMemory, 'md5'>,
  { manifest, stretches, unbroken }: Pick<ReadBackup, 'manifest' | 'unbroken'> & { stretches: readonly Stretch[] },
  { plan, signal, onProgress }: JobOptions & { plan: BackupManifest },
): Promise<Stretch[]> {
  checkSameBoard(manifest, plan);
  const same: Stretch[] = [];
  const candidates = stretches.slice(0, unbroken);
  const total = rangesLength(candidates);
  for (const stretch of candidates) {
    if ((await flash.md5(stretch.offset, stretch.length, { signal })) !== stretch.md5) break;
    same.push(stretch);
    onProgress?.({ done: rangesLength(same), total });
  }
  return same;
}

function checkSameBoard(begun: BackupManifest, plan: BackupManifest): void {
  if (begun.mac !== plan.mac || begun.chip !== plan.chip || begun.flashSize !== plan.flashSize) {
    throw new WorkflowError('backup-other-board', `The backup is of ${begun.mac ?? begun.description}`, {
      values: { backup: begun.mac ?? begun.description, board: plan.mac ?? plan.description },
    });
  }
  if (JSON.stringify(begun.ranges) !== JSON.stringify(plan.ranges)) {
    throw new WorkflowError('backup-other-ranges', 'The backup that was begun is of other parts of the flash');
  }
}
