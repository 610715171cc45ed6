/**
 * The items of one page as they lie there, each checked by itself. What they mean together is nvs-resolve.ts.
 * What is broken is reported and skipped, as the firmware does when it loads a page (nvs_page.cpp, mLoadEntryTable).
 */
import { hexAddress, isBlank, readU16, readU32 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { type FormatIssue } from '../format-error.ts';
import { entryCrc, entryOffset, entryState, spanOf } from './nvs-page.ts';
import { INTEGER_TYPES, ITEM_TYPE, NVS_ENTRIES_PER_PAGE, NVS_ENTRY_SIZE, isVariableLength } from './nvs.ts';

export interface NvsItem {
  /** Byte offset in the image. */
  offset: number;
  /** Offset of its page, and whether that page is the one being written to. */
  pageOffset: number;
  pageActive: boolean;
  namespaceIndex: number;
  type: number;
  chunkIndex: number;
  key: string;
  /** The 8 bytes of the data field. */
  data: Uint8Array;
  /** What follows in the next entries, its CRC checked; empty where the type has none. */
  payload: Uint8Array;
  /** Not all of its entries are marked as written: the power went while it was written or erased. */
  partial: boolean;
}

export interface PageItems {
  items: NvsItem[];
  issues: FormatIssue[];
  /** Entries by their state in the bitmap. */
  written: number;
  erased: number;
  empty: number;
  /** Written entries with a wrong CRC of which none looks like an entry: what ciphertext looks like. */
  unreadable: boolean;
}

/** One page of an image. */
export interface PageSource {
  image: Uint8Array;
  /** Byte offset of the page in the image. */
  offset: number;
  active: boolean;
}

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(ITEM_TYPE));
const KEY_TEXT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The NUL-terminated name in 16 bytes, or `undefined` when there is no NUL or it is no UTF-8. */
function decodeKey(field: Uint8Array): string | undefined {
  const end = field.indexOf(0);
  if (end < 0) return undefined;
  const name = field.subarray(0, end);
  // Nearly all keys are ASCII, for which a decoder takes ten times as long.
  if (name.every((byte) => byte < 0x80)) return String.fromCharCode(...name);
  try {
    return KEY_TEXT.decode(name);
  } catch {
    return undefined; // no UTF-8: reported by the caller as a bad key
  }
}

/** Whether 32 bytes look like the head of an item, were it not for the CRC: known type, printable key, NULs after it. */
function looksLikeItem(entry: Uint8Array): boolean {
  const key = entry.subarray(8, 24);
  const end = key.indexOf(0);
  if (end < 1 || !KNOWN_TYPES.has(entry[1] ?? 0)) return false;
  return key.every((byte, index) => (index < end ? byte >= 0x20 && byte < 0x7f : byte === 0));
}

/**
 * Issues about the entries of a page, those of one kind in a row as one:
 * behind one broken header lie many entries that cannot be told apart.
 */
class EntryIssues {
  readonly list: FormatIssue[] = [];
  readonly #pageOffset: number;
  #run = { code: '', first: 0, count: 0 };

  constructor(pageOffset: number) {
    this.#pageOffset = pageOffset;
  }

  add(code: string, entry: number, what: string): void {
    if (this.#run.code === code && this.#run.first + this.#run.count === entry) {
      this.#run.count++;
      this.list.pop();
    } else {
      this.#run = { code, first: entry, count: 1 };
    }
    const { first, count } = this.#run;
    const offset = this.#pageOffset + entryOffset(first);
    const where = count > 1 ? `${count} entries from ${hexAddress(offset)}` : `Entry at ${hexAddress(offset)}`;
    this.list.push({ code, message: `${where}: ${what}`, place: { offset } });
  }
}

