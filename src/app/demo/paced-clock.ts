/**
 * Real time, faster by a factor, for a virtual board in a worker. Between two timers every promise that can settle has settled,
 * as in modelled time; what is due in one stretch runs in one go, since the platform's own timers are too coarse for a serial line.
 */
import { type Clock, turn } from '#clock.ts';

interface Timer {
  at: number;
  callback: () => void;
}

/** How the clock waits for real time to pass. */
export interface Waker {
  /** Calls back after `ms` milliseconds, and not when it is asked again before. */
  wake(ms: number, callback: () => void): void;
  /** Milliseconds below which a turn of the event loop is as good. */
  readonly shortest: number;
}

/** The platform's timers. */
function platformWaker(): Waker {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    wake(ms, callback) {
      clearTimeout(timer);
      timer = setTimeout(callback, ms);
    },
    shortest: 1,
  };
}

export class PacedClock implements Clock {
  readonly #speed: number;
  readonly #waker: Waker;
  #timers: Timer[] = [];
  /** Time of the timer that runs. */
  #now = 0;
  #running = false;

  /** `speed`: seconds of the board for a second of the day. */
  constructor(speed: number, waker: Waker = platformWaker()) {
    this.#speed = speed;
    this.#waker = waker;
  }

  now(): number {
    if (!this.#running) this.#now = Math.max(this.#now, this.#target());
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.now() + Math.max(0, ms), callback };
    // Nearly all timers belong at or near the end.
    let index = this.#timers.length;
    while (index > 0 && (this.#timers[index - 1]?.at ?? 0) > timer.at) index--;
    this.#timers.splice(index, 0, timer);
    if (index === 0) this.#schedule();
    return () => {
      const found = this.#timers.indexOf(timer);
      if (found >= 0) this.#timers.splice(found, 1);
    };
  }

  outside<T>(work: Promise<T>): Promise<T> {
    return work;
  }

  #target(): number {
    return performance.now() * this.#speed;
  }

  #schedule(): void {
    const next = this.#timers[0];
    if (this.#running || !next) return;
    const ms = (next.at - this.#target()) / this.#speed;
    if (ms < this.#waker.shortest) void turn().then(() => this.#stretch());
    else this.#waker.wake(ms, () => void this.#stretch());
  }

  async #stretch(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const end = this.#target();
    for (let next = this.#timers[0]; next && next.at <= end; next = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await turn();
    }
    this.#running = false;
    this.#schedule();
  }
}
