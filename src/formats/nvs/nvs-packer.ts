/**
 * Lays items into pages.
 *
 * *Tool order* is how Espressif's NVS partition generator 0.2.0 fills them (`nvs_partition_gen.py`): one after the other,
 * a string that would end with the page's last entry goes to the next page, a blob takes what room there is and goes on
 * in the next page, its index after its last chunk. *Dense* uses every gap: each item goes to the first page with room.
 */
import { concatBytes, writeU32 } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { NvsPageBuilder, spanOf } from './nvs-page.ts';
import { integerBytes, nameBytes } from './nvs-values.ts';
import {
  ITEM_TYPE,
  NVS_ENTRIES_PER_PAGE,
  NVS_ENTRY_SIZE,
  NVS_MAX_NAMESPACES,
  type NvsEntry,
  type NvsVersion,
} from './nvs.ts';

export interface PackOptions {
  /** Pages that may be filled. */
  pages: number;
  version: NvsVersion;
  dense: boolean;
}

/** `chunkCount` and the generation bit share the numbers 0 to 254 (nvs_storage.cpp). */
const MAX_CHUNKS = 127;
const NUL = Uint8Array.of(0);

export class NvsPacker {
  readonly #options: PackOptions;
  readonly #pages: NvsPageBuilder[] = [];
  readonly #namespaces = new Map<string, number>();

  constructor(options: PackOptions) {
    this.#options = options;
    this.#newPage();
  }

  hasNamespace(name: string): boolean {
    return this.#namespaces.has(name);
  }

  /**
   * Defines a namespace under the next number.
   *
   * @throws {FormatError} `nvs-too-many-namespaces`, `nvs-no-room`.
   */
  addNamespace(name: string): void {
    const index = this.#namespaces.size + 1;
    if (index > NVS_MAX_NAMESPACES) {
      throw new FormatError('nvs-too-many-namespaces', `More than ${NVS_MAX_NAMESPACES} namespaces`);
    }
    this.#namespaces.set(name, index);
    this.#addSmall(0, { type: ITEM_TYPE.u8, key: name, data: Uint8Array.of(index) });
  }

  /**
   * Adds an entry that was checked, of a namespace that was defined.
   *
   * @throws {FormatError} `nvs-no-room`.
   */
  add(entry: NvsEntry): void {
    const index = this.#namespaces.get(entry.namespace) ?? 0;
    const { key } = entry;
    if (entry.type === 'string') {
      this.#addLarge(index, { type: ITEM_TYPE.string, key, data: concatBytes(entry.value, NUL) });
    } else if (entry.type !== 'blob') {
      this.#addSmall(index, { type: ITEM_TYPE[entry.type], key, data: integerBytes(entry) });
    } else if (this.#options.version === 1) {
      this.#addLarge(index, { type: ITEM_TYPE.oldBlob, key, data: entry.value });
    } else {
      this.#addBlob(index, key, entry.value);
    }
  }

  /** The pages in use: all full but the last. */
  finish(): Uint8Array {
    const last = this.#pages.length - 1;
    const pages = this.#pages.map((page, index) =>
      page.finish(index === last ? 'active' : 'full', index, this.#options.version),
    );
    return concatBytes(...pages);
  }

  #newPage(): NvsPageBuilder {
    if (this.#pages.length === this.#options.pages) {
      throw new FormatError('nvs-no-room', `The entries do not fit into ${this.#options.pages} pages of NVS`);
    }
    const page = new NvsPageBuilder();
    this.#pages.push(page);
    return page;
  }

  /**
   * A page with room for `span` entries. Two types under one key are kept apart, because in the page that is
   * written to the firmware takes the later one for a newer copy (nvs_page.cpp, mLoadEntryTable).
   */
  #pageFor(span: number, name: string): NvsPageBuilder {
    const candidates = this.#options.dense ? this.#pages : this.#pages.slice(-1);
    return candidates.find((page) => page.room >= span && !page.holds(name)) ?? this.#newPage();
  }

  #addSmall(namespaceIndex: number, { type, key, data }: { type: number; key: string; data: Uint8Array }): void {
    const name = `${namespaceIndex}:${key}`;
    this.#pageFor(1, name).addSmall({ namespaceIndex, type, key: nameBytes(key), data }, name);
  }

  #addLarge(namespaceIndex: number, { type, key, data }: { type: number; key: string; data: Uint8Array }): void {
    const name = `${namespaceIndex}:${key}`;
    const span = spanOf(data.length);
    // The tool leaves the last entry of a page free; the longest strings need it, and the tool cannot write them.
    const spare = this.#options.dense || span === NVS_ENTRIES_PER_PAGE ? 0 : 1;
    this.#pageFor(span + spare, name).addLarge({ namespaceIndex, type, key: nameBytes(key) }, data, name);
  }

  #addBlob(namespaceIndex: number, key: string, value: Uint8Array): void {
    let chunkCount = 0;
    let offset = 0;
    while (offset < value.length || chunkCount === 0) {
      const page = this.#pageForChunk(value.length - offset);
      const end = Math.min(value.length, offset + (page.room - 1) * NVS_ENTRY_SIZE);
      const item = { namespaceIndex, type: ITEM_TYPE.blobChunk, chunkIndex: chunkCount, key: nameBytes(key) };
      page.addLarge(item, value.subarray(offset, end));
      offset = end;
      chunkCount++;
    }
    if (chunkCount > MAX_CHUNKS)
      throw new FormatError('nvs-no-room', `Blob ${key} would be in over ${MAX_CHUNKS} pieces`);
    const data = new Uint8Array(8).fill(0xff);
    writeU32(data, 0, value.length);
    data.set([chunkCount, 0], 4);
    this.#addSmall(namespaceIndex, { type: ITEM_TYPE.blobIndex, key, data });
  }

  /**
   * A page for the next chunk of a blob; in dense packing the emptiest, with room for at least one entry of data.
   * The tool uses a single free entry for a chunk of no bytes, and firmware reads that.
   */
  #pageForChunk(remaining: number): NvsPageBuilder {
    const { dense } = this.#options;
    const candidates = dense ? this.#pages.toSorted((a, b) => b.room - a.room) : this.#pages.slice(-1);
    const needed = dense && remaining > 0 ? 2 : 1;
    return candidates.find((page) => page.room >= needed) ?? this.#newPage();
  }
}
