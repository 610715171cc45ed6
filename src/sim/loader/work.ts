/** Work of a loader that takes time: a generator that yields the milliseconds it is busy before it goes on. */
import { type Clock } from '#clock.ts';

export type Work<Result = void> = Generator<number, Result, void>;

/** Does one piece of work at a time. */
export class Worker {
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;
  #stopped = false;
  busy = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts; what takes no time is done before this returns. `onDone` is called when all is. */
  start(work: Work, onDone: () => void): void {
    this.busy = true;
    this.#advance(work, onDone);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #advance(work: Work, onDone: () => void): void {
    while (!this.#stopped) {
      const { done, value } = work.next();
      if (this.#stopped) return;
      if (done) {
        this.busy = false;
        onDone();
        return;
      }
      if (value > 0) {
        this.#cancel = this.#clock.after(value, () => this.#advance(work, onDone));
        return;
      }
    }
  }
}
