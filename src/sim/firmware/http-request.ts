/**
 * Requests as ESP-IDF's HTTP server reads them, with its limits. Source: components/esp_http_server/src/httpd_parse.c, and the
 * parser that it uses (components/http_parser), in its strict mode.
 */

export interface HttpLimits {
  /** Bytes of the URI; `CONFIG_HTTPD_MAX_URI_LEN`. */
  readonly uri: number;
  /** Bytes of all header lines with the blank one; `CONFIG_HTTPD_MAX_REQ_HDR_LEN`. */
  readonly headers: number;
}

export interface HttpRequest {
  readonly method: string;
  /** One character a byte, as everything here. */
  readonly path: string;
  /** Behind the question mark, without it; undefined where there is none. */
  readonly query: string | undefined;
  /** As they came, for messages. */
  readonly uri: string;
}

/** A status that the server answers with by itself. */
export type HttpErrorStatus = 400 | 404 | 405 | 408 | 409 | 414 | 431 | 500 | 505;

export type ParsedRequest =
  | { readonly kind: 'more' }
  | { readonly kind: 'error'; readonly status: HttpErrorStatus }
  /** `head`: bytes of request line and headers; `body`: bytes of the body, which is thrown away. */
  | { readonly kind: 'request'; readonly request: HttpRequest; readonly head: number; readonly body: number };

const METHODS = new Set(
  (
    'DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL ' +
    'REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK'
  ).split(' '),
);
const URI = /^(?:[/*][\x21-\x7e]*|[A-Za-z]+:\/\/[\x21-\x7e]+)$/;
const URI_START = /^(?:[/*][\x21-\x7e]*|[A-Za-z]*|[A-Za-z]+:(?:\/(?:\/[\x21-\x7e]*)?)?)$/;
const HEADER_LINE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\0]*$/;

const fails = (status: HttpErrorStatus): ParsedRequest => ({ kind: 'error', status });

/** Looks at what has come in so far: `text` has one character a byte. */
export function parseRequest(text: string, limits: HttpLimits): ParsedRequest {
  const scratch = Math.max(limits.uri, limits.headers);
  const skipped = /^[\r\n]*/.exec(text)?.[0].length ?? 0;
  const lineEnd = text.indexOf('\n', skipped);
  const line = text.slice(skipped, lineEnd < 0 ? undefined : lineEnd).replace(/\r$/, '');
  const [method = '', uri = '', ...rest] = line.split(/ +/);
  if (!couldBeMethod(method, line.length > method.length)) return fails(400);
  if (uri.length > limits.uri) return fails(414);
  if (!(line.length > method.length + 1 + uri.length || lineEnd >= 0 ? URI : URI_START).test(uri)) return fails(400);
  if (lineEnd < 0) return text.length >= scratch ? fails(414) : { kind: 'more' };
  // The line and what follows it up to the first byte of a header share one buffer with the URI.
  const start = lineEnd + 1;
  if (start >= scratch) return fails(414);
  if (text.length === start) return { kind: 'more' };
  const version = versionOf(rest);
  if (version === undefined) return fails(400);
  if (version.major !== 1 && version.minor !== 1) return fails(505);
  return parseHeaders(text, start, { method, uri, limits });
}

function couldBeMethod(text: string, complete: boolean): boolean {
  if (complete) return METHODS.has(text);
  return [...METHODS].some((method) => method.startsWith(text));
}

/** Without a version the request counts as one of HTTP 0.9. */
function versionOf(rest: readonly string[]): { major: number; minor: number } | undefined {
  if (rest.length === 0) return { major: 0, minor: 9 };
  const match = /^HTTP\/(\d{1,3})\.(\d{1,3})$/.exec(rest.filter(Boolean).join(' '));
  return match ? { major: Number(match[1]), minor: Number(match[2]) } : undefined;
}

interface RequestLine {
  method: string;
  uri: string;
  limits: HttpLimits;
}

function parseHeaders(text: string, start: number, { method, uri, limits }: RequestLine): ParsedRequest {
  const end = blankLineEnd(text, start);
  const present = text.slice(start, end);
  const lines = present.split('\n').map((line) => line.replace(/\r$/, ''));
  // The last one may still grow.
  const complete = lines.slice(0, -1).filter(Boolean);
  if (complete.some((line, index) => !HEADER_LINE.test(line) && (index === 0 || !/^[ \t]/.test(line))))
    return fails(400);
  if (complete.length > 0 && present.length > limits.headers) return fails(431);
  if (end === undefined) return present.length >= limits.headers ? fails(431) : { kind: 'more' };
  const value = (name: string): string | undefined =>
    complete
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const upgrades = value('upgrade') !== undefined && /upgrade/i.test(value('connection') ?? '');
  const length = value('content-length') ?? '0';
  if (upgrades || method === 'CONNECT' || !/^\d{1,10}$/.test(length)) return fails(400);
  const { path, query } = splitUri(uri);
  return {
    kind: 'request',
    request: { method, uri, path, query },
    head: end,
    body: Number(length),
  };
}

/** Where the headers that begin at `start` have ended, behind the blank line. */
function blankLineEnd(text: string, start: number): number | undefined {
  for (let at = start; ;) {
    const newline = text.indexOf('\n', at);
    if (newline < 0) return undefined;
    if (/^\r?$/.test(text.slice(at, newline))) return newline + 1;
    at = newline + 1;
  }
}

/** Path and query of `/ota?url=…#…` or `http://host/ota?…`. */
function splitUri(uri: string): { path: string; query: string | undefined } {
  const local = uri.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/, '').replace(/#.*$/, '');
  const mark = local.indexOf('?');
  return mark < 0 ? { path: local, query: undefined } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}

/**
 * The value of a key of a query, as `httpd_query_key_value` finds it: nothing is decoded, upper and lower case of the key are the
 * same, a part without `=` swallows the next one, and the value ends at `&`.
 */
export function queryValue(query: string, key: string): string | undefined {
  for (let rest = query; rest !== '';) {
    const equals = rest.indexOf('=');
    if (equals < 0) return undefined;
    const end = rest.indexOf('&', equals);
    if (rest.slice(0, equals).toLowerCase() === key) return rest.slice(equals + 1, end < 0 ? undefined : end);
    if (end < 0) return undefined;
    rest = rest.slice(end + 1);
  }
  return undefined;
}
