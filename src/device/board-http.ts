/**
 * The two HTTP pages of a board on the network: `/`, which says what runs, and `/ota`, which starts a download. What is sent and understood is
 * that of the two-step demo firmware (ESP-IDF's `esp_http_server`), byte for byte.
 *
 * Every look at `/ota` starts a download, with whatever URL the board was told last: it is asked once, when it is meant, and never tried out.
 */
import { type Clock, withLimit } from '#clock.ts';
import { type FirmwareProfile, SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { type BoardPage, parseBoardPage } from './board-page.ts';
import { type HttpAnswer, type NoAnswer, readHttpAnswer } from './http-answer.ts';
import { type Dial, type NetAddress, netAddressText, type NetConnection } from './net-connection.ts';

export { type BoardPage } from './board-page.ts';
export { type Dial, type NetAddress, netAddressText, type NetConnection, parseNetAddress } from './net-connection.ts';

export interface BoardHttpOptions {
  dial: Dial;
  clock: Clock;
  signal?: AbortSignal;
  limits?: Partial<BoardHttpLimits>;
}

/** Milliseconds. */
export interface BoardHttpLimits {
  /** Until somebody takes the connection. */
  connect: number;
  /** For the whole of the answer from then on. */
  answer: number;
}

/** A board that is writing flash may not come to answer for seconds. */
const LIMITS: BoardHttpLimits = { connect: 5000, answer: 10_000 };

/**
 * Reads the index page.
 *
 * @returns `silent` when no whole answer came, `unknown` when another one did.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function readBoardPage(
  address: NetAddress,
  options: BoardHttpOptions,
): Promise<BoardPage | 'silent' | 'unknown'> {
  const answer = await exchange(address, requestBytes(address, '/'), options);
  if (answer === 'not-connected' || answer === 'broken') return 'silent';
  if (answer === 'foreign' || answer.status !== 200) return 'unknown';
  return parseBoardPage(answer.body) ?? 'unknown';
}

export interface DownloadRequest extends NetAddress {
  /** What the board is to download. */
  readonly url: string;
  /** What its firmware takes. */
  readonly profile?: Pick<FirmwareProfile, 'headerLimit' | 'urlDecoding'>;
}

/**
 * Asks a board to download, once. The firmware sends a second answer behind the first: that one is left unread, and the connection closed.
 *
 * @returns `taken` when the board said so; `not-delivered` when it cannot have begun, because nobody took the connection or its HTTP server
 *   refused the request before it got to the firmware; `unknown` when it may have.
 * @throws {RangeError} for a URL or headers that the board would not understand; nothing was sent.
 * @throws {DOMException} `AbortError` when `signal` aborts; it may have begun.
 */
export async function startBoardDownload(
  { url, profile = SEED_FIRMWARE, ...address }: DownloadRequest,
  options: BoardHttpOptions,
): Promise<'taken' | 'not-delivered' | 'unknown'> {
  const request = requestBytes(address, `/ota?url=${urlValue(url, profile)}`, profile.headerLimit);
  const answer = await exchange(address, request, options);
  if (answer === 'not-connected') return 'not-delivered';
  if (answer === 'broken' || answer === 'foreign') return 'unknown';
  if (answer.status === 200) return 'taken';
  // 404, 405, 414 and 431 come from the HTTP server: no handler has run.
  return answer.status >= 400 && answer.status < 500 ? 'not-delivered' : 'unknown';
}

/** The demo firmware takes the value as it is, up to the next `&`. */
function urlValue(url: string, { urlDecoding }: Pick<FirmwareProfile, 'urlDecoding'>): string {
  if (urlDecoding === 'percent') return encodeURIComponent(url);
  if (!/^[\x21-\x7e]+$/.test(url) || /[&#]/.test(url)) {
    throw new RangeError('A URL that is sent as it is has only printable ASCII characters, and no & or #');
  }
  return url;
}

function requestBytes(address: NetAddress, target: string, headerLimit = Infinity): Uint8Array {
  const headers = `Host: ${netAddressText(address)}\r\nConnection: close\r\n\r\n`;
  if (headers.length > headerLimit)
    throw new RangeError(`${headers.length} bytes of headers, the board takes ${headerLimit}`);
  return new TextEncoder().encode(`GET ${target} HTTP/1.1\r\n${headers}`);
}

/** One request on a connection of its own, and the first answer. */
async function exchange(
  address: NetAddress,
  request: Uint8Array,
  options: BoardHttpOptions,
): Promise<HttpAnswer | NoAnswer | 'not-connected'> {
  const { clock, signal } = options;
  const limits = { ...LIMITS, ...options.limits };
  const connection = await connect(address, limits.connect, options);
  if (!connection) return 'not-connected';
  const answer = connection.send(request).then(
    () => readHttpAnswer(connection.incoming),
    () => 'broken' as const,
  );
  try {
    return await withLimit(clock, answer, { ms: limits.answer, ...(signal && { signal }) });
  } catch {
    signal?.throwIfAborted();
    return 'broken'; // not within the time
  } finally {
    connection.close();
  }
}

async function connect(
  address: NetAddress,
  ms: number,
  { dial, clock, signal }: BoardHttpOptions,
): Promise<NetConnection | undefined> {
  signal?.throwIfAborted();
  const giveUp = new AbortController();
  const dialled = dial(address, { signal: giveUp.signal });
  try {
    return await withLimit(clock, dialled, { ms, ...(signal && { signal }) });
  } catch {
    giveUp.abort();
    // It may have come about at the very last moment.
    dialled.then((late) => late.close()).catch(() => undefined);
    signal?.throwIfAborted();
    return undefined;
  }
}
