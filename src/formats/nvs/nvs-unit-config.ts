/**
 * The configuration of Espressif's manufacturing utility (`mfg_gen.py`): which keys the NVS of each unit has.
 *
 * A CSV without a header. `NAME,namespace,` begins a namespace or goes on with it; `KEY,TYPE,ENCODING` declares a key in it, with the
 * types and encodings of the partition generator's CSV (nvs-csv.ts). `REPEAT` in a fourth column: the value is given for the first unit
 * and holds for all. The first row is a namespace. Lines that begin with `#` are left out.
 */
import { FormatError, type FormatIssue } from '../format-error.ts';
import { type CsvRow, readCsvRows } from './csv-rows.ts';
import { at, type NvsCsvRow } from './nvs-csv.ts';
import { readCsvValue } from './nvs-csv-values.ts';
import { checkName } from './nvs-values.ts';

export type UnitConfigRow = Pick<NvsCsvRow, 'key' | 'type' | 'encoding'> & {
  /** The value of the first unit is that of all. */
  repeat: boolean;
};

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
  const isMarked = mark === 'REPEAT';
  if (!isKnown || rest.some((cell) => cell !== '') || (mark !== '' && !isMarked)) {
    const column = isKnown ? 3 : 1;
    const message = 'Not NAME,namespace, or KEY,data|file,ENCODING with REPEAT or nothing behind it';
    throw new FormatError('nvs-units-config', message, { place: place(column) });
  }
  if (type === 'namespace') {
    scope.namespace = key;
    at(place(0), () => checkName(key, 'nvs-bad-namespace'));
    return { key, type, encoding: '', repeat: false };
  }
  if (scope.namespace === undefined) {
    throw new FormatError('nvs-units-no-namespace', `${key} stands before the first namespace`, { place: place(0) });
  }
  at(place(0), () => checkName(key, 'nvs-bad-key'));
  at(place(2), () => checkEncoding(encoding));
  declare(key, scope.namespace, { scope, place: place(0) });
  return { key, type, encoding, repeat: isMarked };
}

/** An encoding without a value is refused for the value, if it is one. */
function checkEncoding(encoding: string): void {
  try {
    readCsvValue(encoding, undefined, { encodingPlace: {}, valuePlace: {}, warn: () => undefined });
  } catch (error) {
    if (!(error instanceof FormatError && error.code === 'nvs-csv-short-row')) throw error;
  }
}

function declare(
  key: string,
  namespace: string,
  { scope, place }: { scope: Scope; place: ReturnType<CsvRow['place']> },
): void {
  const name = `${namespace}\0${key}`;
  if (scope.declared.has(name)) {
    throw new FormatError('nvs-duplicate-key', `${namespace}:${key} is there twice`, { place });
  }
  scope.declared.add(name);
}
