/** Addresses of this computer and of private networks: the station speaks to nothing else. Numeric ones only, so that no name server has a say. */
import { BlockList, isIP } from 'node:net';
import { type NetAddress, parseNetAddress } from '#device/board-http.ts';

/** IANA special-purpose address registries. A list holds the IPv6 forms of its IPv4 addresses too. */
const LOOPBACK = blockList(['127.0.0.0', 8], ['::1', 128]);
/** RFC 1918, RFC 3927 (link-local), RFC 4193 (unique local), RFC 4291 (link-local). */
const PRIVATE = blockList(
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['fc00::', 7],
  ['fe80::', 10],
);

function blockList(...subnets: [network: string, prefix: number][]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, familyOf(network));
  return list;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

function isIn(list: BlockList, address: string): boolean {
  const [numeric = ''] = address.split('%', 1); // a link-local address may name its interface
  return isIP(numeric) !== 0 && list.check(numeric, familyOf(numeric));
}

/** Of a numeric address without brackets; an IPv4 address may be written as IPv6, as sockets do. */
export const isLoopback = (address: string): boolean => isIn(LOOPBACK, address);

/** Of a numeric address without brackets: loopback, private or link-local. */
export const isPrivate = (address: string): boolean => isLoopback(address) || isIn(PRIVATE, address);

/**
 * The address of a board, `HOST` or `HOST:PORT`.
 *
 * @returns `undefined` for what is no numeric address, or not a private one.
 */
export function boardAddress(text: string): NetAddress | undefined {
  const address = parseNetAddress(text);
  return address && isPrivate(address.host) ? address : undefined;
}
