/** The bench server. Today it serves the built page. */
import fastifyStatic from '@fastify/static';
import fastify, { type FastifyInstance } from 'fastify';

export interface StationOptions {
  /** Folder of the built page, absolute. */
  pageFolder: string;
}

/** A server that is ready to listen, or to be tried with `inject()`. */
export async function createStation({ pageFolder }: StationOptions): Promise<FastifyInstance> {
  const station = fastify();
  station.addHook('onSend', async (_request, reply) => {
    // The page talks to serial ports: nobody else may frame it.
    void reply.header('X-Content-Type-Options', 'nosniff');
    void reply.header('Content-Security-Policy', "frame-ancestors 'self'");
  });
  await station.register(fastifyStatic, { root: pageFolder });
  return station;
}
