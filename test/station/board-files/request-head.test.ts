import { expect, test } from 'vitest';
import { parseRequestHead } from '../../../src/station/board-files/request-head.ts';

test('what esp_http_client sends is understood', () => {
  const text =
    'GET /f/q3Zk_9aB-17cXy0w HTTP/1.1\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nHost: 192.168.1.5:4601\r\n' +
    'Content-Length: 0\r\nRange: bytes=65536-131071';
  expect(parseRequestHead(text)).toMatchObject({
    method: 'GET',
    target: '/f/q3Zk_9aB-17cXy0w',
    headers: { host: '192.168.1.5:4601', range: 'bytes=65536-131071' },
    keepAlive: true,
    hasBody: false,
  });
});

test.each<[string, boolean]>([
  ['GET / HTTP/1.1', true],
  ['GET / HTTP/1.1\r\nConnection: keep-alive', true],
  ['GET / HTTP/1.1\r\nConnection: Close', false],
  ['GET / HTTP/1.1\r\nConnection: TE, close', false],
  ['GET / HTTP/1.0', false],
  ['GET / HTTP/1.0\r\nConnection: Keep-Alive', true],
])('%j keeps the connection: %s', (text, keepAlive) => {
  expect(parseRequestHead(text)?.keepAlive).toBe(keepAlive);
});

test.each<[string, boolean]>([
  ['POST / HTTP/1.1\r\nContent-Length: 5', true],
  ['POST / HTTP/1.1\r\nTransfer-Encoding: chunked', true],
  ['GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5', true],
  ['GET / HTTP/1.1\r\nContent-Length: 0', false],
])('%j has a body: %s', (text, hasBody) => {
  expect(parseRequestHead(text)?.hasBody).toBe(hasBody);
});

test('a field that comes twice counts as a list, and none is anything but a field', () => {
  const head = parseRequestHead('GET / HTTP/1.1\r\nIf-Match: "a"\r\nif-match:"b"\r\n__proto__: x\r\nX:');
  expect(head?.headers['if-match']).toBe('"a", "b"');
  expect(Object.keys(head?.headers ?? {})).toEqual(['if-match', '__proto__', 'x']);
  expect(head?.headers['x']).toBe('');
});

test.each([
  '',
  'GET',
  'GET /',
  'get / HTTP/1.1',
  'GET  / HTTP/1.1',
  'GET / HTTP/2.0',
  'GET / HTTP/1.1 ',
  'GET /a b HTTP/1.1',
  'GET /\x00 HTTP/1.1',
  'GET / HTTP/1.1\r\nno field',
  'GET / HTTP/1.1\r\nName : value',
  'GET / HTTP/1.1\r\nName: folded\r\n value',
  'GET / HTTP/1.1\r\nName: a\nOther: b',
  'GET / HTTP/1.1\r\nName: \x00',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
])('%j is no head', (text) => {
  expect(parseRequestHead(text)).toBeUndefined();
});
