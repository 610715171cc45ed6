/**
 * The pages of an image that is changed in place, as the firmware changes it: what is old is marked as erased, what is new
 * goes to free entries, and a page is compacted where they are not in one piece. Unlike the firmware, which can only clear
 * bits, any page with room will do: pages that are changed anyway first, then the one that is written to, then the others.
 */
import { FormatError } from '../format-error.ts';
import { type NvsItem, readPageItems } from './nvs-items.ts';
import { type ItemPlace, type PagePool } from './nvs-packer.ts';
import { NvsPageBuilder, setPageState, spanOf } from './nvs-page.ts';
import { type NvsPageInfo } from './nvs-reader.ts';
import { NVS_PAGE_SIZE, type NvsVersion } from './nvs.ts';

interface LivePage {
  builder: NvsPageBuilder;
  offset: number;
  active: boolean;
  /** Its number, if it is a new one. */
  sequence?: number;
  changed: boolean;
}

export interface ExistingPagesOptions {
  /** Pages that must stay blank: one, unless the partition is only read. */
  spare: number;
  /** Of pages that are begun. */
  version: NvsVersion;
}

export class ExistingPages implements PagePool {
  /** All items, in the order of pages, then of entries. */
  readonly items: NvsItem[] = [];
  readonly #image: Uint8Array;
  readonly #version: NvsVersion;
  readonly #pages: LivePage[];
  /** Offsets of blank pages that may be begun. */
  readonly #blank: number[];
  #nextSequence: number;

  /** @param pages of an image without issues, as `decodeNvs` tells them. */
  constructor(image: Uint8Array, pages: readonly NvsPageInfo[], { spare, version }: ExistingPagesOptions) {
    this.#image = image;
    this.#version = version;
    const live = pages.filter(({ state }) => state !== 'blank').toSorted((a, b) => a.sequence - b.sequence);
    this.#pages = live.map(({ offset, state }) => {
      const active = state === 'active';
      this.items.push(...readPageItems({ image, offset, active }).items);
      const builder = NvsPageBuilder.open(image.subarray(offset, offset + NVS_PAGE_SIZE));
      return { builder, offset, active, changed: false };
    });
    const blank = pages.filter(({ state }) => state === 'blank').map(({ offset }) => offset);
    this.#blank = blank.slice(0, Math.max(0, blank.length - spare));
    this.#nextSequence = (live.at(-1)?.sequence ?? -1) + 1;
  }

  /** The page that holds an item of this image, to be changed. */
  pageOf({ pageOffset }: NvsItem): NvsPageBuilder {
    const page = this.#pages.find(({ offset }) => offset === pageOffset);
    if (!page) throw new RangeError(`No page at ${pageOffset}`);
    page.changed = true;
    return page.builder;
  }

  pageFor({ span }: ItemPlace): NvsPageBuilder {
    return this.#firstWithRoom(span) ?? this.#begin() ?? noRoom();
  }

  /** A page for all that remains, with the index if it can be; else a blank one, or the one with the most room. */
  pageForChunk(remaining: number): NvsPageBuilder {
    const span = spanOf(remaining);
    const whole = this.#firstWithRoom(span + 1) ?? this.#firstWithRoom(span) ?? this.#begin();
    if (whole) return whole;
    const [roomiest] = this.#pages.toSorted((a, b) => b.builder.roomWhenCompact - a.builder.roomWhenCompact);
    if (!roomiest || roomiest.builder.roomWhenCompact < (remaining > 0 ? 2 : 1)) return noRoom();
    return this.#open(roomiest, roomiest.builder.roomWhenCompact);
  }

  /** The changed image, of the same size. */
  finish(): Uint8Array<ArrayBuffer> {
    const image = this.#image.slice();
    const last = this.#pages.at(-1);
    for (const page of this.#pages) {
      const { builder, offset, sequence } = page;
      const state = page === last ? 'active' : 'full';
      if (sequence !== undefined) image.set(builder.finish(state, sequence, this.#version), offset);
      else if (page.changed) image.set(builder.bytes, offset);
      if (page.active && page !== last) setPageState(image.subarray(offset, offset + NVS_PAGE_SIZE), 'full');
    }
    return image;
  }

  #firstWithRoom(span: number): NvsPageBuilder | undefined {
    const rank = ({ changed, active }: LivePage): number => (changed ? 0 : active ? 1 : 2);
    const page = this.#pages
      .filter(({ builder }) => builder.roomWhenCompact >= span)
      .toSorted((a, b) => rank(a) - rank(b))[0];
    return page && this.#open(page, span);
  }

  #open(page: LivePage, span: number): NvsPageBuilder {
    page.changed = true;
    if (page.builder.room < span) page.builder.compact();
    return page.builder;
  }

  /** The next blank page, which becomes the one that is written to. */
  #begin(): NvsPageBuilder | undefined {
    const offset = this.#blank.shift();
    if (offset === undefined) return undefined;
    const builder = new NvsPageBuilder();
    this.#pages.push({ builder, offset, active: false, sequence: this.#nextSequence++, changed: true });
    return builder;
  }
}

function noRoom(): never {
  throw new FormatError('nvs-no-room', 'The entries do not fit into the pages of NVS');
}
