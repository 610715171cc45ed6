import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, padBytes, toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import {
  AppSubtype,
  DataSubtype,
  decodePartitionTable,
  describePartition,
  encodePartitionTable,
  findPartition,
  findPartitionTable,
  otaSlots,
  type Partition,
  PARTITION_TABLE_SIZE,
  PartitionFlag,
  PartitionType,
} from '#formats/partition-table.ts';
import { fileNames, partitionsOf, readBytes, validVectors, vectors } from './partition-fixtures.ts';

const seed = (): Uint8Array => readBytes('seed.bin');
const codes = (issues: { code: string }[]): string[] => issues.map(({ code }) => code);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
  return 'accepted';
};

test('every file of the fixtures belongs to a vector', () => {
  const named = vectors.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]);
  expect([...new Set(named)].toSorted()).toEqual(fileNames().toSorted());
});

describe('tables of the official tool', () => {
  test.each(validVectors)('$id decodes to its rows and encodes to the same bytes', (vector) => {
    const bytes = readBytes(vector.outputs.find((name) => name.endsWith('.bin'))!);
    const table = decodePartitionTable(bytes);
    expect(table).toEqual({ partitions: partitionsOf(vector), md5: 'right', issues: [] });
    expect(decodePartitionTable(bytes, { lenient: true })).toEqual(table);
    expect(encodePartitionTable(table.partitions)).toEqual(bytes);
    const md5Row = 32 * table.partitions.length;
    expect(toHex(bytes.subarray(md5Row + 16, md5Row + 32))).toBe(vector.expected.md5);
  });

  test.each([
    ['bad-bin-md5.bin', 'partition-md5-wrong', 160],
    ['bad-bin-noend.bin', 'partition-no-end', 160],
    ['bad-bin-utf8.bin', 'partition-label-not-utf8', 0],
  ])('%s is refused with %s, and read leniently', (name, code, offset) => {
    const bytes = readBytes(name);
    expect(() => decodePartitionTable(bytes)).toThrow(expect.objectContaining({ code, place: { offset } }));
    const table = decodePartitionTable(bytes, { lenient: true });
    expect(codes(table.issues)).toContain(code);
    expect(table.partitions.map(({ offset: start }) => start)).toEqual([0x9000, 0xd000, 0xf000, 0x10_0000, 0x20_0000]);
  });

  test('all refused binaries are covered above', () => {
    expect(vectors.filter(({ valid, inputs }) => !valid && inputs[0]?.endsWith('.bin'))).toHaveLength(3);
  });
});

