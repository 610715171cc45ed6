/** Puts new values in the place of old ones, where they take no more entries: then no other page has to change. */
import { type ExistingPages } from './nvs-existing-pages.ts';
import { type NvsItem } from './nvs-items.ts';
import { blobIndexData, itemData, type ItemData } from './nvs-packer.ts';
import { entryIndex, spanOf } from './nvs-page.ts';
import { nameBytes } from './nvs-values.ts';
import { ITEM_TYPE, NVS_ENTRY_SIZE, type NvsEntry, type NvsVersion } from './nvs.ts';

export class ItemReplacer {
  readonly #pages: ExistingPages;
  readonly #version: NvsVersion;

  constructor(pages: ExistingPages, version: NvsVersion) {
    this.#pages = pages;
    this.#version = version;
  }

  /** Marks items as erased. */
  erase(items: readonly NvsItem[]): void {
    for (const item of items) this.#pages.pageOf(item).erase(entryIndex(item), itemSpan(item));
  }

  /**
   * Replaces all items of a key by the entry.
   *
   * @returns whether it found its place there. If not, the items are erased, and the entry is still to be added.
   */
  replace(items: readonly NvsItem[], entry: NvsEntry): boolean {
    const kept =
      entry.type === 'blob' && this.#version === 2
        ? this.#replaceBlob(items, entry.value)
        : this.#replaceOne(items, itemData(entry));
    this.erase(items.filter((item) => !kept.includes(item)));
    return kept.length > 0;
  }

  #replaceOne(items: readonly NvsItem[], data: ItemData): NvsItem[] {
    const span = data.isLarge ? spanOf(data.bytes.length) : 1;
    const target = items.find((item) => itemSpan(item) >= span);
    if (!target) return [];
    this.#put(target, data);
    return [target];
  }

  /** Fills the old chunks one after the other, where all of the value fits into them. */
  #replaceBlob(items: readonly NvsItem[], value: Uint8Array): NvsItem[] {
    const index = items.find(({ type }) => type === ITEM_TYPE.blobIndex);
    const chunks = items
      .filter(({ type }) => type === ITEM_TYPE.blobChunk)
      .toSorted((a, b) => a.chunkIndex - b.chunkIndex);
    const [first] = chunks;
    if (!index || !first || chunks.reduce((sum, chunk) => sum + capacity(chunk), 0) < value.length) return [];
    const filled: NvsItem[] = [];
    let offset = 0;
    for (const chunk of chunks) {
      if (offset >= value.length && chunk !== first) break;
      const bytes = value.subarray(offset, offset + capacity(chunk));
      this.#put(chunk, { type: ITEM_TYPE.blobChunk, isLarge: true, bytes, chunkIndex: chunk.chunkIndex });
      filled.push(chunk);
      offset += bytes.length;
    }
    const bytes = blobIndexData(value.length, { chunkCount: filled.length, firstChunk: first.chunkIndex });
    this.#put(index, { type: ITEM_TYPE.blobIndex, isLarge: false, bytes });
    return [index, ...filled];
  }

  #put(place: NvsItem, { type, isLarge, bytes, chunkIndex }: ItemData & { chunkIndex?: number }): void {
    const page = this.#pages.pageOf(place);
    const { namespaceIndex, key } = place;
    const item = { namespaceIndex, type, key: nameBytes(key), ...(chunkIndex === undefined ? {} : { chunkIndex }) };
    if (isLarge) page.replaceLarge(entryIndex(place), itemSpan(place), item, bytes);
    else page.replaceSmall(entryIndex(place), itemSpan(place), { ...item, data: bytes });
  }
}

const itemSpan = ({ payload }: NvsItem): number => spanOf(payload.length);

/** Bytes of a blob that fit into the entries of a chunk. */
const capacity = (chunk: NvsItem): number => (itemSpan(chunk) - 1) * NVS_ENTRY_SIZE;
