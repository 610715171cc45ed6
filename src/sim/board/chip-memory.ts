/**
 * What READ_REG, WRITE_REG and MEM_DATA see: the registers that have a meaning, RAM where something was written, and 0
 * everywhere else. Also the SPI controller, as far as hosts poke it to ask the flash chip for its id.
 */
import { type SimChip } from './sim-chips.ts';

const PAGE = 0x1000;
const SPI_START = 1 << 18;
const READ_JEDEC_ID = 0x9f;
/** Without it in the protection register the watchdog's registers do not change. */
const WATCHDOG_KEY = 0x50d8_3aa1;
const WATCHDOG_ENABLE = 0x8000_0000;
/** Ticks a millisecond of the RTC's slow clock. */
const SLOW_CLOCK = 136;

export class ChipMemory {
  /** A variable of the ROM that a reset leaves alone: where its inflater goes on writing. */
  romDeflateOffset: number | undefined;
  /** Called when the RTC watchdog is set off, with the milliseconds until it bites, and with nothing when it is stopped. */
  onWatchdog: ((ms: number | undefined) => void) | undefined;

  readonly #chip: SimChip;
  readonly #fixed: ReadonlyMap<number, number>;
  readonly #flashId: number;
  readonly #pages = new Map<number, Uint8Array>();

  /** `fixed`: word address to value, not changed by writes. `flashId`: the three bytes of the JEDEC id, first one lowest. */
  constructor(chip: SimChip, { fixed, flashId }: { fixed: ReadonlyMap<number, number>; flashId: number }) {
    this.#chip = chip;
    this.#fixed = fixed;
    this.#flashId = flashId;
  }

  /** The 32-bit word at any address, aligned or not. */
  read(address: number): number {
    if (address % 4 === 0) return this.#word(address);
    const shift = (address % 4) * 8;
    const aligned = address - (address % 4);
    return ((this.#word(aligned) >>> shift) | (this.#word(aligned + 4) << (32 - shift))) >>> 0;
  }

  /** Sets the bits of `mask` to those of `value`. */
  write(address: number, value: number, mask = 0xffff_ffff): void {
    const word = ((this.read(address) & ~mask) | (value & mask)) >>> 0;
    const spi = this.#chip.spi;
    if (address === spi.base && word & SPI_START) {
      // The command is over before the host can read the register.
      const command = this.read(spi.base + spi.user2) & 0xff;
      this.#store(spi.base + spi.data0, command === READ_JEDEC_ID ? this.#flashId : 0);
      return;
    }
    const { watchdog } = this.#chip;
    if (watchdog && (address === watchdog.config || address === watchdog.timeout)) {
      if (this.read(watchdog.protect) !== WATCHDOG_KEY) return;
      this.#store(address, word);
      const on = (this.read(watchdog.config) & WATCHDOG_ENABLE) !== 0;
      if (address === watchdog.config) this.onWatchdog?.(on ? this.read(watchdog.timeout) / SLOW_CLOCK : undefined);
      return;
    }
    this.#store(address, word);
  }

  /** Whether software asked for download mode at the next reset. */
  get forcesDownload(): boolean {
    const { watchdog } = this.#chip;
    return watchdog?.force !== undefined && (this.read(watchdog.force) & 1) === 1;
  }

  /** Copies bytes into RAM. */
  load(address: number, bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length;) {
      const at = (address + index) % PAGE;
      const length = Math.min(PAGE - at, bytes.length - index);
      this.#page(address + index).set(bytes.subarray(index, index + length), at);
      index += length;
    }
  }

  /** Bytes of RAM as they are; 0 where nothing was written. */
  dump(address: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => this.#byte(address + index));
  }

  /** Whether anything was ever written into the page of that address. */
  isLoaded(address: number): boolean {
    return this.#pages.has(Math.floor(address / PAGE));
  }

  /** What EN resets, besides the processor: the RTC watchdog and the flag for download mode. */
  resetRtc(): void {
    const { watchdog } = this.#chip;
    if (!watchdog) return;
    this.#store(watchdog.config, 0);
    this.#store(watchdog.protect, 0);
    if (watchdog.force !== undefined) this.#store(watchdog.force, 0);
  }

  /** What a power cycle leaves: nothing. */
  forget(): void {
    this.#pages.clear();
    this.romDeflateOffset = undefined;
  }

  #word(address: number): number {
    const fixed = this.#fixed.get(address);
    if (fixed !== undefined) return fixed;
    const page = this.#pages.get(Math.floor(address / PAGE));
    if (!page) return 0;
    return new DataView(page.buffer).getUint32(address % PAGE, true);
  }

  #store(address: number, word: number): void {
    this.load(address, Uint8Array.of(word, word >>> 8, word >>> 16, word >>> 24));
  }

  #byte(address: number): number {
    return this.#pages.get(Math.floor(address / PAGE))?.[address % PAGE] ?? 0;
  }

  #page(address: number): Uint8Array {
    const number = Math.floor(address / PAGE);
    let page = this.#pages.get(number);
    if (!page) this.#pages.set(number, (page = new Uint8Array(PAGE)));
    return page;
  }
}
