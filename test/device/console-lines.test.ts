import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter } from '#device/console.ts';

function split(...pieces: (string | Uint8Array)[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((text) => lines.push(text));
  for (const piece of pieces) splitter.push(typeof piece === 'string' ? new TextEncoder().encode(piece) : piece);
  splitter.flush();
  return lines;
}

test.each([
  [['a\r\nb\r\n'], ['a', 'b']],
  [['a\nb'], ['a', 'b']],
  [
    ['a\r', '\nb\n'],
    ['a', 'b'],
  ],
  [['10 %\r20 %\rdone\n'], ['10 %', '20 %', 'done']],
  [['\r\n\r\n'], ['', '']],
  [['a\r\r\nb\n'], ['a', 'b']],
  [['\u001b[0;32mI (31) boot: x\u001b[0m\r\n'], ['I (31) boot: x']],
])('%j gives the lines %j', (pieces, lines) => {
  expect(split(...pieces)).toEqual(lines);
});

test('a character cut in two is put together', () => {
  const bytes = new TextEncoder().encode('größe\n');
  expect(split(bytes.subarray(0, 3), bytes.subarray(3))).toEqual(['größe']);
});

test('bytes that are no UTF-8 do not stop it', () => {
  expect(split(Uint8Array.of(0x41, 0xff, 0xfe, 0x42, 0x0a))).toEqual(['A\ufffd\ufffdB']);
});

test('noise without line ends comes out in pieces', () => {
  const lines = split('x'.repeat(5000));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('')).toBe('x'.repeat(5000));
});

test('lines do not depend on the pieces in which they arrive', () => {
  const text = fc.array(fc.stringMatching(/^[ -~äß€]{0,30}$/), { maxLength: 10 });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 9 }), fc.constantFrom('\n', '\r\n'), (lines, length, end) => {
      const bytes = new TextEncoder().encode(lines.map((line) => line + end).join(''));
      const pieces = Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
        bytes.subarray(index * length, (index + 1) * length),
      );
      expect(split(...pieces)).toEqual(lines);
    }),
  );
});
