/** Waits to a tenth of a millisecond: a thread sleeps in the kernel, since the timers of the event loop know whole milliseconds. */
import { type Waker } from '#app/demo/paced-clock.ts';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** Milliseconds that the thread takes to wake up and to tell. */
const LATENESS_MS = 0.1;

/** Shared with the thread: a count of the requests, and the milliseconds of the last one. */
interface Shared {
  readonly requests: Int32Array;
  readonly ms: Float64Array;
}

const view = (buffer: SharedArrayBuffer): Shared => ({
  requests: new Int32Array(buffer, 0, 1),
  ms: new Float64Array(buffer, 8, 1),
});

export function fineWaker(): Waker {
  const buffer = new SharedArrayBuffer(16);
  const { requests, ms: wanted } = view(buffer);
  const thread = new Worker(import.meta.filename, { workerData: buffer });
  thread.unref();
  let callback: (() => void) | undefined;
  thread.on('message', (request: number) => {
    if (request === requests[0]) callback?.();
  });
  return {
    wake(ms, next) {
      callback = next;
      wanted[0] = Math.max(ms - LATENESS_MS, 0);
      Atomics.add(requests, 0, 1);
      Atomics.notify(requests, 0);
    },
    shortest: LATENESS_MS,
  };
}

/** The thread: sleeps until the last request is due, or a newer one comes. */
function sleepForEver({ requests, ms }: Shared): never {
  for (let seen = 0; ;) {
    Atomics.wait(requests, 0, seen);
    for (let due = false; !due;) {
      seen = Atomics.load(requests, 0);
      due = Atomics.wait(requests, 0, seen, ms[0]) === 'timed-out';
    }
    parentPort?.postMessage(seen);
  }
}

if (!isMainThread && workerData instanceof SharedArrayBuffer) sleepForEver(view(workerData));
