/**
 * Finding a board again that does not answer where it was: by its MAC in the neighbour table, by what announces itself, by a scan of its
 * network. Boards are told apart by their MACs; where those are not known, by their page, and then it is for the user to say which it is.
 */
import { netAddressText, parseNetAddress } from '#device/board-http.ts';
import { type Candidate } from '#workflows/update-state.ts';
import { type Neighbour } from './neighbours.ts';
import { lookAtAll } from './subnet-scan.ts';

export interface WantedBoard {
  mac?: string;
  lastAddress?: string;
  /** What its app calls itself: a board that says otherwise is none. */
  project?: string;
}

export interface FindSurroundings {
  neighbours(): Promise<Neighbour[]>;
  /** The board at an address; `undefined` when there is none. */
  look(address: string): Promise<Candidate | undefined>;
  /** Addresses that announce themselves. */
  announced(): Promise<string[]>;
  /** Every address of the network where it was, or of all. */
  scanned(): Iterable<string>;
}

/**
 * Boards that could be the wanted one. One with its MAC is the only one; those with another MAC or project are none.
 *
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function findBoard(
  wanted: WantedBoard,
  env: FindSurroundings,
  signal?: AbortSignal,
): Promise<Candidate[]> {
  const search = new Search(env, signal);
  const port = parseNetAddress(wanted.lastAddress ?? '')?.port ?? 80;
  const sources: (() => Promise<Iterable<string>>)[] = [
    async () =>
      (await env.neighbours())
        .filter(({ mac }) => mac === wanted.mac)
        .map(({ address }) => netAddressText({ host: address, port })),
    () => env.announced(),
    async () => env.scanned(),
  ];
  for (const addresses of sources) {
    await search.lookAt(await addresses());
    const itself = search.found.filter(({ mac }) => mac !== undefined && mac === wanted.mac);
    if (itself.length > 0) return itself;
  }
  return search.found.filter(
    ({ mac, project }) =>
      (mac === undefined || wanted.mac === undefined) &&
      (project === undefined || wanted.project === undefined || project === wanted.project),
  );
}

/** What was found so far; no address is looked at twice. */
class Search {
  found: readonly Candidate[] = [];
  readonly #env: FindSurroundings;
  readonly #signal: AbortSignal | undefined;
  readonly #seen = new Set<string>();

  constructor(env: FindSurroundings, signal: AbortSignal | undefined) {
    this.#env = env;
    this.#signal = signal;
  }

  async lookAt(addresses: Iterable<string>): Promise<void> {
    const more = await lookAtAll(this.#unseen(addresses), (address) => this.#env.look(address), {
      signal: this.#signal,
    });
    this.found = withMacs([...this.found, ...more], await this.#env.neighbours());
  }

  *#unseen(addresses: Iterable<string>): Generator<string> {
    for (const address of addresses) {
      if (!this.#seen.has(address)) yield address;
      this.#seen.add(address);
    }
  }
}

/** Whoever was just spoken to is in the neighbour table. */
export function withMacs(candidates: readonly Candidate[], neighbours: readonly Neighbour[]): Candidate[] {
  const macs = new Map(neighbours.map(({ address, mac }) => [address, mac]));
  return candidates.map((candidate) => {
    const mac = macs.get(parseNetAddress(candidate.address)?.host ?? '');
    return mac === undefined ? candidate : { ...candidate, mac };
  });
}
