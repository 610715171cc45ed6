/**
 * A task of the firmware: asynchronous code that ends where it waits when the chip stops. Its promises then stay open for ever, so
 * nothing behind an `await` runs any more.
 */
import { type Clock } from '#clock.ts';

export class Task {
  readonly #clock: Clock;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(ms, () => this.#goOn(resolve)));
  }

  /**
   * Waits until something calls `done`, at most `limitMs`.
   *
   * @returns what it was called with, or `undefined` after that time.
   */
  until<T>(limitMs: number, begin: (done: (value: T) => void) => void): Promise<T | undefined> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(limitMs, () => this.#goOn(() => resolve(undefined)));
      begin((value) => {
        cancel();
        this.#goOn(() => resolve(value));
      });
    });
  }

  /** The outcome of work outside, unless the chip has stopped by then. */
  wait<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      work.then(
        (value) => this.#goOn(() => resolve(value)),
        (error: Error) => this.#goOn(() => reject(error)),
      );
    });
  }

  #goOn(next: () => void): void {
    if (!this.#stopped) next();
  }
}
