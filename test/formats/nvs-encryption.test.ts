import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes, isBlank, toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { decryptNvs, encryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { decodeNvsKeys, nvsKeysOf, type NvsKeys } from '#formats/nvs/nvs-keys.ts';
import { mergeNvs } from '#formats/nvs/nvs-merge.ts';
import { entryOffset } from '#formats/nvs/nvs-page.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsString } from '#formats/nvs/nvs.ts';
import { nvsEntries, nvsEntry, sortedEntries } from './nvs-arbitrary.ts';
import { nvsFixtureBytes, nvsManifest } from './nvs-fixtures.ts';

const PAGE = 0x1000;
const coded = (code: string): Error => expect.objectContaining({ code }) as Error;
const hexEqual = (actual: Uint8Array, expected: Uint8Array): void => expect(toHex(actual)).toBe(toHex(expected));

const keysA = decodeNvsKeys(nvsFixtureBytes('keys-a.bin'));
const otherKeys = nvsKeysOf(new Uint8Array(64).fill(7));
const anyKeys: fc.Arbitrary<NvsKeys> = fc.uint8Array({ minLength: 64, maxLength: 64 }).map(nvsKeysOf);
const sample = encodeNvs([nvsString('wifi', 'ssid', 'Nest'), nvsString('wifi', 'password', 'house of sand')], 3 * PAGE);

/** The bits of an entry in the bitmap of the first page: 3 empty, 2 written, 0 erased. */
function mark(image: Uint8Array, entry: number, bits: number): void {
  const at = 32 + (entry >> 2);
  const shift = (entry & 3) * 2;
  image[at] = (image[at]! & ~(3 << shift)) | (bits << shift);
}

describe('images that the partition generator encrypted', () => {
  test.each(nvsManifest.images.filter(({ encrypted }) => encrypted))('$id both ways', (vector) => {
    const cipher = nvsFixtureBytes(vector.image);
    const plain = decryptNvs(cipher, keysA);
    expect(createHash('sha256').update(plain).digest('hex')).toBe(vector.expected.plain_sha256);
    expect(decodeNvs(plain)).toMatchObject({ verdict: 'ok', issues: [] });
    expect(decodeNvs(plain).entries).toHaveLength(vector.expected.items.length);
    hexEqual(encryptNvs(plain, keysA), cipher);
  });
});

describe('what is encrypted', () => {
  test('any image comes back, its headers and bitmaps are never changed, and what is blank stays blank', () => {
    fc.assert(
      fc.property(nvsEntries(30), anyKeys, (entries, keys) => {
        const plain = encodeNvs(entries, 32 * PAGE);
        const cipher = encryptNvs(plain, keys);
        for (let page = 0; page < plain.length; page += PAGE) {
          hexEqual(cipher.subarray(page, page + 64), plain.subarray(page, page + 64));
          if (isBlank(plain.subarray(page, page + PAGE)))
            expect(isBlank(cipher.subarray(page, page + PAGE))).toBe(true);
        }
        expect(decodeNvs(cipher).verdict).toBe(entries.length > 0 ? 'encrypted' : 'ok');
        const back = decryptNvs(cipher, keys);
        hexEqual(back, plain);
        expect(sortedEntries(decodeNvs(back).entries)).toEqual(sortedEntries(entries));
      }),
      { numRuns: 30 },
    );
  });

  test('an entry of nothing but FF is ciphertext like any other', () => {
    const plain = encodeNvs(
      [{ namespace: 'n', key: 'blank', type: 'blob', value: new Uint8Array(32).fill(0xff) }],
      3 * PAGE,
    );
    const cipher = encryptNvs(plain, keysA);
    expect(isBlank(plain.subarray(entryOffset(2), entryOffset(3)))).toBe(true);
    expect(isBlank(cipher.subarray(entryOffset(2), entryOffset(3)))).toBe(false);
    hexEqual(decryptNvs(cipher, keysA), plain);
  });

  test('an erased entry keeps its ciphertext, and so does one whose write was cut short', () => {
    const cipher = encryptNvs(sample, keysA);
    mark(cipher, 3, 0); // the entry of the password
    mark(cipher, 4, 3); // its data
    const plain = decryptNvs(cipher, keysA);
    hexEqual(plain.subarray(entryOffset(3), entryOffset(5)), sample.subarray(entryOffset(3), entryOffset(5)));
    hexEqual(encryptNvs(plain, keysA), cipher);
  });

  test('equal entries at different places look different', () => {
    const blob = new Uint8Array(64).fill(1);
    const cipher = encryptNvs(encodeNvs([{ namespace: 'n', key: 'k', type: 'blob', value: blob }], 3 * PAGE), keysA);
    expect(toHex(cipher.subarray(entryOffset(2), entryOffset(3)))).not.toBe(
      toHex(cipher.subarray(entryOffset(3), entryOffset(4))),
    );
  });
});

test('a change of an encrypted image changes the pages that it would change in plain, and no others', () => {
  const SIZE = 32 * PAGE;
  fc.assert(
    fc.property(nvsEntries(20), nvsEntry, nvsEntry, anyKeys, (entries, earlier, change, keys) => {
      // Changed before, so that there are erased entries too.
      const used = mergeNvs(encodeNvs(entries, SIZE), { set: [earlier] }).bytes;
      const cipher = encryptNvs(used, keys);
      const { bytes, changedPages } = mergeNvs(decryptNvs(cipher, keys), { set: [change] });
      const after = encryptNvs(bytes, keys);
      const starts = Array.from({ length: SIZE / PAGE }, (_, page) => page * PAGE);
      const differing = starts.filter(
        (page) => !equalBytes(after.subarray(page, page + PAGE), cipher.subarray(page, page + PAGE)),
      );
      expect(differing).toHaveLength(changedPages);
      expect(decodeNvs(decryptNvs(after, keys)).entries).toContainEqual(change);
    }),
    { numRuns: 30 },
  );
});

describe('what is refused', () => {
  test('other keys', () => {
    expect(() => decryptNvs(encryptNvs(sample, keysA), otherKeys)).toThrowError(coded('nvs-wrong-key'));
  });

  test('data key and tweak key taken for each other', () => {
    const swapped = { eky: keysA.tky, tky: keysA.eky };
    expect(() => decryptNvs(encryptNvs(sample, keysA), swapped)).toThrowError(coded('nvs-wrong-key'));
  });

  test('an image that is not encrypted', () => {
    expect(() => decryptNvs(sample, keysA)).toThrowError(coded('nvs-not-encrypted'));
  });

  test('an image of half a page, to encrypt', () => {
    expect(() => encryptNvs(sample.subarray(0, 0x1800), keysA)).toThrowError(coded('nvs-size'));
  });
});

test('blank flash and a partition without entries have nothing to decrypt', () => {
  const blank = new Uint8Array(3 * PAGE).fill(0xff);
  hexEqual(decryptNvs(blank, keysA), blank);
  const empty = encodeNvs([], 3 * PAGE);
  hexEqual(decryptNvs(empty, keysA), empty);
});

test('a partition of the size of a whole flash comes back', () => {
  const value = Uint8Array.from({ length: 400_000 }, (_, index) => index & 0xff);
  const blobs = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => ({ namespace: 'n', key, type: 'blob' as const, value }));
  const plain = encodeNvs(blobs, 0x40_0000);
  expect(equalBytes(decryptNvs(encryptNvs(plain, keysA), keysA), plain)).toBe(true);
});

