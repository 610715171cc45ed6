/** The command line as a client of a station: a session, requests, uploads, and what the station has to tell. */
import { type StationError, type StationErrorCode, type StationEvent, type StationInfo } from '#api.ts';
import { type Message } from '#messages/message.ts';
import { stationErrorMessage } from '#messages/update-messages.ts';
import { InputError } from './input-error.ts';

export interface StationAccess {
  /** `http://127.0.0.1:4600/`; what stands behind the last slash is the path of its API. */
  url: string;
  signal: AbortSignal;
  /** Session cookies of stations on other computers, kept between runs. */
  sessions?: { get(url: string): string | undefined; set(url: string, cookie: string): void };
  /** Asks the user for the code that the station printed. */
  readPairingCode?: () => Promise<string>;
}

/** Milliseconds for what is tidied up at the end. */
const TIDY_MS = 5000;
const SESSION_HEADERS = { 'Content-Type': 'application/json' } as const;

export class StationClient {
  readonly info: StationInfo;
  readonly #access: StationAccess;
  readonly #base: URL;
  #cookie: string | undefined;

  private constructor(access: StationAccess, base: URL, info: StationInfo, cookie: string | undefined) {
    this.#access = access;
    this.#base = base;
    this.info = info;
    this.#cookie = cookie;
  }

  /**
   * Reaches the station and has a session with it.
   *
   * @throws {InputError} `station-address`, `station-unreachable`, `station-unknown`, or a code of the station.
   */
  static async connect(access: StationAccess): Promise<StationClient> {
    const base = stationUrl(access.url);
    const cookie = access.sessions?.get(base.origin);
    const info = await readInfo(base, access, cookie);
    const client = new StationClient(access, base, info, cookie);
    if (info.session !== 'open') await client.#openSession(info.session);
    return client;
  }

  get<T>(path: string): Promise<T> {
    return this.#json(path, { method: 'GET' });
  }

  /** @param signal that of the command unless given. */
  post<T>(path: string, body: unknown = {}, signal?: AbortSignal): Promise<T> {
    return this.#json(path, { method: 'POST', headers: SESSION_HEADERS, body: JSON.stringify(body) }, signal);
  }

  /** As `post`, also when the user has aborted, and whatever comes of it: for what is tidied up at the end. */
  async postAnyway<T>(path: string, body: unknown = {}): Promise<T | undefined> {
    const init = { method: 'POST', headers: SESSION_HEADERS, body: JSON.stringify(body) };
    try {
      const response = await this.#send(path, init, AbortSignal.timeout(TIDY_MS));
      return (await response.json()) as T;
    } catch {
      // The error that ended the command is the one to tell.
      return undefined;
    }
  }

  /** The file as it is. */
  upload<T>(path: string, bytes: Uint8Array): Promise<T> {
    const headers = { 'Content-Type': 'application/octet-stream' };
    return this.#json(path, { method: 'POST', headers, body: bytes as Uint8Array<ArrayBuffer> });
  }

  /** What the station tells, everything first; ends when the station hangs up. */
  async *events(signal: AbortSignal): AsyncGenerator<StationEvent, void> {
    const response = await this.#send('events', { method: 'GET', headers: { Accept: 'text/event-stream' } }, signal);
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.#chunks(response, signal)) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block
          .split('\n')
          .filter((line) => line.startsWith('data:'))
          .map((line) => line.slice(5).trimStart())
          .join('\n');
        if (data !== '') yield JSON.parse(data) as StationEvent;
      }
    }
  }

  async *#chunks({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    try {
      yield* body ?? [];
    } catch (error) {
      throw signal.aborted ? signal.reason : unreachable(this.#base, error);
    }
  }

  async #openSession(how: 'ask' | 'pair'): Promise<void> {
    const { readPairingCode, sessions } = this.#access;
    if (how === 'pair' && !readPairingCode) throw stationError('session-needed');
    const body = how === 'pair' ? { code: (await readPairingCode?.()) ?? '' } : {};
    const path = how === 'pair' ? 'pairing' : 'session';
    const request = { method: 'POST', headers: SESSION_HEADERS, body: JSON.stringify(body) };
    const response = await this.#send(path, request, this.#access.signal);
    this.#cookie = response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';')[0] ?? '')
      .join('; ');
    if (how === 'pair') sessions?.set(this.#base.origin, this.#cookie);
  }

  async #json<T>(path: string, init: RequestInit, signal = this.#access.signal): Promise<T> {
    const response = await this.#send(path, init, signal);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }

  async #send(path: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set('Origin', this.#base.origin);
    if (this.#cookie) headers.set('Cookie', this.#cookie);
    const response = await request(new URL(`api/${path}`, this.#base), { ...init, headers, signal });
    if (response.ok) return response;
    const answer = (await response.json().catch(() => ({}))) as Partial<StationError>;
    throw stationError(answer.error ?? 'station-failed', answer.detail);
  }
}

/** @throws {InputError} `station-address`. */
function stationUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new InputError('station-address', `"${text}" is no address of a station`, {
      todo: 'Give one such as http://127.0.0.1:4600/',
    });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.search = '';
  url.hash = '';
  return url;
}

async function readInfo(base: URL, { signal }: StationAccess, cookie: string | undefined): Promise<StationInfo> {
  const headers = new Headers(cookie === undefined ? {} : { Cookie: cookie });
  const response = await request(new URL('api/station', base), { headers, signal });
  const info = (await response.json().catch(() => undefined)) as Partial<StationInfo> | undefined;
  if (!response.ok || info?.boardsListener === undefined) {
    throw new InputError('station-unknown', `What answers at ${base.href} is no station`, {
      todo: 'Check the address; a station is started with twostep serve.',
    });
  }
  return info as StationInfo;
}

async function request(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, redirect: 'error' });
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw unreachable(url, error);
  }
}

const unreachable = ({ origin }: URL, cause: unknown): InputError =>
  new InputError('station-unreachable', `No station answers at ${origin}`, {
    todo: 'Start it with twostep serve, or leave --station out.',
    cause,
  });

/** What a command has to say in other words than the station's page. */
const COMMAND_MESSAGES: Readonly<Partial<Record<StationErrorCode, Message>>> = {
  'session-needed': {
    what: 'The station does not know this computer',
    todo: 'Give the command at a terminal, and type the code that the station printed.',
  },
  'bad-request': {
    what: 'The station does not understand what it was asked',
    todo: 'It may be of another version than this program.',
  },
  'address-refused': {
    what: 'This is no address of a board: it has to be in numbers, and of a private network',
    todo: 'Give one such as 192.168.1.57, or 192.168.1.57:8080 with a port.',
  },
  'listener-failed': {
    what: 'The listener from which boards fetch their files could not be opened',
    todo: 'Its port may be taken, or its address gone: choose another with --boards-listen.',
  },
};

/** What the station refused, or would. */
export function stationError(code: StationErrorCode, detail?: string): InputError {
  const { what, todo } = COMMAND_MESSAGES[code] ?? stationErrorMessage(code);
  const text = what.replace(/\.$/, '');
  return new InputError(code, detail ? `${text} (${detail})` : text, todo === undefined ? {} : { todo });
}
