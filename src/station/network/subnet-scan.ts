/** Looking at every address of the own networks. */
import { netAddressText } from '#device/board-http.ts';
import { hostsOf, isInNetwork, type OwnNetwork, sizeOf } from './own-networks.ts';

/** Larger networks are not scanned: that would take minutes and alarm who watches them. */
export const LARGEST_SCANNED = 1024;

/** Connections that are tried at once. */
const AT_ONCE = 64;

/**
 * Addresses to look at, the own ones left out.
 *
 * @param near numeric address: only its network is scanned, where it is in one of the own.
 */
export function* scannedAddresses(
  networks: readonly OwnNetwork[],
  { ports, near }: { ports: readonly number[]; near?: string | undefined },
): Generator<string> {
  const home = networks.filter(({ network }) => near !== undefined && isInNetwork(near, network));
  const own = new Set(networks.map(({ address }) => address));
  const scanned = new Set(
    (home.length > 0 ? home : networks)
      .map(({ network }) => network)
      .filter((network) => sizeOf(network) <= LARGEST_SCANNED),
  );
  for (const network of scanned) {
    for (const host of hostsOf(network)) {
      if (!own.has(host)) for (const port of ports) yield netAddressText({ host, port });
    }
  }
}

/**
 * Looks at many addresses, a bounded number at a time, and gives what was found in their order.
 *
 * @throws {DOMException} `AbortError` when `signal` aborts, and what `look` throws.
 */
export async function lookAtAll<Found>(
  addresses: Iterable<string>,
  look: (address: string) => Promise<Found | undefined>,
  { atOnce = AT_ONCE, signal }: { atOnce?: number; signal?: AbortSignal | undefined } = {},
): Promise<Found[]> {
  const queue = addresses[Symbol.iterator]();
  const found: [order: number, Found][] = [];
  let taken = 0;
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      signal?.throwIfAborted();
      const order = taken++;
      const one = await look(next.value);
      if (one !== undefined) found.push([order, one]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return found.sort(([a], [b]) => a - b).map(([, one]) => one);
}
