/** A station that says what a test wants: the built page, and an API whose boards and runs are scripted. Its runs go by the real state machine. */
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { type ServerResponse } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import {
  type BoardView,
  type FoundBoard,
  type JournalLine,
  type PlanView,
  type ReleaseView,
  type StartRequest,
  type StationErrorCode,
  type StationEvent,
  type StationInfo,
  type UpdateView,
} from '#api.ts';
import { nextStep } from '#workflows/two-step-ota.ts';
import { choicesOf, type Choice, failedAttempt, type UpdateEvent } from '#workflows/update-state.ts';
import {
  PATHS,
  sampleBoard,
  samplePlan,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../../support/update-samples.ts';

export interface Script {
  info?: Partial<StationInfo>;
  boards?: BoardView[];
  releases?: ReleaseView[];
  updates?: UpdateView[];
  /** What is planned for a board. */
  plan?: (board: BoardView) => Partial<PlanView>;
  found?: FoundBoard[];
  journal?: JournalLine[];
  /** The code that pairs. */
  code?: string;
  /** A host of plain files: there is no API. */
  isPlain?: boolean;
  /** What these requests are answered with, by `METHOD path`. */
  refuse?: Record<string, StationErrorCode>;
}

export interface SeenRequest {
  what: string;
  body: unknown;
}

export class FakeStation {
  boards: BoardView[];
  releases: ReleaseView[];
  updates: UpdateView[];
  info: StationInfo;
  readonly requests: SeenRequest[] = [];
  readonly script: Script;
  address = '';
  readonly #pageFolder: string;
  readonly #streams = new Set<ServerResponse>();
  #server: FastifyInstance | undefined;
  #paired = false;
  #port = 0;

  constructor(pageFolder: string, script: Script = {}) {
    this.#pageFolder = pageFolder;
    this.script = script;
    this.boards = script.boards ?? [sampleBoard()];
    this.releases = script.releases ?? [sampleRelease()];
    this.updates = script.updates ?? [];
    this.info = sampleStation(script.info);
  }

  /** On the port that it had before, if it was started before. */
  async start(): Promise<this> {
    const server = (this.#server = fastify({ forceCloseConnections: true, bodyLimit: 80_000_000 }));
    server.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    await server.register(fastifyStatic, { root: this.#pageFolder });
    this.#routes(server);
    this.address = await server.listen({ host: '127.0.0.1', port: this.#port });
    this.#port = Number(new URL(this.address).port);
    return this;
  }

  async stop(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
    await this.#server?.close();
  }

  /** Requests that change something, by `METHOD path`. */
  seen(what: string): unknown[] {
    return this.requests.filter((request) => request.what === what).map(({ body }) => body);
  }

  emit(event: StationEvent): void {
    for (const stream of this.#streams) stream.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  setUpdate(update: UpdateView): void {
    this.updates = [update, ...this.updates.filter(({ id }) => id !== update.id)];
    this.emit({ kind: 'update', update });
    const over = update.state.position.at === 'ended';
    const board = this.boards.find(({ id }) => id === update.board.id);
    if (!board) return;
    const { updateId, ...free } = board;
    this.setBoard(over ? free : { ...board, updateId: update.id });
    void updateId;
  }

  setBoard(board: BoardView): void {
    this.boards = this.boards.map((other) => (other.id === board.id ? board : other));
    this.emit({ kind: 'board', board });
  }

  setInfo(change: Partial<StationInfo>): void {
    this.info = { ...this.info, ...change };
    this.emit({ kind: 'station', station: this.info });
  }

  /** What happens to a run. */
  happen(id: string, event: UpdateEvent): UpdateView {
    const update = this.updates.find((one) => one.id === id);
    if (!update) throw new Error(`No run ${id}`);
    const state = nextStep(update.state, event);
    const next = sampleUpdate(state, {
      id,
      campaign: update.campaign,
      board: update.board,
      release: update.release,
      startedAt: update.startedAt,
    });
    this.setUpdate(next);
    return next;
  }

  #routes(server: FastifyInstance): void {
    server.addHook('onRequest', async (request, reply) => {
      const [path = ''] = request.url.split('?');
      if (!path.startsWith('/api/')) return;
      if (this.script.isPlain) return reply.code(404).type('text/html').send('<h1>Not found</h1>');
      const refusal = this.script.refuse?.[`${request.method} ${path.slice(5)}`];
      if (refusal) return refused(reply, refusal);
      const free = ['/api/station', '/api/session', '/api/pairing'].includes(path);
      if (!free && this.info.session === 'pair' && !this.#paired) return refused(reply, 'session-needed', 401);
    });
    server.addHook('preHandler', async ({ method, url, body }) => {
      const [path = ''] = url.split('?');
      if (path.startsWith('/api/') && method !== 'GET') {
        this.requests.push({ what: `${method} ${path.slice(5)}`, body: Buffer.isBuffer(body) ? body.length : body });
      }
    });
    server.get('/api/station', () => ({ ...this.info, session: this.#paired ? 'open' : this.info.session }));
    server.post('/api/session', (_request, reply) =>
      this.info.session === 'pair' ? refused(reply, 'session-needed', 401) : { ok: true },
    );
    server.post<{ Body: { code: string } }>('/api/pairing', (request, reply) => {
      if (request.body.code !== this.script.code) return refused(reply, 'pairing-wrong', 403);
      this.#paired = true;
      return { ok: true };
    });
    server.post<{ Body: { open: boolean } }>('/api/boards-listener', (request) => {
      this.setInfo({ boardsListener: { ...this.info.boardsListener, state: request.body.open ? 'open' : 'closed' } });
      return {};
    });
    server.get('/api/policy', (_request, reply) => reply.type('application/json').send('{"policy":true}'));
    server.get('/api/events', (request, reply) => this.#stream(request.raw, reply));
    this.#boardRoutes(server);
    this.#runRoutes(server);
  }

  #stream(request: NodeJS.EventEmitter, reply: FastifyReply): void {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    this.#streams.add(raw);
    request.on('close', () => this.#streams.delete(raw));
    const { boards, releases, updates, info: station } = this;
    raw.write(`data: ${JSON.stringify({ kind: 'all', boards, releases, updates, station })}\n\n`);
  }

  #boardRoutes(server: FastifyInstance): void {
    type OnBoard = { Params: { id: string }; Body: Partial<BoardView> };
    server.post<{ Body: { address: string; name?: string } }>('/api/boards', ({ body }) => {
      const board = sampleBoard({
        id: `b${this.boards.length + 1}`,
        name: body.name ?? body.address,
        address: body.address,
        from: 'added',
      });
      this.boards.push(board);
      this.emit({ kind: 'board', board });
      return board;
    });
    server.patch<OnBoard>('/api/boards/:id', ({ params, body }) => {
      const board = { ...this.boards.find(({ id }) => id === params.id)!, ...body };
      this.setBoard(board);
      return board;
    });
    server.delete<OnBoard>('/api/boards/:id', ({ params }) => {
      this.boards = this.boards.filter(({ id }) => id !== params.id);
      this.emit({ kind: 'board-gone', id: params.id });
      return {};
    });
    server.post<OnBoard>('/api/boards/:id/look', ({ params }) => this.boards.find(({ id }) => id === params.id));
    server.post('/api/boards/search', () => this.script.found ?? []);
    server.post('/api/boards/provisioned', () => sampleBoard());
    server.post<{ Querystring: { name: string } }>('/api/releases', ({ query }) => {
      const release = sampleRelease({ id: `r${this.releases.length + 5}`, name: query.name });
      this.releases.push(release);
      this.emit({ kind: 'release', release });
      return release;
    });
    server.delete<{ Params: { id: string } }>('/api/releases/:id', ({ params }) => {
      this.releases = this.releases.filter(({ id }) => id !== params.id);
      this.emit({ kind: 'release-gone', id: params.id });
      return {};
    });
  }

  #runRoutes(server: FastifyInstance): void {
    type OnRun = { Params: { id: string }; Body: { choice?: Choice; after?: unknown; picked?: string } };
    server.post<{ Body: { boards: string[]; release: string } }>('/api/updates/plan', ({ body }) =>
      body.boards.map((id) => {
        const board = this.boards.find((one) => one.id === id)!;
        const { name, version } = this.releases.find((one) => one.id === body.release)!;
        return samplePlan({
          board,
          release: { id: body.release, name, version: version ?? '' },
          ...this.script.plan?.(board),
        });
      }),
    );
    server.post<{ Body: StartRequest }>('/api/updates', ({ body }) => {
      const release = this.releases.find(({ id }) => id === body.release)!;
      const now = Date.now();
      return body.boards.map((id, index) => {
        const update = sampleUpdate(stateAfter(PATHS['preparing']!), {
          id: `u${this.updates.length + 1}`,
          campaign: `c${body.boards.join('')}`,
          place: index,
          board: { id, name: this.boards.find((one) => one.id === id)!.name },
          release: { id: release.id, name: release.name, version: release.version ?? '' },
          startedAt: now,
          ...(index > 0 && { queued: 'waiting' as const }),
        });
        this.setUpdate(update);
        return update;
      });
    });
    server.post<OnRun>('/api/updates/:id/decision', ({ params, body }, reply) => {
      const update = this.updates.find(({ id }) => id === params.id)!;
      const isOffered = body.choice && choicesOf(update.state).includes(body.choice);
      if (body.choice && !(isOffered && isDeepStrictEqual(body.after, failedAttempt(update.state))))
        return refused(reply, 'choice-not-offered', 409);
      return this.happen(
        params.id,
        body.choice ? { event: 'decided', choice: body.choice } : { event: 'picked', address: body.picked ?? '' },
      );
    });
    server.post<OnRun>('/api/updates/:id/stop', ({ params }) => this.happen(params.id, { event: 'stop' }));
    server.get('/api/updates/:id/journal', () => this.script.journal ?? []);
  }
}

const refused = (reply: FastifyReply, error: StationErrorCode, status = 400): FastifyReply =>
  reply.code(status).send({ error });
