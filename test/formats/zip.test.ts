/** The reader of archives: what honest programs write is read, what was made to harm is refused whole, by its code. */
import fc from 'fast-check';
import { strToU8, Zip, ZipDeflate } from 'fflate';
import { describe, expect, test } from 'vitest';
import { concatBytes, toHex } from '#formats/bytes.ts';
import { zlibCrc32 } from '#formats/crc32.ts';
import { FormatError } from '#formats/format-error.ts';
import { decodeZip, encodeZip } from '#formats/zip.ts';
import { isZip, ZIP_LIMITS } from '#formats/zip-directory.ts';
import { buildZip, utf8, type ZipBuilderEntry } from '../support/zip-builder.ts';

const file: ZipBuilderEntry = { name: 'app.bin', data: 'some bytes', deflate: true };
const zeros = (length: number): Uint8Array => new Uint8Array(length);
const MIB = 0x10_0000;

function refusal(archive: Uint8Array): string | undefined {
  try {
    decodeZip(archive);
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
  return undefined;
}

test('the check value of the CRC', () => expect(zlibCrc32(utf8('123456789'))).toBe(0xcbf4_3926));

describe('what is read', () => {
  test('stored and deflated files, folders left out, backslashes as slashes', () => {
    const archive = buildZip([file, { name: 'a/', mode: 0o040755 }, { name: 'a\\b.txt', data: 'x', mode: 0o100644 }]);
    expect(decodeZip(archive)).toEqual([
      { path: 'app.bin', bytes: utf8('some bytes') },
      { path: 'a/b.txt', bytes: utf8('x') },
    ]);
  });

  test('an archive without files, and one with a comment', () => {
    expect(decodeZip(buildZip([]))).toEqual([]);
    expect(decodeZip(buildZip([file], { comment: 'made by hand' }))).toHaveLength(1);
  });

  test('sizes behind the data, as streaming writers put them', () => {
    const chunks: Uint8Array[] = [];
    const zip = new Zip((_error, chunk) => chunks.push(chunk));
    const entry = new ZipDeflate('streamed.bin');
    zip.add(entry);
    entry.push(strToU8('streamed'), true);
    zip.end();
    expect(decodeZip(concatBytes(...chunks))).toEqual([{ path: 'streamed.bin', bytes: utf8('streamed') }]);
  });

  test('what macOS adds is left out', () => {
    const litter = ['__MACOSX/._app.bin', 'a/.DS_Store'].map((name) => ({ name, data: 'x' }));
    expect(decodeZip(buildZip([...litter, file])).map(({ path }) => path)).toEqual(['app.bin']);
  });

  test('blank images, however small they became', () => {
    const blank = { name: 'blank.bin', data: zeros(4 * MIB), deflate: true };
    expect(decodeZip(buildZip([blank]))[0]!.bytes).toHaveLength(4 * MIB);
  });
});

const HOSTILE: [what: string, code: string, archive: () => Uint8Array][] = [
  ['a path above the archive', 'zip-bad-path', () => buildZip([{ ...file, name: '../app.bin' }])],
  ['a path that climbs later', 'zip-bad-path', () => buildZip([{ ...file, name: 'a/../../app.bin' }])],
  ['a path that climbs by backslashes', 'zip-bad-path', () => buildZip([{ ...file, name: 'a\\..\\..\\app.bin' }])],
  ['an absolute path', 'zip-bad-path', () => buildZip([{ ...file, name: '/etc/app.bin' }])],
  ['an absolute path of Windows', 'zip-bad-path', () => buildZip([{ ...file, name: 'C:\\app.bin' }])],
  ['a path of a share', 'zip-bad-path', () => buildZip([{ ...file, name: '\\\\host\\app.bin' }])],
  ['no name', 'zip-bad-path', () => buildZip([{ ...file, name: '' }])],
  ['a NUL in the name', 'zip-bad-path', () => buildZip([{ ...file, name: 'app.bin\0.txt' }])],
  ['the same name twice', 'zip-duplicate-name', () => buildZip([file, file])],
  ['the same name by another spelling', 'zip-duplicate-name', () => buildZip([file, { ...file, name: './app.bin' }])],
  ['a symbolic link', 'zip-symlink', () => buildZip([{ name: 'app.bin', data: '/etc/passwd', mode: 0o120777 }])],
  ['a device', 'zip-symlink', () => buildZip([{ name: 'app.bin', mode: 0o060600 }])],
  ['an encrypted file', 'zip-encrypted', () => buildZip([{ ...file, flags: 1 }])],
  ['a strongly encrypted file', 'zip-encrypted', () => buildZip([{ ...file, flags: 0x41 }])],
  ['another compression', 'zip-unsupported', () => buildZip([{ ...file, method: 14 }])],
  ['a size of ZIP64', 'zip-unsupported', () => buildZip([{ ...file, size: 0xffff_ffff }])],
  [
    'too many files',
    'zip-too-many-entries',
    () => buildZip(Array.from({ length: ZIP_LIMITS.entries + 1 }, (_, index) => ({ name: `${index}` }))),
  ],
  ['a count that is more than there is', 'zip-damaged', () => buildZip([file], { count: 2 })],
  ['a count that is less than there is', 'zip-damaged', () => buildZip([file, { name: 'b' }], { count: 1 })],
  ['a file larger than any flash', 'zip-too-large', () => buildZip([{ ...file, size: 129 * MIB }])],
  [
    'files larger than any flash together',
    'zip-too-large',
    () =>
      buildZip(
        [1, 2, 3].map((index) => ({
          name: `${index}`,
          data: zeros(110_000),
          deflate: false,
          method: 8,
          size: 100 * MIB,
        })),
      ),
  ],
  ['a size that the data cannot hold', 'zip-bomb', () => buildZip([{ ...file, size: MIB }])],
  [
    'a bomb that says its size',
    'zip-bomb',
    () => buildZip([{ name: 'a', data: zeros(50_000), method: 8, size: 40 * MIB }]),
  ],
  [
    'a bomb that lies about its size',
    'zip-bomb',
    () => buildZip([{ name: 'a', data: zeros(MIB), deflate: true, size: 100 }]),
  ],
  ['a size that is too large', 'zip-damaged', () => buildZip([{ ...file, size: 11 }])],
  ['a stored size that lies', 'zip-damaged', () => buildZip([{ name: 'a', data: 'abc', size: 2 }])],
  ['a wrong CRC', 'zip-damaged', () => buildZip([{ ...file, crc: 7 }])],
  ['two names for one file', 'zip-damaged', () => buildZip([{ ...file, localName: 'bpp.bin' }])],
  ['files that share their bytes', 'zip-overlap', () => buildZip([file, { ...file, at: 0 }])],
  [
    'a file inside of another',
    'zip-overlap',
    () =>
      buildZip([
        { name: 'outer', data: buildZip([file]) },
        { ...file, at: 35 },
      ]),
  ],
  ['no deflated data', 'zip-damaged', () => buildZip([{ name: 'a', data: 'no deflate', method: 8 }])],
  ['not an archive', 'zip-damaged', () => utf8('PK\u0003\u0004 and nothing more')],
];

describe('what is refused whole', () => {
  test.each(HOSTILE)('%s: %s', (_, code, archive) => expect(refusal(archive())).toBe(code));

  test('an archive that is cut off, wherever', () => {
    const whole = buildZip([file, { name: 'b', data: 'more' }]);
    for (let length = 0; length < whole.length; length++)
      expect(refusal(whole.subarray(0, length))).toBe('zip-damaged');
  });

  test('bytes before or behind an archive', () => {
    expect(refusal(concatBytes(utf8('#!'), buildZip([file])))).toBe('zip-damaged');
    expect(refusal(concatBytes(buildZip([file]), utf8('!')))).toBe('zip-damaged');
  });
});

const anyFiles = fc.uniqueArray(
  fc.record({ path: fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8})?\.bin$/), bytes: fc.uint8Array({ maxLength: 5000 }) }),
  { selector: ({ path }) => path, maxLength: 5 },
);

test('what is written is read again, the same bytes whatever the order', () => {
  fc.assert(
    fc.property(anyFiles, (files) => {
      const archive = encodeZip(files);
      expect(decodeZip(archive)).toEqual(files.toSorted((a, b) => (a.path < b.path ? -1 : 1)));
      expect(isZip(archive)).toBe(true);
      expect(toHex(encodeZip(files.toReversed()))).toBe(toHex(archive));
    }),
    { numRuns: 100 },
  );
});

test('whatever the bytes, the end is files or a FormatError', () => {
  const whole = encodeZip([
    { path: 'app.bin', bytes: new Uint8Array(3000).map((_, index) => index * index) },
    { path: 'b/table.bin', bytes: zeros(300) },
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (flips) => {
      const bytes = whole.slice();
      for (const [offset, value] of flips) bytes[offset] = value;
      expect(() => refusal(bytes)).not.toThrow();
    }),
    { numRuns: 1000 },
  );
});
