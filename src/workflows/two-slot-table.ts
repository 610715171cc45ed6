/**
 * Proposes a partition table with two OTA slots for a flash size and the sizes at hand, keeping what has its place.
 */
import { SECTOR_SIZE } from '#device/flash-memory.ts';
import { alignDown, alignUp } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE } from '#formats/data/data-image.ts';
import { OTADATA_SIZE } from '#formats/otadata.ts';
import { AppSubtype, DataSubtype, type Partition, PartitionType } from '#formats/partition-table.ts';

/** App partitions start at multiples of this: the MMU maps 64 KiB pages (ESP-IDF partition table rules). */
export const APP_ALIGNMENT = 0x1_0000;
/** Where no NVS is known: ESP-IDF's own size. */
const DEFAULT_NVS_SIZE = 0x6000;

export interface TwoSlotWishes {
  flashSize: number;
  tableOffset: number;
  /** Length of the app image. */
  appSize: number;
  /** Length of the data file, without header; 0 for none. */
  dataSize: number;
  /** Rows that keep their place: NVS where it is now, and other data of the release. App and otadata rows are ignored. */
  keep: readonly Partition[];
}

type Interval = readonly [start: number, end: number];

/** The table, in address order, or `undefined` when app and data cannot both be placed. */
export function proposeTwoSlotTable(wishes: TwoSlotWishes): Partition[] | undefined {
  const { flashSize, tableOffset } = wishes;
  const rows = wishes.keep
    .filter(
      ({ type, subtype }) =>
        type !== PartitionType.App && !(type === PartitionType.Data && subtype === DataSubtype.Ota),
    )
    .map((row) => ({ ...row }));
  const free = (): Interval[] => freeIntervals(rows, tableOffset + SECTOR_SIZE, flashSize);

  const place = (name: string, subtype: number, size: number): boolean => {
    const gap = free().find(([start, end]) => end - start >= size);
    if (!gap) return false;
    rows.push({ name: freeName(rows, name), type: PartitionType.Data, subtype, offset: gap[0], size, flags: 0 });
    return true;
  };
  const hasNvs = rows.some(({ type, subtype }) => type === PartitionType.Data && subtype === DataSubtype.Nvs);
  if (!hasNvs && !place('nvs', DataSubtype.Nvs, DEFAULT_NVS_SIZE)) return undefined;
  if (!place('otadata', DataSubtype.Ota, OTADATA_SIZE)) return undefined;

  const slots = chooseSlots(free(), wishes);
  if (!slots) return undefined;
  for (const [index, [start, end]] of slots.entries()) {
    rows.push({
      name: freeName(rows, `ota_${index}`),
      type: PartitionType.App,
      subtype: AppSubtype.Ota0 + index,
      offset: start,
      size: end - start,
      flags: 0,
    });
  }
  return rows.sort((a, b) => a.offset - b.offset);
}

/** A slot that holds this much data: header, at least one sector unused: exact fills fail on ESP-IDF up to 5.1.2. */
export const slotSizeForData = (dataSize: number): number =>
  dataSize === 0 ? 0 : alignUp(DATA_HEADER_SIZE + dataSize, SECTOR_SIZE) + SECTOR_SIZE;

function freeIntervals(rows: readonly Partition[], from: number, to: number): Interval[] {
  const intervals: Interval[] = [];
  let start = from;
  for (const { offset, size } of [...rows].sort((a, b) => a.offset - b.offset)) {
    const end = alignDown(offset, SECTOR_SIZE);
    if (end > start) intervals.push([start, end]);
    start = Math.max(start, alignUp(offset + size, SECTOR_SIZE));
  }
  if (to > start) intervals.push([start, to]);
  return intervals;
}

/** Of all ways to place the two slots the one whose smaller slot is largest: it leaves most room for what both must hold in turn. */
function chooseSlots(
  free: readonly Interval[],
  { appSize, dataSize }: TwoSlotWishes,
): [Interval, Interval] | undefined {
  const places = free
    .map(([start, end]): Interval => [alignUp(start, APP_ALIGNMENT), end])
    .filter(([start, end]) => end - start >= SECTOR_SIZE);
  const needs = { app: alignUp(appSize, SECTOR_SIZE), data: slotSizeForData(dataSize) };
  const ways: [Interval, Interval][] = [];
  for (const [index, place] of places.entries()) {
    const split = splitInterval(place, needs);
    if (split) ways.push(split);
    for (const other of places.slice(index + 1)) {
      ways.push([place, other], [other, place]);
    }
  }
  const size = ([start, end]: Interval): number => end - start;
  return ways
    .filter(([pa, pb]) => size(pa) >= Math.max(needs.app, SECTOR_SIZE) && size(pb) >= Math.max(needs.data, SECTOR_SIZE))
    .sort((a, b) => Math.min(...b.map(size)) - Math.min(...a.map(size)))[0];
}

/** In halves where app and data both fit a half; otherwise what is left over after both needs is shared evenly. */
function splitInterval([start, end]: Interval, needs: { app: number; data: number }): [Interval, Interval] | undefined {
  const total = end - start;
  const half = alignDown(total / 2, APP_ALIGNMENT);
  let paSize = half;
  if (needs.app > half || needs.data > total - half) {
    const spare = total - alignUp(needs.app, APP_ALIGNMENT) - needs.data;
    if (spare < 0) return undefined;
    paSize = alignUp(needs.app, APP_ALIGNMENT) + alignDown(spare / 2, APP_ALIGNMENT);
  }
  if (paSize < APP_ALIGNMENT || paSize >= total) return undefined;
  return [
    [start, start + paSize],
    [start + paSize, end],
  ];
}

function freeName(rows: readonly Partition[], wanted: string): string {
  let name = wanted;
  for (let count = 2; rows.some((row) => row.name === name); count++) name = `${wanted}_${count}`;
  return name;
}
