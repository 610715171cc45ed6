/** The head of an HTTP request (RFC 9112), strictly: what small clients send, and nothing that could be understood in two ways. */

export interface RequestHead {
  method: string;
  target: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** Whether the client waits for more on the same connection. */
  keepAlive: boolean;
  /** Whether something follows that belongs to the request. */
  hasBody: boolean;
}

/** Most bytes of a head. */
export const HEAD_LIMIT = 4096;

const REQUEST_LINE = /^(?<method>[A-Z]{1,16}) (?<target>[\x21-\x7e]+) HTTP\/1\.(?<minor>[01])$/;
const FIELD = /^(?<name>[\w!#$%&'*+.^`|~-]+):[ \t]*(?<value>[\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

/**
 * @param text the head with one character a byte, without the empty line at its end.
 * @returns `undefined` for what is no such head.
 */
export function parseRequestHead(text: string): RequestHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const { method, target, minor } = REQUEST_LINE.exec(first)?.groups ?? {};
  if (method === undefined || target === undefined) return undefined;
  // Without a prototype: a client may name a field as it likes.
  const headers = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const { name, value = '' } = FIELD.exec(line)?.groups ?? {};
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  const connection = headers['connection']?.toLowerCase() ?? '';
  return {
    method,
    target,
    headers,
    keepAlive: minor === '1' ? !connection.includes('close') : connection.includes('keep-alive'),
    hasBody: (headers['content-length'] ?? '0') !== '0' || 'transfer-encoding' in headers,
  };
}
