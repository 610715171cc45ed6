/** An answer of a server as ESP-IDF's HTTP client reads it, with its connection: a head, then a body by length, in chunks, or to the end. */
import { concatBytes } from '#formats/bytes.ts';
import { type LanSocket } from '#sim/network/lan.ts';
import { latin1 } from './http-server.ts';
import { type Task } from './task.ts';

const MAX_HEAD = 16_384;

/** What a read of the body brought: bytes, or why there are none. */
export type BodyRead = Uint8Array | 'end' | 'timeout' | 'closed';

/** One answer and its connection. */
export class HttpAnswer {
  status = 0;
  /** Of the body; -1 when the server does not say. */
  contentLength = -1;
  readonly #socket: LanSocket;
  readonly #task: Task;
  readonly #timeoutMs: number;
  #headers: string[] = [];
  #buffered: Uint8Array = new Uint8Array();
  #ended = false;
  #wake: (() => void) | undefined;
  /** Of the body or of the present chunk; infinite where it ends with the connection. */
  #left = 0;
  #chunked = false;
  #complete = false;
  readonly #host: string | undefined;
  #released = false;

  /** `host`: whom the connection may serve once more. */
  constructor(
    socket: LanSocket,
    { task, timeoutMs, host }: { task: Task; timeoutMs: number; host: string | undefined },
  ) {
    this.#socket = socket;
    this.#task = task;
    this.#timeoutMs = timeoutMs;
    this.#host = host;
    socket.onData = (bytes) => {
      this.#buffered = concatBytes(this.#buffered, bytes);
      // The rest waits in the server until this has been read.
      socket.pause();
      this.#wake?.();
    };
    const over = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.onEnd = over;
    socket.onClose = over;
  }

  /** Whether the whole body has been read; never for one whose length nobody knows. */
  get isComplete(): boolean {
    return this.#complete;
  }

  header(name: string): string | undefined {
    return this.#headers
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  }

  /** @returns false when there is no proper one in time. */
  async readHead(isHead: boolean): Promise<boolean> {
    const head = await this.#readUntil('\r\n\r\n', MAX_HEAD);
    const [first = '', ...lines] = head?.split('\r\n') ?? [];
    const match = /^HTTP\/1\.\d (\d{3})(?: |$)/.exec(first);
    if (!match) {
      this.close();
      return false;
    }
    this.status = Number(match[1]);
    this.#headers = lines;
    const length = this.header('content-length');
    this.#chunked = /chunked/i.test(this.header('transfer-encoding') ?? '');
    this.contentLength = this.#chunked || length === undefined || !/^\d+$/.test(length) ? -1 : Number(length);
    this.#left = this.#chunked ? 0 : this.contentLength < 0 ? Number.POSITIVE_INFINITY : this.contentLength;
    this.#complete = isHead || (!this.#chunked && this.#left === 0);
    return true;
  }

  /** Up to `length` bytes of the body: less only where it ends, or the connection does, or nothing comes for too long. */
  async read(length: number): Promise<BodyRead> {
    const parts: Uint8Array[] = [];
    let got = 0;
    while (got < length && !this.#complete) {
      if (this.#chunked && this.#left === 0 && !(await this.#nextChunk())) break;
      if (this.#buffered.length === 0 && !(await this.#more())) break;
      const part = this.#buffered.subarray(0, Math.min(length - got, this.#left));
      this.#buffered = this.#buffered.subarray(part.length);
      parts.push(part);
      got += part.length;
      this.#left -= part.length;
      if (this.#left === 0 && !this.#chunked) this.#complete = true;
    }
    if (got > 0) return concatBytes(...parts);
    if (this.#complete) return 'end';
    return this.#ended ? 'closed' : 'timeout';
  }

  /** The connection, for another request to the same host, if it is good for one. Then this answer has none any more. */
  release(host: string): LanSocket | undefined {
    const ends = this.#ended || /close/i.test(this.header('connection') ?? '');
    if (host !== this.#host || !this.#complete || ends || this.#released || this.#buffered.length > 0) return undefined;
    this.#released = true;
    return this.#socket;
  }

  /** Ends the connection, unless it is kept for another request. */
  close(): void {
    if (this.#host === undefined || !this.#complete || this.#ended) this.destroy();
  }

  /** Ends the connection, unless another answer has it now. */
  destroy(): void {
    if (this.#released) return;
    this.#released = true;
    this.#socket.onData = undefined;
    // lwIP resets a connection that is closed with bytes unread: only behind a whole answer does the server see an ordinary end.
    if (this.#complete && this.#buffered.length === 0) this.#socket.end();
    else this.#socket.destroy();
  }

  /** The size of the next chunk; false when it does not come, or there is none any more. */
  async #nextChunk(): Promise<boolean> {
    let line = await this.#readUntil('\r\n', 256);
    // The line end behind the chunk before.
    if (line === '') line = await this.#readUntil('\r\n', 256);
    const size = Number.parseInt(line ?? '', 16);
    if (!(size > 0)) {
      if (size === 0) this.#complete = true;
      return false;
    }
    this.#left = size;
    return true;
  }

  async #readUntil(mark: string, limit: number): Promise<string | undefined> {
    for (;;) {
      const text = latin1(this.#buffered.subarray(0, limit));
      const at = text.indexOf(mark);
      if (at >= 0) {
        this.#buffered = this.#buffered.subarray(at + mark.length);
        return text.slice(0, at);
      }
      if (text.length >= limit || !(await this.#more())) return undefined;
    }
  }

  /** Waits for more bytes. */
  async #more(): Promise<boolean> {
    const before = this.#buffered.length;
    if (!this.#ended) {
      await this.#task.until<true>(this.#timeoutMs, (done) => {
        this.#wake = () => done(true);
        this.#socket.resume();
      });
      this.#wake = undefined;
    }
    return this.#buffered.length > before;
  }
}
