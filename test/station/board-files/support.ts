/** A client that sees every byte, as a board does. */
import { connect, type Socket } from 'node:net';

export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  #over = false;

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const changed = (): void => this.#wake?.();
    this.socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      changed();
    });
    for (const event of ['end', 'close', 'error']) {
      this.socket.on(event, () => {
        this.#over = true;
        changed();
      });
    }
  }

  send(...lines: string[]): void {
    this.socket.write([...lines, '', ''].join('\r\n'));
  }

  get(name: string, ...fields: string[]): Promise<Answer> {
    this.send(`GET /f/${name} HTTP/1.1`, 'Host: 127.0.0.1', ...fields);
    return this.answer();
  }

  /** The next answer with its body; rejects when the connection ends before it is whole. */
  async answer({ hasBody = true } = {}): Promise<Answer> {
    const end = await this.#until(() => this.#received.indexOf('\r\n\r\n'));
    const [first = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => line.split(': ') as [string, string]));
    const size = hasBody ? Number(headers['Content-Length']) : 0;
    await this.#until(() => (this.#received.length >= end + 4 + size ? 1 : -1));
    const body = this.#received.subarray(end + 4, end + 4 + size);
    this.#received = this.#received.subarray(end + 4 + size);
    return { status: Number(first.split(' ')[1]), headers, body };
  }

  /** Resolves when the other side ends or breaks the connection. */
  async over(): Promise<void> {
    await this.#until(() => (this.#over ? 1 : -1)).catch(() => undefined);
  }

  /** Closes in order, and waits until the other side has done so too. */
  async close(): Promise<void> {
    this.socket.end();
    await new Promise<void>((resolve) => {
      if (this.socket.closed) resolve();
      else this.socket.once('close', () => resolve());
    });
  }

  async #until(look: () => number): Promise<number> {
    for (;;) {
      const found = look();
      if (found >= 0) return found;
      if (this.#over) throw new Error('The connection ended');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}
