/**
 * Partition tables as CSV, in the dialect of gen_esp32part.py (ESP-IDF components/partition_table, newest: 1.5).
 *
 * Columns Name, Type, SubType, Offset, Size, Flags; what else the dialect knows: variables of the environment, numbers
 * with K and M behind them, blank offsets, sizes that mean "ends at", keywords in any case, byte order marks.
 */
import { alignUp, hexAddress, readU32 } from './bytes.ts';
import { FormatError, type FormatErrorPlace, type FormatIssue } from './format-error.ts';
import {
  isPrimary,
  offsetAlignment,
  partitionVersionWarnings,
  verifyFlashSize,
  verifyPartitions,
} from './partition-checks.ts';
import {
  DataSubtype,
  DEFAULT_TABLE_OFFSET,
  type Partition,
  PARTITION_TABLE_SECTOR,
  PartitionFlag,
  PartitionType,
  SUBTYPE_KEYWORDS,
  TYPE_KEYWORDS,
} from './partition-table.ts';

export interface PartitionCsvOptions {
  /** Flash offset of the table, 0x8000 unless told: the first partition follows one sector behind it. */
  tableOffset?: number | undefined;
  /** Variables that `$NAME` and `${NAME}` stand for; none unless told. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Flash offset of the boot loader; only needed by rows of type `bootloader`. */
  primaryBootloaderOffset?: number | undefined;
  /** Flash offset of the spare boot loader; only needed by a row `bootloader,recovery`. */
  recoveryBootloaderOffset?: number | undefined;
  /** Subtypes of the project, each as `type, name, hex number`: `data, mydata, 0x91`. */
  extraSubtypes?: readonly string[] | undefined;
  secure?: 'v1' | 'v2' | undefined;
  /** Bytes of flash that the table must fit into; unchecked unless told. */
  flashSize?: number | undefined;
  /** Whether the table must make sense (`verifyPartitions`), which it must unless this is false. */
  verify?: boolean | undefined;
}

type Keywords = ReadonlyMap<string, number>;
type SubtypeKeywords = ReadonlyMap<number, Keywords>;

/** A row as far as its own line tells: offset and size may have to wait for the rows before it. */
interface Row {
  partition: Partition;
  offset: number | undefined;
  place: FormatErrorPlace;
  /** Where the offset stands. */
  offsetPlace: FormatErrorPlace;
}

/** One line in cells, each with its place. */
interface Line {
  /** 1-based. */
  number: number;
  cells: string[];
  /** The place of cell `index`; without a column where variables moved the text. */
  place: (index: number) => FormatErrorPlace;
}

/**
 * Reads a table. As the official tool: what that refuses is refused, all else gives the same partitions; rules that
 * differ between versions of ESP-IDF are the newest, with a warning `partition-newer-idf`.
 *
 * @throws {FormatError} with line and, where it is one cell's fault, column: `partition-csv-encoding`,
 * `partition-unknown-variable`, `partition-type-empty`, `partition-subtype-empty`, `partition-size-empty`,
 * `partition-unknown-type`, `partition-unknown-subtype`, `partition-unknown-flag`, `partition-bad-number`,
 * `partition-out-of-range`, `partition-no-bootloader-offset`, `partition-no-recovery-offset`,
 * `partition-bootloader-offset` (not below the table), `partition-extra-subtype`, `partition-overlap`,
 * `partition-below-table`, and all errors of `verifyPartitions`.
 */
export function parsePartitionCsv(
  csv: string | Uint8Array,
  options: PartitionCsvOptions = {},
): { partitions: Partition[]; warnings: FormatIssue[] } {
  const tableOffset = options.tableOffset ?? DEFAULT_TABLE_OFFSET;
  const { primaryBootloaderOffset } = options;
  if (primaryBootloaderOffset !== undefined && primaryBootloaderOffset >= tableOffset) {
    const message = `The boot loader at ${hexAddress(primaryBootloaderOffset)} is not below the table at ${hexAddress(tableOffset)}`;
    throw new FormatError('partition-bootloader-offset', message);
  }
  const { text, marked } = decodeText(csv);
  const warnings: FormatIssue[] = marked
    ? [{ code: 'partition-newer-idf', message: 'A byte order mark needs ESP-IDF 5.4', place: { line: 1 } }]
    : [];
  const subtypes = withExtraSubtypes(options.extraSubtypes ?? []);
  const rows: Row[] = [];
  // Line ends as the tool's language knows them.
  text.split(/\r\n|[\n\r\v\f\x85\u2028\u2029]/).forEach((raw, index) => {
    const line = readLine(raw, index + 1, options.env ?? {});
    if (line) rows.push(readRow(line, subtypes, { ...options, tableOffset }));
  });
  placeRows(rows, tableOffset);

  const partitions = rows.map(({ partition }) => partition);
  const places = new Map(rows.map(({ partition, place }) => [partition, place]));
  const checks = { ...options, tableOffset, placeOf: (partition: Partition) => places.get(partition) };
  const verdict = verifyPartitions(partitions, checks);
  const [error] = options.verify === false ? verifyFlashSize(partitions, checks) : verdict.errors;
  if (error) throw new FormatError(error.code, error.message, error.place ? { place: error.place } : {});
  return { partitions, warnings: [...warnings, ...verdict.warnings, ...partitionVersionWarnings(partitions, checks)] };
}

