/** What the parts of a flash are called: by its partition table, and what stands in none. */
import { type FlashRange, SECTOR_SIZE } from '#device/flash-memory.ts';
import { joinRanges } from '#device/flash-ranges.ts';
import { alignDown, alignUp } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { DataSubtype, type Partition, PARTITION_TABLE_SECTOR, PartitionType } from '#formats/partition-table.ts';
import { isNvsRow } from './board-nvs.ts';
import { type FlashRole } from './flash-plan.ts';
import { WorkflowError } from './workflow-error.ts';

export interface FlashLayout {
  chip: Chip;
  /** Bytes. */
  flashSize: number;
  table?: { offset: number; partitions: readonly Partition[] } | undefined;
}

/** A part of the flash on whole sectors. */
export interface FlashRegion extends FlashRange {
  /** Partition label, or `boot loader`, `partition table`, `outside of partitions`. */
  label: string;
  role: FlashRole;
}

/** Names for what has no row in the table, where no partition has that label. */
const BOOT_LOADER = 'bootloader';
const PARTITION_TABLE = 'partition-table';

/** The whole flash from its start to its end, cut where something else begins. Without a table it is one region. */
export function flashRegions(layout: FlashLayout): FlashRegion[] {
  const regions: FlashRegion[] = [];
  let end = 0;
  const add = (region: FlashRegion): void => {
    if (region.length > 0) regions.push(region);
    end = Math.max(end, region.offset + region.length);
  };
  const gapUpTo = (offset: number): void =>
    add({ label: 'outside of partitions', role: 'other', offset: end, length: offset - end });
  for (const region of namedRegions(layout)) {
    // Of a table whose rows overlap, or reach beyond the flash, the first row has the sectors.
    const from = Math.max(region.offset, end);
    const to = Math.min(region.offset + region.length, layout.flashSize);
    if (to <= from) continue;
    gapUpTo(from);
    add({ ...region, offset: from, length: to - from });
  }
  gapUpTo(layout.flashSize);
  return regions;
}

function namedRegions({ chip, table }: FlashLayout): FlashRegion[] {
  if (!table) return [];
  const rows = table.partitions.map((row) => ({
    ...onSectors(row.offset, row.size),
    label: row.name,
    role: roleOf(row),
  }));
  return [...rows, ...unlistedRegions(chip, table.offset)].toSorted((a, b) => a.offset - b.offset);
}

function unlistedRegions({ bootloaderOffset }: Chip, tableOffset: number): FlashRegion[] {
  const bootLoader = { offset: bootloaderOffset, length: Math.max(0, tableOffset - bootloaderOffset) };
  return [
    { label: 'boot loader', role: 'bootloader', ...bootLoader },
    { label: 'partition table', role: 'partition-table', offset: tableOffset, length: PARTITION_TABLE_SECTOR },
  ];
}

function roleOf(row: Partition): FlashRole {
  if (row.type === PartitionType.App) return 'app';
  if (isNvsRow(row)) return 'nvs';
  return row.type === PartitionType.Data && row.subtype === DataSubtype.Ota ? 'otadata' : 'other';
}

/** Widened to whole sectors. */
function onSectors(offset: number, length: number): FlashRange {
  const from = alignDown(offset, SECTOR_SIZE);
  return { offset: from, length: alignUp(offset + length, SECTOR_SIZE) - from };
}

/**
 * The ranges of these partitions. `bootloader` and `partition-table` name what stands in no table.
 *
 * @throws {WorkflowError} `partition-not-found`.
 */
export function rangesOfPartitions({ chip, table }: FlashLayout, names: readonly string[]): FlashRange[] {
  const places = (table?.partitions ?? []).map(({ name, offset, size }) => ({ name, range: onSectors(offset, size) }));
  if (table) {
    for (const { role, offset, length } of unlistedRegions(chip, table.offset)) {
      const name = role === 'bootloader' ? BOOT_LOADER : PARTITION_TABLE;
      if (!places.some((place) => place.name === name)) places.push({ name, range: { offset, length } });
    }
  }
  return names.flatMap((wanted) => {
    const found = places.filter(({ name }) => name === wanted);
    if (found.length > 0) return found.map(({ range }) => range);
    throw new WorkflowError('partition-not-found', `There is no partition ${wanted}`, {
      values: { label: wanted, known: places.map(({ name }) => name).join(', ') },
    });
  });
}

/**
 * The ranges in order, on whole sectors, those that touch as one.
 *
 * @throws {WorkflowError} `range-beyond-flash`.
 */
export function soundRanges(ranges: readonly FlashRange[], flashSize: number): FlashRange[] {
  const wide = ranges.filter(({ length }) => length > 0).map(({ offset, length }) => onSectors(offset, length));
  for (const { offset, length } of wide) {
    if (offset + length <= flashSize) continue;
    throw new WorkflowError('range-beyond-flash', `${offset}+${length} is not inside the flash of ${flashSize} bytes`, {
      values: { end: offset + length, flashSize },
    });
  }
  return joinRanges(wide.toSorted((a, b) => a.offset - b.offset));
}

/** What `ranges` and `others` have in common; both in order. */
export function commonRanges(ranges: readonly FlashRange[], others: readonly FlashRange[]): FlashRange[] {
  return ranges.flatMap((range) =>
    others.flatMap((other) => {
      const offset = Math.max(range.offset, other.offset);
      const end = Math.min(range.offset + range.length, other.offset + other.length);
      return end > offset ? [{ offset, length: end - offset }] : [];
    }),
  );
}
