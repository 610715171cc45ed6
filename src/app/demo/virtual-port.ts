/** The serial port of the virtual board as the page sees it: the six members of `Port`, over messages. */
import { type Port, type PortInfo, type PortOptions, type PortSignals } from '#device/port.ts';
import { type DemoCall, type SentError } from './demo-messages.ts';

export type SendCall = (call: DemoCall, transfer?: Transferable[]) => Promise<unknown>;

/** The error that was sent, as the platform's. */
export const receivedError = ({ name, message }: SentError): Error =>
  name === 'TypeError' ? new TypeError(message) : new DOMException(message, name);

export class DemoPort implements Port {
  readonly #id: number;
  readonly #info: PortInfo;
  readonly #call: SendCall;
  #isOpen = false;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(id: number, info: PortInfo, call: SendCall) {
    this.#id = id;
    this.#info = info;
    this.#call = call;
  }

  get readable(): ReadableStream<Uint8Array> | null {
    if (!this.#isOpen) return null;
    this.#readable ??= new ReadableStream({ start: (controller) => void (this.#controller = controller) });
    return this.#readable;
  }

  get writable(): WritableStream<Uint8Array> | null {
    if (!this.#isOpen) return null;
    this.#writable ??= new WritableStream({
      write: async (bytes) => void (await this.#call({ kind: 'write', port: this.#id, bytes })),
    });
    return this.#writable;
  }

  getInfo(): PortInfo {
    return { ...this.#info };
  }

  async open({ baudRate, bufferSize }: PortOptions): Promise<void> {
    const options = bufferSize === undefined ? { baudRate } : { baudRate, bufferSize };
    this.#forgetStreams();
    // Bytes may come before the answer does.
    this.#isOpen = true;
    void this.readable;
    try {
      await this.#call({ kind: 'open', port: this.#id, options });
    } catch (error) {
      this.#isOpen = false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#forgetStreams();
    await this.#call({ kind: 'close', port: this.#id });
  }

  async setSignals({ dataTerminalReady, requestToSend, ...others }: PortSignals): Promise<void> {
    const signals = {
      ...others,
      ...(dataTerminalReady === undefined ? {} : { dataTerminalReady }),
      ...(requestToSend === undefined ? {} : { requestToSend }),
    };
    await this.#call({ kind: 'signals', port: this.#id, signals });
  }

  /** Bytes from the board. */
  receive(bytes: Uint8Array): void {
    if (this.#isOpen) this.#controller?.enqueue(bytes);
  }

  /** Nothing more comes: after a close, or because the board is gone. */
  end(error: Error | undefined): void {
    if (!this.#isOpen || !error) return;
    this.#isOpen = false;
    const controller = this.#controller;
    this.#forgetStreams();
    controller?.error(error);
  }

  #forgetStreams(): void {
    this.#readable = undefined;
    this.#writable = undefined;
    this.#controller = undefined;
  }
}
