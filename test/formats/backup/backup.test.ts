/** Backup files: written and read again, broken off anywhere, damaged anywhere. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Backup, type BackupManifest } from '#formats/backup/backup.ts';
import { decodeBackup, readBackup } from '#formats/backup/backup-reader.ts';
import { encodeBackup, encodeBackupEnd, encodeBackupHead, encodeBackupStretch } from '#formats/backup/backup-writer.ts';
import { concatBytes, fromHex, toHex, writeU32 } from '#formats/bytes.ts';
import { crc32 } from '#formats/crc32.ts';
import { FormatError } from '#formats/format-error.ts';
import { backups, stretchOf } from './backup-arbitrary.ts';

const MANIFEST: BackupManifest = {
  created: '2026-07-31T12:00:00.000Z',
  chip: 'esp32',
  description: 'ESP32-D0WD-V3 (revision v3.1)',
  flashSize: 0x40_0000,
  flashEncryption: 'off',
  notes: [],
  ranges: [{ offset: 0x8000, length: 0x4000 }],
};
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * index) >> 3);
const SAMPLE: Backup = {
  manifest: MANIFEST,
  stretches: [stretchOf(0x8000, noise(0x1000)), stretchOf(0x9000, 0x2000), stretchOf(0xb000, noise(0x1000))],
};
const WHOLE = encodeBackup(SAMPLE);
const HEAD_SIZE = encodeBackupHead(MANIFEST).length;
/** Where the parts of the sample end. */
const BORDERS = [HEAD_SIZE, HEAD_SIZE + 0x1020, HEAD_SIZE + 0x1040, HEAD_SIZE + 0x2060, WHOLE.length];

const codesOf = (bytes: Uint8Array): string[] => readBackup(bytes).issues.map(({ code }) => code);

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
  return 'accepted';
}

/** The sample with some bytes changed. */
function changed(at: number, ...values: number[]): Uint8Array {
  const bytes = WHOLE.slice();
  bytes.set(values, at);
  return bytes;
}

/** The same, with the CRC of the record there made right again. */
function forged(record: number, change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = WHOLE.slice();
  const part = bytes.subarray(record, record + 32);
  change(part);
  writeU32(part, 28, crc32(part.subarray(0, 28)));
  return bytes;
}

test('what is written is read again', () => {
  fc.assert(
    fc.property(backups, (backup) => {
      expect(decodeBackup(encodeBackup(backup))).toEqual(backup);
    }),
    { numRuns: 60 },
  );
});

test('the layout is the one that stands in backup.ts', () => {
  const json = new TextEncoder().encode(JSON.stringify(MANIFEST, undefined, 1));
  expect(toHex(WHOLE.subarray(0, 12))).toBe('54574f535445501a01000000');
  expect(WHOLE.subarray(12, 16)).toEqual(Uint8Array.of(json.length & 0xff, json.length >> 8, 0, 0));
  expect(WHOLE.subarray(16, 16 + json.length)).toEqual(json);
  const blank = WHOLE.subarray(BORDERS[1], BORDERS[2]);
  expect(toHex(blank.subarray(0, 12))).toBe(`${toHex(new TextEncoder().encode('BLNK'))}0090000000200000`);
  expect(blank.subarray(12, 28)).toEqual(fromHex(SAMPLE.stretches[1]!.md5));
  expect(toHex(WHOLE.subarray(BORDERS[3], BORDERS[3]! + 12))).toBe(
    `${toHex(new TextEncoder().encode('DONE'))}0300000000400000`,
  );
});

test('one that was broken off tells up to where it can be gone on with, wherever it was cut', () => {
  for (let cut = HEAD_SIZE; cut < WHOLE.length; cut += 37) {
    const { stretches, unbroken, complete, issues } = readBackup(WHOLE.subarray(0, cut));
    const whole = [1, 2, 3].filter((index) => BORDERS[index]! <= cut).length;
    expect([cut, stretches.length, unbroken, complete]).toEqual([cut, whole, whole, false]);
    expect(stretches.map(({ fileEnd }) => fileEnd)).toEqual(BORDERS.slice(1, 1 + whole));
    expect(issues.map(({ code }) => code)).toEqual(['backup-truncated']);
  }
  for (let cut = 1; cut < HEAD_SIZE; cut++) {
    expect(codeOf(() => readBackup(WHOLE.subarray(0, cut)))).toBe('backup-truncated');
  }
  expect(codeOf(() => readBackup(new Uint8Array()))).toBe('backup-not-one');
});

test('gone on with behind the last whole stretch it becomes what it would have been', () => {
  const cut = WHOLE.subarray(0, BORDERS[2]! + 1000);
  const { stretches, unbroken, headSize } = readBackup(cut);
  const end = stretches[unbroken - 1]?.fileEnd ?? headSize;
  const rest = [
    ...SAMPLE.stretches.slice(unbroken).map(encodeBackupStretch),
    encodeBackupEnd(MANIFEST, SAMPLE.stretches),
  ];
  expect(concatBytes(cut.subarray(0, end), ...rest)).toEqual(WHOLE);
});

