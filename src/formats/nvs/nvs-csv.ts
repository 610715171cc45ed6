/**
 * The CSV of Espressif's NVS partition generator (`nvs_partition_gen.py` 0.2.0).
 *
 * The header names `key,type,encoding,value` in any order. A `namespace` row begins a namespace or goes on with it, `data`
 * rows hold their value, `file` rows name the file that does. A key before any namespace gets the namespace number 0,
 * and a key that is there twice is written twice, as the tool does, with a warning each.
 *
 * Two faults of the tool are not copied. There, rows behind a namespace that is named again go to the namespace created
 * last; here they go to the one that is named. And strings over 3967 bytes end the tool with an error; here all
 * that the format allows, 3999 bytes and the NUL, can be placed.
 */
import { FormatError, type FormatErrorPlace, type FormatIssue } from '../format-error.ts';
import { type CsvRow, readCsvRows } from './csv-rows.ts';
import { type CsvContent, readCsvValue } from './nvs-csv-values.ts';
import { WifiExtras } from './nvs-csv-wifi.ts';
import { checkName, checkNvsValue } from './nvs-values.ts';
import { type NvsEntry, type NvsVersion } from './nvs.ts';

const COLUMNS = ['key', 'type', 'encoding', 'value'] as const;
const TYPES = ['namespace', 'data', 'file'] as const;

/** A row of the CSV, its cells not yet looked into. */
export interface NvsCsvRow {
  key: string;
  type: (typeof TYPES)[number];
  encoding: string;
  /** `undefined` where the row ends before it. */
  value: string | undefined;
  /** Where a cell stands. */
  place: (column: (typeof COLUMNS)[number]) => FormatErrorPlace;
}

/** What is to be written, in order. */
export type NvsStep = { row: NvsCsvRow } & (
  | { kind: 'namespace'; name: string }
  /** Its namespace is empty where none was begun. */
  | { kind: 'entry'; entry: NvsEntry }
);

/**
 * The rows of a CSV. The values are still as they stand there: `readNvsSteps` reads them, once the files are at hand.
 *
 * @param bytes the CSV, UTF-8.
 * @throws {FormatError} `nvs-csv-header`, `nvs-csv-short-row`, `nvs-csv-type`, and what `readCsvRows` throws.
 */
export function readNvsCsv(bytes: Uint8Array): NvsCsvRow[] {
  const [header, ...rows] = readCsvRows(bytes);
  const columns = COLUMNS.map((name) => header?.cells.lastIndexOf(name) ?? -1);
  const missing = COLUMNS.filter((_, index) => columns[index] === -1);
  if (missing.length > 0) {
    const message = `The first line is not key,type,encoding,value: no column ${missing.join(', ')}`;
    throw new FormatError('nvs-csv-header', message, { place: { line: header?.line ?? 1 } });
  }
  return rows.map((row) => readRow(row, columns));
}

function readRow(row: CsvRow, columns: readonly number[]): NvsCsvRow {
  const [key, type, encoding, value] = columns.map((column) => row.cells[column]);
  const place: NvsCsvRow['place'] = (column) => row.place(columns[COLUMNS.indexOf(column)] ?? 0);
  const known = TYPES.find((name) => name === type);
  if (type !== undefined && !known) {
    throw new FormatError('nvs-csv-type', `"${type}" is none of: ${TYPES.join(', ')}`, { place: place('type') });
  }
  if (key === undefined || !known || (encoding === undefined && known !== 'namespace')) {
    throw new FormatError('nvs-csv-short-row', 'The row ends before its encoding', { place: place('encoding') });
  }
  return { key, type: known, encoding: encoding ?? '', value, place };
}

export interface NvsStepOptions {
  version: NvsVersion;
  /** Content of the files that `file` rows name, by the text of their value. */
  files?: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads the values of all rows and checks each.
 *
 * @throws {FormatError} `nvs-csv-file` (its content is not in `files`), and what `readCsvValue`, `checkName` and `checkNvsValue` throw.
 */
export function readNvsSteps(
  rows: readonly NvsCsvRow[],
  { version, files = new Map() }: NvsStepOptions,
): { steps: NvsStep[]; warnings: FormatIssue[] } {
  const steps: NvsStep[] = [];
  const warnings: FormatIssue[] = [];
  const extras = new WifiExtras();
  const seen = new Set<string>();
  let namespace = '';
  for (const row of rows) {
    if (row.type === 'namespace') {
      namespace = row.key;
      inCell(row, 'key', () => checkName(namespace, 'nvs-bad-namespace'));
      steps.push({ kind: 'namespace', name: namespace, row });
      continue;
    }
    const entry = readEntry(row, { namespace, version, content: contentOf(row, files), warnings });
    const wifiRow = { ...row, namespace };
    for (const written of [...extras.before(wifiRow), entry, ...extras.after(wifiRow)]) {
      noteDuplicate(written, { seen, row, warnings });
      steps.push({ kind: 'entry', entry: written, row });
    }
  }
  return { steps, warnings };
}

function contentOf({ type, value, place }: NvsCsvRow, files: ReadonlyMap<string, Uint8Array>): CsvContent {
  if (type !== 'file' || value === undefined) return value;
  const content = files.get(value);
  if (!content) throw new FormatError('nvs-csv-file', `There is no file ${value}`, { place: place('value') });
  return content;
}

interface EntryContext {
  namespace: string;
  version: NvsVersion;
  content: CsvContent;
  warnings: FormatIssue[];
}

function readEntry(row: NvsCsvRow, { namespace, version, content, warnings }: EntryContext): NvsEntry {
  const { key } = row;
  inCell(row, 'key', () => checkName(key, 'nvs-bad-key'));
  const value = readCsvValue(row.encoding, content, {
    place: row.place,
    warn: (code, message) => warnings.push({ code, message, place: row.place('value') }),
  });
  const entry: NvsEntry = { namespace, key, ...value };
  inCell(row, 'value', () => checkNvsValue(entry, version));
  if (namespace === '') {
    const message = `${key} stands before the first namespace, where firmware takes it for the definition of one`;
    warnings.push({ code: 'nvs-csv-no-namespace', message, place: row.place('key') });
  }
  return entry;
}

function noteDuplicate(
  { namespace, key }: NvsEntry,
  { seen, row, warnings }: { seen: Set<string>; row: NvsCsvRow; warnings: FormatIssue[] },
): void {
  const name = `${namespace}\0${key}`;
  if (seen.has(name)) {
    const message = `${namespace}:${key} is written once more`;
    warnings.push({ code: 'nvs-csv-duplicate-key', message, place: row.place('key') });
  }
  seen.add(name);
}

/** Runs a check of what a cell says, and gives what it refuses that place. */
export function inCell(row: NvsCsvRow, column: (typeof COLUMNS)[number], check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(error.code, error.message, { place: row.place(column), cause: error });
  }
}
