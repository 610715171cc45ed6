/**
 * ESP-IDF's HTTP client (components/esp_http_client) as `esp_https_ota` uses it: a connection for each request, redirects followed,
 * bodies by length or in chunks.
 */
import { concatBytes } from '#formats/bytes.ts';
import { error, type LogLine } from '#sim/boot/log-line.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { fromLatin1, latin1 } from './http-server.ts';
import { type Task } from './task.ts';

export interface HttpClientOptions {
  readonly task: Task;
  readonly lan: Lan;
  readonly url: string;
  /** Longest wait for anything of the server; `timeout_ms`. */
  readonly timeoutMs: number;
  /** The next request goes over the same connection where the server leaves it open; each has its own unless told so. */
  readonly keepsConnection?: boolean;
  /** Prints a line and waits until it is out. */
  readonly say: (...lines: LogLine[]) => Promise<void>;
}

/** `max_redirection_count` unless set. */
const MAX_REDIRECTS = 10;
const MAX_HEAD = 16_384;
const TAG = 'HTTP_CLIENT';
const URL_FORM =
  /^(?<scheme>https?):\/\/(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?(?<path>(?:[/?][\x21\x22\x24-\x7e]*)?)(?:#.*)?$/i;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class HttpClient {
  readonly #options: HttpClientOptions;
  #target: Target;
  #redirects = 0;
  /** The last one, whose connection may serve once more. */
  #last: HttpAnswer | undefined;

  private constructor(options: HttpClientOptions, target: Target) {
    this.#options = options;
    this.#target = target;
  }

  /** @returns `undefined` when it is no URL. */
  static of(options: HttpClientOptions): HttpClient | undefined {
    const target = parseTarget(options.url);
    return target && new HttpClient(options, target);
  }

  /**
   * Sends a request, and again to wherever the server redirects it.
   *
   * @returns the answer with its head read, or `undefined` when there is none, which has been logged.
   */
  async request(method: 'HEAD' | 'GET', range?: string): Promise<HttpAnswer | undefined> {
    for (;;) {
      const answer = await this.#once(method, range);
      if (!answer || !REDIRECTS.has(answer.status)) return answer;
      answer.close();
      const location = answer.header('location');
      if (location === undefined || this.#redirects >= MAX_REDIRECTS) {
        await this.#options.say(error(TAG, `Error, reach max_redirection_count count=${this.#redirects}`));
        return undefined;
      }
      this.#redirects++;
      const target = parseTarget(location, this.#target);
      if (!target) {
        await this.#options.say(error(TAG, `Error parse url ${location}`));
        return undefined;
      }
      this.#target = target;
    }
  }

  /** Ends whatever connection is left. */
  close(): void {
    this.#last?.destroy();
  }

  async #once(method: string, range: string | undefined): Promise<HttpAnswer | undefined> {
    const { task, timeoutMs, say } = this.#options;
    const host = hostOf(this.#target);
    if (this.#target.secure) {
      // The firmware carries no certificate to check a server with.
      await say(
        error(
          'esp-tls-mbedtls',
          'No server verification option set in esp_tls_cfg_t structure. Check esp_tls API reference',
        ),
        error(TAG, 'Connection failed, sock < 0'),
      );
      return undefined;
    }
    const kept = this.#last?.release(host);
    const socket = kept ?? (await this.#connect());
    if (!socket) {
      await say(error(TAG, 'Connection failed, sock < 0'));
      return undefined;
    }
    const head = [
      `${method} ${this.#target.path} HTTP/1.1`,
      'User-Agent: ESP32 HTTP Client/1.0',
      `Host: ${host}`,
      'Content-Length: 0',
      ...(range === undefined ? [] : [`Range: ${range}`]),
    ];
    const answer = new HttpAnswer(socket, { task, timeoutMs, host: this.#options.keepsConnection ? host : undefined });
    this.#last = answer;
    socket.send(fromLatin1(`${head.join('\r\n')}\r\n\r\n`));
    if (await answer.readHead(method === 'HEAD')) return answer;
    // The server may have ended the kept connection in the meantime.
    return kept ? this.#once(method, range) : undefined;
  }

  #connect(): Promise<LanSocket | undefined> {
    const { task, lan, timeoutMs } = this.#options;
    const { host, port } = this.#target;
    return task.until<LanSocket | undefined>(timeoutMs, (done) => {
      lan.connect(host.replace(/^\[|\]$/g, ''), port).then(done, () => done(undefined));
    });
  }
}

interface Target {
  secure: boolean;
  host: string;
  port: number;
  /** Path and query exactly as they were given. */
  path: string;
}

/** A whole URL, or a path on the host of `base`. Nothing is decoded, encoded or tidied up. */
function parseTarget(text: string, base?: Target): Target | undefined {
  if (base && /^\/[\x21-\x7e]*$/.test(text)) return { ...base, path: text.replace(/#.*$/, '') };
  const match = URL_FORM.exec(text)?.groups;
  if (!match) return undefined;
  const { scheme = '', host = '', path = '' } = match;
  const secure = scheme.toLowerCase() === 'https';
  const port = match['port'] === undefined ? (secure ? 443 : 80) : Number(match['port']);
  return { secure, host, port, path: path.startsWith('/') ? path : `/${path}` };
}

/** As the `Host` header has it. */
const hostOf = ({ host, port }: Target): string => (port === 80 ? host : `${host}:${port}`);

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
