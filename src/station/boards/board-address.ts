/** Addresses of boards as the station keeps them. */
import { netAddressText } from '#device/board-http.ts';
import { boardAddress } from '../network/private-address.ts';

/** An IPv4 address written as IPv6 (RFC 4291, section 2.5.5.2), as a URL has it. */
const MAPPED = /^\[::ffff:(?<high>[0-9a-f]{1,4}):(?<low>[0-9a-f]{1,4})\]/;

/**
 * `HOST` or `HOST:PORT` in its one spelling: without the port where it is 80, and IPv4 where it can be. One board under two spellings could be
 * updated twice at a time.
 *
 * @returns nothing for what is no numeric address of a private network.
 */
export function privateAddress(text: string): string | undefined {
  const address = boardAddress(text);
  if (!address) return undefined;
  return new URL(`http://${netAddressText(address)}`).host.replace(MAPPED, (_all, high: string, low: string) =>
    [high, low]
      .map((half) => Number.parseInt(half, 16))
      .flatMap((half) => [half >> 8, half & 0xff])
      .join('.'),
  );
}

/** Such an address without its port. */
export const hostOf = (address: string): string => address.replace(/:\d+$/, '');
