/** What a board prints, as lines. */
import { type Clock } from '#clock.ts';
import { type BootEvent, recogniseBootLine } from './boot-lines.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type Link } from './link.ts';
import { type PortHolder } from './port-holder.ts';
import { type Port } from './port.ts';

export interface ConsoleLine {
  /** Milliseconds since the console was begun, which is just before the reset. */
  at: number;
  /** Without line end and colours; bytes that are no UTF-8 are U+FFFD. */
  text: string;
  /** What it means, if it is one of the lines that matter. */
  event?: BootEvent;
}

/** Milliseconds of silence after which a line without an end (a prompt) is handed out as it is. */
const PARTIAL_LINE_MS = 400;
/** Characters after which a line without an end is handed out: noise has no line ends. */
const MAX_LINE = 2000;

/** Colours and cursor movements of terminals: ESC [ … letter. */
// eslint-disable-next-line no-control-regex
const ESCAPE_SEQUENCE = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

/** Cuts bytes that arrive in any pieces into lines. */
export class LineSplitter {
  readonly #onLine: (text: string) => void;
  #decoder = new TextDecoder();
  #partial = '';

  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine;
  }

  get hasPartial(): boolean {
    return this.#partial.length > 0;
  }

  push(bytes: Uint8Array): void {
    this.#partial += this.#decoder.decode(bytes, { stream: true });
    // LF, CR LF, or a CR alone; a CR at the very end may be the first half of a CR LF.
    const parts = this.#partial.split(/\r*\n|\r(?!\n|$)/);
    this.#partial = parts.pop() ?? '';
    for (const part of parts) this.#emit(part);
    if (this.#partial.length > MAX_LINE) this.flush();
  }

  /** Hands out what there is of a line. */
  flush(): void {
    this.#partial += this.#decoder.decode();
    const text = this.#partial.replace(/\r$/, '');
    this.#partial = '';
    if (text.length > 0) this.#emit(text);
  }

  #emit(text: string): void {
    this.#onLine(text.replaceAll(ESCAPE_SEQUENCE, ''));
  }
}

/**
 * The console of a running board. It goes on when a native-USB board leaves and comes back, and ends with
 * `DeviceError` `port-lost` when the port is gone for good. Whoever has it owns the port until `close`.
 */
export class BoardConsole implements AsyncIterable<ConsoleLine> {
  /**
   * Whether the board never left its loader: it answers a SYNC. To be asked of a board that says nothing at all; an app that is
   * silent gets some bytes that it did not expect, and nothing is heard of it on this console any more.
   */
  readonly stillInLoader: () => Promise<boolean>;
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #holder: PortHolder;
  readonly #start: number;
  readonly #splitter: LineSplitter;
  readonly #lines: ConsoleLine[] = [];
  readonly #followMs: number;
  #end: Error | undefined;
  #closed = false;
  #wake: (() => void) | undefined;
  #cancelPartial: (() => void) | undefined;

  /** `followMs`: how long a native-USB board may be away before it counts as unplugged. */
  constructor(
    link: Link,
    holder: PortHolder,
    { clock, followMs, stillInLoader }: { clock: Clock; followMs: number; stillInLoader: () => Promise<boolean> },
  ) {
    this.stillInLoader = stillInLoader;
    this.#clock = clock;
    this.#link = link;
    this.#holder = holder;
    this.#start = clock.now();
    this.#followMs = followMs;
    this.#splitter = new LineSplitter((text) => this.#add(text));
    link.onBytes = (bytes) => this.#receive(bytes);
    link.onLost = (error) => void this.#follow(error);
  }

  /** The port that the board has now: another object than at first, when it left and came back. */
  get port(): Port {
    return this.#holder.port;
  }

  /**
   * The next line, or `undefined` when none comes within `ms`.
   *
   * @throws {DeviceError} `port-lost`, `port-closed`.
   * @throws {DOMException} `AbortError` when `signal` aborts.
   */
  async next({ ms, signal }: { ms?: number; signal?: AbortSignal | undefined } = {}): Promise<ConsoleLine | undefined> {
    signal?.throwIfAborted();
    if (this.#lines.length === 0 && !this.#end) await this.#waitForChange(ms, signal);
    const line = this.#lines.shift();
    if (!line && this.#end) throw this.#end;
    return line;
  }

  /** All lines to come; ends when the console is closed, and throws `DeviceError` `port-lost` when the port is lost. */
  async *[Symbol.asyncIterator](): AsyncIterator<ConsoleLine> {
    for (;;) {
      try {
        const line = await this.next();
        if (line) yield line;
      } catch (error) {
        if (this.#closed && isDeviceError(error, 'port-closed')) return;
        throw error;
      }
    }
  }

  /** Sends text to the board. */
  async write(text: string): Promise<void> {
    await this.#link.send(new TextEncoder().encode(text));
  }

  /** Closes the port; whoever waits for a line is told. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#link.onBytes = undefined;
    this.#link.onLost = undefined;
    this.#holder.dispose();
    this.#splitter.flush();
    await this.#link.disconnect();
    this.#finish(new DeviceError('port-closed', 'The console was closed'));
  }

  #receive(bytes: Uint8Array): void {
    this.#splitter.push(bytes);
    this.#cancelPartial?.();
    this.#cancelPartial = this.#splitter.hasPartial
      ? this.#clock.after(PARTIAL_LINE_MS, () => this.#splitter.flush())
      : undefined;
  }

  #add(text: string): void {
    const event = recogniseBootLine(text);
    this.#lines.push({ at: this.#clock.now() - this.#start, text, ...(event && { event }) });
    this.#wake?.();
  }

  /** The port is gone: waits for its successor, if there can be one. */
  async #follow(lost: Error): Promise<void> {
    this.#splitter.flush();
    if (!this.#holder.canFollow) {
      this.#finish(lost);
      return;
    }
    try {
      const port = await this.#holder.successor(this.#followMs);
      if (this.#closed) return;
      await this.#link.adopt(port);
      await this.#link.connect();
      // Closed while it opened: then nobody else closes it.
      if (this.#closed) await this.#link.disconnect();
    } catch (error) {
      this.#finish(isDeviceError(error) ? error : lost);
    }
  }

  #finish(error: Error): void {
    this.#end ??= error;
    this.#cancelPartial?.();
    this.#wake?.();
  }

  #waitForChange(ms: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        cancel?.();
        signal?.removeEventListener('abort', abort);
        this.#wake = undefined;
      };
      const abort = (): void => {
        finish();
        reject(signal?.reason as Error);
      };
      const done = (): void => {
        finish();
        resolve();
      };
      const cancel = ms === undefined ? undefined : this.#clock.after(ms, done);
      signal?.addEventListener('abort', abort, { once: true });
      this.#wake = done;
    });
  }
}
