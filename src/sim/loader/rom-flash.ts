/**
 * How the mask ROM writes flash: what it checks, what it forgets to check, and what it does to the bytes behind.
 * By experiment with the ROMs of ESP32 and ESP32-C3. All results are reasons of the protocol, 0 for success.
 */
import { FLASH_SECTOR, type NorFlash } from '#sim/board/nor-flash.ts';
import { alignUp } from '#formats/bytes.ts';
import { Inflater } from './inflate.ts';
import { type SimChip } from '#sim/board/sim-chips.ts';
import { type Work } from './work.ts';

/** Reasons of the ROM's answers. */
export const Reason = {
  Ok: 0,
  BadMessage: 0x05,
  Failed: 0x06,
  Checksum: 0x07,
  FlashRead: 0x09,
  ReadLength: 0x0a,
  Inflate: 0x0b,
  Adler: 0x0c,
} as const;

/** Largest block that the ROM takes, for RAM and flash alike. */
export const ROM_BLOCK_LIMIT = 0x1800;
/** What the ROM believes in until SPI_SET_PARAMS tells it better. */
const SIZE_AT_START = 0x20_0000;
/** Bytes that the ROM's inflater keeps before it programs them. */
const WINDOW = 0x8000;
/** The ROM's inflater and flash driver, beside the time of the flash itself; roughly. */
const INFLATE_MS = 25;

/** A data block as the ROM sees it: the bytes of the frame, and those that its length word promises. */
export interface RomBlock {
  readonly body: Uint8Array;
  readonly wanted: Uint8Array;
  readonly sequence: number;
  readonly checksumOk: boolean;
}

/** Counts blocks: only a wrong checksum or a good block moves the counter. */
export class BlockCounter {
  next = 0;
  blockSize = 0;
  open = false;

  begin(blockSize: number): void {
    this.next = 0;
    this.blockSize = blockSize;
    this.open = true;
  }

  /** The reason to refuse the block, or 0. */
  accept(block: RomBlock, exactLength = true): number {
    const tooLong = block.body.length > this.blockSize || block.wanted.length > this.blockSize;
    const shortWord = exactLength && block.wanted.length < block.body.length;
    if (!this.open || tooLong || shortWord || block.sequence !== this.next) return Reason.BadMessage;
    this.next++;
    return block.checksumOk ? Reason.Ok : Reason.Checksum;
  }
}

export class RomFlash {
  readonly #flash: NorFlash;
  readonly #chip: SimChip;
  readonly #counter = new BlockCounter();
  #size = SIZE_AT_START;
  #plainAt: number | undefined;
  /** Stays over a reset: a compressed block without BEGIN goes where the last transfer of the session went. */
  #deflateAt: number | undefined;
  #inflater: Inflater | undefined;
  #windows: Uint8Array[] = [];

  constructor(flash: NorFlash, chip: SimChip, deflateAt: number | undefined) {
    this.#flash = flash;
    this.#chip = chip;
    this.#plainAt = chip.strayOffset;
    this.#deflateAt = deflateAt;
  }

  get deflateOffset(): number | undefined {
    return this.#deflateAt;
  }

  get hasBegun(): boolean {
    return this.#counter.open;
  }

  setSize(size: number): void {
    this.#size = size;
  }

  /** FLASH_BEGIN and FLASH_DEFL_BEGIN: also after a failure data are taken, and written without an erase. */
  *begin(words: { size: number; blockSize: number; offset: number }, compressed: boolean): Work<number> {
    if (words.blockSize > ROM_BLOCK_LIMIT) return Reason.BadMessage;
    this.#counter.begin(words.blockSize);
    if (compressed) {
      this.#deflateAt = words.offset;
      this.#windows = [];
      this.#inflater = new Inflater((bytes) => this.#windows.push(bytes.slice()));
    } else {
      this.#plainAt = words.offset;
    }
    const end = words.offset + alignUp(words.size, FLASH_SECTOR);
    if (words.offset % FLASH_SECTOR !== 0 || end > this.#size) return Reason.Failed;
    yield this.#flash.erase(words.offset, words.size);
    return Reason.Ok;
  }

  *data(block: RomBlock): Work<number> {
    const refused = this.#counter.accept(block);
    if (refused) return refused;
    if (this.#plainAt === undefined) return Reason.Ok;
    yield this.#program(this.#plainAt, block.wanted);
    this.#plainAt += block.wanted.length;
    return Reason.Ok;
  }

  /** FLASH_DEFL_DATA. @returns the reason, or `'dead'` when bytes follow the end of the stream. */
  *compressed(block: RomBlock): Work<number | 'dead'> {
    if (!this.#counter.open) return yield* this.#strayCompressed(block.wanted);
    const refused = this.#counter.accept(block);
    if (refused) return refused;
    if (this.#inflater === undefined) this.#inflater = new Inflater((bytes) => this.#windows.push(bytes.slice()));
    return yield* this.#inflate(this.#inflater, block.wanted);
  }

  /** A block without BEGIN is inflated to wherever the last transfer pointed, or nowhere. */
  *#strayCompressed(bytes: Uint8Array): Work<number | 'dead'> {
    const inflater = new Inflater((window) => this.#windows.push(window.slice()));
    yield* this.#inflate(inflater, bytes);
    return Reason.Ok;
  }

  *#inflate(inflater: Inflater, bytes: Uint8Array): Work<number | 'dead'> {
    if (inflater.status === 'done') return 'dead';
    const left = inflater.push(bytes);
    const status = inflater.status as Inflater['status'];
    if (status === 'done' && left > 0) return 'dead';
    for (const window of this.#windows.splice(0)) {
      yield INFLATE_MS + this.#programNext(window);
      if (this.#deflateAt !== undefined) this.#deflateAt += WINDOW;
    }
    if (status === 'bad-data') return Reason.Inflate;
    if (status === 'bad-adler') return Reason.Adler;
    if (status === 'done' && inflater.filled > 0) {
      const length = this.#chip.flushesWholeWindow ? WINDOW : inflater.filled;
      yield INFLATE_MS + this.#programNext(inflater.window.slice(0, length));
    }
    return Reason.Ok;
  }

  #programNext(bytes: Uint8Array): number {
    if (this.#deflateAt === undefined) return 0;
    return this.#program(this.#deflateAt, bytes);
  }

  /** What does not fit the chip, or does not start at a multiple of four, is not written at all, and nobody is told. */
  #program(offset: number, bytes: Uint8Array): number {
    if (offset % 4 !== 0 || offset + bytes.length > this.#size) return 0;
    return this.#flash.program(offset, bytes);
  }

  /** Bytes for an MD5 or a slow read; undefined when the range leaves the chip. */
  read(offset: number, length: number): Uint8Array | undefined {
    if (offset + length > this.#size || offset + length > this.#flash.size) return undefined;
    return this.#flash.bytes.subarray(offset, offset + length);
  }
}
