/** Addresses of boards as the station keeps them. */
import { netAddressText } from '#device/board-http.ts';
import { boardAddress } from '../network/private-address.ts';

/**
 * `HOST` or `HOST:PORT` in its one spelling: without the port where it is 80.
 *
 * @returns nothing for what is no numeric address of a private network.
 */
export function privateAddress(text: string): string | undefined {
  const address = boardAddress(text);
  return address && new URL(`http://${netAddressText(address)}`).host;
}

/** Such an address without its port. */
export const hostOf = (address: string): string => address.replace(/:\d+$/, '');