/** Text of UTF-8, or of UTF-16 and UTF-32 with a byte order mark. `marked`: there was such a mark. */
function decodeText(csv: string | Uint8Array): { text: string; marked: boolean } {
  if (typeof csv === 'string') {
    const marked = csv.startsWith('\ufeff');
    return { text: marked ? csv.slice(1) : csv, marked };
  }
  const starts = (...mark: number[]): boolean => mark.every((byte, index) => csv[index] === byte);
  try {
    // The mark of UTF-32 begins with that of UTF-16.
    if (starts(0xff, 0xfe, 0, 0)) return { text: decodeUtf32(csv.subarray(4), true), marked: true };
    if (starts(0, 0, 0xfe, 0xff)) return { text: decodeUtf32(csv.subarray(4), false), marked: true };
    const encoding = starts(0xff, 0xfe) ? 'utf-16le' : starts(0xfe, 0xff) ? 'utf-16be' : 'utf-8';
    const marked = encoding !== 'utf-8' || starts(0xef, 0xbb, 0xbf);
    return { text: new TextDecoder(encoding, { fatal: true }).decode(csv), marked };
  } catch (error) {
    throw new FormatError('partition-csv-encoding', 'The file is not text in UTF-8, UTF-16 or UTF-32', {
      cause: error,
    });
  }
}

function decodeUtf32(bytes: Uint8Array, littleEndian: boolean): string {
  if (bytes.length % 4 !== 0) throw new RangeError('UTF-32 comes in units of four bytes');
  let text = '';
  for (let offset = 0; offset < bytes.length; offset += 4) {
    const unit = bytes.slice(offset, offset + 4);
    text += String.fromCodePoint(readU32(littleEndian ? unit : unit.reverse(), 0));
  }
  return text;
}

/** The keywords with those of the project; numbers are hex with or without 0x, as in extra_partition_subtypes.inc. */
function withExtraSubtypes(lines: readonly string[]): SubtypeKeywords {
  const all = new Map([...SUBTYPE_KEYWORDS].map(([type, keywords]) => [type, new Map(keywords)]));
  for (const line of lines) {
    const [typeName = '', name = '', number = ''] = line.split(',').map((cell) => cell.trim());
    const keywords = all.get(TYPE_KEYWORDS.get(typeName) ?? -1);
    const value = /^(0x)?[0-9a-f]+$/i.test(number) ? Number.parseInt(number, 16) : -1;
    if (!keywords || name === '' || value < 0 || value > 0xff || [...keywords.values()].includes(value)) {
      const message = `"${line}" is not: type, name, hex number that is still free`;
      throw new FormatError('partition-extra-subtype', message);
    }
    keywords.set(name, value);
  }
  return all;
}

/** The cells of a line, or nothing for a blank line or a comment. */
function readLine(raw: string, line: number, env: Readonly<Record<string, string>>): Line | undefined {
  // As os.path.expandvars: what is not known stays as it stands.
  const text = raw.replaceAll(/\$(?:([A-Za-z0-9_]+)|\{([^}]*)\})/g, (whole, plain?: string, braced?: string) => {
    const name = plain ?? braced ?? '';
    return Object.hasOwn(env, name) ? (env[name] ?? whole) : whole;
  });
  const unknown = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (unknown) {
    const place = { line, column: 1 };
    throw new FormatError('partition-unknown-variable', `There is no variable ${unknown[1] ?? ''}`, { place });
  }
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return undefined;
  const parts = text.split(',');
  const place = (index: number): FormatErrorPlace => {
    if (text !== raw || index >= parts.length) return { line };
    const before = parts.slice(0, index).reduce((sum, part) => sum + part.length + 1, 0);
    const part = parts[index] ?? '';
    return { line, column: 1 + before + (part.trim() === '' ? 0 : part.length - part.trimStart().length) };
  };
  return { number: line, cells: parts.map((part) => part.trim()), place };
}

