/**
 * Partition table binary <-> partitions.
 *
 * Rows of 32 bytes: magic AA 50, type u8, subtype u8, offset u32, size u32, label[16], flags u32; then one row
 * EB EB, 14 x FF and the MD5 of all rows before it; then a row of FF. Layout: `esp_partition_info_t` in ESP-IDF,
 * components/bootloader_support/include/esp_flash_partitions.h; limits: components/partition_table/gen_esp32part.py.
 */
import { md5 } from '@noble/hashes/legacy.js';
import {
  concatBytes,
  equalBytes,
  hexAddress,
  isBlank,
  padBytes,
  readU16,
  readU32,
  textUntilNul,
  viewOf,
} from './bytes.ts';
import { FormatError, type FormatIssue } from './format-error.ts';

export interface Partition {
  /** Label; at most 16 bytes of UTF-8 are stored. */
  name: string;
  /** 0 to 255, see `PartitionType`. */
  type: number;
  /** 0 to 255; its meaning depends on the type, see `AppSubtype` and `DataSubtype`. */
  subtype: number;
  /** Flash offset in bytes. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Bits of `PartitionFlag`; bits that nobody knows are kept. */
  flags: number;
}

export const PartitionType = { App: 0, Data: 1, Bootloader: 2, PartitionTable: 3 } as const;

export const PartitionFlag = { Encrypted: 1, ReadOnly: 2 } as const;

/** Subtypes of `PartitionType.App`; the sixteen OTA slots run from `Ota0` to `Ota15`. */
export const AppSubtype = {
  Factory: 0,
  Ota0: 0x10,
  Ota1: 0x11,
  Ota15: 0x1f,
  Test: 0x20,
  Tee0: 0x30,
  Tee1: 0x31,
} as const;

/** Subtypes of `PartitionType.Data`. */
export const DataSubtype = {
  Ota: 0,
  Phy: 1,
  Nvs: 2,
  Coredump: 3,
  NvsKeys: 4,
  Efuse: 5,
  Undefined: 6,
  EspHttpd: 0x80,
  Fat: 0x81,
  Spiffs: 0x82,
  LittleFs: 0x83,
  TeeOta: 0x90,
} as const;

/** Keywords of the CSV's Type column. */
export const TYPE_KEYWORDS: ReadonlyMap<string, number> = new Map([
  ['bootloader', PartitionType.Bootloader],
  ['partition_table', PartitionType.PartitionTable],
  ['app', PartitionType.App],
  ['data', PartitionType.Data],
]);

/** Keywords of the CSV's SubType column by type; types that are free for applications have none. */
export const SUBTYPE_KEYWORDS: ReadonlyMap<number, ReadonlyMap<string, number>> = new Map([
  [
    PartitionType.Bootloader,
    new Map([
      ['primary', 0],
      ['ota', 1],
      ['recovery', 2],
    ]),
  ],
  [
    PartitionType.PartitionTable,
    new Map([
      ['primary', 0],
      ['ota', 1],
    ]),
  ],
  [
    PartitionType.App,
    new Map<string, number>([
      ['factory', AppSubtype.Factory],
      ['test', AppSubtype.Test],
      ...Array.from({ length: 16 }, (_, slot): [string, number] => [`ota_${slot}`, AppSubtype.Ota0 + slot]),
      ['tee_0', AppSubtype.Tee0],
      ['tee_1', AppSubtype.Tee1],
    ]),
  ],
  [
    PartitionType.Data,
    new Map<string, number>([
      ['ota', DataSubtype.Ota],
      ['phy', DataSubtype.Phy],
      ['nvs', DataSubtype.Nvs],
      ['coredump', DataSubtype.Coredump],
      ['nvs_keys', DataSubtype.NvsKeys],
      ['efuse', DataSubtype.Efuse],
      ['undefined', DataSubtype.Undefined],
      ['esphttpd', DataSubtype.EspHttpd],
      ['fat', DataSubtype.Fat],
      ['spiffs', DataSubtype.Spiffs],
      ['littlefs', DataSubtype.LittleFs],
      ['tee_ota', DataSubtype.TeeOta],
    ]),
  ],
]);

export interface PartitionTable {
  partitions: Partition[];
  /** The MD5 row. Without one a board boots, but its app sees no partition at all (IDF's partition API wants it). */
  md5: 'right' | 'wrong' | 'missing';
  issues: FormatIssue[];
}

/** Bytes of a table as tools write it; the last KiB of its flash sector is left for a secure-boot signature. */
export const PARTITION_TABLE_SIZE = 0xc00;
/** Flash that the table occupies: one sector. */
export const PARTITION_TABLE_SECTOR = 0x1000;
/** Where builds put the table unless told otherwise (CONFIG_PARTITION_TABLE_OFFSET). */
export const DEFAULT_TABLE_OFFSET = 0x8000;
/** Bytes of one row. */
export const PARTITION_ROW_SIZE = 32;
/** Bytes of the label in a row; all may be used, without a NUL. */
export const PARTITION_NAME_SIZE = 16;
/** First two bytes of a row with a partition, and of the one with the MD5, as little-endian numbers. */
export const PARTITION_MAGIC = 0x50aa;
export const MD5_ROW_MAGIC = 0xebeb;

