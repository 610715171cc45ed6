/** The page's clock: its timers run in a worker, so that a job keeps its speed when the tab is hidden. */
import { type Clock } from '#clock.ts';
import { type Channel } from './channel.ts';

/** From the page: start timer `id`, or stop it (`ms` undefined). Back comes the id alone, when it is due. */
interface TimerRequest {
  id: number;
  ms?: number;
}

export class WorkerClock implements Clock {
  readonly #channel: Channel;
  readonly #callbacks = new Map<number, () => void>();
  #nextId = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<number>) => {
      const callback = this.#callbacks.get(data);
      this.#callbacks.delete(data);
      callback?.();
    };
  }

  now(): number {
    return performance.now();
  }

  after(ms: number, callback: () => void): () => void {
    const id = this.#nextId++;
    this.#callbacks.set(id, callback);
    this.#channel.postMessage({ id, ms } satisfies TimerRequest);
    return () => {
      if (this.#callbacks.delete(id)) this.#channel.postMessage({ id } satisfies TimerRequest);
    };
  }

  outside<T>(work: Promise<T>): Promise<T> {
    return work;
  }
}

/** The worker's side: plain timers. */
export function serveTimers(channel: Channel): void {
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  channel.onmessage = ({ data: { id, ms } }: MessageEvent<TimerRequest>) => {
    if (ms === undefined) {
      clearTimeout(timers.get(id));
      timers.delete(id);
      return;
    }
    const due = (): void => {
      timers.delete(id);
      channel.postMessage(id);
    };
    timers.set(id, setTimeout(due, ms));
  };
}

/** The clock of the page, with a worker of its own. */
export function startWorkerClock(): Clock {
  return new WorkerClock(new Worker(new URL('./clock.worker.ts', import.meta.url), { type: 'module' }));
}
