/**
 * ESP-IDF's HTTP server (components/esp_http_server), as its clients know it: exact paths, its own error texts, at most seven
 * connections. It never ends a connection after an answer, whatever the client asked for; it does after an error.
 */
import { type Clock } from '#clock.ts';
import { concatBytes } from '#formats/bytes.ts';
import { type LogLine, warning } from '#sim/boot/log-line.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { type HttpErrorStatus, type HttpLimits, type HttpRequest, parseRequest } from './http-request.ts';

/** What a handler may answer with: as often as it likes, each time a whole answer. */
export interface HttpReply {
  /** 200 with that body, as `text/html`. */
  send(body: string | Uint8Array): void;
  /** The status with the server's text or another one; the connection stays, as the handler did not fail. */
  sendError(status: HttpErrorStatus, text?: string): void;
}

/** By path; all are for GET. */
export type HttpHandlers = Readonly<Record<string, (request: HttpRequest, reply: HttpReply) => void>>;

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly lan: Lan;
  /** 80 on a board. */
  readonly port: number;
  readonly limits: HttpLimits;
  readonly handlers: HttpHandlers;
  readonly log: (line: LogLine) => void;
}

/** `max_open_sockets` of `HTTPD_DEFAULT_CONFIG`, and `backlog_conn`: those that wait to be taken. */
const MAX_CONNECTIONS = 7;
const MAX_WAITING = 5;
/** `recv_wait_timeout`: longest pause within a request. */
const RECEIVE_MS = 5000;

const ERRORS: Record<HttpErrorStatus, readonly [status: string, text: string]> = {
  400: ['400 Bad Request', 'Bad request syntax'],
  404: ['404 Not Found', 'Nothing matches the given URI'],
  405: ['405 Method Not Allowed', 'Specified method is invalid for this resource'],
  408: ['408 Request Timeout', 'Server closed this connection'],
  409: ['409 Conflict', 'Busy with another request'],
  414: ['414 URI Too Long', 'URI is too long'],
  431: ['431 Request Header Fields Too Large', 'Header fields are too long'],
  500: ['500 Internal Server Error', 'Server has encountered an unexpected error'],
  505: ['505 Version Not Supported', 'HTTP version not supported by server'],
};

export class HttpServer {
  readonly options: HttpServerOptions;
  readonly #open = new Set<Connection>();
  readonly #waiting: LanSocket[] = [];
  readonly #stopListening: () => void;

  constructor(options: HttpServerOptions) {
    this.options = options;
    this.#stopListening = options.lan.listen(options.port, (socket) => this.#take(socket));
  }

  stop(): void {
    this.#stopListening();
    for (const connection of this.#open) connection.stop();
  }

  #take(socket: LanSocket): void {
    if (this.#open.size < MAX_CONNECTIONS) {
      const connection = new Connection(this, socket, () => {
        this.#open.delete(connection);
        const next = this.#waiting.shift();
        if (next) this.#take(next);
      });
      this.#open.add(connection);
      socket.resume();
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) return socket.destroy();
    this.#waiting.push(socket);
    socket.pause();
    socket.onClose = () => {
      const at = this.#waiting.indexOf(socket);
      if (at >= 0) this.#waiting.splice(at, 1);
    };
  }
}

class Connection {
  readonly #server: HttpServer;
  readonly #socket: LanSocket;
  readonly #onClosed: () => void;
  #text = '';
  /** Bytes of a body that are still to be thrown away. */
  #toSkip = 0;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(server: HttpServer, socket: LanSocket, onClosed: () => void) {
    this.#server = server;
    this.#socket = socket;
    this.#onClosed = onClosed;
    socket.onData = (bytes) => this.#receive(bytes);
    socket.onEnd = () => this.#close();
    socket.onClose = () => this.stop();
  }

  /** Without a word to the client. */
  stop(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#onClosed();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#cancelTimer?.();
    const skipped = Math.min(this.#toSkip, bytes.length);
    this.#toSkip -= skipped;
    this.#text += latin1(bytes.subarray(skipped));
    while (!this.#closed && this.#text !== '' && this.#step());
    if (!this.#closed && (this.#text !== '' || this.#toSkip > 0)) {
      this.#cancelTimer = this.#server.options.clock.after(RECEIVE_MS, () => this.#refuse(408));
    }
  }

  /** Answers one request. False when more must come first. */
  #step(): boolean {
    const parsed = parseRequest(this.#text, this.#server.options.limits);
    if (parsed.kind === 'more') return false;
    if (parsed.kind === 'error') {
      this.#refuse(parsed.status);
      return false;
    }
    const rest = this.#text.slice(parsed.head);
    this.#toSkip = Math.max(0, parsed.body - rest.length);
    this.#text = rest.slice(parsed.body);
    this.#answer(parsed.request);
    return true;
  }

  #answer(request: HttpRequest): void {
    const { handlers, log } = this.#server.options;
    // Of a URI without a path it makes nothing, not even an answer.
    if (request.path === '') return this.#close();
    const handler = Object.hasOwn(handlers, request.path) ? handlers[request.path] : undefined;
    if (!handler) {
      log(warning('httpd_uri', `httpd_uri: URI '${request.uri}' not found`));
      this.#refuse(404);
    } else if (request.method !== 'GET') {
      this.#refuse(405);
    } else {
      handler(request, {
        send: (body) => this.#send('200 OK', body),
        sendError: (status, text) => this.#sendError(status, text),
      });
    }
  }

  #refuse(status: HttpErrorStatus): void {
    this.#sendError(status);
    this.#close();
  }

  #sendError(status: HttpErrorStatus, text = ERRORS[status][1]): void {
    const [line] = ERRORS[status];
    this.#server.options.log(warning('httpd_txrx', `httpd_resp_send_err: ${line} - ${text}`));
    this.#send(line, text);
  }

  #send(status: string, body: string | Uint8Array): void {
    const bytes = typeof body === 'string' ? fromLatin1(body) : body;
    const head = `HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    this.#socket.send(concatBytes(fromLatin1(head), bytes));
  }

  #close(): void {
    this.#socket.end();
    this.stop();
  }
}

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

export const fromLatin1 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
