/** Boards that announce a web server by multicast DNS (RFC 6762, RFC 6763), asked for in each of the own networks. */
import makeMdns, { type MulticastDNS, type ResponsePacket } from 'multicast-dns';
import { type Clock, sleep, systemClock } from '#clock.ts';
import { netAddressText } from '#device/board-http.ts';
import { isPrivate } from './private-address.ts';

const SERVICE = '_http._tcp.local';
/** Milliseconds after each question: answers come within 120, but question or answer may get lost on Wi-Fi. */
const WAITS = [500, 1000, 1500];
/** Nobody has more; who sends more means no good. */
const MOST_FOUND = 1024;

export interface MdnsOptions {
  clock?: Clock;
  /** UDP; 5353 but in tests. */
  port?: number;
  /** Where the socket is bound: to receive a group it must not be an own address. */
  bind?: string;
}

/**
 * Addresses at which a web server answers, with their ports; who answered counts, not what its answer says of others.
 *
 * @param ownAddresses of the networks that are asked.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function browseMdns(
  ownAddresses: readonly string[],
  signal?: AbortSignal,
  { clock = systemClock, port, bind = '0.0.0.0' }: MdnsOptions = {},
): Promise<string[]> {
  const found = new Set<string>();
  const browsers = ownAddresses.map((address) => {
    const browser = makeMdns({ interface: address, bind, ...(port !== undefined && { port }) });
    browser.on('response', (packet, { address: host }) => {
      for (const port of portsOf(packet)) {
        if (isPrivate(host) && found.size < MOST_FOUND) found.add(netAddressText({ host, port }));
      }
    });
    // Another program may hold the port for itself: boards are found by other means then.
    browser.on('error', () => undefined);
    browser.on('warning', () => undefined);
    return browser;
  });
  try {
    await ask(browsers, clock, signal);
  } finally {
    await Promise.all(browsers.map((browser) => new Promise<void>((resolve) => browser.destroy(resolve))));
  }
  return [...found];
}

async function ask(browsers: readonly MulticastDNS[], clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  if (browsers.length === 0) return;
  for (const wait of WAITS) {
    for (const browser of browsers) browser.query({ questions: [{ name: SERVICE, type: 'PTR' }] });
    await sleep(clock, wait, signal);
  }
}

/** Of the services of this kind in an answer. */
function portsOf({ answers, additionals }: ResponsePacket): number[] {
  return [...answers, ...additionals].flatMap((record) =>
    record.type === 'SRV' && record.name.toLowerCase().endsWith(`.${SERVICE}`) ? [record.data.port] : [],
  );
}
