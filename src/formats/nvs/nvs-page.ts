/**
 * One page of NVS: header, bitmap of entry states, entries (ESP-IDF components/nvs_flash/src/nvs_page.{hpp,cpp}).
 *
 * | bytes | |
 * |---|---|
 * | 0–3 | state; bits are only ever cleared |
 * | 4–7 | sequence number: the order of pages |
 * | 8 | version: FF is 1, FE is 2, lower is later |
 * | 9–27 | FF |
 * | 28–31 | CRC-32 of bytes 4–27 |
 * | 32–63 | two bits an entry, entry 0 in the lowest bits of byte 32 |
 * | 64–4095 | 126 entries |
 */
import { isBlank, readU32, writeU16, writeU32 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { NO_CHUNK, NVS_ENTRIES_PER_PAGE, NVS_ENTRY_SIZE, NVS_PAGE_SIZE, type NvsVersion } from './nvs.ts';

/** `corrupt` is whatever the firmware takes for lost: marked so, a bad header, or not blank although it says blank. */
export type NvsPageState = 'blank' | 'active' | 'full' | 'freeing' | 'corrupt';

export type EntryState = 'empty' | 'written' | 'erased' | 'illegal';

export interface PageHeader {
  state: NvsPageState;
  /** Order among the pages; 0 of a blank or corrupt page. */
  sequence: number;
  /** 1, 2, or higher than this code knows; 0 of a blank or corrupt page. */
  version: number;
}

const STATES: ReadonlyMap<number, NvsPageState> = new Map([
  [0xffff_fffe, 'active'],
  [0xffff_fffc, 'full'],
  [0xffff_fff8, 'freeing'],
]);
/** What firmware marks a page with that it found damaged. */
const CORRUPT = 0xffff_fff0;
const STATE_CODES = { active: 0xffff_fffe, full: 0xffff_fffc } as const;
const ENTRY_STATES: readonly EntryState[] = ['erased', 'illegal', 'written', 'empty'];
/** Bytes of the header, with the CRC at its end. */
export const PAGE_HEADER_SIZE = 32;
const BITMAP_OFFSET = PAGE_HEADER_SIZE;
const ENTRIES_OFFSET = 64;

/** Byte offset of an entry (0 to 125) in its page. */
export const entryOffset = (index: number): number => ENTRIES_OFFSET + index * NVS_ENTRY_SIZE;

/** Which entry of its page begins at an offset of the image. */
export const entryIndex = ({ offset, pageOffset }: { offset: number; pageOffset: number }): number =>
  (offset - pageOffset - ENTRIES_OFFSET) / NVS_ENTRY_SIZE;

/** Reads the header of a 4096-byte page, of which only that is looked at unless it is blank; what cannot be trusted comes back as `corrupt`. */
export function decodePageHeader(page: Uint8Array): PageHeader {
  const none = { sequence: 0, version: 0 };
  if (isBlank(page)) return { state: 'blank', ...none };
  const state = STATES.get(readU32(page, 0));
  if (state === undefined || !hasRightHeader(page)) return { state: 'corrupt', ...none };
  return { state, sequence: readU32(page, 4), version: 0x100 - (page[8] ?? 0) };
}

/** Whether these 4096 bytes were once written as a page: they have one of its states, or a header with a right CRC. */
export const looksLikePage = (page: Uint8Array): boolean =>
  STATES.has(readU32(page, 0)) || readU32(page, 0) === CORRUPT || hasRightHeader(page);

const hasRightHeader = (page: Uint8Array): boolean => readU32(page, 28) === crc32(page.subarray(4, 28));

/** The state of one entry (0 to 125) by the page's bitmap. */
export function entryState(page: Uint8Array, index: number): EntryState {
  const bits = ((page[BITMAP_OFFSET + (index >> 2)] ?? 0) >> ((index & 3) * 2)) & 3;
  return ENTRY_STATES[bits] ?? 'illegal';
}

/** CRC of an entry: all of it but the CRC itself (bytes 4–7). */
export const entryCrc = (entry: Uint8Array): number => crc32(entry.subarray(0, 4), entry.subarray(8, NVS_ENTRY_SIZE));

/** What goes into an entry's first 32 bytes; `data` is at most 8 bytes, the rest stays FF. */
export interface ItemHeader {
  namespaceIndex: number;
  type: number;
  /** Entries of the item, this one included. */
  span: number;
  chunkIndex?: number;
  /** At most 15 bytes. */
  key: Uint8Array;
  data: Uint8Array;
}

function encodeItemHeader({ namespaceIndex, type, span, chunkIndex = NO_CHUNK, key, data }: ItemHeader): Uint8Array {
  const entry = new Uint8Array(NVS_ENTRY_SIZE).fill(0xff);
  entry.set([namespaceIndex, type, span, chunkIndex]);
  entry.fill(0, 8, 24);
  entry.set(key, 8);
  entry.set(data, 24);
  writeU32(entry, 4, entryCrc(entry));
  return entry;
}

/** Data field of an item whose `payload` follows in the next entries: size, FFFF, CRC. */
function payloadField(payload: Uint8Array): Uint8Array {
  const field = new Uint8Array(8).fill(0xff);
  writeU16(field, 0, payload.length);
  writeU32(field, 4, crc32(payload));
  return field;
}

/** Entries that an item with a payload of that many bytes takes. */
export const spanOf = (payloadLength: number): number => 1 + Math.ceil(payloadLength / NVS_ENTRY_SIZE);

/** A page that is being filled, entry by entry, or changed. The caller sees to it that there is room. */
export class NvsPageBuilder {
  readonly #bytes = new Uint8Array(NVS_PAGE_SIZE).fill(0xff);
  readonly #names = new Set<string>();
  #used = 0;
  #erased = 0;

  /** A copy of an existing page, to be changed. `holds` does not know its items. */
  static open(page: Uint8Array): NvsPageBuilder {
    const builder = new NvsPageBuilder();
    builder.#bytes.set(page);
    for (let index = 0; index < NVS_ENTRIES_PER_PAGE; index++) {
      const state = entryState(page, index);
      if (state !== 'empty') builder.#used = index + 1;
      if (state === 'erased') builder.#erased++;
    }
    return builder;
  }

  /** Entries left behind the last one that was ever written. */
  get room(): number {
    return NVS_ENTRIES_PER_PAGE - this.#used;
  }

  /** Entries left when those that were erased are reclaimed (`compact`). */
  get roomWhenCompact(): number {
    return this.room + this.#erased;
  }

  /** The page as it is now; the header is that of the page which was opened, or blank. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }

  /** Whether an item of that name, of whatever type, is in the page. Chunks of blobs do not count. */
  holds(name: string): boolean {
    return this.#names.has(name);
  }

  /** Appends an item that fits its 8 bytes of data. `name` is what `holds` shall know it by. */
  addSmall(item: Omit<ItemHeader, 'span'>, name: string): void {
    this.#append(encodeItemHeader({ ...item, span: 1 }), 1);
    this.#names.add(name);
  }

  /** Appends an item and its payload. Without a `name`, `holds` will not know it. */
  addLarge(item: Omit<ItemHeader, 'span' | 'data'>, payload: Uint8Array, name?: string): void {
    const span = spanOf(payload.length);
    const header = encodeItemHeader({ ...item, span, data: payloadField(payload) });
    this.#bytes.set(payload, entryOffset(this.#used + 1));
    this.#append(header, span);
    if (name !== undefined) this.#names.add(name);
  }

  /** Marks entries as erased; what they hold stays, as the firmware leaves it. */
  erase(index: number, span: number): void {
    for (let entry = index; entry < index + span; entry++) this.#clearBits(entry, 3);
    this.#erased += span;
  }

  /** Puts a small item in the place of one that has a span of `oldSpan`. */
  replaceSmall(index: number, oldSpan: number, item: Omit<ItemHeader, 'span'>): void {
    this.#bytes.set(encodeItemHeader({ ...item, span: 1 }), entryOffset(index));
    this.erase(index + 1, oldSpan - 1);
  }

  /** Puts an item and its payload in the place of one that has a span of `oldSpan` and is not smaller. */
  replaceLarge(index: number, oldSpan: number, item: Omit<ItemHeader, 'span' | 'data'>, payload: Uint8Array): void {
    const span = spanOf(payload.length);
    this.#bytes.fill(0xff, entryOffset(index + 1), entryOffset(index + span));
    this.#bytes.set(encodeItemHeader({ ...item, span, data: payloadField(payload) }), entryOffset(index));
    this.#bytes.set(payload, entryOffset(index + 1));
    this.erase(index + span, oldSpan - span);
  }

  /** Moves what is written together, so that erased entries become free ones. */
  compact(): void {
    const old = this.bytes;
    this.#bytes.fill(0xff, BITMAP_OFFSET);
    this.#used = 0;
    this.#erased = 0;
    for (let index = 0; index < NVS_ENTRIES_PER_PAGE;) {
      const span = entryState(old, index) === 'written' ? Math.max(1, old[entryOffset(index) + 2] ?? 1) : 0;
      if (span > 0) this.#append(old.subarray(entryOffset(index), entryOffset(index + span)), span);
      index += Math.max(1, span);
    }
  }

  /** The page with a header of its own. */
  finish(state: 'active' | 'full', sequence: number, version: NvsVersion): Uint8Array {
    const page = this.bytes;
    setPageState(page, state);
    writeU32(page, 4, sequence);
    page[8] = 0x100 - version;
    writeU32(page, 28, crc32(page.subarray(4, 28)));
    return page;
  }

  /** Appends `entries` and marks `span` entries as written. */
  #append(entries: Uint8Array, span: number): void {
    this.#bytes.set(entries, entryOffset(this.#used));
    // 11 empty -> 10 written
    for (let index = this.#used; index < this.#used + span; index++) this.#clearBits(index, 1);
    this.#used += span;
  }

  #clearBits(index: number, bits: number): void {
    const at = BITMAP_OFFSET + (index >> 2);
    this.#bytes[at] = (this.#bytes[at] ?? 0) & ~(bits << ((index & 3) * 2));
  }
}

/** Sets the state of a page, which the CRC of its header does not cover. */
export const setPageState = (page: Uint8Array, state: 'active' | 'full'): void => writeU32(page, 0, STATE_CODES[state]);
