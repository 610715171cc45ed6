import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, toHex } from '#formats/bytes.ts';
import {
  decodeNvsKeys,
  encodeNvsKeys,
  NVS_KEYS_SIZE,
  nvsKeysFromHmacKey,
  nvsKeysOf,
  type NvsKeys,
} from '#formats/nvs/nvs-keys.ts';
import { nvsFixtureBytes, nvsFixtureFiles } from './nvs-fixtures.ts';

const coded = (code: string): Error => expect.objectContaining({ code }) as Error;
const hexOf = ({ eky, tky }: NvsKeys): string => toHex(eky) + toHex(tky);
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe('keys partition', () => {
  const files = nvsFixtureFiles().filter((name) => name.startsWith('keys-'));

  test.each(files)('%s of the partition generator is read, and written again the same', (name) => {
    const partition = nvsFixtureBytes(name);
    const keys = decodeNvsKeys(partition);
    expect(hexOf(keys)).toBe(toHex(partition.subarray(0, 64)));
    expect(toHex(encodeNvsKeys(keys))).toBe(toHex(partition));
  });

  test('a larger partition is read too', () => {
    const keys = nvsKeysOf(new Uint8Array(64).fill(7));
    const larger = concatBytes(encodeNvsKeys(keys), new Uint8Array(NVS_KEYS_SIZE).fill(0xff));
    expect(decodeNvsKeys(larger)).toEqual(keys);
  });

  test('any keys come back, and no flipped bit of them does', () => {
    fc.assert(
      fc.property(bytes(64), fc.nat(68 * 8 - 1), (random, bit) => {
        const partition = encodeNvsKeys(nvsKeysOf(random));
        expect(hexOf(decodeNvsKeys(partition))).toBe(toHex(random));
        partition[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => decodeNvsKeys(partition)).toThrowError(coded('nvs-keys-damaged'));
      }),
    );
  });

  test.each([
    ['nvs-keys-blank', new Uint8Array(NVS_KEYS_SIZE).fill(0xff)],
    ['nvs-keys-damaged', new Uint8Array(NVS_KEYS_SIZE)],
    ['nvs-keys-size', new Uint8Array(0)],
    ['nvs-keys-size', new Uint8Array(64).fill(1)],
    ['nvs-keys-size', new Uint8Array(NVS_KEYS_SIZE + 1).fill(0xff)],
  ])('%s', (code, partition) => {
    expect(() => decodeNvsKeys(partition)).toThrowError(coded(code));
  });

  test('no other number of random bytes makes keys', () => {
    for (const length of [0, 32, 63, 65]) {
      expect(() => nvsKeysOf(new Uint8Array(length))).toThrowError(coded('nvs-keys-size'));
    }
  });
});

describe('HMAC scheme', () => {
  test('a known eFuse key gives the keys that the chip derives', () => {
    // HMAC-SHA256 of 5a5abeae and of a5a5dece, eight times each, by OpenSSL's command line.
    expect(hexOf(nvsKeysFromHmacKey(Uint8Array.from({ length: 32 }, (_, index) => index)))).toBe(
      '813a141220ddb819f4d73d59fa3032ab9f592cc26a18cf1fde692f712b6a025cb20ad6b6ddd1658a6e14d1b5b726e42356adf4ff2f68fcd8826ac2908408addf',
    );
  });

  test('any eFuse key', () => {
    fc.assert(
      fc.property(bytes(32), (key) => {
        const [eky, tky] = ['5a5abeae', 'a5a5dece'].map((seed) =>
          createHmac('sha256', key)
            .update(fromHex(seed.repeat(8)))
            .digest('hex'),
        );
        expect(hexOf(nvsKeysFromHmacKey(key))).toBe(`${eky}${tky}`);
      }),
    );
  });

  test('an eFuse block has 32 bytes', () => {
    for (const length of [0, 31, 64, 4096]) {
      expect(() => nvsKeysFromHmacKey(new Uint8Array(length))).toThrowError(coded('nvs-hmac-key-size'));
    }
  });
});
