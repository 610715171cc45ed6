import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerFor, type FileAnswer, fileNameOf } from '../../../src/station/board-files/file-answer.ts';

const SHA = '00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef';
const ETAG = '"00112233445566778899aabbccddeeff"';
const FILE = { size: 5000, sha256: SHA };

const get = (headers: Record<string, string>, method = 'GET', file: typeof FILE | undefined = FILE): FileAnswer =>
  answerFor({ method, headers }, file);

describe('a range', () => {
  // What other servers make of them, and get wrong, is where these come from.
  test.each<[string, FileAnswer['status'], readonly [number, number] | undefined]>([
    ['bytes=4000-', 206, [4000, 5000]],
    ['bytes=-100', 206, [4900, 5000]],
    ['bytes=9000-', 416, undefined],
    ['bytes=0-65535', 206, [0, 5000]],
    ['bytes=0-0', 206, [0, 1]],
    ['bytes=4999-4999', 206, [4999, 5000]],
    ['bytes=4999-', 206, [4999, 5000]],
    ['bytes=5000-', 416, undefined],
    ['bytes=-0', 416, undefined],
    ['bytes=-9000', 206, [0, 5000]],
    ['bytes=0-99999999999999999999999999', 206, [0, 5000]],
    [`bytes=${'9'.repeat(400)}-`, 416, undefined],
    ['Bytes = 10-19', 206, [10, 20]],
    ['bytes=20-10', 200, [0, 5000]],
    ['bytes=0-10,20-30', 200, [0, 5000]],
    ['bytes=0-10,', 200, [0, 5000]],
    ['bytes=-', 200, [0, 5000]],
    ['bytes=a-b', 200, [0, 5000]],
    ['bytes=1.5-3', 200, [0, 5000]],
    ['bytes=--5', 200, [0, 5000]],
    ['items=0-10', 200, [0, 5000]],
    ['', 200, [0, 5000]],
  ])('%j is answered with %i', (range, status, body) => {
    const answer = get({ range });
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(body);
    const contentRange = {
      200: undefined,
      206: `bytes ${body?.[0]}-${(body?.[1] ?? 0) - 1}/5000`,
      416: 'bytes */5000',
    }[status as 200 | 206 | 416];
    expect(answer.headers['Content-Range']).toBe(contentRange);
    expect(answer.headers['Content-Length']).toBe(body ? body[1] - body[0] : 0);
    expect(answer.headers['ETag']).toBe(ETAG);
  });

  test('is what its header and its body say alike, for any two numbers', () => {
    fc.assert(
      fc.property(fc.nat(12_000), fc.nat(12_000), fc.integer({ min: 1, max: 10_000 }), (first, last, size) => {
        const { status, body, headers } = get({ range: `bytes=${first}-${last}` }, 'GET', { size, sha256: SHA });
        const to = Math.min(last + 1, size);
        const expected = last < first ? [200, [0, size]] : first >= size ? [416, undefined] : [206, [first, to]];
        expect([status, body]).toEqual(expected);
        if (status === 206) expect(headers['Content-Range']).toBe(`bytes ${first}-${to - 1}/${size}`);
      }),
    );
  });
});

test.each<[string, Record<string, string>, FileAnswer['status'], string?]>([
  ['If-Range of this file', { range: 'bytes=4000-', 'if-range': ETAG }, 206],
  ['If-Range of another file', { range: 'bytes=4000-', 'if-range': '"old"' }, 200],
  ['If-Range with a weak tag', { range: 'bytes=4000-', 'if-range': `W/${ETAG}` }, 200],
  ['If-Range with a date', { range: 'bytes=4000-', 'if-range': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 200],
  ['a stale If-Range with a range outside', { range: 'bytes=9000-', 'if-range': '"old"' }, 200],
  ['If-Match of this file', { range: 'bytes=4000-', 'if-match': ETAG }, 206],
  ['If-Match of several', { 'if-match': `"old", ${ETAG}` }, 200],
  ['If-Match of any', { 'if-match': '*' }, 200],
  ['If-Match of another file', { range: 'bytes=4000-', 'if-match': '"old"' }, 412],
  ['If-Match with a weak tag', { 'if-match': `W/${ETAG}` }, 412],
  ['If-Match of another file before a range outside', { range: 'bytes=9000-', 'if-match': '"old"' }, 412],
  ['POST', {}, 405, 'POST'],
  ['DELETE', {}, 405, 'DELETE'],
])('%s is held against what there is', (_name, headers, status, method = 'GET') => {
  const answer = get(headers, method);
  expect(answer.status).toBe(status);
  if (status > 299) expect([answer.body, answer.headers['Content-Length']]).toEqual([undefined, 0]);
});

test('HEAD tells the whole length whatever range it names, and has no body', () => {
  for (const range of ['', 'bytes=0-0', 'bytes=9000-']) {
    const answer = get({ range }, 'HEAD');
    expect(answer).toEqual({
      status: 200,
      headers: {
        'Accept-Ranges': 'bytes',
        'Content-Length': 5000,
        'Content-Type': 'application/octet-stream',
        ETag: ETAG,
      },
    });
  }
});

test('what is not offered is not there, whatever is asked of it', () => {
  for (const method of ['GET', 'HEAD', 'POST']) {
    expect(answerFor({ method, headers: {} }, undefined)).toEqual({
      status: 404,
      headers: { 'Content-Length': 0 },
    });
  }
});

test('an empty file has no body and no range', () => {
  const empty = { size: 0, sha256: SHA };
  expect(get({}, 'GET', empty)).toMatchObject({ status: 200, headers: { 'Content-Length': 0 } });
  expect(get({}, 'GET', empty).body).toBeUndefined();
  expect(get({ range: 'bytes=0-' }, 'GET', empty).status).toBe(416);
  expect(get({ range: 'bytes=-5' }, 'GET', empty).status).toBe(416);
});

test.each<[string, string | undefined]>([
  ['/f/q3Zk_9aB-17cXy0w', 'q3Zk_9aB-17cXy0w'],
  ['/f/', undefined],
  ['/f/a/b', undefined],
  ['/f/..', undefined],
  ['/f/a?b', undefined],
  ['/f/a%2e', undefined],
  ['/F/a', undefined],
  ['/', undefined],
  ['http://10.0.0.1/f/a', undefined],
  ['//f/a', undefined],
])('the target %s names %s', (target, name) => {
  expect(fileNameOf(target)).toBe(name);
});
