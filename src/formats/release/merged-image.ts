/**
 * A merged image or a flash dump, cut into its parts. Nothing in such a file says at which flash offset it starts: that follows from
 * the table inside, the app that a row of it names, and the boot loader, which each chip's ROM wants at one place.
 */
import { imageLength } from '../app-image.ts';
import { alignUp, hexAddress, isBlank, readU16 } from '../bytes.ts';
import { type Chip, chipByImageId } from '../chips.ts';
import { FormatError } from '../format-error.ts';
import {
  decodePartitionTable,
  DEFAULT_TABLE_OFFSET,
  type Partition,
  PARTITION_TABLE_SECTOR,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '../partition-table.ts';
import { isRealImage } from './file-content.ts';
import { type ReleasePart } from './release.ts';

const SECTOR = 0x1000;

export interface MergedSource {
  /** Name for messages. */
  file: string;
  /** Position of the partition table in the file. */
  tablePosition: number;
  /** Flash offset of the file's first byte, where a manifest tells it. */
  start?: number;
}

/**
 * The parts of a merged image, in the order of their offsets: boot loader, table, the content of each partition that has some, and
 * whatever lies outside of all rows. Erased sectors between and behind are left out.
 *
 * @throws {FormatError} `release-wrongly-merged` when the boot loader would lie where the ROM does not look for it,
 *   `release-merged-unclear` when no start fits, `partition-…` for a bad table.
 */
export function cutMergedImage(data: Uint8Array, { file, tablePosition, start: given }: MergedSource): ReleasePart[] {
  const { partitions } = decodePartitionTable(data.subarray(tablePosition, tablePosition + PARTITION_TABLE_SIZE));
  const boot = findBootloader(data, tablePosition);
  const start = given ?? findStart(data, { tablePosition, partitions, boot });
  if (start === undefined) {
    throw new FormatError(
      'release-merged-unclear',
      `${file} holds a partition table, but no app where the table says, wherever the file starts`,
      {
        place: { file, offset: tablePosition },
      },
    );
  }
  if (boot && start + boot.position !== boot.chip.bootloaderOffset) {
    throw new FormatError(
      'release-wrongly-merged',
      `${file} was merged wrongly: its boot loader would lie at ${hexAddress(start + boot.position)}, an ${boot.chip.title} starts from ${hexAddress(boot.chip.bootloaderOffset)}. Give the separate files of the build`,
      { place: { file, offset: boot.position } },
    );
  }
  const cuts: ReleasePart[] = [];
  if (boot) cuts.push(cut(data, 'bootloader', { from: boot.position, to: tablePosition, start }));
  cuts.push(tablePart(data, tablePosition, start));
  for (const row of partitions) {
    const from = row.offset - start;
    const part = cut(data, row.name, { from, to: from + row.size, start });
    if (row.offset >= start && part.data.length > 0) cuts.push(part);
  }
  return [...cuts, ...outsideOf(data, cuts, start)].toSorted((a, b) => a.offset - b.offset);
}

interface FoundBootloader {
  position: number;
  chip: Chip;
}

/** The first image before the table. */
function findBootloader(data: Uint8Array, tablePosition: number): FoundBootloader | undefined {
  for (let position = 0; position < tablePosition; position += SECTOR) {
    const rest = data.subarray(position, tablePosition);
    if (!isRealImage(rest)) continue;
    const chip = chipByImageId(readU16(rest, 12));
    if (chip) return { position, chip };
  }
  return undefined;
}

interface StartFacts {
  tablePosition: number;
  partitions: readonly Partition[];
  boot: FoundBootloader | undefined;
}

/** The start for which an app lies where a row says: from the boot loader's place, or from the usual place of the table. */
function findStart(data: Uint8Array, { tablePosition, partitions, boot }: StartFacts): number | undefined {
  const candidates = [
    ...(boot ? [boot.chip.bootloaderOffset - boot.position] : []),
    DEFAULT_TABLE_OFFSET - tablePosition,
    0,
  ];
  const rows = partitions.filter(({ type }) => type === PartitionType.App);
  return candidates.find(
    (start) => start >= 0 && rows.some(({ offset }) => offset >= start && isRealImage(data.subarray(offset - start))),
  );
}

function tablePart(data: Uint8Array, position: number, start: number): ReleasePart {
  const signature = data.subarray(position + PARTITION_TABLE_SIZE, position + PARTITION_TABLE_SECTOR);
  const length = isBlank(signature) ? PARTITION_TABLE_SIZE : PARTITION_TABLE_SECTOR;
  return { name: 'partition-table', offset: start + position, data: data.subarray(position, position + length) };
}

interface Range {
  from: number;
  to: number;
  /** Flash offset of the file's first byte. */
  start: number;
}

/** Bytes from one file position to another, as far as the file goes, without the erased bytes at the end. */
function cut(data: Uint8Array, name: string, { from, to, start }: Range): ReleasePart {
  const bytes = data.subarray(Math.max(0, from), Math.max(0, to));
  return { name, offset: start + from, data: bytes.subarray(0, contentLength(bytes)) };
}

/** Bytes up to the last one that is not FF; of an image never less than its own length. */
function contentLength(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0xff) end--;
  if (end === 0) return 0;
  const whole = isRealImage(bytes) ? wholeLength(bytes) : 0;
  return Math.min(bytes.length, Math.max(alignUp(end, 16), whole));
}

function wholeLength(bytes: Uint8Array): number {
  try {
    return imageLength(bytes);
  } catch (error) {
    // A damaged image is told where it is used; here only its bytes count.
    if (error instanceof FormatError) return 0;
    throw error;
  }
}

/** What is not erased and belongs to no part, in runs of sectors. */
function outsideOf(data: Uint8Array, cuts: readonly ReleasePart[], start: number): ReleasePart[] {
  const runs: { from: number; to: number }[] = [];
  for (let from = 0; from < data.length; from += SECTOR) {
    const to = Math.min(from + SECTOR, data.length);
    const covered = cuts.some(({ offset, data: { length } }) => offset - start < to && offset - start + length > from);
    if (covered || isBlank(data.subarray(from, to))) continue;
    const last = runs.at(-1);
    if (last?.to === from) last.to = to;
    else runs.push({ from, to });
  }
  return runs.map(({ from, to }) => cut(data, hexAddress(start + from), { from, to, start }));
}
