/** The network of this machine as a virtual board has it: everything comes from and goes to the board's own address. */
import { type Lan, LanError, type LanSocket } from '#sim/network/lan.ts';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What the system says only later of a port that is to be listened on. */
export interface NodeLanEvents {
  onListening(): void;
  onError(error: NodeJS.ErrnoException): void;
}

export class NodeLan implements Lan {
  readonly address: string;
  readonly #events: NodeLanEvents;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();

  constructor(address: string, events: NodeLanEvents) {
    this.address = address;
    this.#events = events;
  }

  listen(port: number, onSocket: (socket: LanSocket) => void): () => void {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => onSocket(this.#keep(socket)));
    server.on('error', (error) => this.#events.onError(error));
    server.listen(port, this.address, () => this.#events.onListening());
    this.#servers.add(server);
    return () => {
      this.#servers.delete(server);
      server.close();
    };
  }

  connect(host: string, port: number): Promise<LanSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, localAddress: this.address, allowHalfOpen: true, noDelay: true });
      const failed = (cause: NodeJS.ErrnoException): void => {
        const code = cause.code === 'ECONNREFUSED' ? 'refused' : 'unreachable';
        reject(new LanError(code, `No connection to ${host}:${port} (${cause.code ?? cause.message})`, { cause }));
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        resolve(this.#keep(socket));
      });
    });
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) leave(socket);
    this.#servers.clear();
  }

  #keep(socket: Socket): NodeLanSocket {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return new NodeLanSocket(socket);
  }
}

class NodeLanSocket implements LanSocket {
  readonly remote: { readonly host: string; readonly port: number };
  onData: ((bytes: Uint8Array) => void) | undefined;
  onEnd: (() => void) | undefined;
  onClose: ((broken: boolean) => void) | undefined;
  readonly #socket: Socket;
  #broken = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    socket.on('data', (bytes: Buffer) => this.onData?.(Uint8Array.from(bytes)));
    socket.on('end', () => this.onEnd?.());
    // Told by the close that follows.
    socket.on('error', () => (this.#broken = true));
    socket.on('close', () => this.onClose?.(this.#broken));
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#broken = true;
    leave(this.#socket);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

/**
 * Breaks a connection. An end in order would say that the board has everything that this system took for it; where it said so itself, it
 * does not take that back.
 */
function leave(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else if (!socket.destroyed) socket.resetAndDestroy();
}
