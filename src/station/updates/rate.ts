import { type Clock } from '#clock.ts';

/** Milliseconds that a rate is taken over. */
const WINDOW = 10_000;
/** Over a shorter time it says nothing. */
const LEAST = 1000;

/** How fast a download goes. */
export class Rate {
  readonly #clock: Clock;
  #samples: { at: number; bytes: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `bytes`: fetched so far; fewer than before are those of another download. */
  note(bytes: number): void {
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.clear();
    this.#samples.push({ at: this.#clock.now(), bytes });
    this.#forget();
  }

  clear(): void {
    this.#samples = [];
  }

  /** Bytes a second of the last ten seconds; nothing while that is not known. */
  get perSecond(): number | undefined {
    this.#forget();
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || first === last) return undefined;
    const time = this.#clock.now() - first.at;
    return time < LEAST ? undefined : Math.round(((last.bytes - first.bytes) * 1000) / time);
  }

  /** The last sample before the window stays, so that the whole of it is covered. */
  #forget(): void {
    const from = this.#clock.now() - WINDOW;
    while ((this.#samples[1]?.at ?? Infinity) <= from) this.#samples.shift();
  }
}
