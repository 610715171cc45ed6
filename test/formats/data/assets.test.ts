/** Asset images: bytes by hand, round trips, refusals, damage. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, writeU32 } from '#formats/bytes.ts';
import { type AssetFile, encodeAssets } from '#formats/data/assets.ts';
import { decodeAssets, findNameLength } from '#formats/data/assets-reader.ts';
import { nameFault } from '#formats/data/asset-names.ts';
import { assetFiles } from './data-arbitrary.ts';
import { jpeg, png } from './pictures.ts';

const file = (name: string, bytes: Uint8Array | string = name): AssetFile => ({
  name,
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
});
const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

test('two files, byte for byte', () => {
  const { payload, checksum } = encodeAssets([file('b.txt', 'hi'), file('a.bin', Uint8Array.of(1, 2, 3))], {
    nameLength: 8,
  });
  const table =
    '612e62696e000000 03000000 00000000 0000 0000' + // a.bin
    '622e747874000000 02000000 05000000 0000 0000'; // b.txt
  const data = '5a5a 010203 5a5a 6869';
  const sum = fromHex(table + data).reduce((total, byte) => total + byte, 0);
  expect(checksum).toBe(sum);
  const head = `02000000 ${toHex(Uint8Array.of(sum & 0xff, sum >> 8, 0, 0))} 31000000`;
  expect(toHex(payload)).toBe(toHex(fromHex(head + table + data)));
});

test('the checksum is the low half of the sum', () => {
  const { payload, checksum } = encodeAssets([file('ff', new Uint8Array(1000).fill(0xff))]);
  expect(checksum).toBe(payload.subarray(12).reduce((sum, byte) => sum + byte, 0) & 0xffff);
  expect(checksum).toBeLessThan(1000 * 0xff);
});

test('files lie by extension, then by name, however they are given', () => {
  const names = [
    'b.txt',
    'a.png',
    'Z.png',
    'x/a.png',
    'none',
    '.dot',
    'a.tar.gz',
    'é.png',
    '\u{1f600}.png',
    '\uffee.png',
  ];
  const sorted = [
    '.dot',
    'none',
    'a.tar.gz',
    'Z.png',
    'a.png',
    'x/a.png',
    'é.png',
    '\uffee.png',
    '\u{1f600}.png',
    'b.txt',
  ];
  const one = encodeAssets(names.map((name) => file(name)));
  expect(one.entries.map(({ name }) => name)).toEqual(sorted);
  expect(encodeAssets(names.reverse().map((name) => file(name))).payload).toEqual(one.payload);
});

test('pictures have their sizes, everything else zeros', () => {
  const { payload } = encodeAssets([file('p.dat', png(320, 240)), file('q.dat', jpeg(17, 300)), file('r.png', 'no')]);
  expect(decodeAssets(payload).entries).toMatchObject([
    { name: 'p.dat', width: 320, height: 240 },
    { name: 'q.dat', width: 17, height: 300 },
    { name: 'r.png', width: 0, height: 0 },
  ]);
});

describe('refused', () => {
  test.each([
    ['data-no-files', []],
    ['data-empty-file', [file('a'), file('b', '')]],
    ['data-duplicate-name', [file('a'), file('b'), file('a', 'x')]],
    ['data-duplicate-name', [file('a'), file('a/b')]],
    ['data-name-too-long', [file('n'.repeat(32))]],
    ['data-name-too-long', [file('é'.repeat(16))]],
    ['data-unsafe-name', [file('../a')]],
  ])('%s', (code, files) => {
    expect(() => encodeAssets(files)).toThrowError(coded(code));
  });

  test.each([1, 257, 3.5])('name fields of %d bytes', (nameLength) => {
    expect(() => encodeAssets([file('a')], { nameLength })).toThrowError(coded('data-bad-name-length'));
  });

  test('the place is where the user has the file', () => {
    const refused = expect.objectContaining({ place: { file: 'in/b' } }) as Error;
    expect(() => encodeAssets([{ ...file('b', ''), source: 'in/b' }])).toThrowError(refused);
  });
});

test('the longest name leaves room for the NUL that ends it in C', () => {
  const name = 'n'.repeat(31);
  const { payload } = encodeAssets([file(name)]);
  expect(payload[12 + 31]).toBe(0);
  expect(decodeAssets(payload).entries[0]?.name).toBe(name);
});

test.each(['', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a\\b', 'c:a', 'a\0b', 'a\nb', '\u007f'])(
  '%j is no name',
  (name) => {
    expect(nameFault(name)).toBeDefined();
  },
);

test.each(['a', '.a', '..a', 'a..', 'a/b/c.d', 'ä ö', '…'])('%j is a name', (name) => {
  expect(nameFault(name)).toBeUndefined();
});

test('what was packed is read, and the length of the name fields found', () => {
  fc.assert(
    fc.property(assetFiles, fc.integer({ min: 16, max: 64 }), (files, nameLength) => {
      const { payload, entries } = encodeAssets(files, { nameLength });
      expect(findNameLength(payload)).toBe(nameLength);
      const read = decodeAssets(payload, nameLength);
      expect(read.issues).toEqual([]);
      expect(read.length).toBe(payload.length);
      expect(read.entries.map(({ name, bytes }) => [name, toHex(bytes)])).toEqual(
        entries.map(({ name, bytes }) => [name, toHex(bytes)]),
      );
    }),
    { numRuns: 300 },
  );
});

describe('damage', () => {
  const sound = encodeAssets([file('a.bin', 'first'), file('b.bin', 'second'), file('c.bin', 'third')]).payload;
  const table = (index: number, at: number): number => 12 + index * 44 + at;
  const damaged = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const bytes = sound.slice();
    change(bytes);
    return bytes;
  };

  test.each<[string, string[], Uint8Array, string[]]>([
    [
      'a changed byte',
      ['data-assets-bad-checksum'],
      damaged((b) => (b[b.length - 1]! ^= 1)),
      ['a.bin', 'b.bin', 'c.bin'],
    ],
    [
      'a cut end',
      ['data-assets-truncated', 'data-assets-bad-checksum', 'data-assets-bad-entry'],
      sound.subarray(0, -2),
      ['a.bin', 'b.bin'],
    ],
    [
      'a magic that is gone',
      ['data-assets-bad-checksum', 'data-assets-bad-magic'],
      damaged((b) => (b[12 + 3 * 44] = 0)),
      ['a.bin', 'b.bin', 'c.bin'],
    ],
    [
      'an offset beyond the end',
      ['data-assets-bad-checksum', 'data-assets-bad-entry'],
      damaged((b) => writeU32(b, table(1, 36), 0xffff_fff0)),
      ['a.bin', 'c.bin'],
    ],
    [
      'a size of nothing',
      ['data-assets-bad-checksum', 'data-empty-file'],
      damaged((b) => writeU32(b, table(1, 32), 0)),
      ['a.bin', 'c.bin'],
    ],
    [
      'a name twice',
      ['data-assets-bad-checksum', 'data-duplicate-name'],
      damaged((b) => (b[table(1, 0)] = 0x61)),
      ['a.bin', 'c.bin'],
    ],
    [
      'a name that leads out',
      ['data-assets-bad-checksum', 'data-unsafe-name'],
      damaged((b) => b.set(new TextEncoder().encode('../b'), table(1, 0))),
      ['a.bin', 'c.bin'],
    ],
    ['a count beyond the end', ['data-assets-bad-entry'], damaged((b) => writeU32(b, 0, 0xffff_ffff)), []],
    ['nothing at all', ['data-assets-truncated', 'data-assets-bad-entry'], new Uint8Array(0), []],
  ])('%s', (_, codes, bytes, names) => {
    const { issues, entries } = decodeAssets(bytes);
    expect(issues.map(({ code }) => code)).toEqual(codes);
    expect(entries.map(({ name }) => name)).toEqual(names);
  });

  test('of the files alone leaves the length of the name fields to be found', () => {
    expect(findNameLength(damaged((b) => b.fill(0, 12 + 3 * 44)))).toBe(32);
    expect(findNameLength(damaged((b) => (b[table(1, 0)] = 7)))).toBe(32);
    expect(findNameLength(new TextEncoder().encode('a text that was never packed'))).toBeUndefined();
  });
});

test('mutated bytes are read without a throw', () => {
  fc.assert(
    fc.property(
      assetFiles,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      fc.nat(),
      (files, changes, cut) => {
        const { payload } = encodeAssets(files);
        for (const [at, value] of changes) payload[at % payload.length] = value;
        const bytes = payload.subarray(0, payload.length - (cut % 3 === 0 ? cut % payload.length : 0));
        const { entries } = decodeAssets(bytes, findNameLength(bytes));
        for (const { name } of entries) expect(nameFault(name)).toBeUndefined();
      },
    ),
    { numRuns: 2500 },
  );
});
