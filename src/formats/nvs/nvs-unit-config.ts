/**
 * The configuration of Espressif's manufacturing utility (`mfg_gen.py`): which keys the NVS of each unit has.
 *
 * A CSV without a header. `NAME,namespace,` begins a namespace or goes on with it; `KEY,TYPE,ENCODING` declares a key in it, with the
 * types and encodings of the partition generator's CSV (nvs-csv.ts). `REPEAT` in a fourth column: the value is given for the first unit
 * and holds for all. The first row is a namespace. Lines that begin with `#` are left out.
 */
import { FormatError, type FormatIssue } from '../format-error.ts';
import { type CsvRow, readCsvRows } from './csv-rows.ts';
import { inCell, type NvsCsvRow } from './nvs-csv.ts';
import { readCsvValue } from './nvs-csv-values.ts';
import { checkName } from './nvs-values.ts';

/** A row of which the value is still to come. */
export interface UnitConfigRow extends NvsCsvRow {
  /** The value of the first unit is that of all. */
  repeat: boolean;
}

const COLUMNS = ['key', 'type', 'encoding', 'value'] as const;

/** What the rows before say about the next one. */
interface Scope {
  namespace: string | undefined;
  /** Namespace and key of what was declared. */
  declared: Set<string>;
}

/**
 * Reads a configuration and checks all of it. Nothing may be made of one with issues.
 *
 * Codes of issues: `nvs-units-empty`, `nvs-units-config` (a row that is no `KEY,TYPE,ENCODING[,REPEAT]`), `nvs-units-no-namespace`,
 * `nvs-duplicate-key`, `nvs-bad-namespace`, `nvs-bad-key`, `nvs-csv-encoding`, `nvs-csv-fill`.
 *
 * @throws {FormatError} as `readCsvRows`.
 */
export function readUnitConfig(bytes: Uint8Array): { rows: UnitConfigRow[]; issues: FormatIssue[] } {
  const issues: FormatIssue[] = [];
  const rows: UnitConfigRow[] = [];
  const scope: Scope = { namespace: undefined, declared: new Set() };
  const filled = readCsvRows(bytes).filter(isFilled);
  if (filled.length === 0) issues.push({ code: 'nvs-units-empty', message: 'The configuration has no rows' });
  for (const row of filled) {
    const read = collect(issues, () => readConfigRow(row, scope));
    if (read) rows.push(read);
  }
  return { rows, issues };
}

/** Not a line of nothing but blanks, which the utility leaves out. */
export const isFilled = ({ cells }: CsvRow): boolean => cells.length > 1 || cells[0]?.trim() !== '';

/** Runs a check; what it refuses becomes an issue. */
export function collect<Value>(issues: FormatIssue[], check: () => Value): Value | undefined {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    issues.push({ code: error.code, message: error.message, place: error.place });
    return undefined;
  }
}

function readConfigRow({ cells, place }: CsvRow, scope: Scope): UnitConfigRow {
  const [key = '', type = '', encoding = '', mark = '', ...rest] = cells;
  const isKnown = type === 'namespace' || type === 'data' || type === 'file';
  const repeat = mark === 'REPEAT';
  if (!isKnown || rest.some((cell) => cell !== '') || (mark !== '' && !repeat)) {
    const message = 'Not NAME,namespace, or KEY,data|file,ENCODING with REPEAT or nothing behind it';
    throw new FormatError('nvs-units-config', message, { place: place(isKnown ? 3 : 1) });
  }
  const row: UnitConfigRow = {
    key,
    type,
    encoding,
    value: undefined,
    repeat,
    place: (column) => place(COLUMNS.indexOf(column)),
  };
  if (type === 'namespace') {
    scope.namespace = key;
    inCell(row, 'key', () => checkName(key, 'nvs-bad-namespace'));
  } else {
    checkKey(row, scope);
  }
  return row;
}

function checkKey(row: UnitConfigRow, { namespace, declared }: Scope): void {
  const { key } = row;
  if (namespace === undefined) {
    const message = `${key} stands before the first namespace`;
    throw new FormatError('nvs-units-no-namespace', message, { place: row.place('key') });
  }
  inCell(row, 'key', () => checkName(key, 'nvs-bad-key'));
  checkEncoding(row);
  const name = `${namespace}\0${key}`;
  if (declared.has(name)) {
    throw new FormatError('nvs-duplicate-key', `${namespace}:${key} is there twice`, { place: row.place('key') });
  }
  declared.add(name);
}

/** An encoding without a value is refused for the lack of one, if it is an encoding. */
function checkEncoding({ encoding, place }: UnitConfigRow): void {
  try {
    readCsvValue(encoding, undefined, { place, warn: () => undefined });
  } catch (error) {
    if (!(error instanceof FormatError && error.code === 'nvs-csv-short-row')) throw error;
  }
}
