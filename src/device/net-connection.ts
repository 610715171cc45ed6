/**
 * Connections to boards on the network, handed in: the station dials over TCP, a campaign in modelled time dials virtual boards.
 */

export interface NetAddress {
  /** Numeric; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface NetConnection {
  /** Resolves when the bytes are on their way; rejects when the connection is broken. */
  send(bytes: Uint8Array): Promise<void>;
  /** What the other side sends, until it closes; throws when the connection breaks. To be iterated once. */
  readonly incoming: AsyncIterable<Uint8Array>;
  /** Ends it at once, and `incoming` with it; closing twice is harmless. */
  close(): void;
}

/** Makes a connection. Rejects when nobody takes it; nothing was sent then. */
export type Dial = (address: NetAddress, options: { signal: AbortSignal }) => Promise<NetConnection>;

const ADDRESS = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<four>\d{1,3}(?:\.\d{1,3}){3}))(?::(?<port>\d{1,5}))?$/i;

/** Where boards listen unless their address says otherwise. */
const HTTP_PORT = 80;

/** The address of `192.168.1.57`, `192.168.1.57:8080` or `[fd00::57]:8080`; `undefined` for anything else. */
export function parseNetAddress(text: string): NetAddress | undefined {
  const { six, four, port } = ADDRESS.exec(text)?.groups ?? {};
  const host = six ?? four;
  const number = port === undefined ? HTTP_PORT : Number(port);
  return host === undefined || number < 1 || number > 0xffff ? undefined : { host, port: number };
}

/** The address as it stands in a URL, and as it is stored: without the port where that is 80. */
export function netAddressText({ host, port }: NetAddress): string {
  const named = host.includes(':') ? `[${host}]` : host;
  return port === HTTP_PORT ? named : `${named}:${port}`;
}
