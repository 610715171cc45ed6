/**
 * The rows of a CSV as the NVS tools of ESP-IDF read them (Python's `csv.reader` behind a filter): values in double quotes
 * may hold commas, line ends and doubled quotes; a line whose first byte is `#` is left out wherever it stands, in a quoted
 * value too; blank lines are skipped; LF, CR LF and CR end a line; blanks around a value belong to it.
 */
import Papa from 'papaparse';
import { FormatError, type FormatErrorPlace } from '../format-error.ts';

export interface CsvRow {
  cells: string[];
  /** 1-based line on which the row begins. */
  line: number;
  /** Line, and column where it can be told, of a cell (from 0). */
  place: (cell: number) => FormatErrorPlace;
}

const LINE_END = /\r\n?|\n/;

/**
 * @param bytes UTF-8, with or without a byte order mark.
 * @param options.comments whether lines that begin with `#` are left out; they are unless told.
 * @throws {FormatError} `nvs-csv-not-utf8`, `nvs-csv-quotes` (a quote is not closed, or text follows it).
 */
export function readCsvRows(bytes: Uint8Array, { comments = true } = {}): CsvRow[] {
  const all = decodeText(bytes).split(LINE_END);
  const numbers = [...all.keys()].filter((index) => !(comments && all[index]?.startsWith('#')));
  const lines = numbers.map((index) => all[index] ?? '');
  const { data, errors } = Papa.parse<string[]>(lines.join('\n'), { delimiter: ',', newline: '\n' });
  const [error] = errors;
  const rows: CsvRow[] = [];
  let next = 0;
  for (const [index, cells] of data.entries()) {
    const line = (numbers[next] ?? 0) + 1;
    const isQuoted = lines[next]?.includes('"') ?? false;
    const end = next + (isQuoted ? cells.reduce((sum, cell) => sum + cell.split('\n').length - 1, 1) : 1);
    const text = lines.slice(next, end).join('\n');
    next = end;
    if (error && error.row === index) throw new FormatError('nvs-csv-quotes', error.message, { place: { line } });
    if (cells.length === 1 && cells[0] === '') continue;
    const place: CsvRow['place'] = (cell) => (isQuoted ? { line } : { line, column: columnOf(cells, cell) });
    rows.push({ cells: isQuoted ? withBlanksBehindQuotes(cells, text) : cells, line, place });
  }
  return rows;
}

/** Blanks between a closing quote and the next comma belong to the value, as for Python; Papa leaves them out. */
function withBlanksBehindQuotes(cells: readonly string[], row: string): string[] {
  let at = 0;
  return cells.map((cell) => {
    at += row[at] === '"' ? cell.replaceAll('"', '""').length + 2 : cell.length;
    const comma = row.indexOf(',', at);
    const blanks = row.slice(at, comma < 0 ? undefined : comma);
    at += blanks.length + 1;
    return cell + blanks;
  });
}

/** The column of a cell in a line without quotes; that of its end for a cell which is missing. */
function columnOf(cells: readonly string[], cell: number): number {
  const before = cells.slice(0, cell).reduce((sum, { length }) => sum + length + 1, 1);
  return cell < cells.length ? before : before - 1;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const place = { line: firstBadLine(bytes) };
    throw new FormatError('nvs-csv-not-utf8', 'This line is not UTF-8', { place, cause });
  }
}

/** The first line with a sequence that is no UTF-8, which the lenient decoder marks with U+FFFD. */
function firstBadLine(bytes: Uint8Array): number {
  const text = new TextDecoder().decode(bytes);
  return text.slice(0, text.indexOf('\ufffd')).split(LINE_END).length;
}