describe('damage', () => {
  test.each([
    ['in data', changed(BORDERS[0]! + 100, 1, 2, 3), ['backup-stretch-damaged'], 0],
    ['in a later stretch', changed(BORDERS[2]! + 100, 1, 2, 3), ['backup-stretch-damaged'], 2],
    ['in the record of a stretch', changed(BORDERS[1]! + 5, 0x80), ['backup-damaged'], 1],
    ['in the end', changed(BORDERS[3]! + 13, 1, 2), ['backup-damaged'], 3],
    ['of the kind of a record', forged(BORDERS[1]!, (part) => part.set([0x41])), ['backup-damaged'], 1],
    ['of the order', forged(BORDERS[1]!, (part) => writeU32(part, 4, 0x7000)), ['backup-stretch-misplaced'], 1],
    ['of a sector border', forged(BORDERS[1]!, (part) => writeU32(part, 4, 0x9001)), ['backup-stretch-misplaced'], 1],
    ['of the number of stretches', forged(BORDERS[3]!, (part) => writeU32(part, 4, 2)), ['backup-bad-end'], 3],
    ['of the digest of all', forged(BORDERS[3]!, (part) => part.set([1, 2], 12)), ['backup-bad-end'], 3],
    ['by bytes behind the end', concatBytes(WHOLE, Uint8Array.of(0)), ['backup-trailing'], 3],
    [
      'by a stretch that is missing',
      concatBytes(WHOLE.subarray(0, BORDERS[1]), WHOLE.subarray(BORDERS[2])),
      ['backup-bad-end'],
      2,
    ],
  ])('%s is found, and the rest can be read', (_, bytes, codes, unbroken) => {
    const read = readBackup(bytes);
    expect([codesOf(bytes), read.unbroken, read.complete]).toEqual([codes, unbroken, false]);
    expect(codeOf(() => decodeBackup(bytes))).toBe(codes[0]);
  });

  test('of one stretch leaves those behind it', () => {
    expect(readBackup(changed(BORDERS[0]! + 100, 1, 2, 3)).stretches.map(({ offset }) => offset)).toEqual([
      0x9000, 0xb000,
    ]);
  });

  test('of the manifest leaves nothing', () => {
    expect(codeOf(() => readBackup(changed(40, 1)))).toBe('backup-bad-manifest');
    expect(codeOf(() => readBackup(changed(8, 2)))).toBe('backup-version');
    expect(codeOf(() => readBackup(changed(12, 0, 0, 0, 1)))).toBe('backup-bad-manifest');
    expect(codeOf(() => readBackup(changed(0, 0x50, 0x4b)))).toBe('backup-not-one');
  });

  test('anywhere is never taken for a backup, and never ends in anything but a code', () => {
    const place = fc.nat(WHOLE.length - 1);
    const mutation = fc.array(fc.record({ place, value: fc.integer({ min: 1, max: 255 }) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(mutation, fc.nat(WHOLE.length), fc.boolean(), (changes, cut, cuts) => {
        const bytes = WHOLE.slice(0, cuts ? cut : WHOLE.length);
        for (const { place: at, value } of changes) if (at < bytes.length) bytes[at]! ^= value;
        const same = bytes.length === WHOLE.length && bytes.every((byte, index) => byte === WHOLE[index]);
        expect(codeOf(() => decodeBackup(bytes)) === 'accepted').toBe(same);
        const read = codeOf(() => readBackup(bytes));
        expect(read === 'accepted' || read.startsWith('backup-')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('what makes no sense is not written', () => {
  test.each<[string, Partial<BackupManifest>]>([
    ['a chip that is not known', { chip: 'esp8266' as 'esp32' }],
    ['a date that is none', { created: 'yesterday' }],
    ['a MAC in capitals', { mac: '24:0A:C4:12:34:56' }],
    ['no range', { ranges: [] }],
    ['a range of nothing', { ranges: [{ offset: 0, length: 0 }] }],
    ['half a sector', { ranges: [{ offset: 0x800, length: 0x1000 }] }],
    ['ranges that overlap', { ranges: [SAMPLE.manifest.ranges[0]!, { offset: 0xb000, length: 0x1000 }] }],
    ['a range beyond the flash', { ranges: [{ offset: 0x3f_f000, length: 0x2000 }] }],
    ['a note that is too long', { notes: ['x'.repeat(0x10_0000)] }],
  ])('%s', (_, wrong) => {
    expect(codeOf(() => encodeBackupHead({ ...MANIFEST, ...wrong }))).toBe('backup-bad-manifest');
  });

  test('a stretch whose bytes are more or fewer than it says', () => {
    const [first] = SAMPLE.stretches;
    expect(codeOf(() => encodeBackupStretch({ ...first!, length: 0x2000 }))).toBe('backup-bad-stretch');
    expect(codeOf(() => encodeBackupStretch({ ...first!, blank: true }))).toBe('backup-bad-stretch');
  });

  test('an end before all is there', () => {
    expect(codeOf(() => encodeBackupEnd(MANIFEST, SAMPLE.stretches.slice(0, 2)))).toBe('backup-gap');
    expect(codeOf(() => encodeBackupEnd(MANIFEST, SAMPLE.stretches.slice(1)))).toBe('backup-gap');
  });
});

test('a gap is told even where the end fits the stretches', () => {
  const stretches = SAMPLE.stretches.slice(0, 2);
  const short = { ...MANIFEST, ranges: [{ offset: 0x8000, length: 0x3000 }] };
  const bytes = concatBytes(
    encodeBackupHead(MANIFEST),
    ...stretches.map(encodeBackupStretch),
    encodeBackupEnd(short, stretches),
  );
  expect(codesOf(bytes)).toEqual(['backup-gap']);
});
