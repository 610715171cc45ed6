/** Releases: listed, uploaded, removed. */
import { type Clock } from '#clock.ts';
import { type FastifyInstance } from 'fastify';
import * as v from 'valibot';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { goneSignal } from './gone-signal.ts';
import { readBody } from './read-request.ts';
import { Uploads } from './uploads.ts';

/** The name is told to people and to the reader of releases, and is never a path. */
const UploadQuery = v.object({
  name: v.pipe(
    v.string(),
    v.transform((name) => (name.split(/[/\\]/).at(-1) ?? '').replace(/\p{C}/gu, '').trim()),
    v.minLength(1),
    v.maxLength(200),
  ),
});

export function addReleaseRoutes(server: FastifyInstance, library: ReleaseLibrary, clock: Clock): void {
  server.get('/api/releases', () => library.list());

  server.delete<{ Params: { id: string } }>('/api/releases/:id', async ({ params }, reply) => {
    await library.remove(params.id);
    return reply.code(204).send();
  });

  const uploads = new Uploads(clock);
  // Only here is a body taken as it comes.
  void server.register(async (scope) => {
    scope.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
    scope.post('/api/releases', async (request, reply) => {
      try {
        const { name } = readBody(UploadQuery, request.query);
        return await uploads.take(request, goneSignal(reply), (bytes) => library.add(name, bytes));
      } catch (error) {
        void reply.headers(uploads.refusalHeaders(request, error));
        throw error;
      }
    });
  });
}