const MD5_ROW_START = Uint8Array.of(0xeb, 0xeb, ...Array<number>(14).fill(0xff));
const STRICT_UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a table: of a file, or the first 0xC00 bytes of its flash sector.
 *
 * Strict by default, as gen_esp32part.py reads. With `lenient` whatever can be read is returned and what is wrong is
 * in `issues`: rows with a bad magic are left out (one issue for rows that follow each other), any row beginning with
 * FF FF FF FF ends the table, as it does for the boot loader. A blank sector is an empty table.
 *
 * @throws {FormatError} unless lenient: `partition-bad-magic`, `partition-label-not-utf8`, `partition-md5-wrong`,
 * `partition-md5-twice`, `partition-no-end`, `partition-bad-length`; place: the byte offset of the row.
 */
export function decodePartitionTable(
  bytes: Uint8Array,
  { lenient = false }: { lenient?: boolean } = {},
): PartitionTable {
  const table: PartitionTable = { partitions: [], md5: 'missing', issues: [] };
  const reject = (code: string, message: string, offset: number): void => {
    if (!lenient) throw new FormatError(code, message, { place: { offset } });
    table.issues.push({ code, message, place: { offset } });
  };
  const rows = bytes.subarray(0, PARTITION_TABLE_SIZE);
  let lastWasBad = false;
  let offset = 0;
  for (; offset + PARTITION_ROW_SIZE <= rows.length; offset += PARTITION_ROW_SIZE) {
    const row = rows.subarray(offset, offset + PARTITION_ROW_SIZE);
    if (isBlank(lenient ? row.subarray(0, 4) : row)) return noteMissingMd5(table);
    const magic = readU16(row, 0);
    if (magic === MD5_ROW_MAGIC) readMd5Row(table, rows, offset, reject);
    else if (magic === PARTITION_MAGIC) readPartitionRow(table, row, offset, reject);
    else if (!lastWasBad) {
      reject('partition-bad-magic', `Row ${offset / PARTITION_ROW_SIZE} begins with ${hexAddress(magic)}`, offset);
    }
    lastWasBad = magic !== MD5_ROW_MAGIC && magic !== PARTITION_MAGIC;
  }
  if (offset < rows.length) {
    reject('partition-bad-length', `The length ${rows.length} is no multiple of ${PARTITION_ROW_SIZE}`, offset);
  }
  reject('partition-no-end', 'The table has no row of FF at its end', offset);
  return noteMissingMd5(table);
}

type Reject = (code: string, message: string, offset: number) => void;

function readMd5Row(table: PartitionTable, rows: Uint8Array, offset: number, reject: Reject): void {
  if (table.md5 !== 'missing') {
    reject('partition-md5-twice', 'The table has two MD5 rows', offset);
    return;
  }
  const computed = md5(rows.subarray(0, offset));
  table.md5 = equalBytes(rows.subarray(offset + 16, offset + PARTITION_ROW_SIZE), computed) ? 'right' : 'wrong';
  if (table.md5 === 'wrong') reject('partition-md5-wrong', 'The MD5 row does not fit the rows before it', offset);
}

function readPartitionRow(table: PartitionTable, row: Uint8Array, offset: number, reject: Reject): void {
  const label = row.subarray(12, 12 + PARTITION_NAME_SIZE);
  const end = label.indexOf(0);
  let name = textUntilNul(label);
  try {
    name = STRICT_UTF8.decode(end < 0 ? label : label.subarray(0, end));
  } catch {
    // Only the decoder can throw here; the lenient text with U+FFFD stays.
    reject('partition-label-not-utf8', `The label of row ${offset / PARTITION_ROW_SIZE} is not UTF-8`, offset);
  }
  const flags = readU32(row, 28);
  const unknown = flags & ~(PartitionFlag.Encrypted | PartitionFlag.ReadOnly);
  if (unknown !== 0) {
    const message = `${name} has flags that are not known: ${hexAddress(unknown >>> 0)}`;
    table.issues.push({ code: 'partition-unknown-flags', message, place: { offset } });
  }
  if (table.md5 !== 'missing') {
    const message = `${name} stands behind the MD5 row, which does not cover it`;
    table.issues.push({ code: 'partition-after-md5', message, place: { offset } });
  }
  table.partitions.push({
    name,
    type: row[2]!,
    subtype: row[3]!,
    offset: readU32(row, 4),
    size: readU32(row, 8),
    flags,
  });
}

