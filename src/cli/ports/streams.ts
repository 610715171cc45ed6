/** Web Streams around an event-driven byte channel, for ports that are not Web Serial. */

/** The receiving half: `push` bytes as they come, `fail` or `end` once. */
export class IncomingBytes {
  readonly stream: ReadableStream<Uint8Array>;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.#controller = undefined;
      },
    });
  }

  push(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
  }

  fail(error: Error): void {
    this.#controller?.error(error);
    this.#controller = undefined;
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }
}

/** What Web Serial throws when a device is gone. */
export const lostError = (): DOMException => new DOMException('The device has been lost.', 'NetworkError');
