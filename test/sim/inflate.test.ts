import { Inflater } from '#sim/loader/inflate.ts';
import { concatBytes } from '#formats/bytes.ts';
import fc from 'fast-check';
import { constants, deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';

function inflate(stream: Uint8Array, pieces: number[] = []): { inflater: Inflater; output: Uint8Array; left: number } {
  const parts: Uint8Array[] = [];
  const inflater = new Inflater((bytes) => parts.push(bytes.slice()));
  let at = 0;
  let left = 0;
  for (const length of [...pieces, stream.length]) {
    left = inflater.push(stream.subarray(at, at + length));
    at = Math.min(at + length, stream.length);
  }
  parts.push(inflater.window.slice(0, inflater.filled));
  return { inflater, output: concatBytes(...parts), left };
}

/** Bytes with repeats near and far, so that all kinds of codes occur. */
const content = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 400 })), { maxLength: 12 })
  .map((parts) => concatBytes(...parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

test('gives back what zlib packed, whatever the level, the strategy and the pieces', () => {
  fc.assert(
    fc.property(
      content,
      fc.integer({ min: 0, max: 9 }),
      fc.constantFrom(constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE),
      fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 20 }),
      (data, level, strategy, pieces) => {
        const { inflater, output } = inflate(deflateSync(data, { level, strategy }), pieces);
        expect(inflater.status).toBe('done');
        expect(Buffer.from(output).equals(Buffer.from(data))).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test('gives back what came byte by byte', () => {
  const data = new TextEncoder().encode('a stream that comes byte by byte, byte by byte '.repeat(200));
  const stream = deflateSync(data);
  const { inflater, output } = inflate(
    stream,
    Array.from({ length: stream.length }, () => 1),
  );
  expect(inflater.status).toBe('done');
  expect(output).toEqual(data);
});

test('hands over full windows of 32 KB and keeps the rest', () => {
  const windows: number[] = [];
  const inflater = new Inflater((bytes) => windows.push(bytes.length));
  inflater.push(deflateSync(new Uint8Array(100_000)));
  expect(windows).toEqual([0x8000, 0x8000, 0x8000]);
  expect(inflater.filled).toBe(100_000 - 3 * 0x8000);
});

test('tells how many bytes lie behind the end of the stream', () => {
  const stream = deflateSync(new Uint8Array(500).fill(7));
  expect(inflate(concatBytes(stream, new Uint8Array(40))).left).toBe(40);
  expect(inflate(stream).left).toBe(0);
});

test.each([
  { what: 'a header that is no zlib header', stream: [0x12, 0x9c, 1, 2, 3] },
  { what: 'a reserved block type', stream: [0x78, 0x9c, 0x07, 0, 0] },
  { what: 'a stored block whose length does not match its complement', stream: [0x78, 0x01, 0x01, 5, 0, 5, 0] },
])('refuses $what', ({ stream }) => {
  expect(inflate(Uint8Array.from(stream)).inflater.status).toBe('bad-data');
});

test('never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const stream = concatBytes(Uint8Array.of(0x78, 0x9c), bytes);
      expect(['more', 'done', 'bad-data', 'bad-adler']).toContain(inflate(stream).inflater.status);
    }),
  );
});

test('tells a wrong Adler-32 from bad data, and does not look when told so', () => {
  const stream = new Uint8Array(deflateSync(new Uint8Array(3000).fill(9)));
  stream[stream.length - 1]! ^= 0xff;
  expect(inflate(stream).inflater.status).toBe('bad-adler');
  const lenient = new Inflater(() => undefined);
  lenient.push(stream, false);
  expect(lenient.status).toBe('done');
});

test('a stream that is cut off waits for more', () => {
  const stream = deflateSync(new Uint8Array(3000).fill(9));
  expect(inflate(stream.subarray(0, stream.length - 1)).inflater.status).toBe('more');
});
