/** One HTTP answer, read from a connection with a fixed amount of memory. Whatever else comes is left unread. */

export interface HttpAnswer {
  status: number;
  body: Uint8Array;
}

/** `broken`: it ended, or broke off, before a whole answer had come. `foreign`: this is no HTTP answer, or one that is too long. */
export type NoAnswer = 'broken' | 'foreign';

/** Most bytes of status line and headers: the demo firmware sends less than 100. */
const HEAD_LIMIT = 2048;
/** The page of the demo firmware is made in a buffer of 1024. */
const BODY_LIMIT = 4096;

const STATUS = /^HTTP\/1\.[01] (?<status>\d{3})(?: |$)/;
const LENGTH = /^content-length:[ \t]*(?<length>\d{1,15})[ \t]*$/im;
const CHUNKED = /^transfer-encoding:/im;

/**
 * Reads the first answer up to its last byte and not further: boards send a second one behind it, which nobody asked for.
 *
 * @param incoming of a connection; what it throws is taken for its end.
 */
export async function readHttpAnswer(incoming: AsyncIterable<Uint8Array>): Promise<HttpAnswer | NoAnswer> {
  const reader = new AnswerReader();
  try {
    for await (const bytes of incoming) {
      const found = reader.take(bytes);
      if (found) return found;
    }
  } catch {
    return 'broken'; // the connection broke: nothing more will come
  }
  return reader.end();
}

/** Collects an answer in one buffer. */
class AnswerReader {
  readonly #buffer = new Uint8Array(HEAD_LIMIT + BODY_LIMIT);
  #used = 0;
  #head: { status: number; bodyAt: number; length: number | undefined } | undefined;

  take(bytes: Uint8Array): HttpAnswer | NoAnswer | undefined {
    const before = this.#used;
    const taken = bytes.subarray(0, this.#buffer.length - before);
    this.#buffer.set(taken, before);
    this.#used += taken.length;
    if (!this.#head) {
      if (!beginsAsHttp(this.#buffer.subarray(0, this.#used))) return 'foreign';
      const bodyAt = this.#endOfHead(Math.max(0, before - 3));
      if (bodyAt === undefined) return this.#used > HEAD_LIMIT ? 'foreign' : undefined;
      this.#head = readHead(this.#buffer.subarray(0, bodyAt));
      if (!this.#head) return 'foreign';
    }
    const { status, bodyAt, length } = this.#head;
    const end = bodyAt + (length ?? BODY_LIMIT + 1);
    if (length !== undefined && this.#used >= end) return { status, body: this.#buffer.slice(bodyAt, end) };
    return this.#used - bodyAt > BODY_LIMIT || this.#used === this.#buffer.length ? 'foreign' : undefined;
  }

  /** The other side closed: that is the end of an answer without a length. */
  end(): HttpAnswer | NoAnswer {
    if (!this.#head || this.#head.length !== undefined) return 'broken';
    const { status, bodyAt } = this.#head;
    return { status, body: this.#buffer.slice(bodyAt, this.#used) };
  }

  #endOfHead(from: number): number | undefined {
    for (let at = from; at + 4 <= Math.min(this.#used, HEAD_LIMIT); at++) {
      if (MARK.every((byte, index) => this.#buffer[at + index] === byte)) return at + 4;
    }
    return undefined;
  }
}

const MARK = [13, 10, 13, 10];
const BEGINNING = new TextEncoder().encode('HTTP/1.');

const beginsAsHttp = (bytes: Uint8Array): boolean =>
  BEGINNING.every((byte, index) => index >= bytes.length || bytes[index] === byte);

function readHead(bytes: Uint8Array): { status: number; bodyAt: number; length: number | undefined } | undefined {
  const text = new TextDecoder('latin1').decode(bytes);
  const [first = ''] = text.split('\r\n', 1);
  const status = STATUS.exec(first)?.groups?.['status'];
  const length = LENGTH.exec(text.replaceAll('\r', ''))?.groups?.['length'];
  if (status === undefined || CHUNKED.test(text) || Number(length ?? 0) > BODY_LIMIT) return undefined;
  return { status: Number(status), bodyAt: bytes.length, length: length === undefined ? undefined : Number(length) };
}