describe('reading', () => {
  test('a blank sector is an empty table without an MD5', () => {
    expect(decodePartitionTable(new Uint8Array(0x1000).fill(0xff))).toEqual({
      partitions: [],
      md5: 'missing',
      issues: [],
    });
  });

  test('an empty table with an MD5 row is read', () => {
    expect(decodePartitionTable(encodePartitionTable([]))).toEqual({ partitions: [], md5: 'right', issues: [] });
  });

  test('a table without an MD5 row is read and says so', () => {
    const { partitions } = decodePartitionTable(seed());
    const table = decodePartitionTable(encodePartitionTable(partitions, { md5: false }));
    expect(table.partitions).toEqual(partitions);
    expect(table.md5).toBe('missing');
    expect(codes(table.issues)).toEqual(['partition-md5-missing']);
  });

  test('a whole sector with a signature behind the table is read', () => {
    const sector = concatBytes(seed(), new Uint8Array(0x400).fill(0x5a));
    expect(decodePartitionTable(sector).partitions).toHaveLength(5);
  });

  test('a row with a bad magic is refused, and left out when lenient', () => {
    const bytes = seed();
    bytes[32] = 0x5a;
    bytes[64] = 0x5a;
    expect(() => decodePartitionTable(bytes)).toThrow(
      expect.objectContaining({ code: 'partition-bad-magic', place: { offset: 32 } }),
    );
    const table = decodePartitionTable(bytes, { lenient: true });
    expect(table.partitions.map(({ name }) => name)).toEqual(['nvs', 'ota_0', 'ota_1']);
    expect(table.md5).toBe('wrong');
    expect(codes(table.issues)).toEqual(['partition-bad-magic', 'partition-md5-wrong']);
  });

  test('a sector of rubbish gives two issues, not a hundred', () => {
    const table = decodePartitionTable(new Uint8Array(0x1000).fill(0x5a), { lenient: true });
    expect(table.partitions).toEqual([]);
    expect(codes(table.issues)).toEqual(['partition-bad-magic', 'partition-no-end']);
  });

  test('a length that is no multiple of a row is refused', () => {
    expect(codeOf(() => decodePartitionTable(seed().subarray(0, 100)))).toBe('partition-bad-length');
  });

  test('an end row that the boot loader accepts and the tool does not', () => {
    const bytes = seed();
    bytes[192 + 20] = 0;
    expect(codeOf(() => decodePartitionTable(bytes))).toBe('partition-bad-magic');
    expect(decodePartitionTable(bytes, { lenient: true })).toMatchObject({ md5: 'right', issues: [] });
  });

  test('a second MD5 row is refused', () => {
    const bytes = seed();
    bytes.copyWithin(192, 160, 192);
    expect(codeOf(() => decodePartitionTable(bytes))).toBe('partition-md5-twice');
  });

  test('a row behind the MD5 row is read and noticed', () => {
    const bytes = seed();
    bytes.copyWithin(192, 0, 32);
    const table = decodePartitionTable(bytes);
    expect(table.partitions).toHaveLength(6);
    expect(codes(table.issues)).toEqual(['partition-after-md5']);
  });

  test('flags that are not known are kept and noticed', () => {
    const partition: Partition = {
      name: 'x',
      type: 0x40,
      subtype: 1,
      offset: 0x9000,
      size: 0x1000,
      flags: 0x8000_0001,
    };
    const table = decodePartitionTable(encodePartitionTable([partition]));
    expect(table.partitions).toEqual([partition]);
    expect(codes(table.issues)).toEqual(['partition-unknown-flags']);
  });

  test('lenient reading never throws', () => {
    const corrupt = fc.tuple(fc.array(fc.tuple(fc.nat(PARTITION_TABLE_SIZE - 1), fc.nat(255))), fc.nat(0x1000));
    fc.assert(
      fc.property(corrupt, ([changes, length]) => {
        const bytes = seed();
        for (const [at, value] of changes) bytes[at] = value;
        decodePartitionTable(bytes.subarray(0, length), { lenient: true });
      }),
    );
  });
});

const partition = fc.record({
  name: fc.string({ unit: fc.constantFrom(...'abc_0é'), maxLength: 8 }),
  type: fc.nat(0xff),
  subtype: fc.nat(0xff),
  offset: fc.nat(0xffff_ffff),
  size: fc.nat(0xffff_ffff),
  flags: fc.nat(3),
});

describe('writing', () => {
  test('what is written reads back', () => {
    fc.assert(
      fc.property(fc.array(partition, { maxLength: 94 }), fc.boolean(), (partitions, md5) => {
        const bytes = encodePartitionTable(partitions, { md5 });
        expect(bytes).toHaveLength(PARTITION_TABLE_SIZE);
        const table = decodePartitionTable(bytes);
        expect(table.partitions).toEqual(partitions);
        expect(table.md5).toBe(md5 ? 'right' : 'missing');
      }),
    );
  });

  const row = (index: number): Partition => ({
    name: `p${index}`,
    type: 0x40,
    subtype: 0,
    offset: 0x1000 * index,
    size: 0x1000,
    flags: 0,
  });

  test.each([
    { rows: 94, md5: true, fits: true },
    { rows: 95, md5: true, fits: false },
    { rows: 95, md5: false, fits: true },
    { rows: 96, md5: false, fits: false },
  ])('$rows rows with MD5 $md5 fit: $fits', ({ rows, md5, fits }) => {
    const partitions = Array.from({ length: rows }, (_, index) => row(index));
    expect(codeOf(() => encodePartitionTable(partitions, { md5 }))).toBe(fits ? 'accepted' : 'partition-too-many');
  });

  test('a name of more than 16 bytes is cut as the tool cuts it', () => {
    const [decoded] = decodePartitionTable(
      encodePartitionTable([{ ...row(1), name: 'a_name_of_seventeen' }]),
    ).partitions;
    expect(decoded?.name).toBe('a_name_of_sevent');
  });

  test.each([{ type: 256 }, { subtype: -1 }, { offset: 2 ** 32 }, { size: -1 }, { size: 0.5 }, { flags: Number.NaN }])(
    '%o is refused',
    (wrong) => {
      expect(codeOf(() => encodePartitionTable([{ ...row(1), ...wrong }]))).toBe('partition-out-of-range');
    },
  );
});

