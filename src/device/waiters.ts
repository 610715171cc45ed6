/** Everything that waits for a port, so that all of it can be told at once when the port is lost or the job aborted. */
import { type Clock } from '#clock.ts';

interface Waiter {
  fail: (error: Error) => void;
  frame?: (frame: Uint8Array) => void;
}

/** How a wait begins and ends. */
export interface Waiting<T> {
  /**
   * Starts what is waited for. Must not settle before it returns. `frame` makes it one that takes the next frame;
   * `end` is called however the wait ends.
   */
  begin: (
    resolve: (value: T) => void,
    reject: (error: Error) => void,
  ) => { frame?: (frame: T) => void; end?: () => void };
  onTimeout?: () => Error;
}

export class Waiters {
  readonly #clock: Clock;
  readonly #all = new Set<Waiter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until `begin` settles it, `failAll` is called, or `ms` milliseconds are over. */
  wait<T>(ms: number | undefined, { begin, onTimeout }: Waiting<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const finish = (): void => {
        cancelTimer?.();
        begun.end?.();
        this.#all.delete(waiter);
      };
      const fail = (error: Error): void => {
        finish();
        reject(error);
      };
      const waiter: Waiter = { fail };
      const cancelTimer =
        ms === undefined
          ? undefined
          : this.#clock.after(ms, () => fail(onTimeout?.() ?? new Error(`Not done within ${ms} ms`)));
      this.#all.add(waiter);
      const begun = begin((value) => {
        finish();
        resolve(value);
      }, fail);
      if (begun.frame) waiter.frame = begun.frame as (frame: Uint8Array) => void;
    });
  }

  failAll(error: Error): void {
    for (const waiter of [...this.#all]) waiter.fail(error);
  }

  /** Gives a frame to the one who has waited longest for one. @returns whether there was one */
  deliver(frame: Uint8Array): boolean {
    for (const waiter of this.#all) {
      if (!waiter.frame) continue;
      waiter.frame(frame);
      return true;
    }
    return false;
  }
}
