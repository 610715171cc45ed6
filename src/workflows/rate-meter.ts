/** Speed and time left, from what was done over the last seconds. */

export interface RateWindow {
  /** Milliseconds that the speed is taken over: long enough to smooth blocks, short enough to follow a change. */
  window: number;
  /** Milliseconds before which nothing is known. */
  least: number;
}

/** Share of the whole before which a time left would be a guess. */
const LEAST_SHARE = 0.04;

export class RateMeter {
  readonly #options: RateWindow;
  #samples: { at: number; done: number }[] = [];

  /** The default is for what goes over a serial line. */
  constructor(options: RateWindow = { window: 5000, least: 1200 }) {
    this.#options = options;
  }

  /** `at` in milliseconds, which does not go back; `done` in bytes: fewer than before are those of something else. */
  add(at: number, done: number): void {
    if (done < (this.#samples.at(-1)?.done ?? 0)) this.clear();
    this.#samples.push({ at, done });
    this.#forget(at);
  }

  clear(): void {
    this.#samples = [];
  }

  /** Bytes a second at that time in milliseconds, by default the last one; nothing while too little is known or nothing moves. */
  rate(now = this.#samples.at(-1)?.at ?? 0): number | undefined {
    this.#forget(now);
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || now - first.at < this.#options.least || last.done <= first.done) return undefined;
    return ((last.done - first.done) * 1000) / (now - first.at);
  }

  /** Seconds until `total` at the last speed, or `undefined`. */
  secondsLeft(total: number): number | undefined {
    const done = this.#samples.at(-1)?.done ?? 0;
    const rate = this.rate();
    return rate === undefined || done < total * LEAST_SHARE ? undefined : (total - done) / rate;
  }

  /** The last sample before the window stays, so that the whole of it is covered. */
  #forget(now: number): void {
    const from = now - this.#options.window;
    while ((this.#samples[1]?.at ?? Infinity) <= from) this.#samples.shift();
  }
}
