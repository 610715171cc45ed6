/**
 * Which page an item of a new image goes to.
 *
 * *Tool order* is how Espressif's NVS partition generator 0.2.0 fills pages (`nvs_partition_gen.py`): one after the other,
 * a string that would end with the page's last entry goes to the next page, a blob takes what room there is and goes on
 * in the next page. *Dense* uses every gap: each item goes to the first page with room.
 */
import { concatBytes, padBytes } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { type ItemPlace, type PagePool } from './nvs-packer.ts';
import { NvsPageBuilder } from './nvs-page.ts';
import { NVS_ENTRIES_PER_PAGE, type NvsVersion } from './nvs.ts';

/** Pages of an image that is written from nothing. */
abstract class NewPages implements PagePool {
  protected readonly pages: NvsPageBuilder[] = [];
  readonly #limit: number;

  /** @param limit pages that may be filled. */
  constructor(limit: number) {
    this.#limit = limit;
    this.begin();
  }

  abstract pageFor(item: ItemPlace): NvsPageBuilder;
  abstract pageForChunk(remaining: number): NvsPageBuilder;

  /** The image, blank behind the pages in use, which are all full but the last. */
  finish(size: number, version: NvsVersion): Uint8Array<ArrayBuffer> {
    const last = this.pages.length - 1;
    const pages = this.pages.map((page, index) => page.finish(index === last ? 'active' : 'full', index, version));
    return padBytes(concatBytes(...pages), size);
  }

  /** @throws {FormatError} `nvs-no-room`. */
  protected begin(): NvsPageBuilder {
    if (this.pages.length === this.#limit) {
      throw new FormatError('nvs-no-room', `The entries do not fit into ${this.#limit} pages of NVS`);
    }
    const page = new NvsPageBuilder();
    this.pages.push(page);
    return page;
  }
}

export class ToolOrderPages extends NewPages {
  readonly #typesApart: boolean;

  /** @param options.typesApart keeps two types under one key in different pages, which the tool does not. */
  constructor(limit: number, { typesApart }: { typesApart: boolean }) {
    super(limit);
    this.#typesApart = typesApart;
  }

  pageFor({ span, name, isLarge }: ItemPlace): NvsPageBuilder {
    // The tool leaves the last entry of a page free; the longest strings need it, and the tool cannot write them.
    const spare = isLarge && span < NVS_ENTRIES_PER_PAGE ? 1 : 0;
    const last = this.#last();
    return last.room >= span + spare && !(this.#typesApart && last.holds(name)) ? last : this.begin();
  }

  /** The tool uses a single free entry for a chunk of no bytes, and firmware reads that. */
  pageForChunk(): NvsPageBuilder {
    return this.#last().room >= 1 ? this.#last() : this.begin();
  }

  #last(): NvsPageBuilder {
    return this.pages.at(-1) ?? this.begin();
  }
}

export class DensePages extends NewPages {
  pageFor({ span, name }: ItemPlace): NvsPageBuilder {
    return this.pages.find((page) => page.room >= span && !page.holds(name)) ?? this.begin();
  }

  /** The emptiest page, with room for at least one entry of data. */
  pageForChunk(remaining: number): NvsPageBuilder {
    const needed = remaining > 0 ? 2 : 1;
    return this.pages.toSorted((a, b) => b.room - a.room).find((page) => page.room >= needed) ?? this.begin();
  }
}
