/** Reads the files out of an asset image, also a damaged one, and finds out how long its name fields are. */
import { readU16, readU32, textUntilNul } from '../bytes.ts';
import { type FormatIssue } from '../format-error.ts';
import { clashingNames, nameFault } from './asset-names.ts';
import {
  type AssetEntry,
  ASSETS_HEADER_SIZE,
  assetsChecksum,
  type AssetsHead,
  decodeAssetsHead,
  DEFAULT_NAME_LENGTH,
  ENTRY_TAIL,
  FILE_MAGIC,
  NAME_LENGTHS,
} from './assets.ts';
import { type PictureSize } from './picture-size.ts';

export interface Assets {
  nameLength: number;
  /** The files that are there in full and have a name that can be used; `bytes` are views. */
  entries: AssetEntry[];
  checksum: { stored: number; computed: number };
  /** Bytes from the count to the end of the data, as far as they are there. */
  length: number;
  issues: FormatIssue[];
}

/**
 * Every file that can be read. Never throws.
 *
 * Issues: `data-assets-truncated`, `data-assets-bad-checksum`, `data-assets-bad-entry`, `data-assets-bad-magic`, `data-unsafe-name`,
 * `data-duplicate-name`, `data-empty-file`; places count from the start of `payload`.
 */
export function decodeAssets(payload: Uint8Array, nameLength = DEFAULT_NAME_LENGTH): Assets {
  const issues: FormatIssue[] = [];
  const report = (code: string, offset: number, message: string): void =>
    void issues.push({ code, message, place: { offset } });
  const head = decodeAssetsHead(payload) ?? { count: 0, checksum: 0, length: 0 };
  const end = ASSETS_HEADER_SIZE + head.length;
  const whole = payload.subarray(0, end);
  if (payload.length < Math.max(end, ASSETS_HEADER_SIZE + 1)) {
    report('data-assets-truncated', payload.length, `${end} bytes were packed, ${payload.length} are here`);
  }
  const computed = assetsChecksum(whole.subarray(ASSETS_HEADER_SIZE));
  if (computed !== head.checksum) {
    const message = `The checksum is ${head.checksum}, the bytes give ${computed}`;
    report('data-assets-bad-checksum', 4, message);
  }
  const entries = readEntries(whole, { head, nameLength, report });
  return { nameLength, entries, checksum: { stored: head.checksum, computed }, length: whole.length, issues };
}

type Report = (code: string, offset: number, message: string) => void;

/** An entry of the table as it is. */
interface Row extends PictureSize {
  name: string;
  size: number;
  offset: number;
}

function readEntries(
  payload: Uint8Array,
  { head: { count }, nameLength, report }: { head: AssetsHead; nameLength: number; report: Report },
): AssetEntry[] {
  const stride = nameLength + ENTRY_TAIL;
  const data = payload.subarray(ASSETS_HEADER_SIZE + count * stride);
  if (count === 0 || data.length === 0) {
    report('data-assets-bad-entry', 0, `A table of ${count} files is not here`);
    return [];
  }
  const read: { entry: AssetEntry; at: number }[] = [];
  for (let index = 0; index < count; index++) {
    const at = ASSETS_HEADER_SIZE + index * stride;
    const { size, ...row } = readRow(payload.subarray(at, at + stride));
    const fault = rowFault({ size, ...row }, data);
    if (fault) report(fault[0], at, fault[1]);
    const start = row.offset + FILE_MAGIC.length;
    // The two bytes in front of a file are not needed to read it.
    if (!fault || fault[0] === 'data-assets-bad-magic') {
      read.push({ entry: { ...row, bytes: data.subarray(start, start + size) }, at });
    }
  }
  const clashes = new Set(clashingNames(read.map(({ entry }) => entry.name)));
  return read.flatMap(({ entry, at }, index) => {
    if (!clashes.has(index)) return [entry];
    report('data-duplicate-name', at, `There is more than one ${entry.name}`);
    return [];
  });
}

function readRow(row: Uint8Array): Row {
  const tail = row.length - ENTRY_TAIL;
  return {
    name: textUntilNul(row.subarray(0, tail)),
    size: readU32(row, tail),
    offset: readU32(row, tail + 4),
    width: readU16(row, tail + 8),
    height: readU16(row, tail + 10),
  };
}

function rowFault({ name, size, offset }: Row, data: Uint8Array): [code: string, message: string] | undefined {
  const fault = nameFault(name);
  if (fault !== undefined) return ['data-unsafe-name', `The name ${JSON.stringify(name)} is not used: ${fault}`];
  if (size === 0) return ['data-empty-file', `${name} is empty`];
  if (offset + FILE_MAGIC.length + size > data.length) {
    return ['data-assets-bad-entry', `${name} does not lie inside the data`];
  }
  if (FILE_MAGIC.some((byte, index) => data[offset + index] !== byte)) {
    return ['data-assets-bad-magic', `${name} does not stand behind 5A 5A`];
  }
  return undefined;
}

/**
 * The length of the name fields, or `undefined` when this is no asset image. A table that is sound has one length with which every
 * entry makes sense and the last file ends where the data end; of a damaged one, half of the entries must make sense.
 */
export function findNameLength(payload: Uint8Array): number | undefined {
  const head = decodeAssetsHead(payload);
  if (!head || head.count === 0) return undefined;
  const fits = NAME_LENGTHS_BY_USE.filter(
    (length) => ASSETS_HEADER_SIZE + head.count * (length + ENTRY_TAIL) < payload.length,
  );
  const rated = fits.map((length) => ({ length, rating: rateNameLength(payload, head, length) }));
  const best = rated.reduce((a, b) => (b.rating > a.rating ? b : a), { length: 0, rating: 0 });
  return best.rating >= 0.5 ? best.length : undefined;
}

/** The usual ones first: those that Twostep and Espressif's project settings have unless told otherwise. */
const NAME_LENGTHS_BY_USE = [
  DEFAULT_NAME_LENGTH,
  16,
  ...Array.from({ length: NAME_LENGTHS.max - NAME_LENGTHS.min + 1 }, (_, index) => NAME_LENGTHS.min + index),
];
/** More than any table that does not hold together can have. */
const SOUND = 2;

/** Share of the entries that make sense; `SOUND` when all do and the data end with the last file. */
function rateNameLength(payload: Uint8Array, { count, length }: AssetsHead, nameLength: number): number {
  const stride = nameLength + ENTRY_TAIL;
  let sane = 0;
  let end = 0;
  for (let index = 0; index < count; index++) {
    const at = ASSETS_HEADER_SIZE + index * stride;
    const row = payload.subarray(at, at + stride);
    const { name, size, offset } = readRow(row);
    end = Math.max(end, offset + FILE_MAGIC.length + size);
    const named = nameFault(name) === undefined && isNulPadded(row.subarray(0, nameLength));
    if (named && size > 0 && end <= length - count * stride) sane++;
    // A wrong length shows in the first entries; a table has many of them and there are many lengths.
    if (index === 7 && sane === 0) return 0;
  }
  const holdsTogether = sane === count && end === length - count * stride;
  return holdsTogether ? SOUND : sane / count;
}

/** Nothing but NUL behind the first NUL. */
function isNulPadded(field: Uint8Array): boolean {
  const end = field.indexOf(0);
  return end < 0 || field.subarray(end).every((byte) => byte === 0);
}
