/** A station that answers what a test scripts, without a network. */
import { type StationErrorCode, type StationEvent } from '#api.ts';
import { type EventStream, StationClient, type StationRoutes } from '#app/state/updates/station-client.ts';
import { sampleStation } from '../../../support/update-samples.ts';

type Handler = (body: unknown) => unknown;

/** To be thrown by a handler. */
export class Refusal extends Error {
  readonly code: StationErrorCode;

  constructor(code: StationErrorCode) {
    super(code);
    this.code = code;
  }
}

class Stream implements EventStream {
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;

  close(): void {
    this.closed = true;
  }
}

export class ScriptedStation {
  /** By `METHOD path`, the path below `api/`. */
  readonly handlers: Record<string, Handler> = { 'GET station': () => sampleStation() };
  readonly requests: { what: string; body: unknown }[] = [];
  readonly streams: Stream[] = [];
  /** Nothing answers. */
  silent = false;
  /** A host that answers everything with this page. */
  page: { status: number; text: string } | undefined;

  get client(): StationClient {
    return new StationClient(this.routes);
  }

  readonly routes: StationRoutes = {
    fetch: (path, init) => this.#answer(init?.method ?? 'GET', path, init?.body as string | undefined, init?.signal),
    openEvents: () => {
      const stream = new Stream();
      this.streams.push(stream);
      return stream;
    },
    upload: async (path, file, { onProgress, signal }) => {
      onProgress?.(file.size);
      return this.#answer('POST', path, undefined, signal, file.size);
    },
  };

  on(what: string, handler: Handler): this {
    this.handlers[what] = handler;
    return this;
  }

  /** Bodies of the requests of that kind, in their order. */
  seen(what: string): unknown[] {
    return this.requests.filter((request) => request.what === what).map(({ body }) => body);
  }

  emit(event: StationEvent): void {
    this.streams.at(-1)?.onmessage?.({ data: JSON.stringify(event) });
  }

  breakOff(): void {
    this.streams.at(-1)?.onerror?.();
  }

  async #answer(
    method: string,
    path: string,
    body: string | undefined,
    signal?: AbortSignal | null,
    size?: number,
  ): Promise<Response> {
    if (!path.startsWith('api/')) throw new Error(`${path} is not relative to the page`);
    if (this.silent) throw new TypeError('Failed to fetch');
    if (this.page) return new Response(this.page.text, { status: this.page.status });
    const [short = ''] = path.slice(4).split('?');
    const what = `${method} ${short}`;
    const given = size ?? (body === undefined ? undefined : (JSON.parse(body) as unknown));
    this.requests.push({ what, body: given });
    const handler = this.handlers[what];
    if (!handler) return new Response(JSON.stringify({ error: 'not-found' }), { status: 404 });
    try {
      const answer = await handler(given);
      signal?.throwIfAborted();
      return new Response(JSON.stringify(answer ?? {}), { status: 200 });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return new Response(JSON.stringify({ error: error.code, detail: 'why' }), { status: 400 });
    }
  }
}
