/**
 * How the stub of esptool-js 0.7.0 erases and writes: unit by unit while it inflates, without a look at the range, and
 * with the outcome told one command later. By experiment; what overlaps, from its published source.
 */
import { type BusyFlash, TransferErase } from './busy-flash.ts';
import { Inflater } from './inflate.ts';
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
  readonly #flash: BusyFlash;
  readonly #erase: TransferErase;
  readonly #words: BeginWords;
  readonly #inflater: Inflater;
  readonly #windows: Uint8Array[] = [];
  #writeAt: number;
  #blocksLeft: number;

  constructor(flash: BusyFlash, words: BeginWords) {
    this.#flash = flash;
    this.#erase = new TransferErase(flash, words, true);
    this.#words = words;
    this.#writeAt = words.offset;
    this.#blocksLeft = words.blocks;
    this.#inflater = new Inflater((bytes) => this.#windows.push(bytes.slice()));
  }

  /** Bytes written so far against those announced: 0 when the transfer may end. */
  get missing(): number {
    return this.#words.size - (this.#writeAt - this.#words.offset);
  }

  /** What BEGIN itself does: the erase of the first unit is started, and not waited for. @returns the code. */
  *begin(): Work<number> {
    if (this.#words.offset >= this.#flash.chip.size) return Code.FlashFailed;
    // The look whether the first sector is blank waits for what the transfer before has left.
    yield* this.#flash.ready();
    this.#erase.startNext();
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
    const before = inflater.filled;
    inflater.push(data, sequence === 0);
    const windows = this.#windows.splice(0);
    for (const [index, window] of windows.entries()) {
      yield* this.#turn(window.length - (index === 0 ? before : 0));
      const code = yield* this.#write(window);
      if (code !== Code.Ok) return code;
    }
    yield* this.#turn(inflater.filled - (windows.length === 0 ? before : 0));
    const status: Inflater['status'] = inflater.status;
    if (status === 'bad-data' || status === 'bad-adler') return Code.InflateFailed;
    if (status === 'more') return this.#blocksLeft <= 0 ? Code.InflateFailed : Code.Ok;
    return yield* this.#write(inflater.window.slice(0, inflater.filled));
  }

  /** One turn of the inflater's loop: what can be erased meanwhile is. */
  *#turn(inflated: number): Work {
    this.#erase.startNext();
    yield (INFLATE_MS * inflated) / 0x8000;
  }

  /** Erases as far as needed, then programs. With nothing left to erase but more to write the stub loops for ever. */
  *#write(data: Uint8Array): Work<number | 'hangs'> {
    if (data.length === 0) return Code.Ok;
    const end = this.#writeAt + data.length;
    if (!(yield* this.#erase.reach(end))) return 'hangs';
    if (end > this.#flash.chip.size) return Code.FlashFailed;
    yield* this.#flash.program(this.#writeAt, data);
    this.#writeAt = end;
    return Code.Ok;
  }
}
