import { describe, expect, test } from 'vitest';
import { padBytes } from '#formats/bytes.ts';
import { signatureScheme } from '#formats/image-signature.ts';
import { signedV1, signedV2 } from '../support/signatures.ts';
import { fixture } from '../workflows/boards.ts';

const IMAGE = fixture('app/esp32-small.bin');

test.each([
  ['nothing', IMAGE, undefined],
  ['erased flash', padBytes(IMAGE, 0x4000), undefined],
  ['zeros', padBytes(IMAGE, 0x4000, 0), undefined],
  ['a block of v2, RSA', signedV2(IMAGE), 'v2'],
  ['a block of v2, ECDSA', signedV2(IMAGE, 3), 'v2'],
  ['a block of v2 in a whole slot', padBytes(signedV2(IMAGE), 0x1_0000), 'v2'],
  ['a block of a version to come', signedV2(IMAGE, 9), undefined],
  ['a signature of v1', signedV1(IMAGE), 'v1'],
  ['a signature of v1 that is cut off', signedV1(IMAGE).subarray(0, -1), undefined],
])('behind the image: %s', (_, bytes, scheme) => {
  expect(signatureScheme(bytes)).toBe(scheme);
});

describe('what is damaged is none', () => {
  test('v2, anywhere that its CRC covers', () => {
    const bytes = signedV2(IMAGE);
    const at = bytes.length - 0x1000;
    for (const offset of [at, at + 1, at + 4, at + 700, at + 1195, at + 1197]) {
      const damaged = bytes.slice();
      damaged[offset] = (damaged[offset] ?? 0) ^ 0x10;
      expect(signatureScheme(damaged)).toBeUndefined();
    }
  });

  test('and without an image there is nothing to look behind', () => {
    expect(() => signatureScheme(new Uint8Array(100).fill(0x55))).toThrow(
      expect.objectContaining({ code: 'image-bad-magic' }),
    );
  });
});