const NAME = 0;
const TYPE = 1;
const SUBTYPE = 2;
const OFFSET = 3;
const SIZE = 4;
const FLAGS = 5;

function readRow(line: Line, subtypes: SubtypeKeywords, options: PartitionCsvOptions & { tableOffset: number }): Row {
  const type = readType(line);
  const subtype = readSubtype(line, type, subtypes);
  const offset = readOffset(line, { type, subtype }, options);
  const size = readSize(line, type, options);
  const partition = { name: line.cells[NAME] ?? '', type, subtype, offset: offset ?? 0, size, flags: readFlags(line) };
  return { partition, offset, place: { line: line.number }, offsetPlace: line.place(OFFSET) };
}

function readType(line: Line): number {
  const text = line.cells[TYPE] ?? '';
  if (text === '') throw new FormatError('partition-type-empty', 'The type is missing', { place: line.place(TYPE) });
  return readByte(line, TYPE, { keywords: TYPE_KEYWORDS, code: 'partition-unknown-type' });
}

function readSubtype(line: Line, type: number, subtypes: SubtypeKeywords): number {
  if ((line.cells[SUBTYPE] ?? '') === '') {
    if (type !== PartitionType.App) return DataSubtype.Undefined;
    const place = line.place(SUBTYPE);
    throw new FormatError('partition-subtype-empty', 'An app partition must name its subtype', { place });
  }
  return readByte(line, SUBTYPE, { keywords: subtypes.get(type), code: 'partition-unknown-subtype' });
}

function readByte(line: Line, cell: number, expected: { keywords: Keywords | undefined; code: string }): number {
  const value = readNumber(line, cell, expected);
  if (value >= 0 && value <= 0xff) return value;
  throw new FormatError('partition-out-of-range', `${value} is not between 0 and 255`, { place: line.place(cell) });
}

function readOffset(
  line: Line,
  { type, subtype }: { type: number; subtype: number },
  options: PartitionCsvOptions & { tableOffset: number },
): number | undefined {
  if (type === PartitionType.Bootloader && subtype === 0) return primaryBootloader(line, options);
  if (type === PartitionType.Bootloader && subtype === 2) {
    const { recoveryBootloaderOffset } = options;
    if (recoveryBootloaderOffset !== undefined) return recoveryBootloaderOffset;
    const message = 'The offset of the recovery boot loader is not told';
    throw new FormatError('partition-no-recovery-offset', message, { place: line.place(OFFSET) });
  }
  if (type === PartitionType.PartitionTable && subtype === 0) return options.tableOffset;
  return (line.cells[OFFSET] ?? '') === '' ? undefined : readNumber(line, OFFSET);
}

function readSize(line: Line, type: number, options: PartitionCsvOptions & { tableOffset: number }): number {
  if (type === PartitionType.Bootloader) return options.tableOffset - primaryBootloader(line, options);
  if (type === PartitionType.PartitionTable) return PARTITION_TABLE_SECTOR;
  if ((line.cells[SIZE] ?? '') !== '') return readNumber(line, SIZE);
  throw new FormatError('partition-size-empty', 'The size is missing', { place: line.place(SIZE) });
}

function primaryBootloader(line: Line, { primaryBootloaderOffset }: PartitionCsvOptions): number {
  if (primaryBootloaderOffset !== undefined) return primaryBootloaderOffset;
  const message = 'The offset of the boot loader is not told';
  throw new FormatError('partition-no-bootloader-offset', message, { place: line.place(OFFSET) });
}

function readFlags(line: Line): number {
  let flags = 0;
  for (const flag of (line.cells[FLAGS] ?? '').split(':')) {
    if (flag === 'encrypted') flags |= PartitionFlag.Encrypted;
    else if (flag === 'readonly') flags |= PartitionFlag.ReadOnly;
    else if (flag !== '') {
      const place = line.place(FLAGS);
      throw new FormatError('partition-unknown-flag', `${flag} is not a flag: encrypted, readonly`, { place });
    }
  }
  return flags;
}

