/** Both ends of a conversation in one thread: messages are copied as between threads, and arrive with the next microtask. */
import { type Channel } from '#app/workers/channel.ts';

class End implements Channel {
  onmessage: ((event: MessageEvent) => void) | null = null;
  other: End | undefined;

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    const data: unknown = carriesFiles(message) ? message : structuredClone(message, { transfer });
    queueMicrotask(() => this.other?.onmessage?.({ data } as MessageEvent));
  }
}

/** Files are handles: they are not copied between threads either. */
const carriesFiles = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && ('file' in message || 'files' in message);

export function linkedChannels(): [page: Channel, worker: Channel] {
  const [page, worker] = [new End(), new End()];
  page.other = worker;
  worker.other = page;
  return [page, worker];
}
