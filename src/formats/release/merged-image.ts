/**
 * A merged image or a flash dump, cut into its parts. Nothing in such a file says at which flash offset it starts: that follows from
 * the table inside, the app that a row of it names, and the boot loader, which each chip's ROM wants at one place.
 */
import { imageLength } from '../app-image.ts';
import { alignDown, alignUp, hexAddress, isBlank, readU16 } from '../bytes.ts';
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

/** A merged image or a dump, understood: which bytes of it are what. */
export interface MergedLayout {
  /** Flash offset of the file's first byte. */
  start: number;
  /** The chip of the boot loader in it. */
  chip?: Chip;
  /** None overlaps another; the last ones may reach beyond the end of the file. */
  areas: readonly MergedArea[];
}

export interface MergedArea {
  /** `bootloader`, `partition-table`, the label of a row, or the flash offset of what lies outside of all. */
  name: string;
  kind: 'bootloader' | 'table' | 'partition' | 'outside';
  /** Positions in the file. */
  from: number;
  to: number;
  /** The row of the table that describes it. */
  row?: Partition;
}

/**
 * The parts of a merged image, in the order of their offsets: boot loader, table, the content of each partition that has some, and
 * whatever lies outside of all rows. Erased sectors between and behind are left out.
 *
 * @throws {FormatError} `release-wrongly-merged` when the boot loader would lie where the ROM does not look for it,
 *   `release-merged-unclear` when no start fits, `partition-…` for a bad table.
 */
export function cutMergedImage(data: Uint8Array, source: MergedSource): ReleasePart[] {
  const { start, areas } = layOut(data, source, { appNeeded: true });
  const cuts = areas.map((area) => cut(data, area, start)).filter((part) => part.data.length > 0);
  return [...cuts, ...outsideOf(data, areas, start)].toSorted((a, b) => a.offset - b.offset);
}

/**
 * What lies where in a merged image. Without `appNeeded` a start is taken also when no app in the file confirms it: that of the boot
 * loader, else the one that puts the table at its usual offset.
 *
 * @throws {FormatError} as `cutMergedImage`.
 */
export function layOut(
  data: Uint8Array,
  { file, tablePosition, start: given }: MergedSource,
  { appNeeded }: { appNeeded: boolean },
): MergedLayout {
  const { partitions } = decodePartitionTable(data.subarray(tablePosition, tablePosition + PARTITION_TABLE_SIZE));
  const boot = findBootloader(data, tablePosition);
  const start = given ?? findStart(data, { tablePosition, partitions, boot, appNeeded });
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
  return { start, ...(boot && { chip: boot.chip }), areas: areasOf(data, { tablePosition, partitions, boot, start }) };
}

function areasOf(
  data: Uint8Array,
  { tablePosition, partitions, boot, start }: Omit<StartFacts, 'appNeeded'> & { start: number },
): MergedArea[] {
  const areas: MergedArea[] = [];
  if (boot) areas.push({ name: 'bootloader', kind: 'bootloader', from: boot.position, to: tablePosition });
  const tableEnd = tablePosition + PARTITION_TABLE_SECTOR;
  areas.push({ name: 'partition-table', kind: 'table', from: tablePosition, to: tableEnd });
  for (const row of partitions) {
    const from = row.offset - start;
    const to = from + row.size;
    // Rows for boot loader and table, and such as overlap: the bytes belong to what had them first.
    const taken = areas.some((area) => area.from < to && from < area.to);
    if (!taken && from >= 0 && from < data.length) areas.push({ name: row.name, kind: 'partition', from, to, row });
  }
  return areas;
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
  appNeeded: boolean;
}

/** The start for which an app lies where a row says: from the boot loader's place, or from the usual place of the table. */
function findStart(data: Uint8Array, { tablePosition, partitions, boot, appNeeded }: StartFacts): number | undefined {
  const candidates = [
    ...(boot ? [boot.chip.bootloaderOffset - boot.position] : []),
    DEFAULT_TABLE_OFFSET - tablePosition,
    0,
  ].filter((start) => start >= 0);
  const rows = partitions.filter(({ type }) => type === PartitionType.App);
  const confirmed = candidates.find((start) =>
    // Behind the table: what lies before it is the boot loader, an image as well.
    rows.some(({ offset }) => offset > start + tablePosition && isRealImage(data.subarray(offset - start))),
  );
  return confirmed ?? (appNeeded ? undefined : candidates[0]);
}

/** The content of an area as far as the file goes, without the erased bytes at the end; of a table always all of it. */
export function cut(data: Uint8Array, { name, kind, from, to }: MergedArea, start: number): ReleasePart {
  const bytes = data.subarray(from, to);
  const length = kind === 'table' ? tableLength(bytes) : contentLength(bytes);
  return { name, offset: start + from, data: bytes.subarray(0, length) };
}

/** All of the sector when the table is signed. */
const tableLength = (sector: Uint8Array): number =>
  isBlank(sector.subarray(PARTITION_TABLE_SIZE)) ? PARTITION_TABLE_SIZE : sector.length;

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

/** What is not erased and lies in no area, in runs of sectors. */
export function outsideOf(data: Uint8Array, areas: readonly MergedArea[], start: number): ReleasePart[] {
  const runs: { from: number; to: number }[] = [];
  for (let from = 0, to; from < data.length; from = to) {
    const inside = areas.find((area) => area.from <= from && from < area.to);
    const edges = areas.map((area) => area.from).filter((edge) => edge > from);
    to = inside?.to ?? Math.min(alignDown(from, SECTOR) + SECTOR, data.length, ...edges);
    if (inside || isBlank(data.subarray(from, to))) continue;
    const last = runs.at(-1);
    if (last?.to === from) last.to = to;
    else runs.push({ from, to });
  }
  return runs.map((run) => cut(data, { name: hexAddress(start + run.from), kind: 'outside', ...run }, start));
}
