/**
 * How the stub of esptool-js 0.7.0 erases and writes: unit by unit while it inflates, without a look at the range, and
 * with the outcome told one command later. By experiment.
 */
import { alignDown, alignUp } from '#formats/bytes.ts';
import { Inflater } from './inflate.ts';
import { FLASH_BLOCK, FLASH_SECTOR, type NorFlash } from '#sim/board/nor-flash.ts';
import { type Work } from './work.ts';

/** First status byte of the stub's answers; the second is 0. */
export const Code = {
  Ok: 0,
  BadLength: 0xc0,
  BadChecksum: 0xc1,
  UnknownCommand: 0xc3,
  FlashFailed: 0xc4,
  NotBegun: 0xc6,
  InflateFailed: 0xc7,
  TooShort: 0xc8,
  WrongLength: 0xc9,
  NotThere: 0xff,
} as const;

/** Inflating 32 KB; roughly. */
const INFLATE_MS = 10;

/** Words of FLASH_BEGIN and FLASH_DEFL_BEGIN. */
export interface BeginWords {
  readonly size: number;
  readonly blocks: number;
  readonly offset: number;
}

/** One transfer, from its BEGIN on. */
export class StubTransfer {
  readonly #flash: NorFlash;
  readonly #words: BeginWords;
  readonly #inflater: Inflater;
  readonly #windows: Uint8Array[] = [];
  #erasedTo: number;
  readonly #eraseEnd: number;
  #eraseNeeded = false;
  #writeAt: number;
  #blocksLeft: number;

  constructor(flash: NorFlash, words: BeginWords) {
    this.#flash = flash;
    this.#words = words;
    this.#writeAt = words.offset;
    this.#blocksLeft = words.blocks;
    this.#erasedTo = alignDown(words.offset, FLASH_SECTOR);
    this.#eraseEnd = words.size === 0 ? this.#erasedTo : alignUp(words.offset + words.size, FLASH_SECTOR);
    this.#inflater = new Inflater((bytes) => this.#windows.push(bytes.slice()));
  }

  /** Bytes written so far against those announced: 0 when the transfer may end. */
  get missing(): number {
    return this.#words.size - (this.#writeAt - this.#words.offset);
  }

  /** What BEGIN itself does: the first unit is erased. @returns the code. */
  *begin(): Work<number> {
    if (this.#words.offset >= this.#flash.size) return Code.FlashFailed;
    if (this.#erasedTo < this.#eraseEnd) yield this.#eraseUnit();
    return Code.Ok;
  }

  /** Plain data; what goes beyond the announced size is cut off. */
  *plain(data: Uint8Array): Work<number | 'hangs'> {
    return yield* this.#write(data.subarray(0, Math.max(this.missing, 0)));
  }

  /** A piece of a compressed stream. Block 0 puts the output back to the start of the window. */
  *compressed(data: Uint8Array, sequence: number): Work<number | 'hangs'> {
    const inflater = this.#inflater;
    this.#blocksLeft--;
    if (inflater.status === 'done') return Code.Ok;
    if (sequence === 0) inflater.rewindOutput();
    // Only block 0 is inflated with the flag for a zlib header, and without it nobody looks at the Adler-32.
    inflater.push(data, sequence === 0);
    for (const window of this.#windows.splice(0)) {
      yield INFLATE_MS;
      const code = yield* this.#write(window);
      if (code !== Code.Ok) return code;
    }
    const status: Inflater['status'] = inflater.status;
    if (status === 'bad-data' || status === 'bad-adler') return Code.InflateFailed;
    if (status === 'more') return this.#blocksLeft <= 0 ? Code.InflateFailed : Code.Ok;
    yield (INFLATE_MS * inflater.filled) / 0x8000;
    return yield* this.#write(inflater.window.slice(0, inflater.filled));
  }

  /** Erases as far as needed, then programs. With nothing left to erase but more to write the stub loops for ever. */
  *#write(data: Uint8Array): Work<number | 'hangs'> {
    if (data.length === 0) return Code.Ok;
    const end = this.#writeAt + data.length;
    while (this.#erasedTo < end) {
      if (this.#erasedTo >= this.#eraseEnd) return 'hangs';
      yield this.#eraseUnit();
    }
    if (end > this.#flash.size) return Code.FlashFailed;
    yield this.#flash.program(this.#writeAt, data);
    this.#writeAt = end;
    return Code.Ok;
  }

  /** One block or sector; blank ones are skipped until the first that is not. @returns milliseconds. */
  #eraseUnit(): number {
    const at = this.#erasedTo;
    const block = at % FLASH_BLOCK === 0 && this.#eraseEnd - at >= FLASH_BLOCK;
    const unit = block ? FLASH_BLOCK : FLASH_SECTOR;
    this.#erasedTo += unit;
    this.#eraseNeeded ||= !this.#flash.isBlank(at % this.#flash.size, unit);
    return this.#eraseNeeded ? this.#flash.erase(at, unit) : 0;
  }
}
