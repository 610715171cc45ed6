/** Files that are uploaded: read into memory, few at a time, none for longer than it goes on coming. */
import { MAX_UPLOAD } from '#api.ts';
import { type Clock, withLimit } from '#clock.ts';
import { type FastifyRequest } from 'fastify';
import { type Readable } from 'node:stream';
import { Refusal } from '../refusal.ts';
import { Places } from '../turns.ts';

/** Each holds up to `MAX_UPLOAD` bytes until it is dealt with. */
const AT_ONCE = 2;
/** Milliseconds that one waits for its turn. */
const WAITS = 10_000;
/** Milliseconds without a byte after which it is given up. All of a request has its limit in the server. */
const STALLS = 30_000;
/** Seconds after which a place is likely to be free. */
const RETRY_AFTER = '30';

export class Uploads {
  readonly #places = new Places(AT_ONCE);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Reads the body and has it used; until that is done it counts as one of those that are held. `gone` aborts when nobody waits for the answer.
   *
   * @throws {Refusal} `bad-request`, `too-large` as soon as that is known, `station-busy`, `upload-stalled`.
   */
  async take<T>(request: FastifyRequest, gone: AbortSignal, use: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const { body } = request;
    if (!isStream(body)) throw new Refusal('bad-request', 'The file is wanted as application/octet-stream');
    if (announced(request) > MAX_UPLOAD) throw new Refusal('too-large');
    const late = new AbortController();
    const cancel = this.#clock.after(WAITS, () => late.abort(new Refusal('station-busy')));
    const work = async (): Promise<T> => (cancel(), use(await this.#read(body)));
    try {
      return await this.#places.take(work, AbortSignal.any([late.signal, gone]));
    } finally {
      cancel();
    }
  }

  /** What the answer says of the connection when the request was refused. */
  refusalHeaders(request: FastifyRequest, error: unknown): Record<string, string> {
    const isBusy = error instanceof Refusal && error.code === 'station-busy';
    // The rest of one that only came too early is read past: a browser that is cut off while it sends does not come to the answer.
    if (isBusy && announced(request) > 0) return { 'Retry-After': RETRY_AFTER };
    // What was not read of the body must not be taken for the next request.
    return { Connection: 'close', ...(isBusy && { 'Retry-After': RETRY_AFTER }) };
  }

  async #read(body: Readable): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
    const next = (): Promise<IteratorResult<Uint8Array, undefined>> =>
      withLimit(this.#clock, iterator.next(), { ms: STALLS, onTimeout: () => new Refusal('upload-stalled') });
    for (let chunk = await next(); !chunk.done; chunk = await next()) {
      size += chunk.value.length;
      if (size > MAX_UPLOAD) throw new Refusal('too-large');
      chunks.push(chunk.value);
    }
    if (size === 0) throw new Refusal('bad-request', 'The file is empty');
    const { buffer, byteOffset, length } = Buffer.concat(chunks);
    return new Uint8Array(buffer, byteOffset, length);
  }
}

const isStream = (body: unknown): body is Readable => typeof (body as Readable | undefined)?.pipe === 'function';

/** Bytes that are to come; 0 where that is not said. */
const announced = ({ headers }: FastifyRequest): number => Number(headers['content-length'] ?? 0);