describe('looking up', () => {
  const slot = (subtype: number): Partition => ({ ...{ name: 's', offset: 0, size: 0, flags: 0 }, type: 0, subtype });

  test('OTA slots come in the order of their numbers, other apps are none', () => {
    const slots = otaSlots([0x11, 0x20, 0x10, 0x00, 0x1f, 0x30].map(slot));
    expect(slots.map(({ subtype }) => subtype)).toEqual([0x10, 0x11, 0x1f]);
  });

  test('a partition is found by type and subtype', () => {
    const { partitions } = decodePartitionTable(seed());
    expect(findPartition(partitions, PartitionType.Data, DataSubtype.Nvs)?.name).toBe('nvs');
    expect(findPartition(partitions, PartitionType.App, AppSubtype.Factory)).toBeUndefined();
  });

  test.each([
    [0, 0x10, 'ota_0'],
    [0, 0, 'factory'],
    [0, 0x25, 'app/0x25'],
    [1, 2, 'data/nvs'],
    [1, 0x99, 'data/0x99'],
    [2, 0, 'bootloader/primary'],
    [0x40, 1, '0x40/0x01'],
  ])('type %i, subtype %i is called %s', (type, subtype, name) => {
    expect(describePartition({ type, subtype })).toBe(name);
  });

  test('flags have the bits of the binary', () => {
    expect(PartitionFlag).toEqual({ Encrypted: 1, ReadOnly: 2 });
  });
});

describe('finding a table in flash', () => {
  const flashWith = (...parts: [number, Uint8Array][]): Uint8Array => {
    const flash = new Uint8Array(0x3_0000).fill(0xff);
    for (const [offset, bytes] of parts) flash.set(bytes, offset);
    return flash;
  };
  const withoutMd5 = (): Uint8Array => encodePartitionTable(decodePartitionTable(seed()).partitions, { md5: false });

  test.each([0x1000, 0x8000, 0xc000, 0x2_0000])('at 0x%x', (offset) => {
    expect(findPartitionTable(flashWith([offset, seed()]))).toMatchObject({ offset, table: { md5: 'right' } });
  });

  test('not beyond the range that is looked at, nor off a sector', () => {
    expect(findPartitionTable(flashWith([0x2_1000, seed()]))).toBeUndefined();
    expect(findPartitionTable(flashWith([0x8100, seed()]))).toBeUndefined();
    expect(findPartitionTable(flashWith([0x8000, seed()]), { from: 0x9000 })).toBeUndefined();
  });

  test('one with a right MD5 is preferred to an earlier one without', () => {
    const flash = flashWith([0x8000, withoutMd5()], [0xc000, seed()]);
    expect(findPartitionTable(flash)).toMatchObject({ offset: 0xc000, table: { md5: 'right' } });
  });

  test('failing that, one without MD5 is taken', () => {
    expect(findPartitionTable(flashWith([0x8000, withoutMd5()]))).toMatchObject({
      offset: 0x8000,
      table: { md5: 'missing' },
    });
  });

  test('a wrong MD5 or rows of rubbish are no table', () => {
    expect(findPartitionTable(flashWith([0x8000, readBytes('bad-bin-md5.bin')]))).toBeUndefined();
    const rubbish = padBytes(Uint8Array.of(0xaa, 0x50), PARTITION_TABLE_SIZE, 0x5a);
    expect(findPartitionTable(flashWith([0x8000, rubbish]))).toBeUndefined();
  });

  test('a file that is only a table is found at 0 when that is looked at', () => {
    expect(findPartitionTable(seed(), { from: 0 })).toMatchObject({ offset: 0, table: { md5: 'right' } });
    expect(findPartitionTable(seed())).toBeUndefined();
  });
});
