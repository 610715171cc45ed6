/** What an NVS image holds: as a JSON document, and as a table. */
import { hexAddress, toHex } from '#formats/bytes.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { type DecodedNvs } from '#formats/nvs/nvs-reader.ts';
import { NVS_PAGE_SIZE, type NvsEntry } from '#formats/nvs/nvs.ts';

interface EntryRecord {
  namespace: string;
  key: string;
  type: NvsEntry['type'];
  /** Blobs as lower-case hex, integers in decimal, strings as text. */
  value: string;
  /** The bytes of a string that is not UTF-8: in `value` what is wrong is U+FFFD. */
  hex?: string;
}

interface IssueRecord {
  code: string;
  message: string;
  /** Which page of the partition, from 0, and where in the file. */
  page?: number;
  offset?: number;
}

export const nvsDocument = ({ entries, issues }: DecodedNvs): { entries: EntryRecord[]; issues: IssueRecord[] } => ({
  entries: entries.map(entryRecord),
  issues: issues.map(issueRecord),
});

function entryRecord(entry: NvsEntry): EntryRecord {
  const { namespace, key, type } = entry;
  const record = { namespace, key, type };
  if (entry.type === 'blob') return { ...record, value: toHex(entry.value) };
  if (entry.type !== 'string') return { ...record, value: String(entry.value) };
  const decode = (fatal: boolean): string => new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(entry.value);
  try {
    return { ...record, value: decode(true) };
  } catch {
    // No UTF-8, which nothing in NVS forbids.
    return { ...record, value: decode(false), hex: toHex(entry.value) };
  }
}

function issueRecord({ code, message, place: { offset } = {} }: FormatIssue): IssueRecord {
  if (offset === undefined) return { code, message };
  return { code, message, page: Math.floor(offset / NVS_PAGE_SIZE), offset };
}

/** Characters of a value that a table shows. */
const SHOWN = 64;

/** A table of the entries, and what is wrong. */
export function nvsTable({ entries, issues, pages }: DecodedNvs): string {
  const rows = entries.map((entry) => [entry.namespace, entry.key, entry.type, valueText(entry)]);
  const blank = pages.filter(({ state }) => state === 'blank').length;
  return [
    ...table([['NAMESPACE', 'KEY', 'TYPE', 'VALUE'], ...rows]),
    `${count(entries.length, 'entry', 'entries')} on ${count(pages.length, 'page', 'pages')}, of which ${blank} are blank`,
    ...(issues.length > 0 ? ['', `${count(issues.length, 'issue', 'issues')}:`] : []),
    ...issues.map(({ code, message, place }) => {
      const where = place?.offset === undefined ? '' : `${hexAddress(place.offset)}: `;
      return `  ${where}${code}: ${message}`;
    }),
  ].join('\n');
}

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;

/** Strings in quotes, so that blanks and line ends are seen. */
function valueText(entry: NvsEntry): string {
  const { value } = entryRecord(entry);
  if (entry.type === 'string') return shorten(JSON.stringify(value));
  if (entry.type === 'blob') return `${shorten(value)} (${count(entry.value.length, 'byte', 'bytes')})`;
  return value;
}

const shorten = (text: string): string => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

function table(rows: readonly string[][]): string[] {
  const widthOf = (column: number): number => rows.reduce((max, row) => Math.max(max, row[column]?.length ?? 0), 0);
  const widths = rows[0]?.map((_, column) => widthOf(column)) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
