/** What the station does on the network of the boards. */
import { type Clock, systemClock } from '#clock.ts';
import {
  type BoardHttpLimits,
  type Dial,
  type NetAddress,
  netAddressText,
  parseNetAddress,
  readBoardPage,
  startBoardDownload,
} from '#device/board-http.ts';
import { SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { type Candidate } from '#workflows/update-state.ts';
import { type BoardPage } from '#device/board-http.ts';
import { dialTcp } from './dial.ts';
import { findBoard, type WantedBoard, withMacs } from './find-board.ts';
import { browseMdns } from './mdns.ts';
import { type Neighbour, readNeighbours } from './neighbours.ts';
import { hostsOf, ownAddressFor, type OwnNetwork, ownNetworks } from './own-networks.ts';
import { boardAddress, isLoopback } from './private-address.ts';
import { lookAtAll, scannedAddresses } from './subnet-scan.ts';

/**
 * Addresses are numeric, private or loopback, with `:PORT` where it is not 80; every other one is a `RangeError`. An abort is the signal's
 * `AbortError`.
 */
export interface BoardNetwork {
  /** The board's page: `silent` when nothing answers, `unknown` when it is no such page. */
  readPage(address: string, signal?: AbortSignal): Promise<BoardPage | 'silent' | 'unknown'>;
  /** Asks a board to download, once. `headerLimit`: most bytes of all headers of the request. */
  startDownload(
    request: { address: string; url: string; headerLimit?: number },
    signal?: AbortSignal,
  ): Promise<'taken' | 'not-delivered' | 'unknown'>;
  /** Boards that could be the one that is looked for. */
  find(wanted: { mac?: string; lastAddress?: string; project?: string }, signal?: AbortSignal): Promise<Candidate[]>;
  /** All boards that can be found. */
  search(how: 'mdns' | 'scan', signal?: AbortSignal): Promise<Candidate[]>;
  /** From the neighbour table of this computer; `undefined` for what is not in its own networks. */
  macOf(address: string): Promise<string | undefined>;
  /** Own addresses with their networks. */
  networks(): OwnNetwork[];
  /** The own address in the network of a board. */
  addressFor(board: string): string | undefined;
  /** Where a board serves that told its IP address alone: a virtual one on the port of virtual boards. */
  servedAt(board: string): string;
}

export interface BoardNetworkOptions {
  clock?: Clock;
  dial?: Dial;
  /** The neighbour table. */
  neighbours?: () => Promise<Neighbour[]>;
  networks?: () => OwnNetwork[];
  /** Addresses that announce themselves in the networks of these own addresses. */
  announced?: (ownAddresses: readonly string[], signal?: AbortSignal) => Promise<string[]>;
  /** A scan looks for virtual boards too, on this port of every loopback address that they have. */
  virtualBoards?: number | undefined;
}

/** Milliseconds for each address of a search: an address where nobody is never answers. */
const SEARCH_LIMITS: BoardHttpLimits = { connect: 1500, answer: 4000 };
/** Where virtual boards are, each at an address of its own. */
const VIRTUAL_NETWORK = '127.0.0.0/24';
const HTTP_PORT = 80;

/** The network as it is; parts of it can be handed in. */
export const createBoardNetwork = (options: BoardNetworkOptions = {}): BoardNetwork => new StationNetwork(options);

class StationNetwork implements BoardNetwork {
  readonly #options: Required<Omit<BoardNetworkOptions, 'virtualBoards'>> & Pick<BoardNetworkOptions, 'virtualBoards'>;

  constructor(options: BoardNetworkOptions) {
    this.#options = {
      clock: systemClock,
      dial: dialTcp,
      neighbours: readNeighbours,
      networks: ownNetworks,
      announced: browseMdns,
      ...options,
    };
  }

  async readPage(address: string, signal?: AbortSignal): Promise<BoardPage | 'silent' | 'unknown'> {
    return readBoardPage(checked(address), this.#http(signal));
  }

  async startDownload(
    { address, url, headerLimit = SEED_FIRMWARE.headerLimit }: { address: string; url: string; headerLimit?: number },
    signal?: AbortSignal,
  ): Promise<'taken' | 'not-delivered' | 'unknown'> {
    const profile = { ...SEED_FIRMWARE, headerLimit };
    return startBoardDownload({ ...checked(address), url, profile }, this.#http(signal));
  }

  find(wanted: WantedBoard, signal?: AbortSignal): Promise<Candidate[]> {
    return findBoard(
      wanted,
      {
        neighbours: this.#options.neighbours,
        look: (address) => this.#look(address, signal),
        announced: () => this.#announced(signal),
        scanned: () => this.#scanned(wanted.lastAddress),
      },
      signal,
    );
  }

  async search(how: 'mdns' | 'scan', signal?: AbortSignal): Promise<Candidate[]> {
    const addresses = how === 'mdns' ? await this.#announced(signal) : this.#scanned();
    const found = await lookAtAll(addresses, (address) => this.#look(address, signal), { signal });
    return withMacs(found, await this.#options.neighbours());
  }

  async macOf(address: string): Promise<string | undefined> {
    const { host } = checked(address);
    return (await this.#options.neighbours()).find((neighbour) => neighbour.address === host)?.mac;
  }

  networks(): OwnNetwork[] {
    return this.#options.networks();
  }

  addressFor(board: string): string | undefined {
    return ownAddressFor(checked(board).host, this.networks());
  }

  servedAt(board: string): string {
    const { host, port } = checked(board);
    const { virtualBoards } = this.#options;
    const isElsewhere = virtualBoards !== undefined && port === HTTP_PORT && isLoopback(host);
    return isElsewhere ? netAddressText({ host, port: virtualBoards }) : board;
  }

  #http(signal: AbortSignal | undefined): { dial: Dial; clock: Clock; signal?: AbortSignal } {
    const { dial, clock } = this.#options;
    return { dial, clock, ...(signal && { signal }) };
  }

  async #look(text: string, signal: AbortSignal | undefined): Promise<Candidate | undefined> {
    const address = boardAddress(text);
    const page = address && (await readBoardPage(address, { ...this.#http(signal), limits: SEARCH_LIMITS }));
    if (!page || typeof page === 'string') return undefined;
    const { project, version, running } = page;
    return {
      address: netAddressText(address),
      ...(project !== undefined && { project }),
      ...(version !== undefined && { version }),
      ...(running && { running }),
    };
  }

  #announced(signal: AbortSignal | undefined): Promise<string[]> {
    return this.#options.announced(
      this.networks().map(({ address }) => address),
      signal,
    );
  }

  /** A real board does not come back as a virtual one, nor the other way round; a search looks for both. */
  *#scanned(lastAddress = ''): Generator<string> {
    const last = parseNetAddress(lastAddress);
    const { virtualBoards } = this.#options;
    const isVirtual = last && isLoopback(last.host);
    if (isVirtual || (!last && virtualBoards !== undefined)) {
      const ports = portsOf(last?.port, virtualBoards);
      for (const host of hostsOf(VIRTUAL_NETWORK)) for (const port of ports) yield netAddressText({ host, port });
    }
    if (!isVirtual) {
      yield* scannedAddresses(this.networks(), { ports: portsOf(last?.port, HTTP_PORT), near: last?.host });
    }
  }
}

/** Each of them once. */
const portsOf = (...ports: (number | undefined)[]): number[] => [
  ...new Set(ports.filter((port) => port !== undefined)),
];

function checked(text: string): NetAddress {
  const address = boardAddress(text);
  if (!address) throw new RangeError(`${text} is no numeric private address`);
  return address;
}