/** A number or a keyword. Each k or m at the end multiplies what stands before it, keywords included, as in the tool. */
function readNumber(
  line: Line,
  cell: number,
  { keywords, code = '' }: { keywords?: Keywords | undefined; code?: string } = {},
): number {
  let text = line.cells[cell] ?? '';
  let factor = 1;
  for (let suffix = /[km]$/i.exec(text); suffix; suffix = /[km]$/i.exec(text)) {
    factor *= suffix[0].toLowerCase() === 'k' ? 1024 : 1024 * 1024;
    text = text.slice(0, -1);
  }
  const value = parseInteger(text.trim()) ?? keywords?.get(text.toLowerCase());
  const place = line.place(cell);
  if (value !== undefined) {
    if (Number.isSafeInteger(value * factor)) return value * factor;
    throw new FormatError('partition-out-of-range', `${line.cells[cell] ?? ''} is too large`, { place });
  }
  if (!keywords) throw new FormatError('partition-bad-number', `${text} is not a number`, { place });
  throw new FormatError(code, `${text} is none of: ${[...keywords.keys()].join(', ')}`, { place });
}

/** An integer as Python's int(text, 0) takes it: 0x, 0o, 0b or decimal without leading zeros; `_` between digits. */
function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0x(?:_?[0-9a-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+|[1-9](?:_?[0-9])*|0(?:_?0)*)$/i.exec(text);
  if (!match) return undefined;
  const value = Number((match[2] ?? '').replaceAll('_', ''));
  return match[1] === '-' && value !== 0 ? -value : value;
}

/** Fills in blank offsets and sizes that mean "ends at"; rows must follow each other in flash. */
function placeRows(rows: readonly Row[], tableOffset: number): void {
  let end = tableOffset + PARTITION_TABLE_SECTOR;
  let first = true;
  for (const { partition, offset, place, offsetPlace } of rows) {
    if (!isPrimary(partition)) {
      if (offset !== undefined && offset < end) {
        const code = first ? 'partition-below-table' : 'partition-overlap';
        const what = first ? 'the table' : 'the partition before it';
        const message = `${partition.name} at ${signedHex(offset)} begins before ${hexAddress(end)}, where ${what} ends`;
        throw new FormatError(code, message, { place: offsetPlace });
      }
      partition.offset = offset ?? alignUp(end, offsetAlignment(partition.type));
      if (partition.size < 0) partition.size = -partition.size - partition.offset;
      end = partition.offset + partition.size;
      first = false;
    }
    if (partition.size < 0 || partition.size > 0xffff_ffff || partition.offset > 0xffff_ffff) {
      const message = `${partition.name}: ${signedHex(partition.size)} bytes at ${hexAddress(partition.offset)} cannot be`;
      throw new FormatError('partition-out-of-range', message, { place });
    }
  }
}

const signedHex = (value: number): string => (value < 0 ? `-${hexAddress(-value)}` : hexAddress(value));

/**
 * The table as CSV text, as the official tool prints a binary: sizes in M or K where they are whole, flags that are not
 * known left out. A table in the order of its offsets reads back the same.
 *
 * @throws {FormatError} `partition-name-not-csv` for a name that a CSV cannot hold, `partition-extra-subtype`.
 */
export function formatPartitionCsv(
  partitions: readonly Partition[],
  { extraSubtypes = [] }: { extraSubtypes?: readonly string[] | undefined } = {},
): string {
  const subtypes = withExtraSubtypes(extraSubtypes);
  const rows = partitions.map(({ name, type, subtype, offset, size, flags }) => {
    // A comma, a line end, blanks at the ends, a comment or a variable would be read as something else.
    if (name !== name.trim() || /^#|[,\p{Cc}\u2028\u2029]|\$[A-Za-z0-9_{]/u.test(name)) {
      throw new FormatError('partition-name-not-csv', `The name "${name}" cannot stand in a CSV`);
    }
    return [
      name,
      keywordOf(TYPE_KEYWORDS, type),
      keywordOf(subtypes.get(type), subtype),
      hexAddress(offset),
      sizeText(size),
      flagsText(flags),
    ].join(',');
  });
  return ['# ESP-IDF Partition Table', '# Name, Type, SubType, Offset, Size, Flags', ...rows, ''].join('\n');
}

const keywordOf = (keywords: Keywords | undefined, value: number): string =>
  [...(keywords ?? [])].find(([, known]) => known === value)?.[0] ?? String(value);

function sizeText(size: number): string {
  if (size % 0x10_0000 === 0) return `${size / 0x10_0000}M`;
  return size % 1024 === 0 ? `${size / 1024}K` : hexAddress(size);
}

function flagsText(flags: number): string {
  const names = [];
  if (flags & PartitionFlag.Encrypted) names.push('encrypted');
  if (flags & PartitionFlag.ReadOnly) names.push('readonly');
  return names.join(':');
}
