/** How fast the board of a run downloads, for as long as it does. */
import { type Clock } from '#clock.ts';
import { RateMeter } from '#workflows/rate-meter.ts';
import { type Position } from '#workflows/update-state.ts';
import { bytesServed } from './update-view.ts';

/** A board fetches range by range. */
const WINDOW = { window: 10_000, least: 1000 };
/** Milliseconds without a byte after which a rate is told anew. */
const AGES = 5000;

export class DownloadRate {
  readonly #clock: Clock;
  readonly #onAged: () => void;
  readonly #meter = new RateMeter(WINDOW);
  #cancel: (() => void) | undefined;

  /** `onAged`: it is another one by now, though nothing came. */
  constructor(clock: Clock, onAged: () => void) {
    this.#clock = clock;
    this.#onAged = onAged;
  }

  /** The run is at that position now. */
  see(position: Position): void {
    if (position.at === 'downloading') this.#meter.add(this.#clock.now(), bytesServed(position));
    else this.#meter.clear();
    this.#age();
  }

  /** Bytes a second, or nothing while that is not known. */
  get now(): number | undefined {
    return this.#meter.rate(this.#clock.now());
  }

  /** Nothing more is told. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** A download that stands still has no rate any more. */
  #age(): void {
    this.stop();
    if (this.now === undefined) return;
    this.#cancel = this.#clock.after(AGES, () => {
      this.#onAged();
      this.#age();
    });
  }
}
