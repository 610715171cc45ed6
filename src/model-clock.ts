/**
 * Modelled time: it jumps to the next timer as soon as nothing else can happen.
 * A twenty-second write of a virtual board takes as long as its computing does.
 */
import { type Clock, turn } from './clock.ts';

interface Timer {
  at: number;
  order: number;
  callback: () => void;
}

/** Raised by `run` when the task waits for something that modelled time can never bring. */
export class StuckClockError extends Error {
  override readonly name = 'StuckClockError';
}

export class ModelClock implements Clock {
  #now = 0;
  #order = 0;
  #outside = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback };
    // Sorted by time, then by order of creation; nearly all timers go in at or near the end.
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index--;
    this.#timers.splice(index, 0, timer);
    return () => {
      const found = this.#timers.indexOf(timer);
      if (found >= 0) this.#timers.splice(found, 1);
    };
  }

  async outside<T>(work: Promise<T>): Promise<T> {
    this.#outside++;
    try {
      return await work;
    } finally {
      this.#outside--;
    }
  }

  /**
   * Runs a task to its end, moving time on whenever everything waits.
   *
   * @throws {StuckClockError} when the task waits although no timer and no outside work is left.
   */
  async run<T>(task: Promise<T> | (() => Promise<T>)): Promise<T> {
    let settled = false;
    const promise = typeof task === 'function' ? task() : task;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    for (let idle = 0; !settled;) {
      await turn();
      if (settled) break;
      if (this.#outside > 0) continue;
      if (this.#step()) {
        idle = 0;
      } else if (++idle > 50) {
        throw new StuckClockError(`At ${this.#now} ms the task waits, and no timer is set`);
      }
    }
    return promise;
  }

  /** Lets `ms` milliseconds pass, with all that falls due in them. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    for (let next = this.#timers[0]; next && next.at <= end; next = this.#timers[0]) {
      this.#step();
      await turn();
    }
    this.#now = Math.max(this.#now, end);
  }

  #step(): boolean {
    const next = this.#timers.shift();
    if (!next) return false;
    this.#now = Math.max(this.#now, next.at);
    next.callback();
    return true;
  }
}
