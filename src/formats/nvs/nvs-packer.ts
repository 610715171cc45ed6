/** Turns entries into the items of pages: names into numbers, values into fields, blobs into chunks and their index. */
import { concatBytes, writeU32 } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { type NvsPageBuilder, spanOf } from './nvs-page.ts';
import { integerBytes, nameBytes } from './nvs-values.ts';
import { ITEM_TYPE, NVS_ENTRY_SIZE, NVS_MAX_NAMESPACES, type NvsEntry, type NvsVersion } from './nvs.ts';

/** What is asked of a page. */
export interface ItemPlace {
  /** Entries in one piece. */
  span: number;
  /**
   * What `NvsPageBuilder.holds` knows the item by. Two types under one key should not share a page, because in the page
   * that is written to the firmware takes the later one for a newer copy (nvs_page.cpp, mLoadEntryTable).
   */
  name: string;
  /** Its value follows in entries of its own. */
  isLarge: boolean;
}

/** Chooses the pages. Both methods throw a `FormatError` `nvs-no-room` when there is none left. */
export interface PagePool {
  pageFor(item: ItemPlace): NvsPageBuilder;
  /** A page for the next chunk of a blob, of which `remaining` bytes are to be placed; it takes what fits. */
  pageForChunk(remaining: number): NvsPageBuilder;
}

/** `chunkCount` and the generation bit share the numbers 0 to 254 (nvs_storage.cpp). */
const MAX_CHUNKS = 127;
const NUL = Uint8Array.of(0);

export class NvsPacker {
  readonly #pool: PagePool;
  readonly #version: NvsVersion;
  readonly #namespaces: Map<string, number>;

  /** @param namespaces those that are defined already, with their numbers. */
  constructor(pool: PagePool, version: NvsVersion, namespaces: Iterable<readonly [string, number]> = []) {
    this.#pool = pool;
    this.#version = version;
    this.#namespaces = new Map(namespaces);
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  /**
   * Sees to it that a namespace is defined: under the first free number, if it is not yet.
   *
   * @throws {FormatError} `nvs-too-many-namespaces`, `nvs-no-room`.
   */
  define(name: string): void {
    if (this.#namespaces.has(name)) return;
    const taken = new Set(this.#namespaces.values());
    let index = 1;
    while (taken.has(index)) index++;
    if (index > NVS_MAX_NAMESPACES) {
      throw new FormatError('nvs-too-many-namespaces', `More than ${NVS_MAX_NAMESPACES} namespaces`);
    }
    this.#namespaces.set(name, index);
    this.#addItem(0, name, { type: ITEM_TYPE.u8, bytes: Uint8Array.of(index), isLarge: false });
  }

  /**
   * Adds an entry that was checked. A namespace that is not defined is number 0, the list of namespaces itself.
   *
   * @throws {FormatError} `nvs-no-room`.
   */
  add(entry: NvsEntry): void {
    const index = this.#namespaces.get(entry.namespace) ?? 0;
    if (entry.type === 'blob' && this.#version === 2) this.#addBlob(index, entry.key, entry.value);
    else this.#addItem(index, entry.key, itemData(entry));
  }

  #addItem(namespaceIndex: number, key: string, { type, bytes, isLarge }: ItemData): void {
    const name = `${namespaceIndex}:${key}`;
    const page = this.#pool.pageFor({ span: isLarge ? spanOf(bytes.length) : 1, name, isLarge });
    const item = { namespaceIndex, type, key: nameBytes(key) };
    if (isLarge) page.addLarge(item, bytes, name);
    else page.addSmall({ ...item, data: bytes }, name);
  }

  #addBlob(namespaceIndex: number, key: string, value: Uint8Array): void {
    let chunkCount = 0;
    let offset = 0;
    while (offset < value.length || chunkCount === 0) {
      const page = this.#pool.pageForChunk(value.length - offset);
      const end = Math.min(value.length, offset + (page.room - 1) * NVS_ENTRY_SIZE);
      const item = { namespaceIndex, type: ITEM_TYPE.blobChunk, chunkIndex: chunkCount, key: nameBytes(key) };
      page.addLarge(item, value.subarray(offset, end));
      offset = end;
      chunkCount++;
    }
    if (chunkCount > MAX_CHUNKS)
      throw new FormatError('nvs-no-room', `Blob ${key} would be in over ${MAX_CHUNKS} pieces`);
    const bytes = blobIndexData(value.length, { chunkCount, firstChunk: 0 });
    this.#addItem(namespaceIndex, key, { type: ITEM_TYPE.blobIndex, bytes, isLarge: false });
  }
}

/** What an item holds: in its data field, or in the entries that follow. */
export interface ItemData {
  type: number;
  bytes: Uint8Array;
  isLarge: boolean;
}

/** An entry that was checked as one item; a blob as version 1 has it. */
export function itemData(entry: NvsEntry): ItemData {
  switch (entry.type) {
    case 'string':
      return { type: ITEM_TYPE.string, bytes: concatBytes(entry.value, NUL), isLarge: true };
    case 'blob':
      return { type: ITEM_TYPE.oldBlob, bytes: entry.value, isLarge: true };
    default:
      return { type: ITEM_TYPE[entry.type], bytes: integerBytes(entry), isLarge: false };
  }
}

/** Data field of a blob's index: u32 size, u8 number of chunks, u8 number of the first. */
export function blobIndexData(
  size: number,
  { chunkCount, firstChunk }: { chunkCount: number; firstChunk: number },
): Uint8Array {
  const data = new Uint8Array(8).fill(0xff);
  writeU32(data, 0, size);
  data.set([chunkCount, firstChunk], 4);
  return data;
}
