/** Releases: listed, uploaded, removed. */
import { MAX_UPLOAD } from '#api.ts';
import { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Readable } from 'node:stream';
import * as v from 'valibot';
import { Refusal } from '../refusal.ts';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { readBody } from './read-request.ts';

/** The name is told to people and to the reader of releases, and is never a path. */
const UploadQuery = v.object({
  name: v.pipe(
    v.string(),
    v.transform((name) => (name.split(/[/\\]/).at(-1) ?? '').replace(/\p{C}/gu, '').trim()),
    v.minLength(1),
    v.maxLength(200),
  ),
});

export function addReleaseRoutes(server: FastifyInstance, library: ReleaseLibrary): void {
  server.get('/api/releases', () => library.list());

  server.delete<{ Params: { id: string } }>('/api/releases/:id', async ({ params }, reply) => {
    await library.remove(params.id);
    return reply.code(204).send();
  });

  // Only here is a body taken as it comes.
  void server.register(async (uploads) => {
    uploads.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
    uploads.post('/api/releases', async (request, reply) => {
      try {
        const { name } = readBody(UploadQuery, request.query);
        return await library.add(name, await readUpload(request));
      } catch (error) {
        // What was not read of the body must not be taken for the next request.
        void reply.header('Connection', 'close');
        throw error;
      }
    });
  });
}

/** @throws {Refusal} `bad-request`, `too-large` as soon as that is known. */
async function readUpload({ body, headers }: FastifyRequest): Promise<Uint8Array> {
  if (typeof (body as Readable | undefined)?.pipe !== 'function') {
    throw new Refusal('bad-request', 'The file is wanted as application/octet-stream');
  }
  if (Number(headers['content-length'] ?? 0) > MAX_UPLOAD) throw new Refusal('too-large');
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as Readable) {
    size += (chunk as Uint8Array).length;
    if (size > MAX_UPLOAD) throw new Refusal('too-large');
    chunks.push(chunk as Uint8Array);
  }
  if (size === 0) throw new Refusal('bad-request', 'The file is empty');
  const { buffer, byteOffset, length } = Buffer.concat(chunks);
  return new Uint8Array(buffer, byteOffset, length);
}
