/**
 * By which hosts and origins the station may be asked for. A page of another site that had its own name point here (DNS rebinding) would ask
 * by that name, and is refused.
 */
import { type IncomingMessage } from 'node:http';
import { type TLSSocket } from 'node:tls';
import { isLoopback } from '../network/private-address.ts';

export interface Door {
  /** Where the station listens, as it was asked for: an address or `localhost`. */
  host: string;
  /** The port on which it listens; known once it does. */
  port: () => number;
  /** Own addresses of this computer, which count where the station listens on all of them. */
  ownAddresses: () => string[];
  /** Whether the station's certificate is for that name. */
  isCertified?: (name: string) => boolean;
  /** What browsers see of the proxy in front of the station, such as `https://bench.example`. */
  proxyOrigin?: string;
}

/** Who asks, and by which origin. */
export interface Asker {
  /** The origin that pages of this station have for whoever asks. */
  origin: string;
  /** It is a program on this computer, as far as that can be seen. */
  local: boolean;
  /** Whether browsers give its page their secure functions. */
  secure: boolean;
}

/** Whether a station that listens there does so on all addresses of the computer. */
export const isAnyAddress = (host: string): boolean => host === '0.0.0.0' || host === '::';
/** What proxies add (RFC 7239, RFC 9110, and what was there before). */
const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];
const HOST = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?<port>\d{1,5}))?$/;

/** @returns nothing for a request that names a host which is not this station's. */
export function askerOf(request: IncomingMessage, door: Door): Asker | undefined {
  const remote = request.socket.remoteAddress ?? '';
  const tls = (request.socket as Partial<TLSSocket>).encrypted === true;
  if (door.proxyOrigin !== undefined && request.headers['x-forwarded-host'] !== undefined) {
    return isLoopback(remote) ? throughProxy(request, door.proxyOrigin) : undefined;
  }
  const match = HOST.exec((request.headers.host ?? '').toLowerCase());
  const name = match?.groups?.['name'] ?? '';
  const port = Number(match?.groups?.['port'] ?? (tls ? 443 : 80));
  if (name === '' || port !== door.port() || !isOwnName(name, door, tls)) return undefined;
  const { origin } = new URL(`${tls ? 'https' : 'http'}://${name}:${port}`);
  // What comes by a proxy that says nothing looks the same as what comes from this computer. One that the station was not told of may say it.
  const isForwarded = PROXY_HEADERS.some((header) => request.headers[header] !== undefined);
  const local = door.proxyOrigin === undefined && isLoopback(remote) && !isForwarded;
  return { origin, local, secure: tls || isLoopbackName(name) };
}

function throughProxy({ headers }: IncomingMessage, origin: string): Asker | undefined {
  const { protocol, host } = new URL(origin);
  const said = `${String(headers['x-forwarded-proto'])}://${String(headers['x-forwarded-host'])}`.toLowerCase();
  const asked = URL.canParse(said) ? new URL(said) : undefined;
  if (asked?.protocol !== protocol || asked.host !== host) return undefined;
  return { origin, local: false, secure: protocol === 'https:' || isLoopbackName(asked.hostname) };
}

/** Of a host as it stands in a URL or an option. */
export const isLoopbackName = (name: string): boolean => name === 'localhost' || isLoopback(unbracketed(name));
const unbracketed = (name: string): string => name.replace(/^\[|\]$/g, '');

function isOwnName(name: string, { host, ownAddresses, isCertified }: Door, tls: boolean): boolean {
  const plain = unbracketed(name);
  if (plain === unbracketed(host.toLowerCase())) return !isAnyAddress(plain);
  if (tls && isCertified?.(plain)) return true;
  const everywhere = isAnyAddress(host);
  if (isLoopbackName(name)) return everywhere || isLoopbackName(host);
  return everywhere && ownAddresses().includes(plain);
}
