/** The private IPv4 networks that this computer is in: where boards can be, and by which address they reach it. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { isLoopback, isPrivate } from './private-address.ts';

export interface OwnNetwork {
  /** The own one. */
  address: string;
  /** Such as `192.168.1.0/24`. */
  network: string;
  interface: string;
}

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Loopback is not among them. */
export function ownNetworks(interfaces: Interfaces = networkInterfaces()): OwnNetwork[] {
  return Object.entries(interfaces).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal, address, cidr }) => family === 'IPv4' && !internal && cidr && isPrivate(address))
      .map(({ address, cidr }) => {
        const prefix = Number(cidr?.split('/')[1]);
        const base = (numberOf(address) & maskOf(prefix)) >>> 0;
        return { address, network: `${textOf(base)}/${prefix}`, interface: name };
      }),
  );
}

/**
 * The own IPv4 address in the network of a board; of several the one in the smallest network. Loopback is reached by loopback.
 *
 * @param host numeric.
 */
export function ownAddressFor(host: string, networks: readonly OwnNetwork[]): string | undefined {
  if (isIpv4(host) && isLoopback(host)) return '127.0.0.1';
  const [best] = networks
    .filter(({ network }) => isInNetwork(host, network))
    .sort((a, b) => prefixOf(b.network) - prefixOf(a.network));
  return best?.address;
}

export function isInNetwork(host: string, network: string): boolean {
  const [base = ''] = network.split('/');
  const mask = maskOf(prefixOf(network));
  return isIpv4(host) && (numberOf(host) & mask) === (numberOf(base) & mask);
}

/** Number of addresses of a network, the two that are no host's included. */
export const sizeOf = (network: string): number => 2 ** (32 - prefixOf(network));

/** Every address of a network that a host can have. */
export function* hostsOf(network: string): Generator<string> {
  const base = numberOf(network.split('/')[0] ?? '');
  const last = sizeOf(network) - 2;
  for (let host = 1; host <= last; host++) yield textOf((base + host) >>> 0);
}

const isIpv4 = (host: string): boolean => /^\d+(\.\d+){3}$/.test(host);
const prefixOf = (network: string): number => Number(network.split('/')[1]);
/** A shift by 32 would be one by 0. */
const maskOf = (prefix: number): number => (prefix === 0 ? 0 : -1 << (32 - prefix));
const numberOf = (address: string): number => address.split('.').reduce((sum, part) => (sum << 8) | Number(part), 0);
const textOf = (address: number): string => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
