/**
 * What may be wrong with a partition table beyond its bytes: the rules of gen_esp32part.py (newest: 1.5, ESP-IDF 5.5),
 * and what is allowed and still looks like a mistake. The boot loader itself is content with much less.
 */
import { hexAddress } from './bytes.ts';
import { flashSizeName } from './chips.ts';
import { type FormatErrorPlace, type FormatIssue } from './format-error.ts';
import {
  AppSubtype,
  DataSubtype,
  DEFAULT_TABLE_OFFSET,
  otaSlots,
  type Partition,
  PARTITION_NAME_SIZE,
  PARTITION_TABLE_SECTOR,
  PartitionFlag,
  PartitionType,
  SUBTYPE_KEYWORDS,
  TYPE_KEYWORDS,
} from './partition-table.ts';

export interface PartitionCheckOptions {
  /** Flash offset of the table itself; 0x8000 unless told. */
  tableOffset?: number | undefined;
  /** Bytes of flash that all partitions must lie in; unchecked unless told. */
  flashSize?: number | undefined;
  /** Secure boot that the apps are signed for: v1 wants app sizes in units of 64 KiB. */
  secure?: 'v1' | 'v2' | undefined;
  /** Where a partition stands in the user's input, for the issues. */
  placeOf?: ((partition: Partition) => FormatErrorPlace | undefined) | undefined;
}

/** Apps are mapped in pages of 64 KiB; everything else starts at a flash sector. */
export const offsetAlignment = (type: number): number => (type === PartitionType.App ? 0x1_0000 : 0x1000);

/** Bytes of a data/ota partition: two sectors. */
const OTADATA_PARTITION_SIZE = 0x2000;
/** Smallest NVS that can be written: two pages and a spare one. */
const WRITABLE_NVS_SIZE = 0x3000;

const isOf = (partition: Partition, type: number, subtype: number): boolean =>
  partition.type === type && partition.subtype === subtype;

/** The rows that describe the boot loader and the table themselves: their place is given, not chosen. */
export const isPrimary = (partition: Partition): boolean =>
  isOf(partition, PartitionType.Bootloader, 0) || isOf(partition, PartitionType.PartitionTable, 0);

type Report = (code: string, message: string, partition?: Partition) => void;

function reporter(options: PartitionCheckOptions): { issues: FormatIssue[]; report: Report } {
  const issues: FormatIssue[] = [];
  const report: Report = (code, message, partition) => {
    const place = partition && options.placeOf?.(partition);
    issues.push(place ? { code, message, place } : { code, message });
  };
  return { issues, report };
}

/** `errors`: what the official tool refuses, in the order in which it looks. `warnings`: allowed, and worth a look. */
export interface PartitionVerdict {
  errors: FormatIssue[];
  warnings: FormatIssue[];
}

/**
 * Judges a table as gen_esp32part.py does.
 *
 * Errors: `partition-misaligned`, `partition-size-misaligned`, `partition-always-writable`, `partition-nvs-too-small`,
 * `partition-name-twice`, `partition-below-table`, `partition-overlap`, `partition-otadata-twice`,
 * `partition-otadata-size`, `partition-tee-otadata-twice`, `partition-tee-otadata-size`, `partition-beyond-flash`.
 *
 * Warnings, as the tool: `partition-name-is-type`, `partition-name-is-subtype`. Beyond it: `partition-name-cut` (over 16
 * bytes), `partition-name-twice-when-cut`, `partition-reserved-type` (4 to 0x3F belong to ESP-IDF, 0xFF ends a table),
 * `partition-ota-hole` (the boot loader counts OTA slots and then goes by their numbers, so that one behind a hole
 * never boots), `partition-no-otadata` (then OTA slots cannot be chosen).
 */
export function verifyPartitions(
  partitions: readonly Partition[],
  options: PartitionCheckOptions = {},
): PartitionVerdict {
  const errors = reporter(options);
  for (const partition of partitions) verifyOne(partition, options.secure, errors.report);
  verifyNames(partitions, errors.report);
  verifyPlaces(partitions, options.tableOffset ?? DEFAULT_TABLE_OFFSET, errors.report);
  verifyOtadata(partitions, DataSubtype.Ota, 'otadata', errors.report);
  verifyOtadata(partitions, DataSubtype.TeeOta, 'tee-otadata', errors.report);
  return {
    errors: [...errors.issues, ...verifyFlashSize(partitions, options)],
    warnings: partitionWarnings(partitions, options),
  };
}

