/**
 * A NOR flash chip: erasing sets bits, programming only clears them. Every operation returns how long the chip is busy with
 * it, so that modelled time passes: a real one of the W25Q class by the typical figures of its data sheet, unless told otherwise.
 */
import { alignDown, alignUp } from '#formats/bytes.ts';

/** Bytes of the smallest unit that can be erased. */
export const FLASH_SECTOR = 0x1000;
/** Bytes of the block that is erased faster than its sectors. */
export const FLASH_BLOCK = 0x1_0000;
const PAGE = 0x100;

/** Busy times in milliseconds: 256-byte page, 4 KB sector, 64 KB block, and a chip erase per megabyte. */
export interface FlashTimes {
  readonly page: number;
  readonly sector: number;
  readonly block: number;
  readonly chipPerMegabyte: number;
}

/** Those that are typical. */
export const FLASH_TIMES: FlashTimes = { page: 0.6, sector: 45, block: 150, chipPerMegabyte: 2500 };

interface Operation {
  readonly offset: number;
  readonly before: Uint8Array;
}

export class NorFlash {
  readonly bytes: Uint8Array;
  readonly size: number;
  /** Numbers of the sectors that neither erase nor program any more. */
  readonly badSectors = new Set<number>();
  /** Goes up with every operation: a cheap way to see whether anything changed. */
  generation = 0;
  /** Called when an operation starts, for faults. */
  onOperation: (() => void) | undefined;
  /** Without supply: it is neither erased nor programmed. */
  frozen = false;
  readonly #times: FlashTimes;
  #last: Operation | undefined;

  /** A blank chip of that many bytes (a power of two), or one that lives in `bytes`, without a copy. */
  constructor(content: number | Uint8Array, times: Partial<FlashTimes> = {}) {
    this.#times = { ...FLASH_TIMES, ...times };
    this.bytes = typeof content === 'number' ? new Uint8Array(content).fill(0xff) : content;
    this.size = this.bytes.length;
    if (this.size < FLASH_BLOCK || (this.size & (this.size - 1)) !== 0) {
      throw new RangeError(`A flash chip has a power of two of bytes, not ${this.size}`);
    }
  }

  /**
   * Erases all sectors that touch the range, 64 KB blocks where they fit. The chip ignores the address bits that it does
   * not have: what lies beyond its end is erased at its start.
   *
   * @returns milliseconds that the chip is busy.
   */
  erase(offset: number, length: number): number {
    let busy = 0;
    const end = alignUp(offset + length, FLASH_SECTOR);
    for (let at = alignDown(offset, FLASH_SECTOR); length > 0 && at < end;) {
      const wholeBlock = at % FLASH_BLOCK === 0 && end - at >= FLASH_BLOCK;
      const unit = wholeBlock ? FLASH_BLOCK : FLASH_SECTOR;
      this.#eraseUnit(at % this.size, unit);
      busy += wholeBlock ? this.#times.block : this.#times.sector;
      at += unit;
    }
    return busy;
  }

  /** Erases everything. @returns milliseconds that the chip is busy. */
  eraseChip(): number {
    for (let at = 0; at < this.size; at += FLASH_BLOCK) this.#eraseUnit(at, FLASH_BLOCK);
    return (this.#times.chipPerMegabyte * this.size) / 0x10_0000;
  }

  /**
   * Clears the bits that are 0 in `data`. What would lie beyond the end of the chip is dropped.
   *
   * @returns milliseconds that the chip is busy.
   */
  program(offset: number, data: Uint8Array): number {
    const end = Math.min(offset + data.length, this.size);
    if (end <= offset || this.frozen) return 0;
    this.#remember(offset, end - offset);
    for (let at = offset; at < end;) {
      const stop = Math.min(alignDown(at, FLASH_SECTOR) + FLASH_SECTOR, end);
      if (!this.badSectors.has((at / FLASH_SECTOR) | 0)) {
        for (let index = at; index < stop; index++) this.bytes[index]! &= data[index - offset]!;
      }
      at = stop;
    }
    return this.#times.page * (Math.ceil(end / PAGE) - Math.floor(offset / PAGE));
  }

  /** Whether every byte of the range is FF; the range is cut at the end of the chip. */
  isBlank(offset: number, length: number): boolean {
    const end = Math.min(offset + length, this.size);
    for (let index = offset; index < end; index++) if (this.bytes[index] !== 0xff) return false;
    return true;
  }

  /**
   * The supply fails in the middle of the last operation: only the first `share` (0 to 1) of it has happened,
   * and one byte at the border is neither what it was nor what it should be.
   */
  interruptLast(share: number): void {
    if (!this.#last) return;
    const { offset, before } = this.#last;
    const done = Math.floor(before.length * Math.min(Math.max(share, 0), 1));
    if (done >= before.length) return;
    this.bytes.set(before.subarray(done), offset + done);
    this.bytes[offset + done] = (before[done] ?? 0) & 0xa5;
    this.#last = undefined;
    this.generation++;
  }

  #eraseUnit(offset: number, length: number): void {
    if (this.frozen) return;
    this.#remember(offset, length);
    for (let at = offset; at < offset + length; at += FLASH_SECTOR) {
      if (!this.badSectors.has(at / FLASH_SECTOR)) this.bytes.fill(0xff, at, at + FLASH_SECTOR);
    }
  }

  #remember(offset: number, length: number): void {
    this.#last = { offset, before: this.bytes.slice(offset, offset + length) };
    this.generation++;
    this.onOperation?.();
  }
}
