/** Boards: listed, added, changed, removed, looked at, searched for. */
import { AddBoardRequest, ChangeBoardRequest, ProvisionedRequest, SearchRequest } from '#api.ts';
import { type FastifyInstance } from 'fastify';
import { type Boards } from '../boards/boards.ts';
import { goneSignal } from './gone-signal.ts';
import { readBody } from './read-request.ts';

interface OneBoard {
  Params: { id: string };
}

export function addBoardRoutes(server: FastifyInstance, boards: Boards): void {
  server.get('/api/boards', () => boards.list());
  server.post('/api/boards', ({ body }) => boards.add(readBody(AddBoardRequest, body)));
  server.post('/api/boards/search', (request, reply) =>
    boards.search(readBody(SearchRequest, request.body).how, goneSignal(reply)),
  );
  server.post('/api/boards/provisioned', ({ body }) => boards.provisioned(readBody(ProvisionedRequest, body)));
  server.patch<OneBoard>('/api/boards/:id', ({ params, body }) =>
    boards.change(params.id, readBody(ChangeBoardRequest, body)),
  );
  server.delete<OneBoard>('/api/boards/:id', ({ params }, reply) => {
    boards.remove(params.id);
    return reply.code(204).send();
  });
  server.post<OneBoard>('/api/boards/:id/look', async ({ params }, reply) => {
    await boards.look(params.id, goneSignal(reply));
    return boards.view(params.id);
  });
}
