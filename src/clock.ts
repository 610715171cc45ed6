/**
 * Time, handed in. Everything below the page, the command line and the station waits through a `Clock`,
 * so that a test or a campaign runs the same code in modelled time (model-clock.ts).
 */

export interface Clock {
  /** Milliseconds since some origin; never goes back. */
  now(): number;
  /** Calls `callback` once, `ms` milliseconds from now. The returned function cancels it; cancelling twice is harmless. */
  after(ms: number, callback: () => void): () => void;
  /**
   * Waits for work that the clock cannot see: a compressor in another thread, a file, a socket.
   * Modelled time stands still until it is done; on the system clock this is the promise itself.
   */
  outside<T>(work: Promise<T>): Promise<T>;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  outside: (work) => work,
};

/**
 * Resolves after `ms` milliseconds of the clock.
 *
 * @throws {DOMException} the signal's reason (`AbortError`) as soon as `signal` aborts.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * The promise's own outcome, or `onTimeout()`'s error when it is not settled within `ms`,
 * or the signal's reason when that aborts first. The promise goes on unobserved in both of these cases.
 */
export function withLimit<T>(
  clock: Clock,
  promise: Promise<T>,
  { ms, signal, onTimeout }: { ms?: number; signal?: AbortSignal; onTimeout?: () => Error },
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      promise.catch(() => undefined); // nobody waits for it any more
      reject(signal.reason as Error);
      return;
    }
    const cancelTimer =
      ms === undefined
        ? undefined
        : clock.after(ms, () => {
            done();
            reject(onTimeout?.() ?? new Error(`Not done within ${ms} ms`));
          });
    const onAbort = (): void => {
      done();
      reject(signal?.reason as Error);
    };
    const done = (): void => {
      cancelTimer?.();
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    promise.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: Error) => {
        done();
        reject(error);
      },
    );
  });
}

/** One turn of the event loop: every promise that can settle has settled after it. No timer, which platforms slow down in the background. */
export const turn: () => Promise<void> = (() => {
  if (typeof setImmediate === 'function') return () => new Promise<void>((resolve) => setImmediate(resolve));
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  channel.port1.onmessage = () => waiting.shift()?.();
  return () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      channel.port2.postMessage(0);
    });
})();
