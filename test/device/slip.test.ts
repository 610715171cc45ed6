import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes } from '#formats/bytes.ts';
import { encodeSlip, SlipDecoder } from '#device/slip.ts';

function decodeAll(...pieces: Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const decoder = new SlipDecoder((frame) => frames.push(frame));
  for (const piece of pieces) decoder.push(piece);
  return frames;
}

test('C0 and DB inside a frame are escaped', () => {
  expect([...encodeSlip(Uint8Array.of(1, 0xc0, 0xdb, 2))]).toEqual([0xc0, 1, 0xdb, 0xdc, 0xdb, 0xdd, 2, 0xc0]);
});

test('frames survive encoding, and arriving in any pieces', () => {
  const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(frames, fc.integer({ min: 1, max: 50 }), (sent, pieceLength) => {
      const line = concatBytes(...sent.map(encodeSlip));
      const pieces = Array.from({ length: Math.ceil(line.length / pieceLength) }, (_, index) =>
        line.subarray(index * pieceLength, (index + 1) * pieceLength),
      );
      expect(decodeAll(...pieces).map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
    }),
  );
});

test('text before the first border is no frame', () => {
  const text = new TextEncoder().encode('rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\n');
  expect(decodeAll(text, encodeSlip(Uint8Array.of(1, 8)))).toEqual([Uint8Array.of(1, 8)]);
});

test('after a stray border the frames are right again', () => {
  const frames = decodeAll(
    Uint8Array.of(0xc0, 0x41, 0x42),
    encodeSlip(Uint8Array.of(1, 2)),
    encodeSlip(Uint8Array.of(3)),
  );
  expect(frames.slice(-2)).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3)]);
});

test('a frame with a bad escape is dropped', () => {
  const good = encodeSlip(Uint8Array.of(5));
  expect(decodeAll(Uint8Array.of(0xc0, 1, 0xdb, 0x00, 0xc0), good)).toEqual([Uint8Array.of(5)]);
});

test('reset forgets what was begun', () => {
  const frames: Uint8Array[] = [];
  const decoder = new SlipDecoder((frame) => frames.push(frame));
  decoder.push(Uint8Array.of(0xc0, 1, 2));
  decoder.reset();
  decoder.push(concatBytes(Uint8Array.of(3, 4), encodeSlip(Uint8Array.of(9))));
  expect(frames).toEqual([Uint8Array.of(9)]);
});

test('noise without borders does not grow without end', () => {
  const frames: Uint8Array[] = [];
  const decoder = new SlipDecoder((frame) => frames.push(frame));
  decoder.push(Uint8Array.of(0xc0));
  for (let index = 0; index < 40; index++) decoder.push(new Uint8Array(0x1000).fill(0x55));
  decoder.push(encodeSlip(Uint8Array.of(7)));
  expect(frames).toEqual([Uint8Array.of(7)]);
});
