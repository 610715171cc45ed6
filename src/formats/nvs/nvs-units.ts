/**
 * The units of a production run, as Espressif's manufacturing utility (`mfg_gen.py`) has them: a configuration says which keys there
 * are (nvs-unit-config.ts), a CSV of values gives one row to each unit.
 *
 * The first line of the values names the keys, in the order of the configuration; a key that is in two namespaces is there twice.
 * Columns that are no keys, such as `id`, are for people. Each row has a value for each column; only behind the first value of a
 * key with REPEAT the cells are empty. Nothing is a comment here.
 *
 * The utility takes an empty value, and goes on with the first value of a key with REPEAT whatever else a unit has in its cell.
 * Here both are refused: a unit with the wrong number is found too late.
 */
import { type FormatIssue } from '../format-error.ts';
import { type CsvRow, readCsvRows } from './csv-rows.ts';
import { type NvsCsvRow, readNvsSteps, type NvsStepOptions } from './nvs-csv.ts';
import { generateNvs } from './nvs-generator.ts';
import { collect, isFilled, type UnitConfigRow } from './nvs-unit-config.ts';
import { usablePages } from './nvs-writer.ts';

/** One unit and the rows of its CSV, whose places are those in the values. */
export interface NvsUnit {
  /** Fit to name a file. */
  name: string;
  rows: NvsCsvRow[];
}

export interface NvsUnits {
  units: NvsUnit[];
  /** Columns of the values that are no keys. */
  metadata: string[];
  issues: FormatIssue[];
}

export interface NvsUnitImage {
  name: string;
  image: Uint8Array;
}

/** How values and configuration belong together. */
interface UnitTable {
  config: readonly UnitConfigRow[];
  header: CsvRow;
  /** The row of the first unit. */
  first: CsvRow;
  /** Where in a row the value of each key stands. */
  columns: ReadonlyMap<UnitConfigRow, number>;
  /** The rows of keys with REPEAT, from the first unit. */
  repeated: ReadonlyMap<UnitConfigRow, NvsCsvRow>;
  issues: FormatIssue[];
}

const NAME_MAX_LENGTH = 100;
/** Letters, digits and what no file system minds, the latter neither first nor, if it is a blank or a full stop, last. */
const NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N} ._+-]*[\p{L}\p{N}_+-])?$/u;

/**
 * Reads the values and checks their form; `generateUnits` checks what they are. A cell without a value is left out of its unit.
 *
 * A unit is named by its value in `idColumn`; unless told, by that in the first column, or by its number from 1 if that column is a
 * key. A colon, as in a MAC address, becomes a hyphen.
 *
 * Codes of issues: `nvs-units-empty`, `nvs-units-no-column` (a key, or `idColumn`), `nvs-units-order`, `nvs-duplicate-key`,
 * `nvs-units-row` (too many or too few values), `nvs-units-no-value`, `nvs-units-repeat`, `nvs-units-name` (no file name, or taken by another unit).
 *
 * @throws {FormatError} as `readCsvRows`.
 */
export function readUnits(
  values: Uint8Array,
  config: readonly UnitConfigRow[],
  { idColumn }: { idColumn?: string | undefined } = {},
): NvsUnits {
  const issues: FormatIssue[] = [];
  const [header, ...rows] = readCsvRows(values, { comments: false }).filter(isFilled);
  const [first] = rows;
  if (!header || !first) {
    issues.push({ code: 'nvs-units-empty', message: 'There are no values behind a line with the keys' });
    return { units: [], metadata: [], issues };
  }
  const columns = findColumns(header, config, issues);
  const used = new Set(columns.values());
  const metadata = header.cells.filter((_, index) => !used.has(index));
  const nameColumn = findNameColumn(header, { idColumn, columns, issues });
  if (issues.length > 0) return { units: [], metadata, issues };

  const repeated = new Map(
    [...columns].filter(([{ repeat }]) => repeat).map(([key, column]) => [key, rowOf(key, first, column)]),
  );
  const table: UnitTable = { config, header, first, columns, repeated, issues };
  const names = new UnitNames(nameColumn, issues);
  const units = rows.map((row, index) => ({ name: names.of(row, index), rows: readUnit(row, table) }));
  return { units, metadata, issues };
}

function findColumns(
  header: CsvRow,
  config: readonly UnitConfigRow[],
  issues: FormatIssue[],
): Map<UnitConfigRow, number> {
  const columns = new Map<UnitConfigRow, number>();
  let next = 0;
  for (const row of config) {
    if (row.type === 'namespace') continue;
    const column = header.cells.indexOf(row.key, next);
    if (column >= 0) {
      columns.set(row, column);
      next = column + 1;
    } else {
      const isElsewhere = header.cells.includes(row.key);
      const code = isElsewhere ? 'nvs-units-order' : 'nvs-units-no-column';
      const message = isElsewhere ? `${row.key} is not where the configuration has it` : `No column ${row.key}`;
      issues.push({ code, message, place: { line: header.line } });
    }
  }
  if (issues.length === 0) refuseSpareColumns(header, columns, issues);
  return columns;
}

