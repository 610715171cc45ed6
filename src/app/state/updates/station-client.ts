/** Requests to the station that the page came from. Every address is relative, so that the page works from any folder of any host. */
import {
  type BoardView,
  type DecisionRequest,
  type FoundBoard,
  type JournalLine,
  type PlanRequest,
  type PlanView,
  type ProvisionedBoard,
  type ReleaseView,
  type StartRequest,
  STATION_ERRORS,
  type StationErrorCode,
  type StationEvent,
  type StationInfo,
  type UpdateView,
} from '#api.ts';
import { type Upload, uploadWithProgress } from './upload.ts';

/** `station-silent`: nothing answers. `station-absent`: something answers that is no station. */
export type StationFailureCode = StationErrorCode | 'station-silent' | 'station-absent';

export class StationFailure extends Error {
  override readonly name = 'StationFailure';
  readonly code: StationFailureCode;
  /** What the station says besides, for the curious. */
  readonly detail: string | undefined;

  constructor(code: StationFailureCode, { detail, cause }: { detail?: string | undefined; cause?: unknown } = {}) {
    super(detail === undefined ? code : `${code}: ${detail}`, { cause });
    this.code = code;
    this.detail = detail;
  }
}

/** As much of an `EventSource` as is needed. */
export interface EventStream {
  onmessage: ((event: { data: string }) => void) | null;
  onerror: (() => void) | null;
  close(): void;
}

export interface StationRoutes {
  fetch: (path: string, init?: RequestInit) => Promise<Response>;
  openEvents: (path: string) => EventStream;
  upload: Upload;
}

/** Those of the browser. */
export const browserRoutes: StationRoutes = {
  fetch: (path, init) => fetch(path, init),
  openEvents: (path) => new EventSource(path) as EventStream,
  upload: uploadWithProgress,
};

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
type Change = { name?: string; address?: string; chip?: string };

export class StationClient {
  readonly #routes: StationRoutes;

  constructor(routes: StationRoutes = browserRoutes) {
    this.#routes = routes;
  }

  /**
   * Who the station is, and what this browser may do there.
   *
   * @throws {StationFailure} `station-silent` or `station-absent` when there is none.
   */
  async station(): Promise<StationInfo> {
    const info = await this.#answered<Partial<StationInfo>>(await this.#send('GET', 'station'));
    // Hosts that answer everything with their front page are no station.
    if (typeof info !== 'object' || info === null || !info.boardsListener) throw new StationFailure('station-absent');
    return info as StationInfo;
  }

  /** A session without being asked for a code: from the station's own computer. */
  readonly openSession = (): Promise<unknown> => this.#request('POST', 'session');
  readonly pair = (code: string): Promise<unknown> => this.#request('POST', 'pairing', { code });
  readonly openListener = (open: boolean): Promise<unknown> => this.#request('POST', 'boards-listener', { open });

  readonly addBoard = (address: string, name?: string): Promise<BoardView> =>
    this.#request('POST', 'boards', { address, ...(name !== undefined && { name }) });
  readonly changeBoard = (id: string, change: Change): Promise<BoardView> =>
    this.#request('PATCH', `boards/${encodeURIComponent(id)}`, change);
  readonly removeBoard = (id: string): Promise<unknown> => this.#request('DELETE', `boards/${encodeURIComponent(id)}`);
  readonly look = (id: string): Promise<BoardView> => this.#request('POST', `boards/${encodeURIComponent(id)}/look`);
  readonly search = (how: 'mdns' | 'scan', signal?: AbortSignal): Promise<FoundBoard[]> =>
    this.#request('POST', 'boards/search', { how }, signal);
  readonly provisioned = (board: ProvisionedBoard): Promise<BoardView> =>
    this.#request('POST', 'boards/provisioned', board);

  readonly removeRelease = (id: string): Promise<unknown> =>
    this.#request('DELETE', `releases/${encodeURIComponent(id)}`);

  readonly plan = (wish: PlanRequest, signal?: AbortSignal): Promise<PlanView[]> =>
    this.#request('POST', 'updates/plan', wish, signal);
  readonly start = (wish: StartRequest): Promise<UpdateView[]> => this.#request('POST', 'updates', wish);
  readonly decide = (id: string, decision: DecisionRequest): Promise<UpdateView> =>
    this.#request('POST', `updates/${encodeURIComponent(id)}/decision`, decision);
  readonly stop = (id: string): Promise<UpdateView> => this.#request('POST', `updates/${encodeURIComponent(id)}/stop`);
  readonly journal = (id: string): Promise<JournalLine[]> =>
    this.#request('GET', `updates/${encodeURIComponent(id)}/journal`);

  /** Gives a file to the station, with the bytes that went out. */
  async uploadRelease(
    { name, file }: { name: string; file: Blob },
    { onProgress, signal }: { onProgress?: (sent: number) => void; signal?: AbortSignal } = {},
  ): Promise<ReleaseView> {
    const send = (): Promise<Response> =>
      this.#orSilent(
        this.#routes.upload(`api/releases?name=${encodeURIComponent(name)}`, file, {
          ...(onProgress && { onProgress }),
          ...(signal && { signal }),
        }),
      );
    return this.#withSession(send);
  }

  /**
   * What happens at the station, from a full list on. `onend` comes once, when the stream breaks off.
   *
   * @returns ends it.
   */
  listen(onevent: (event: StationEvent) => void, onend: () => void): () => void {
    const stream = this.#routes.openEvents('api/events');
    stream.onmessage = ({ data }) => onevent(JSON.parse(data) as StationEvent);
    stream.onerror = () => {
      stream.close();
      onend();
    };
    return () => stream.close();
  }

  async #request<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
    return this.#withSession(() => this.#send(method, path, { body, signal }));
  }

  /** A session may have run out: it is asked for once, and the request sent again. */
  async #withSession<T>(send: () => Promise<Response>): Promise<T> {
    try {
      return await this.#answered<T>(await send());
    } catch (error) {
      if (!isStationFailure(error, 'session-needed')) throw error;
      await this.#answered(await this.#send('POST', 'session'));
      return this.#answered<T>(await send());
    }
  }

  #send(
    method: Method,
    path: string,
    { body, signal }: { body?: unknown; signal?: AbortSignal | undefined } = {},
  ): Promise<Response> {
    return this.#orSilent(
      this.#routes.fetch(`api/${path}`, {
        method,
        cache: 'no-store',
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json' },
        }),
        ...(signal && { signal }),
      }),
    );
  }

  async #orSilent(answer: Promise<Response>): Promise<Response> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') throw error;
      throw new StationFailure('station-silent', { cause: error });
    }
  }

  async #answered<T>(response: Response): Promise<T> {
    const text = await response.text();
    const body = parsed(text);
    if (!response.ok) {
      const { error, detail } = (body ?? {}) as { error?: unknown; detail?: unknown };
      const code = STATION_ERRORS.find((known) => known === error);
      throw new StationFailure(code ?? 'station-absent', {
        detail: code === undefined ? `HTTP ${response.status}` : typeof detail === 'string' ? detail : undefined,
      });
    }
    if (text !== '' && body === undefined) throw new StationFailure('station-absent');
    return body as T;
  }
}

/** Whether it is a failure of the station, with one of these codes if any are named. */
export const isStationFailure = (error: unknown, ...codes: StationFailureCode[]): error is StationFailure =>
  error instanceof StationFailure && (codes.length === 0 || codes.includes(error.code));

/** `undefined` for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
