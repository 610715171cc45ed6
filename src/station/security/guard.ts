/** What every request has to pass before anything is done for it. */
import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { Refusal } from '../refusal.ts';
import { type Standing } from '../station-state.ts';
import { SECURITY_HEADERS } from './headers.ts';
import { askerOf, type Asker, type Door } from './own-hosts.ts';
import { cookieValue, type Sessions } from './sessions.ts';

/** What is answered without a session; everything else below `/api` needs one. */
const OPEN_ROUTES: ReadonlySet<string> = new Set([
  'GET /api/station',
  'GET /api/policy',
  'POST /api/session',
  'POST /api/pairing',
]);

export interface GuardOptions {
  door: Door;
  sessions: Sessions;
  cookieName: () => string;
}

export class Guard {
  readonly #options: GuardOptions;
  readonly #askers = new WeakMap<FastifyRequest, Asker>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  watch(server: FastifyInstance): void {
    server.addHook('onRequest', async (request, reply) => {
      void reply.headers(SECURITY_HEADERS);
      const asker = askerOf(request.raw, this.#options.door);
      if (!asker) throw new Refusal('wrong-origin', 'The request names another host');
      this.#askers.set(request, asker);
      if (isApi(request)) {
        void reply.header('Cache-Control', 'no-store');
        this.#checkApi(request, asker);
      }
    });
  }

  #checkApi(request: FastifyRequest, asker: Asker): void {
    const { method, headers } = request;
    const changes = method !== 'GET' && method !== 'HEAD';
    const site = headers['sec-fetch-site'];
    const foreign = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (foreign || (headers.origin ?? (changes ? '' : asker.origin)) !== asker.origin) {
      throw new Refusal('wrong-origin', 'The request comes from another site');
    }
    if (!OPEN_ROUTES.has(`${method} ${pathOf(request)}`) && !this.hasSession(request)) {
      throw new Refusal('session-needed');
    }
  }

  /** Who asks; every request that got so far has one. */
  asker(request: FastifyRequest): Asker {
    const asker = this.#askers.get(request);
    if (!asker) throw new Refusal('wrong-origin');
    return asker;
  }

  /** What depends on who asks. */
  standing(request: FastifyRequest): Standing {
    const { local, secure } = this.asker(request);
    return { session: this.hasSession(request) ? 'open' : local ? 'ask' : 'pair', secureOrigin: secure };
  }

  hasSession(request: FastifyRequest): boolean {
    return this.#options.sessions.isOpen(cookieValue(request.headers.cookie, this.#options.cookieName()));
  }
}

/** As the router has it where it knows the path: it takes several spellings for the same. */
const pathOf = ({ routeOptions, url }: FastifyRequest): string =>
  routeOptions.url?.startsWith('/api/') ? routeOptions.url : (url.split('?')[0] ?? '');

const isApi = (request: FastifyRequest): boolean => pathOf(request).startsWith('/api/');
