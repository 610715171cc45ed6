/** The server for page and API, before anything is served: its limits, what bodies it takes, how it says no. */
import { type StationError } from '#api.ts';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { Refusal } from './refusal.ts';

/** Bytes of a JSON body: a thousand boards by their ids are a twentieth of it. */
const MOST_JSON = 1024 * 1024;
/** Milliseconds for a request to arrive; the largest upload at 256 KiB/s takes four minutes. */
const REQUEST_TIMEOUT = 600_000;

export interface TlsFiles {
  cert: Uint8Array;
  key: Uint8Array;
}

export interface HttpOptions {
  tls?: TlsFiles | undefined;
  /** What should not happen, for the log. */
  onError: (error: unknown) => void;
}

export function createHttpServer({ tls, onError }: HttpOptions): FastifyInstance {
  const options = { bodyLimit: MOST_JSON, requestTimeout: REQUEST_TIMEOUT, forceCloseConnections: true } as const;
  const server = (
    tls ? fastify({ ...options, https: { cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) } }) : fastify(options)
  ) as FastifyInstance;

  server.removeAllContentTypeParsers();
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // No body is one that says nothing.
    if (body.length === 0) done(null, undefined);
    else void parse(request, body as string, done);
  });

  server.setErrorHandler((error: FastifyError, _request, reply) => {
    const refusal = asRefusal(error);
    if (refusal.code === 'station-failed' && !isBreakOff(error, reply)) onError(error);
    const { code, detail } = refusal;
    return reply
      .code(refusal.status)
      .send({ error: code, ...(detail !== undefined && { detail }) } satisfies StationError);
  });
  server.setNotFoundHandler((_request, reply) => {
    void reply.code(404).send({ error: 'not-found' } satisfies StationError);
  });
  return server;
}

/** Whoever asked has gone, which is no fault of the station. */
const isBreakOff = ({ name, code }: FastifyError, { raw }: FastifyReply): boolean =>
  raw.destroyed && (name === 'AbortError' || code === 'ECONNRESET');

function asRefusal(error: FastifyError): Refusal {
  if (error instanceof Refusal) return error;
  if (error.statusCode === 413) return new Refusal('too-large');
  if (error.statusCode !== undefined && error.statusCode < 500) return new Refusal('bad-request', error.message);
  // Its message may name files of this computer.
  return new Refusal('station-failed');
}