/** Reads all items of a page that is active, full or being freed. Never throws. */
export function readPageItems(source: PageSource): PageItems {
  const page = source.image.subarray(source.offset, source.offset + 0x1000);
  const issues = new EntryIssues(source.offset);
  const result: PageItems = { items: [], issues: issues.list, written: 0, erased: 0, empty: 0, unreadable: false };
  let readable = 0;

  for (let index = 0; index < NVS_ENTRIES_PER_PAGE; index++) {
    const state = entryState(page, index);
    if (state === 'written') result.written++;
    else if (state === 'empty') result.empty++;
    else result.erased++;
  }
  for (let index = 0; index < NVS_ENTRIES_PER_PAGE;) {
    const entry = page.subarray(entryOffset(index), entryOffset(index + 1));
    if (entryState(page, index) !== 'written') {
      reportUnwritten(page, index, issues);
      index++;
    } else if (readU32(entry, 4) !== entryCrc(entry)) {
      issues.add('nvs-entry-crc', index, 'wrong CRC');
      if (looksLikeItem(entry)) readable++;
      index++;
    } else {
      readable++;
      const item = readItem(source, page, index, issues);
      if (item) result.items.push(item);
      index += Math.max(1, entry[2] ?? 1);
    }
  }
  result.unreadable = result.written > 0 && readable === 0;
  return result;
}

function reportUnwritten(page: Uint8Array, index: number, issues: EntryIssues): void {
  const state = entryState(page, index);
  if (state === 'illegal') issues.add('nvs-entry-state', index, 'state 01, which nothing writes');
  if (state !== 'empty' || isBlank(page.subarray(entryOffset(index), entryOffset(index + 1)))) return;
  issues.add('nvs-interrupted-write', index, 'written, but not marked so');
}

/** Reads the item that begins at `index`, whose header has a right CRC. */
function readItem(source: PageSource, page: Uint8Array, index: number, issues: EntryIssues): NvsItem | undefined {
  const entry = page.subarray(entryOffset(index), entryOffset(index + 1));
  const type = entry[1] ?? 0;
  const span = entry[2] ?? 0;
  const size = isVariableLength(type) ? readU16(entry, 24) : 0;
  const key = decodeKey(entry.subarray(8, 24));
  if (!KNOWN_TYPES.has(type)) {
    issues.add('nvs-unknown-type', index, `unknown type 0x${type.toString(16)}`);
    return undefined;
  }
  if (key === undefined) {
    issues.add('nvs-bad-key', index, 'its key has no end, or is no UTF-8');
    return undefined;
  }
  if (span !== spanOf(size) || index + span > NVS_ENTRIES_PER_PAGE) {
    issues.add('nvs-bad-span', index, `a span of ${span} entries does not fit its ${size} bytes or its page`);
    return undefined;
  }

  const partial = !isWritten(page, index, span);
  const start = source.offset + entryOffset(index + 1);
  const payload = source.image.subarray(start, start + size);
  if (isVariableLength(type) && crc32(payload) !== readU32(entry, 28)) {
    if (partial) issues.add('nvs-interrupted-write', index, `${key} was not written to its end`);
    else issues.add('nvs-data-crc', index, `the value of ${key} has a wrong CRC`);
    return undefined;
  }
  if (partial) issues.add('nvs-partial-item', index, `not all entries of ${key} are marked as written`);
  return {
    offset: source.offset + entryOffset(index),
    pageOffset: source.offset,
    pageActive: source.active,
    namespaceIndex: entry[0] ?? 0,
    type,
    chunkIndex: entry[3] ?? 0,
    key,
    data: entry.subarray(24, NVS_ENTRY_SIZE),
    payload,
    partial,
  };
}

function isWritten(page: Uint8Array, index: number, span: number): boolean {
  for (let entry = index; entry < index + span; entry++) if (entryState(page, entry) !== 'written') return false;
  return true;
}

/** The value of an integer item. */
export function integerOf(item: NvsItem): number | bigint | undefined {
  const view = new DataView(item.data.buffer, item.data.byteOffset, 8);
  switch (INTEGER_TYPES.get(item.type)) {
    case 'u8':
      return view.getUint8(0);
    case 'i8':
      return view.getInt8(0);
    case 'u16':
      return view.getUint16(0, true);
    case 'i16':
      return view.getInt16(0, true);
    case 'u32':
      return view.getUint32(0, true);
    case 'i32':
      return view.getInt32(0, true);
    case 'u64':
      return view.getBigUint64(0, true);
    case 'i64':
      return view.getBigInt64(0, true);
    case undefined:
      return undefined;
  }
}