/** `partition-beyond-flash` for the partitions that end beyond `options.flashSize`, if that is told. */
export function verifyFlashSize(partitions: readonly Partition[], options: PartitionCheckOptions): FormatIssue[] {
  const { issues, report } = reporter(options);
  const { flashSize } = options;
  if (flashSize === undefined) return issues;
  for (const partition of partitions) {
    const end = partition.offset + partition.size;
    if (end <= flashSize) continue;
    const message = `${partition.name} ends at ${hexAddress(end)}, beyond ${flashSizeName(flashSize)} of flash`;
    report('partition-beyond-flash', message, partition);
  }
  return issues;
}

function verifyOne(partition: Partition, secure: PartitionCheckOptions['secure'], report: Report): void {
  const { name, type, subtype, offset, size, flags } = partition;
  const alignment = offsetAlignment(type);
  if (offset % alignment !== 0) {
    const message = `${name}: offset ${hexAddress(offset)} is no multiple of ${hexAddress(alignment)}`;
    report('partition-misaligned', message, partition);
  }
  const sizeUnit = secure === 'v1' ? 0x1_0000 : 0x1000;
  if (type === PartitionType.App && size % sizeUnit !== 0) {
    const message = `${name}: size ${hexAddress(size)} is no multiple of ${hexAddress(sizeUnit)}`;
    report('partition-size-misaligned', message, partition);
  }
  if (type !== PartitionType.Data) return;
  const readOnly = (flags & PartitionFlag.ReadOnly) !== 0;
  if (readOnly && (subtype === DataSubtype.Ota || subtype === DataSubtype.Coredump)) {
    report('partition-always-writable', `${name} is written by the system and cannot be read-only`, partition);
  }
  if (!readOnly && subtype === DataSubtype.Nvs && size < WRITABLE_NVS_SIZE) {
    const message = `${name}: NVS of ${hexAddress(size)} is too small to be written; 0x3000 is, or flag it readonly`;
    report('partition-nvs-too-small', message, partition);
  }
}

function verifyNames(partitions: readonly Partition[], report: Report): void {
  const seen = new Set<string>();
  for (const partition of partitions) {
    if (seen.has(partition.name)) {
      report('partition-name-twice', `Two partitions are called ${partition.name}`, partition);
    }
    seen.add(partition.name);
  }
}

function verifyPlaces(partitions: readonly Partition[], tableOffset: number, report: Report): void {
  const firstFree = tableOffset + PARTITION_TABLE_SECTOR;
  let last: Partition | undefined;
  for (const partition of partitions.toSorted((a, b) => a.offset - b.offset)) {
    const { name, offset } = partition;
    if (offset < firstFree && !isPrimary(partition)) {
      const message = `${name} at ${hexAddress(offset)} lies below ${hexAddress(firstFree)}, the end of the table`;
      report('partition-below-table', message, partition);
    }
    if (last && offset < last.offset + last.size) {
      const message = `${name} at ${hexAddress(offset)} overlaps ${last.name}, which ends at ${hexAddress(last.offset + last.size)}`;
      report('partition-overlap', message, partition);
    }
    last = partition;
  }
}

function verifyOtadata(partitions: readonly Partition[], subtype: number, what: string, report: Report): void {
  const [first, ...others] = partitions.filter((partition) => isOf(partition, PartitionType.Data, subtype));
  for (const other of others) report(`partition-${what}-twice`, `There can be only one ${what} partition`, other);
  if (first && others.length === 0 && first.size !== OTADATA_PARTITION_SIZE) {
    report(`partition-${what}-size`, `${first.name} must have 0x2000 bytes, not ${hexAddress(first.size)}`, first);
  }
}

