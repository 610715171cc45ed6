import fc from 'fast-check';
import { expect, test } from 'vitest';
import { xorBytes } from '#formats/bytes.ts';

test('XORs every byte, wherever in its buffer the view begins', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.nat(40), (buffer, start, length) => {
      const bytes = buffer.subarray(start, start + length);
      expect(xorBytes(bytes)).toBe(bytes.reduce((sum, byte) => sum ^ byte, 0));
    }),
  );
});
