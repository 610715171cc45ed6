import { describe, expect, test } from 'vitest';
import { parseRequest, queryValue } from '#sim/firmware/http-request.ts';

const LIMITS = { uri: 512, headers: 512 };
const status = (text: string, limits = LIMITS): number | string => {
  const parsed = parseRequest(text, limits);
  return parsed.kind === 'error' ? parsed.status : parsed.kind;
};
/** A request whose headers, with the blank line, have so many bytes. */
const withHeaders = (length: number): string => `GET / HTTP/1.1\r\nA: ${'x'.repeat(length - 7)}\r\n\r\n`;

test('a whole request is read to its end', () => {
  const text = 'GET /ota?url=http://x/?a=1&b#c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET';
  expect(parseRequest(text, LIMITS)).toEqual({
    kind: 'request',
    request: { method: 'GET', uri: '/ota?url=http://x/?a=1&b#c', path: '/ota', query: 'url=http://x/?a=1&b' },
    head: text.length - 6,
    body: 3,
  });
});

test.each([
  { text: 'GET / HTTP/1.1\r\n\r\n', what: 'no headers' },
  { text: '\r\nGET / HTTP/1.1\r\n\r\n', what: 'an empty line first' },
  { text: 'GET / HTTP/1.0\n\n', what: 'LF alone' },
  { text: 'HEAD / HTTP/1.1\r\nA:\r\n b\r\n\r\n', what: 'a header that goes on in the next line' },
  { text: 'GET http://board/?x HTTP/1.1\r\n\r\n', what: 'an absolute URI' },
])('$what is taken', ({ text }) => {
  expect(status(text)).toBe('request');
  expect(parseRequest(text, LIMITS)).toMatchObject({ request: { path: '/' } });
});

test('every beginning of a good request waits for more', () => {
  const text = 'PROPFIND /a?b HTTP/1.1\r\nHost: x\r\n\r\n';
  for (let end = 0; end < text.length; end++) expect(status(text.slice(0, end))).toBe('more');
});

test.each([
  { text: 'FETCH / HTTP/1.1\r\n\r\n', code: 400, what: 'an unknown method' },
  { text: 'GEX', code: 400, what: 'the first letters of one' },
  { text: 'GET ota HTTP/1.1\r\n\r\n', code: 400, what: 'a URI without a slash' },
  { text: 'GET  HTTP/1.1\r\n\r\n', code: 400, what: 'no URI' },
  { text: 'GET ?x HTTP/1.1\r\n\r\n', code: 400, what: 'a URI without a path' },
  { text: 'GET /\u00e4 HTTP/1.1\r\n\r\n', code: 400, what: 'a byte above 7F in the URI' },
  { text: 'GET /\t HTTP/1.1\r\n\r\n', code: 400, what: 'a tab in the URI' },
  { text: 'GET /a b HTTP/1.1\r\n\r\n', code: 400, what: 'a space in the URI' },
  { text: 'GET / HTTP/x\r\n\r\n', code: 400, what: 'no version number' },
  { text: 'GET /\r\n\r\n', code: 505, what: 'HTTP 0.9' },
  { text: 'GET / HTTP/2.0\r\n\r\n', code: 505, what: 'HTTP 2' },
  { text: 'GET / HTTP/1.1\r\nno colon\r\n\r\n', code: 400, what: 'a header without a colon' },
  { text: 'GET / HTTP/1.1\r\nA b: c\r\n\r\n', code: 400, what: 'a space in the name of a header' },
  { text: 'GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n', code: 400, what: 'no length' },
  { text: 'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n', code: 400, what: 'an upgrade' },
])('$what: $code', ({ text, code }) => {
  expect(status(text)).toBe(code);
});

describe('limits', () => {
  test('the line with the URI shares its 512 bytes with the first byte of a header', () => {
    const line = (length: number): string => `GET /${'x'.repeat(length - 16)} HTTP/1.1\r\n`;
    expect(line(511)).toHaveLength(511);
    expect(status(`${line(511)}A: b\r\n\r\n`)).toBe('request');
    expect(status(`${line(512)}A: b\r\n\r\n`)).toBe(414);
    expect(status(`GET /${'x'.repeat(600)}`)).toBe(414);
  });

  test('with a larger buffer, as in ESP-IDF 5.5, the URI itself may have 512', () => {
    const limits = { uri: 512, headers: 1024 };
    const request = (length: number): string => `GET /${'x'.repeat(length - 1)} HTTP/1.1\r\n\r\n`;
    expect(status(request(512), limits)).toBe('request');
    expect(status(request(513), limits)).toBe(414);
  });

  test.each([512, 1024])('headers of %i bytes pass, with one more they do not', (headers) => {
    const limits = { uri: 512, headers };
    expect(status(withHeaders(headers), limits)).toBe('request');
    expect(status(withHeaders(headers + 1), limits)).toBe(431);
    expect(status(withHeaders(headers + 1).slice(0, -1), limits)).toBe(431);
  });
});

test.each([
  { query: 'url=http://a/b', value: 'http://a/b' },
  { query: 'URL=x', value: 'x' },
  { query: 'url=a%20b+c', value: 'a%20b+c' },
  { query: 'url=a=b?c=d', value: 'a=b?c=d' },
  { query: 'url=a&b=c', value: 'a' },
  { query: 'x=1&url=a', value: 'a' },
  { query: 'url=', value: '' },
  // A part without a value swallows the next one.
  { query: 'x&url=a', value: undefined },
  { query: 'urls=a', value: undefined },
  { query: 'url', value: undefined },
])('the url of "$query" is $value', ({ query, value }) => {
  expect(queryValue(query, 'url')).toBe(value);
});
