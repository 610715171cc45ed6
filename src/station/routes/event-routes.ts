/** `GET /api/events`: what happens, as server-sent events, for as long as somebody listens. */
import { type StationEvent, type StationInfo } from '#api.ts';
import { type Clock } from '#clock.ts';
import { type FastifyInstance } from 'fastify';
import { type ServerResponse } from 'node:http';
import { type StationEvents } from '../events.ts';
import { Refusal } from '../refusal.ts';
import { type Guard } from '../security/guard.ts';
import { type Standing } from '../station-state.ts';

/** Milliseconds; proxies close what is silent for a minute. */
const KEEP_ALIVE = 15_000;
/** Bytes that wait for a listener who does not read: it is let go, and begins anew with everything. */
const MOST_WAITING = 8 * 1024 * 1024;
const MOST_STREAMS = 100;

export interface EventRouteOptions {
  guard: Guard;
  events: StationEvents;
  clock: Clock;
  /** Everything as it stands. */
  all: (station: StationInfo) => Extract<StationEvent, { kind: 'all' }>;
  info: (standing: Standing) => StationInfo;
}

export function addEventRoutes(server: FastifyInstance, options: EventRouteOptions): void {
  const { guard, events, clock, all, info } = options;
  const streams = new Set<ServerResponse>();
  server.addHook('preClose', async () => {
    for (const stream of streams) stream.end();
  });

  server.get('/api/events', (request, reply) => {
    if (streams.size >= MOST_STREAMS) throw new Refusal('station-failed', 'Too many listen already');
    const standing = guard.standing(request);
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'Content-Type': 'text/event-stream',
      'X-Accel-Buffering': 'no',
    });
    const send = (event: StationEvent): void => {
      if (raw.writableLength > MOST_WAITING) raw.destroy();
      else raw.write(`data: ${JSON.stringify(event)}\n\n`);
    };
    const station = (): StationInfo => info(standing);
    send(all(station()));
    streams.add(raw);
    const forget = events.listen({ station, send });
    const stopKeeping = keepAlive(raw, clock);
    raw.once('close', () => {
      streams.delete(raw);
      forget();
      stopKeeping();
    });
  });
}

/** A comment now and then. @returns ends it. */
function keepAlive(raw: ServerResponse, clock: Clock): () => void {
  let cancel = (): void => undefined;
  const next = (): void => {
    cancel = clock.after(KEEP_ALIVE, () => {
      raw.write(':\n\n');
      next();
    });
  };
  next();
  return () => cancel();
}
