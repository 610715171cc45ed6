/** Serves a built page as the station does, and nothing else: for tests of the page that need no station. */
import fastify, { type FastifyInstance } from 'fastify';
import { addPageRoutes } from '../../src/station/routes/page-routes.ts';
import { SECURITY_HEADERS } from '../../src/station/security/headers.ts';

export async function createPageServer(folder: string): Promise<FastifyInstance> {
  const server = fastify();
  server.addHook('onRequest', async (_request, reply) => void reply.headers(SECURITY_HEADERS));
  addPageRoutes(server, folder);
  await server.ready();
  return server;
}
