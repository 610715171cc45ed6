/** The built page. */
import fastifyStatic from '@fastify/static';
import { type FastifyInstance } from 'fastify';

/** Vite names these files by their content. */
const NAMED_BY_CONTENT = /[/\\]assets[/\\][^/\\]+$/;

/** `folder`: absolute. */
export function addPageRoutes(server: FastifyInstance, folder: string): void {
  void server.register(fastifyStatic, {
    root: folder,
    cacheControl: false,
    setHeaders: (reply, path) => {
      const named = NAMED_BY_CONTENT.test(path);
      void reply.header('Cache-Control', named ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