function noteMissingMd5(table: PartitionTable): PartitionTable {
  if (table.md5 === 'missing' && table.partitions.length > 0) {
    table.issues.push({ code: 'partition-md5-missing', message: 'The table has no MD5 row: apps find no partition' });
  }
  return table;
}

/**
 * The table as gen_esp32part.py writes it: always 0xC00 bytes. A name of more than 16 bytes is cut, as there.
 * Checks only what the format cannot hold; for sense see `verifyPartitions`.
 *
 * @throws {FormatError} `partition-too-many` (more than 94 rows, 95 without MD5), `partition-out-of-range`.
 */
export function encodePartitionTable(
  partitions: readonly Partition[],
  { md5: withMd5 = true }: { md5?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const rows = concatBytes(...partitions.map(encodeRow));
  const table = withMd5 ? concatBytes(rows, MD5_ROW_START, md5(rows)) : rows;
  if (table.length >= PARTITION_TABLE_SIZE) {
    const most = PARTITION_TABLE_SIZE / PARTITION_ROW_SIZE - (withMd5 ? 2 : 1);
    throw new FormatError('partition-too-many', `A table holds ${most} partitions, not ${partitions.length}`);
  }
  return padBytes(table, PARTITION_TABLE_SIZE);
}

function encodeRow(partition: Partition): Uint8Array {
  const { name, type, subtype, offset, size, flags } = partition;
  const limits: [string, number, number][] = [
    ['type', type, 0xff],
    ['subtype', subtype, 0xff],
    ['offset', offset, 0xffff_ffff],
    ['size', size, 0xffff_ffff],
    ['flags', flags, 0xffff_ffff],
  ];
  for (const [field, value, most] of limits) {
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw new FormatError('partition-out-of-range', `${name}: ${field} ${value} is not between 0 and ${most}`);
    }
  }
  const row = new Uint8Array(PARTITION_ROW_SIZE);
  const view = viewOf(row);
  view.setUint16(0, PARTITION_MAGIC, true);
  view.setUint8(2, type);
  view.setUint8(3, subtype);
  view.setUint32(4, offset, true);
  view.setUint32(8, size, true);
  row.set(new TextEncoder().encode(name).subarray(0, PARTITION_NAME_SIZE), 12);
  view.setUint32(28, flags, true);
  return row;
}

/** The first partition of that type and subtype. */
export function findPartition(partitions: readonly Partition[], type: number, subtype: number): Partition | undefined {
  return partitions.find((partition) => partition.type === type && partition.subtype === subtype);
}

/** The OTA app slots (`ota_0` … `ota_15`) in the order of their subtypes, wherever they stand in the table. */
export function otaSlots(partitions: readonly Partition[]): Partition[] {
  return partitions
    .filter(
      ({ type, subtype }) => type === PartitionType.App && subtype >= AppSubtype.Ota0 && subtype <= AppSubtype.Ota15,
    )
    .toSorted((a, b) => a.subtype - b.subtype);
}

/** What a partition is, without its label: `ota_0`, `factory`, `data/nvs`, `data/0x99`, `0x40/0x01`. */
export function describePartition({ type, subtype }: Pick<Partition, 'type' | 'subtype'>): string {
  const hexByte = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;
  const keyword = (keywords: ReadonlyMap<string, number> | undefined, value: number): string | undefined =>
    [...(keywords ?? [])].find(([, known]) => known === value)?.[0];
  const subtypeName = keyword(SUBTYPE_KEYWORDS.get(type), subtype);
  if (type === PartitionType.App && subtypeName !== undefined) return subtypeName;
  return `${keyword(TYPE_KEYWORDS, type) ?? hexByte(type)}/${subtypeName ?? hexByte(subtype)}`;
}

/**
 * Looks for a table in a flash image or a dump, at each sector from `from` to `to`, both included.
 * The first with a right MD5 is taken; failing that, the first without an MD5 row that has nothing but good rows and an
 * end (`table.md5` is `missing` then).
 */
export function findPartitionTable(
  flash: Uint8Array,
  { from = 0x1000, to = 0x2_0000 }: { from?: number; to?: number } = {},
): { offset: number; table: PartitionTable } | undefined {
  let second: { offset: number; table: PartitionTable } | undefined;
  for (
    let offset = from;
    offset <= to && offset + PARTITION_ROW_SIZE <= flash.length;
    offset += PARTITION_TABLE_SECTOR
  ) {
    if (readU16(flash, offset) !== PARTITION_MAGIC) continue;
    const table = decodePartitionTable(flash.subarray(offset, offset + PARTITION_TABLE_SIZE), { lenient: true });
    const broken = table.issues.some(({ code }) => code === 'partition-bad-magic' || code === 'partition-no-end');
    if (table.md5 === 'right') return { offset, table };
    if (table.md5 === 'missing' && !broken) second ??= { offset, table };
  }
  return second;
}
