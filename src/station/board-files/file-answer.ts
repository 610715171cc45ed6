/**
 * What the listener for boards answers, decided from the request alone (RFC 9110: ranges, conditions). Pure, so that campaigns in modelled
 * time serve their virtual boards by the same rules.
 *
 * A board that goes on with a download after its file was replaced would glue two firmwares together: that is what `If-Range` and `If-Match`
 * are for.
 */
import { type ByteRange } from '#workflows/byte-ranges.ts';

export interface FileRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface ServedFile {
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export interface FileAnswer {
  readonly status: 200 | 206 | 404 | 405 | 412 | 416;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Which bytes of the file follow; none when there is no body. */
  readonly body?: ByteRange;
}

/** The name in the target `/f/NAME` of a request; `undefined` for every other target. */
export const fileNameOf = (target: string): string | undefined => /^\/f\/([\w-]+)$/.exec(target)?.[1];

/** Half of the digest tells files apart, and is short for the buffers of small clients. */
const etagOf = ({ sha256 }: ServedFile): string => `"${sha256.slice(0, 32)}"`;

/** @param file the one that is offered under the name that was asked for, if any. */
export function answerFor({ method, headers }: FileRequest, file: ServedFile | undefined): FileAnswer {
  if (!file) return { status: 404, headers: { 'Content-Length': 0 } };
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, headers: { Allow: 'GET, HEAD', 'Content-Length': 0 } };
  }
  const etag = etagOf(file);
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !isNamed(ifMatch, etag)) {
    return { status: 412, headers: { ETag: etag, 'Content-Length': 0 } };
  }
  const common = { 'Accept-Ranges': 'bytes', ETag: etag, 'Content-Type': 'application/octet-stream' };
  const ifRange = headers['if-range'];
  // A range of anything but a GET says nothing, and so does one of another version of the file.
  const isRanged = method === 'GET' && (ifRange === undefined || ifRange.trim() === etag);
  const range = isRanged ? readRange(headers['range'], file.size) : 'all';
  if (range === 'none') {
    return { status: 416, headers: { 'Content-Range': `bytes */${file.size}`, ETag: etag, 'Content-Length': 0 } };
  }
  const [from, to] = range === 'all' ? [0, file.size] : range;
  return {
    status: range === 'all' ? 200 : 206,
    headers: {
      ...common,
      'Content-Length': to - from,
      ...(range !== 'all' && { 'Content-Range': `bytes ${from}-${to - 1}/${file.size}` }),
    },
    ...(method === 'GET' && to > from && { body: [from, to] }),
  };
}

/** Whether a list of entity tags names this one; weak ones name nothing. */
const isNamed = (list: string, etag: string): boolean =>
  list.split(',').some((entry) => entry.trim() === '*' || entry.trim() === etag);

/** `all` without a range that is understood: several at once are not. `none`: outside of the file. */
function readRange(header: string | undefined, size: number): ByteRange | 'all' | 'none' {
  const { first = '', last = '' } = /^\s*bytes\s*=\s*(?<first>\d*)-(?<last>\d*)\s*$/i.exec(header ?? '')?.groups ?? {};
  if (first === '') {
    if (last === '') return 'all';
    const count = Math.min(Number(last), size);
    return count === 0 ? 'none' : [size - count, size];
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return 'all';
  if (from >= size) return 'none';
  return [from, last === '' ? size : Math.min(Number(last) + 1, size)];
}
