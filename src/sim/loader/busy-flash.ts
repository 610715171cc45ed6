/**
 * The flash as a stub drives it: an erase is started and goes on by itself, while the stub answers, receives and inflates;
 * whatever needs the flash next waits for its end. From the published source of esp-flasher-stub.
 */
import { type Clock } from '#clock.ts';
import { alignDown, alignUp } from '#formats/bytes.ts';
import { FLASH_BLOCK, FLASH_SECTOR, type NorFlash } from '#sim/board/nor-flash.ts';
import { type Work } from './work.ts';

export class BusyFlash {
  readonly chip: NorFlash;
  readonly #clock: Clock;
  #freeAt = 0;

  constructor(chip: NorFlash, clock: Clock) {
    this.chip = chip;
    this.#clock = clock;
  }

  get isBusy(): boolean {
    return this.#freeAt > this.#clock.now();
  }

  /** Waits for the end of the erase that is under way. */
  *ready(): Work {
    while (this.isBusy) yield this.#freeAt - this.#clock.now();
  }

  /** Starts an erase; the flash must not be busy. */
  startErase(offset: number, length: number): void {
    this.#freeAt = this.#clock.now() + this.chip.erase(offset, length);
  }

  /** Erases a range, or everything, and waits for the end. */
  *erase(range?: { offset: number; length: number }): Work {
    yield* this.ready();
    yield range ? this.chip.erase(range.offset, range.length) : this.chip.eraseChip();
  }

  *program(offset: number, data: Uint8Array): Work {
    yield* this.ready();
    yield this.chip.program(offset, data);
  }
}

/** The erases of one transfer: from the sector of its offset to that of its end, in 64 KB blocks where they fit. */
export class TransferErase {
  readonly #flash: BusyFlash;
  readonly #end: number;
  #at: number;
  #skipsBlank: boolean;

  /** `skipsBlank`: sectors that are blank are passed over, one by one, until the first that is not. */
  constructor(flash: BusyFlash, range: { offset: number; size: number }, skipsBlank: boolean) {
    this.#flash = flash;
    this.#at = alignDown(range.offset, FLASH_SECTOR);
    this.#end = range.size === 0 ? this.#at : alignUp(range.offset + range.size, FLASH_SECTOR);
    this.#skipsBlank = skipsBlank;
  }

  /** Starts the next erase, if there is one and none is under way. */
  startNext(): void {
    const { chip } = this.#flash;
    if (this.#at >= this.#end) return;
    this.#skipsBlank &&= chip.isBlank(this.#at % chip.size, FLASH_SECTOR);
    if (this.#skipsBlank) {
      this.#at += FLASH_SECTOR;
    } else if (!this.#flash.isBusy) {
      const wholeBlock = this.#at % FLASH_BLOCK === 0 && this.#end - this.#at >= FLASH_BLOCK;
      const unit = wholeBlock ? FLASH_BLOCK : FLASH_SECTOR;
      this.#flash.startErase(this.#at, unit);
      this.#at += unit;
    }
  }

  /** Starts all that is needed to write as far as `end`. @returns whether the transfer reaches that far. */
  *reach(end: number): Work<boolean> {
    while (this.#at < end) {
      if (this.#at >= this.#end) return false;
      if (!this.#skipsBlank) yield* this.#flash.ready();
      this.startNext();
    }
    return true;
  }
}
