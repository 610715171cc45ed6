/** The house firmware's view of its app slots: which one runs, which one holds the data, and how that begins. */
import { APP_DESCRIPTION_MAGIC } from '#formats/app-image.ts';
import { isBlank, readU32 } from '#formats/bytes.ts';
import { CHIPS } from '#formats/chips.ts';
import { isFlashMapped } from '#formats/memory-map.ts';
import { describePartition, otaSlots, type Partition } from '#formats/partition-table.ts';
import { readFlash } from '#sim/boot/flash-bytes.ts';
import { type StartedApp } from '#sim/boot/started-app.ts';

/** Bytes in front of the data, which make the slot's content pass for an image. */
export const DATA_OFFSET = 32;
/** So many of the data are shown. */
export const SHOWN_BYTES = 10;
const PAGE = 0x1_0000;

export interface DataSlot {
  /** `ota_0`, `ota_1` … */
  slot: string;
  partition: Partition;
  /** `app`: an app lies there, as after an update of it. `unmapped`: the chip cannot map so much. */
  content: 'data' | 'blank' | 'app' | 'unmapped';
  /** The first ten bytes of the data (+32); none when it is not mapped. */
  bytes: Uint8Array;
}

/** The OTA slot behind the running one, wrapping; from the factory app the first. `undefined` without another slot. */
export function dataSlotOf(partitions: readonly Partition[], running: Partition): Partition | undefined {
  const slots = otaSlots(partitions);
  const at = slots.findIndex(({ subtype, type }) => type === running.type && subtype === running.subtype);
  const next = slots[(at + 1) % slots.length];
  return next?.subtype === running.subtype ? undefined : next;
}

/** Maps the data as `esp_partition_mmap` does: the whole slot from +32 on. */
export function readDataSlot(flash: Uint8Array, partition: Partition, app: StartedApp): DataSlot {
  const slot = describePartition(partition);
  if (!canMap(partition, app)) return { slot, partition, content: 'unmapped', bytes: new Uint8Array(0) };
  const start = readFlash(flash, partition.offset, DATA_OFFSET + SHOWN_BYTES);
  const bytes = start.slice(DATA_OFFSET);
  if (isBlank(start)) return { slot, partition, content: 'blank', bytes };
  const isApp = start[0] === 0xe9 && start[1] !== 0 && readU32(bytes, 0) === APP_DESCRIPTION_MAGIC;
  return { slot, partition, content: isApp ? 'app' : 'data', bytes };
}

/** Whether pages enough are free beside the app's own constants. */
export function canMap({ offset, size }: Partition, { image }: StartedApp): boolean {
  const { chipId } = image.header;
  const limit = CHIPS.find(({ imageChipId }) => imageChipId === chipId)?.dataMapLimit;
  if (limit === undefined) return true;
  // Constants are what is mapped below the instructions' range.
  const constants = image.segments.filter(
    ({ loadAddress }) => isFlashMapped(chipId, loadAddress) && loadAddress < 0x4000_0000,
  );
  const used = constants.reduce((sum, { length, loadAddress }) => sum + pages(loadAddress % PAGE, length), 0);
  return pages((offset + DATA_OFFSET) % PAGE, size - DATA_OFFSET) + used <= limit / PAGE;
}

const pages = (start: number, length: number): number => Math.ceil((start + length) / PAGE);

/** Bytes as text up to the first NUL, everything that does not print as `\xNN`. */
export function printable(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Array.from(end < 0 ? bytes : bytes.subarray(0, end), (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}