/** Of two columns with the name of one key nobody knows which is meant. */
function refuseSpareColumns({ cells, place }: CsvRow, columns: UnitTable['columns'], issues: FormatIssue[]): void {
  const used = new Set(columns.values());
  const keys = new Set([...columns.keys()].map(({ key }) => key));
  for (const [index, name] of cells.entries()) {
    if (used.has(index) || !keys.has(name)) continue;
    issues.push({ code: 'nvs-duplicate-key', message: `There is one column ${name} too many`, place: place(index) });
  }
}

/** The column that names the units, or `undefined` when their number does. */
function findNameColumn(
  header: CsvRow,
  { idColumn, columns, issues }: { idColumn: string | undefined } & Pick<UnitTable, 'columns' | 'issues'>,
): number | undefined {
  // Never a key unless told: it may be a secret.
  if (idColumn === undefined) return [...columns.values()].includes(0) ? undefined : 0;
  const column = header.cells.indexOf(idColumn);
  if (column < 0) {
    issues.push({ code: 'nvs-units-no-column', message: `No column ${idColumn}`, place: { line: header.line } });
  }
  return column;
}

/** Names units, each but once. */
class UnitNames {
  readonly #column: number | undefined;
  readonly #issues: FormatIssue[];
  readonly #taken = new Set<string>();

  constructor(column: number | undefined, issues: FormatIssue[]) {
    this.#column = column;
    this.#issues = issues;
  }

  of({ cells, place }: CsvRow, index: number): string {
    if (this.#column === undefined) return String(index + 1);
    const name = (cells[this.#column] ?? '').replaceAll(':', '-');
    // Many file systems do not tell capitals from small letters.
    const id = name.toLowerCase();
    const isTaken = this.#taken.has(id);
    if (isTaken || !NAME.test(name) || name.length > NAME_MAX_LENGTH) {
      const why = isTaken ? 'is the name of a unit before' : 'cannot name a file';
      const message = `${JSON.stringify(name)} ${why}`;
      this.#issues.push({ code: 'nvs-units-name', message, place: place(this.#column) });
    }
    this.#taken.add(id);
    return name;
  }
}

function rowOf(key: UnitConfigRow, row: CsvRow, column: number): NvsCsvRow {
  return { ...key, value: row.cells[column], place: () => row.place(column) };
}

function readUnit(row: CsvRow, table: UnitTable): NvsCsvRow[] {
  const { config, header, first, columns, repeated, issues } = table;
  if (row.cells.length !== header.cells.length) {
    const message = `${row.cells.length} values for ${header.cells.length} columns`;
    issues.push({ code: 'nvs-units-row', message, place: { line: row.line } });
    return [];
  }
  return config.flatMap((key) => {
    const column = columns.get(key);
    if (column === undefined) return [{ ...key, place: () => row.place(0) }];
    const own = rowOf(key, row, column);
    const counts = repeated.get(key) ?? own;
    const isFollower = key.repeat && row !== first;
    if (own.value === '' && !isFollower) {
      issues.push({ code: 'nvs-units-no-value', message: `${key.key} has no value`, place: row.place(column) });
    }
    if (isFollower && own.value !== '' && own.value !== counts.value) {
      const message = `${key.key} is to be the same for all units, and here it is not`;
      issues.push({ code: 'nvs-units-repeat', message, place: row.place(column) });
    }
    return counts.value ? [counts] : [];
  });
}

/**
 * The images of all units, or all that is wrong with the CSV of values, in the order of its lines. With issues there are no images.
 *
 * @param read what `readUnits` returned; its issues are among those returned.
 * @param size bytes of the partition, a multiple of 4096.
 * @throws {FormatError} `nvs-size`.
 */
export function generateUnits(
  read: Pick<NvsUnits, 'units' | 'issues'>,
  size: number,
  options: NvsStepOptions,
): { images: NvsUnitImage[]; warnings: FormatIssue[]; issues: FormatIssue[] } {
  usablePages(size, undefined); // refused once, not for each unit
  const { warnings, issues: valueIssues } = checkValues(read.units, options);
  const issues = [...read.issues, ...valueIssues];
  const images: NvsUnitImage[] = [];
  for (const { name, rows } of issues.length === 0 ? read.units : []) {
    const generated = collect(issues, () => generateNvs(rows, size, options));
    if (generated) images.push({ name, image: generated.image });
  }
  return { images: issues.length === 0 ? images : [], warnings, issues: issues.toSorted(byPlace) };
}

const byPlace = (a: FormatIssue, b: FormatIssue): number =>
  (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0);

/** Each value by itself, so that all that is wrong is told; a value which is the same for all units once. */
function checkValues(
  units: readonly NvsUnit[],
  options: NvsStepOptions,
): { warnings: FormatIssue[]; issues: FormatIssue[] } {
  const warnings: FormatIssue[] = [];
  const issues: FormatIssue[] = [];
  const checked = new Set<NvsCsvRow>();
  for (const { rows } of units) {
    let namespace: NvsCsvRow[] = [];
    for (const row of rows) {
      if (row.type === 'namespace') namespace = [row];
      else if (!checked.has(row)) {
        const read = collect(issues, () => readNvsSteps([...namespace, row], options));
        if (read) warnings.push(...read.warnings);
        checked.add(row);
      }
    }
  }
  return { warnings, issues };
}
