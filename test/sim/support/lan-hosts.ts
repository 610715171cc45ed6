/** Hosts of a test on the board's network: one that asks, one that serves files. */
import { concatBytes } from '#formats/bytes.ts';
import { fromLatin1, latin1 } from '#sim/firmware/http-server.ts';
import { type Lan, type LanSocket } from '#sim/network/lan.ts';
import { type Clock } from '#clock.ts';

/** Sends the bytes and takes all that comes within the time, or until the other side closes. */
export async function exchange(
  clock: Clock,
  lan: Lan,
  { host, port = 80, send, ms = 200 }: { host: string; port?: number; send: string; ms?: number },
): Promise<{ text: string; closed: boolean }> {
  const socket = await lan.connect(host, port);
  let bytes: Uint8Array = new Uint8Array();
  let closed = false;
  await new Promise<void>((resolve) => {
    const over = (): void => {
      closed = true;
      resolve();
    };
    socket.onData = (more) => (bytes = concatBytes(bytes, more));
    socket.onEnd = over;
    socket.onClose = over;
    clock.after(ms, resolve);
    socket.send(fromLatin1(send));
  });
  socket.onClose = undefined;
  socket.destroy();
  return { text: latin1(bytes), closed };
}

export const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: board', ...headers, '', ''].join('\r\n');

export interface ServedRequest {
  from: string;
  /** Number of the connection. */
  connection: number;
  /** Request line and headers. */
  head: string[];
}

export interface FileServerOptions {
  /** Answers GET with 200 and everything, whatever range was asked for. */
  ignoresRanges?: boolean;
  /** Instead of the ordinary answer; `undefined` leaves it at that. */
  answer?: (method: string, path: string, count: number) => string | undefined;
  keepsOpen?: boolean;
}

/** Serves files by path, with ranges. */
export class FileServer {
  readonly requests: ServedRequest[] = [];
  connections = 0;
  readonly #files: Record<string, Uint8Array>;
  readonly #options: FileServerOptions;

  constructor(lan: Lan, files: Record<string, Uint8Array>, options: FileServerOptions = {}, port = 8000) {
    this.#files = files;
    this.#options = options;
    lan.listen(port, (socket) => this.#serve(socket));
  }

  get lines(): string[] {
    return this.requests.map(({ head }) => head[0]!);
  }

  /** The range of each GET; empty where there is none. */
  get ranges(): string[] {
    const gets = this.requests.filter(({ head }) => head[0]!.startsWith('GET'));
    return gets.map(({ head }) => head.find((line) => line.startsWith('Range: '))?.slice(7) ?? '');
  }

  #serve(socket: LanSocket): void {
    const connection = this.connections++;
    let text = '';
    socket.onData = (bytes) => {
      text += latin1(bytes);
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end).split('\r\n');
        text = text.slice(end + 4);
        this.requests.push({ from: socket.remote.host, connection, head });
        this.#answer(socket, head);
      }
    };
    socket.onEnd = () => socket.end();
  }

  #answer(socket: LanSocket, head: string[]): void {
    const [method = '', path = ''] = head[0]!.split(' ');
    const special = this.#options.answer?.(method, path, this.requests.length);
    const file = this.#files[path];
    if (special !== undefined) {
      socket.send(fromLatin1(special));
    } else if (!file) {
      socket.send(fromLatin1('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
    } else {
      const range = /^Range: bytes=(\d+)-(\d*)$/.exec(head.find((line) => line.startsWith('Range:')) ?? '');
      const from = Number(range?.[1] ?? 0);
      const to = Math.min(range?.[2] ? Number(range[2]) + 1 : file.length, file.length);
      const part = range && !this.#options.ignoresRanges ? file.subarray(from, to) : file;
      const status = part === file ? '200 OK' : '206 Partial Content';
      socket.send(fromLatin1(`HTTP/1.1 ${status}\r\nContent-Length: ${part.length}\r\n\r\n`));
      if (method === 'GET') socket.send(part);
    }
    if (!this.#options.keepsOpen) socket.end();
  }
}
