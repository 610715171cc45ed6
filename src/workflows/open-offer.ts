/** A file that is offered to a board, and what of it was fetched. */
import { type Clock } from '#clock.ts';
import { addRange, type ByteRange, coveredBytes } from './byte-ranges.ts';
import { type FileOffer } from './update-surroundings.ts';

/** Least milliseconds between two notes of how far a download is. */
const SERVED_EVERY = 1000;

/** Tells what was fetched at most once a second, and at once when it is whole. */
export class OpenOffer {
  readonly file: string;
  opened: FileOffer | undefined;
  readonly #size: number;
  #ranges: readonly ByteRange[];
  readonly #clock: Clock;
  readonly #tell: (ranges: readonly ByteRange[], signal: AbortSignal) => void;
  readonly #withdrawn = new AbortController();
  #toldAt = -Infinity;
  #cancelLater: (() => void) | undefined;

  constructor(
    { file, size, served }: { file: string; size: number; served: readonly ByteRange[] },
    clock: Clock,
    tell: (ranges: readonly ByteRange[], signal: AbortSignal) => void,
  ) {
    this.file = file;
    this.#size = size;
    this.#ranges = served;
    this.#clock = clock;
    this.#tell = tell;
  }

  get bytes(): number {
    return coveredBytes(this.#ranges);
  }

  served(range: ByteRange): void {
    this.#ranges = addRange(this.#ranges, range);
    const wait = this.#toldAt + SERVED_EVERY - this.#clock.now();
    if (wait <= 0 || this.bytes >= this.#size) this.#tellNow();
    else this.#cancelLater ??= this.#clock.after(wait, () => this.#tellNow());
  }

  withdraw(): void {
    this.#withdrawn.abort();
    this.#cancelLater?.();
    this.opened?.withdraw();
  }

  #tellNow(): void {
    this.#cancelLater?.();
    this.#cancelLater = undefined;
    this.#toldAt = this.#clock.now();
    this.#tell(this.#ranges, this.#withdrawn.signal);
  }
}
