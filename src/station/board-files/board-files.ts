/** The second listener, from which boards fetch their files over plain http: `/f/NAME` and nothing else, for peers with private addresses. */
import { createServer, type Server, type Socket } from 'node:net';
import { type BoardsListener } from '#api.ts';
import { type ByteRange } from '#workflows/byte-ranges.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { type OwnNetwork } from '../network/own-networks.ts';
import { isLoopback, isPrivate } from '../network/private-address.ts';
import { BoardConnection, CONNECTION_LIMITS, type ConnectionLimits } from './board-connection.ts';
import { Offer } from './offer.ts';

export interface OfferedFile {
  /** Last part of its URL: 16 to 28 letters, digits, `-` and `_` that nobody can guess. */
  name: string;
  path: string;
  /** Bytes. */
  size: number;
  sha256: string;
}

export interface OfferHandle {
  /** Whether a board holds a connection on which it is being sent the file. */
  readonly open: boolean;
  /** Bytes that were given to the system so far, in all answers together: whether anything moves within a long range. */
  readonly sent: number;
  /** Nothing is served any more, open connections are broken. */
  withdraw(): void;
}

export interface BoardFiles {
  readonly state: BoardsListener;
  /** @throws the system's error when it cannot listen there; `state` says so too. */
  open(): Promise<void>;
  /** Breaks all connections; what is offered stays offered. */
  close(): Promise<void>;
  /**
   * `onServed` is told each range once the board has it: when it closed its connection in order behind it, or asked for more over it.
   *
   * @throws {RangeError} for a name that is too short, too long, has other characters or is offered already.
   */
  offer(file: OfferedFile, onServed: (range: ByteRange) => void): OfferHandle;
  /** What a board at that address is told, under 60 characters; `undefined` where this computer has no address in its network. */
  urlFor(name: string, boardAddress: string): string | undefined;
}

export interface BoardFilesOptions {
  /** Where it listens: an own address, or `0.0.0.0` for all. */
  address: string;
  /** 0 for any free one. */
  port: number;
  network: Pick<BoardNetwork, 'networks' | 'addressFor'>;
  limits?: Partial<ConnectionLimits>;
  /** Whether a peer is answered, by its address; private ones alone unless given. */
  isPeer?: (address: string) => boolean;
}

/** Connections at once: each costs a buffer of 64 KiB while it is answered. */
const MOST_CONNECTIONS = 1024;

/** A name that is short enough for the smallest limits of firmware, and long enough to be guessed by nobody. */
const NAME = /^[\w-]{16,28}$/;

const LOOPBACK_NETWORK: OwnNetwork = { address: '127.0.0.1', network: '127.0.0.0/8', interface: 'loopback' };

/** Closed until it is opened. */
export const createBoardFiles = (options: BoardFilesOptions): BoardFiles => new FileListener(options);

class FileListener implements BoardFiles {
  readonly #options: BoardFilesOptions;
  readonly #limits: ConnectionLimits;
  readonly #offers = new Map<string, Offer>();
  readonly #connections = new Set<BoardConnection>();
  #server: Server | undefined;
  #looks: NodeJS.Timeout | undefined;
  #opening: Promise<void> | undefined;
  #failure: string | undefined;

  constructor(options: BoardFilesOptions) {
    this.#options = options;
    this.#limits = { ...CONNECTION_LIMITS, ...options.limits };
  }

  get state(): BoardsListener {
    const { address } = this.#options;
    return {
      state: this.#server?.listening ? 'open' : this.#failure === undefined ? 'closed' : 'failed',
      address,
      port: this.#port,
      networks: this.#networks(),
      ...(this.#failure !== undefined && { detail: this.#failure }),
    };
  }

  open(): Promise<void> {
    this.#opening ??= this.#listen().catch((error: unknown) => {
      this.#opening = undefined;
      this.#failure = error instanceof Error ? error.message : String(error);
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined); // whoever wanted it open was told
    const server = this.#server;
    this.#server = undefined;
    this.#opening = undefined;
    this.#failure = undefined;
    clearInterval(this.#looks);
    const closed = server && new Promise((resolve) => server.close(resolve));
    for (const connection of [...this.#connections]) connection.destroy();
    for (const offer of this.#offers.values()) offer.rest();
    await closed;
  }

  offer(file: OfferedFile, onServed: (range: ByteRange) => void): OfferHandle {
    const { name } = file;
    if (!NAME.test(name) || this.#offers.has(name)) throw new RangeError(`${name} is no name for a file, or is taken`);
    const offer = new Offer(file, onServed, () => this.#offers.delete(name));
    this.#offers.set(name, offer);
    return offer;
  }

  urlFor(name: string, boardAddress: string): string | undefined {
    const own = this.#options.network.addressFor(boardAddress);
    return own !== undefined && this.#isReachedBy(own) ? `http://${own}:${this.#port}/f/${name}` : undefined;
  }

  get #port(): number {
    const bound = this.#server?.address();
    return typeof bound === 'object' && bound ? bound.port : this.#options.port;
  }

  #isReachedBy(own: string): boolean {
    const { address } = this.#options;
    return address === '0.0.0.0' || address === own;
  }

  #networks(): OwnNetwork[] {
    const { address, network } = this.#options;
    if (isLoopback(address)) return [LOOPBACK_NETWORK];
    return network.networks().filter((own) => this.#isReachedBy(own.address));
  }

  async #listen(): Promise<void> {
    const { address, port } = this.#options;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    server.maxConnections = MOST_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port }, resolve);
    });
    // What goes wrong with one connection (no descriptors left) is no reason to end.
    server.on('error', () => undefined);
    this.#failure = undefined;
    this.#server = server;
    this.#looks = setInterval(() => {
      const now = performance.now();
      for (const connection of this.#connections) connection.look(now);
    }, this.#limits.look);
  }

  #accept(socket: Socket): void {
    const { isPeer = isPrivate } = this.#options;
    if (!isPeer(socket.remoteAddress ?? '')) {
      socket.destroy();
      return;
    }
    const connection = new BoardConnection(socket, (name) => this.#offers.get(name), this.#limits);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }
}
