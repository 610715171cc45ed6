/** Speed and time left, from what the board has acknowledged over the last seconds. */

/** Milliseconds that the speed is taken over: long enough to smooth blocks, short enough to follow a change. */
const WINDOW_MS = 5000;
/** Before that nothing is known. */
const LEAST_MS = 1200;
/** Share of the whole before which a time left would be a guess. */
const LEAST_SHARE = 0.04;

export class RateMeter {
  #samples: { at: number; done: number }[] = [];

  /** `at` in milliseconds, `done` in bytes; neither goes back. */
  add(at: number, done: number): void {
    this.#samples.push({ at, done });
    const from = at - WINDOW_MS;
    while ((this.#samples[1]?.at ?? Infinity) < from) this.#samples.shift();
  }

  /** Bytes a second, or `undefined` as long as too little is known. */
  get rate(): number | undefined {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < LEAST_MS || last.done <= first.done) return undefined;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }

  /** Seconds until `total` at the present speed, or `undefined`. */
  secondsLeft(total: number): number | undefined {
    const done = this.#samples.at(-1)?.done ?? 0;
    const { rate } = this;
    return rate === undefined || done < total * LEAST_SHARE ? undefined : (total - done) / rate;
  }
}
