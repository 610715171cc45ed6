/** The two ends of a conversation by messages: a worker seen from the page, the page seen from a worker, a `MessagePort` in tests. */
export interface Channel {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** The page, seen from inside a worker. */
export const pageChannel = (): Channel => globalThis as unknown as Channel;