function partitionWarnings(partitions: readonly Partition[], options: PartitionCheckOptions): FormatIssue[] {
  const { issues, report } = reporter(options);
  for (const partition of partitions) warnOfName(partition, report);
  warnOfCutNames(partitions, report);
  for (const partition of partitions) {
    const { name, type } = partition;
    if ((type > PartitionType.PartitionTable && type < 0x40) || type === 0xff) {
      report('partition-reserved-type', `${name}: type ${hexAddress(type)} is not free for applications`, partition);
    }
  }
  const slots = otaSlots(partitions);
  const firstHole = slots.findIndex(({ subtype }, index) => subtype !== AppSubtype.Ota0 + index);
  if (firstHole >= 0) {
    report('partition-ota-hole', `There is no ota_${firstHole}: slots behind it never boot`, slots[firstHole]);
  }
  if (slots.length > 0 && !partitions.some((partition) => isOf(partition, PartitionType.Data, DataSubtype.Ota))) {
    report('partition-no-otadata', 'There are OTA slots but no otadata partition to choose one', slots[0]);
  }
  return issues;
}

function warnOfName(partition: Partition, report: Report): void {
  const { name, type, subtype } = partition;
  if (TYPE_KEYWORDS.has(name) && TYPE_KEYWORDS.get(name) !== type) {
    const message = `The name ${name} is a partition type, but this one has type ${hexAddress(type)}`;
    report('partition-name-is-type', message, partition);
  }
  const isKeyword = [...SUBTYPE_KEYWORDS.values()].some((keywords) => keywords.has(name));
  if (isKeyword && SUBTYPE_KEYWORDS.get(type)?.get(name) !== subtype) {
    const message = `The name ${name} is a partition subtype, but this one has ${hexAddress(type)}/${hexAddress(subtype)}`;
    report('partition-name-is-subtype', message, partition);
  }
}

function warnOfCutNames(partitions: readonly Partition[], report: Report): void {
  const encoder = new TextEncoder();
  const seen = new Map<string, string>();
  for (const partition of partitions) {
    const bytes = encoder.encode(partition.name);
    const kept = bytes.subarray(0, PARTITION_NAME_SIZE).join();
    if (bytes.length > PARTITION_NAME_SIZE) {
      report('partition-name-cut', `Of the name ${partition.name} only 16 bytes are stored`, partition);
    }
    const other = seen.get(kept);
    if (other !== undefined && other !== partition.name) {
      const message = `${other} and ${partition.name} are the same in the first 16 bytes`;
      report('partition-name-twice-when-cut', message, partition);
    }
    seen.set(kept, partition.name);
  }
}

/** Since which version of ESP-IDF the tool and the system know something that this partition uses. */
const NEWER_FEATURES: readonly { since: string; what: string; used: (partition: Partition) => boolean }[] = [
  {
    since: '5.2',
    what: 'the flag readonly',
    used: ({ flags }) => (flags & PartitionFlag.ReadOnly) !== 0,
  },
  { since: '5.2', what: 'littlefs', used: (partition) => isOf(partition, PartitionType.Data, DataSubtype.LittleFs) },
  {
    since: '5.4',
    what: 'TEE partitions',
    used: (partition) =>
      isOf(partition, PartitionType.App, AppSubtype.Tee0) ||
      isOf(partition, PartitionType.App, AppSubtype.Tee1) ||
      isOf(partition, PartitionType.Data, DataSubtype.TeeOta),
  },
  {
    since: '5.5',
    what: 'boot loader and table as partitions',
    used: ({ type }) => type === PartitionType.Bootloader || type === PartitionType.PartitionTable,
  },
];

/** `partition-newer-idf` for each partition that an older ESP-IDF would refuse or not understand; the message names the version. */
export function partitionVersionWarnings(
  partitions: readonly Partition[],
  options: PartitionCheckOptions = {},
): FormatIssue[] {
  const { issues, report } = reporter(options);
  for (const partition of partitions) {
    for (const { since, what, used } of NEWER_FEATURES) {
      if (used(partition))
        report('partition-newer-idf', `${partition.name}: ${what} needs ESP-IDF ${since}`, partition);
    }
  }
  return issues;
}
