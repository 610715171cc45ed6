/** Updates: planned, started, decided, stopped. */
import { DecisionRequest, PlanRequest, StartRequest } from '#api.ts';
import { type FastifyInstance } from 'fastify';
import { type Updates } from '../updates/updates.ts';
import { goneSignal } from './gone-signal.ts';
import { readBody } from './read-request.ts';

interface OneUpdate {
  Params: { id: string };
}

export function addUpdateRoutes(server: FastifyInstance, updates: Updates): void {
  server.get('/api/updates', () => updates.list());
  server.post('/api/updates', ({ body }) => updates.start(readBody(StartRequest, body)));
  server.post('/api/updates/plan', (request, reply) =>
    updates.plan(readBody(PlanRequest, request.body), goneSignal(reply)),
  );
  server.get<OneUpdate>('/api/updates/:id', ({ params }) => updates.view(params.id));
  server.get<OneUpdate>('/api/updates/:id/journal', ({ params }) => updates.journal(params.id));
  server.post<OneUpdate>('/api/updates/:id/stop', ({ params }) => updates.stop(params.id));
  server.post<OneUpdate>('/api/updates/:id/decision', ({ params, body }) =>
    updates.decide(params.id, readBody(DecisionRequest, body)),
  );
}
