/**
 * ESP-IDF's HTTP client (components/esp_http_client) as `esp_https_ota` uses it: a connection for each request, redirects followed.
 */
import { error, type LogLine } from '#sim/boot/log-line.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { HttpAnswer } from './http-answer.ts';
import { fromLatin1 } from './http-server.ts';
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
