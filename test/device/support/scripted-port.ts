/** A port whose other end is the test: what the host wrote can be looked at, and any bytes can come back. */
import { type Port, type PortInfo, type PortOptions, type PortSignals } from '#device/port.ts';

export class ScriptedPort implements Port {
  readonly written: Uint8Array[] = [];
  readonly signals: PortSignals[] = [];
  readonly opened: number[] = [];
  readable: ReadableStream<Uint8Array> | null = null;
  writable: WritableStream<Uint8Array> | null = null;
  info: PortInfo = {};
  isOpen = false;
  /** Thrown by the next `open`. */
  openError: unknown;
  /** Never resolves a write when set. */
  stalled = false;
  /** What to do with bytes of the host. */
  onWrite: (bytes: Uint8Array) => void = () => undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #lost: Error | undefined;

  async open({ baudRate }: PortOptions): Promise<void> {
    if (this.openError !== undefined) throw this.openError as Error;
    if (this.isOpen) throw new DOMException('The port is already open.', 'InvalidStateError');
    this.opened.push(baudRate);
    this.isOpen = true;
    this.#newReadable();
    this.#newWritable();
  }

  async close(): Promise<void> {
    if (this.readable?.locked || this.writable?.locked) throw new TypeError('Cannot close a locked stream');
    this.isOpen = false;
    this.readable = null;
    this.writable = null;
  }

  async setSignals(signals: PortSignals): Promise<void> {
    if (this.#lost) throw this.#lost;
    this.signals.push(signals);
  }

  getInfo(): PortInfo {
    return this.info;
  }

  /** Bytes from the board. */
  send(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
  }

  /** As Web Serial at an unplugged cable: the read rejects, the port is dead. */
  lose(): void {
    this.#lost = new DOMException('The device has been lost.', 'NetworkError');
    this.#controller?.error(this.#lost);
    this.readable = null;
  }

  /** The stream ends without an error. */
  end(): void {
    this.#controller?.close();
  }

  /** An error after which Web Serial gives a new stream. */
  stumble(name: string): void {
    const controller = this.#controller;
    this.#newReadable();
    controller?.error(new DOMException('once', name));
  }

  #newReadable(): void {
    this.readable = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });
  }

  #newWritable(): void {
    this.writable = new WritableStream<Uint8Array>({
      write: async (bytes) => {
        if (this.#lost) throw this.#lost;
        if (this.stalled) await new Promise(() => undefined);
        this.written.push(bytes.slice());
        this.onWrite(bytes);
      },
    });
  }
}