test('what is behind the last whole page is reported, not touched', () => {
  const tail = Uint8Array.of(1, 2, 3);
  const plain = decryptNvs(concatBytes(encryptNvs(sample, keysA), tail), keysA);
  hexEqual(plain, concatBytes(sample, tail));
  expect(decodeNvs(plain)).toMatchObject({ verdict: 'damaged', issues: [{ code: 'nvs-size' }] });
});

test('a damaged entry is lost, the others are read', () => {
  const cipher = encryptNvs(sample, keysA);
  cipher[entryOffset(1) + 3]! ^= 1;
  const { verdict, entries } = decodeNvs(decryptNvs(cipher, keysA));
  expect(verdict).toBe('damaged');
  expect(entries.map(({ key }) => key)).toEqual(['password']);
});

test('no damage makes the reader throw anything but a refusal', () => {
  const images = ['enc-minimal.bin', 'enc-multipage.bin'].map(nvsFixtureBytes);
  const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
  fc.assert(
    fc.property(fc.constantFrom(...images), fc.array(change, { maxLength: 20 }), fc.nat(), (image, changes, cut) => {
      const mutated = image.slice(0, image.length - (cut % 3 === 0 ? cut % image.length : 0));
      for (const { at, value } of changes) mutated[at % mutated.length] = value;
      try {
        decodeNvs(decryptNvs(mutated, keysA));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as FormatError).code).toBe('nvs-wrong-key');
      }
    }),
    { numRuns: 200 },
  );
});
