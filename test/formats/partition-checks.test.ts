import { describe, expect, test } from 'vitest';
import { type PartitionCheckOptions, partitionVersionWarnings, verifyPartitions } from '#formats/partition-checks.ts';
import { type Partition } from '#formats/partition-table.ts';
import { optionsOf, partitionsOf, validVectors } from './partition-fixtures.ts';

const NVS: Partition = { name: 'nvs', type: 1, subtype: 2, offset: 0x9000, size: 0x4000, flags: 0 };
const OTADATA: Partition = { name: 'otadata', type: 1, subtype: 0, offset: 0xd000, size: 0x2000, flags: 0 };
const OTA_0: Partition = { name: 'ota_0', type: 0, subtype: 0x10, offset: 0x1_0000, size: 0x10_0000, flags: 0 };
const OTA_1: Partition = { name: 'ota_1', type: 0, subtype: 0x11, offset: 0x11_0000, size: 0x10_0000, flags: 0 };
const ALL = [NVS, OTADATA, OTA_0, OTA_1];

const errors = (partitions: Partition[], options?: PartitionCheckOptions): string[] =>
  verifyPartitions(partitions, options).errors.map(({ code }) => code);
const warnings = (partitions: Partition[]): string[] => verifyPartitions(partitions).warnings.map(({ code }) => code);

test.each(validVectors)('$id, which the official tool accepts, has no error', (vector) => {
  const { verify, ...options } = optionsOf(vector);
  const found = errors(partitionsOf(vector), options);
  expect(found).toEqual(verify ? [] : ['partition-misaligned', 'partition-misaligned']);
});

test('a usual table has neither errors nor warnings', () => {
  expect(verifyPartitions(ALL, { flashSize: 0x21_0000 })).toEqual({ errors: [], warnings: [] });
});

describe('errors', () => {
  test.each<[string, Partition[], PartitionCheckOptions, string[]]>([
    ['an app off its 64 KiB', [{ ...OTA_0, offset: 0x1_1000 }], {}, ['partition-misaligned']],
    ['an app of odd size', [{ ...OTA_0, size: 0x1001 }], {}, ['partition-size-misaligned']],
    ['data of odd size', [{ ...NVS, size: 0x4001 }], {}, []],
    ['an app of whole sectors', [{ ...OTA_0, size: 0x1000 }], {}, []],
    ['the same for secure boot v2', [{ ...OTA_0, size: 0x1000 }], { secure: 'v2' }, []],
    ['the same for secure boot v1', [{ ...OTA_0, size: 0x1000 }], { secure: 'v1' }, ['partition-size-misaligned']],
    ['otadata that is read-only', [{ ...OTADATA, flags: 2 }], {}, ['partition-always-writable']],
    ['NVS of two pages', [{ ...NVS, size: 0x2000 }], {}, ['partition-nvs-too-small']],
    ['read-only NVS of two pages', [{ ...NVS, size: 0x2000, flags: 2 }], {}, []],
    ['a name twice', [NVS, { ...OTADATA, name: 'nvs' }], {}, ['partition-name-twice']],
    ['a partition in the table', [{ ...NVS, offset: 0x8000 }], {}, ['partition-below-table']],
    ['a table elsewhere', [NVS], { tableOffset: 0xc000 }, ['partition-below-table']],
    ['an overlap, whatever the order', [OTA_1, { ...OTA_0, size: 0x10_1000 }], {}, ['partition-overlap']],
    ['otadata of one sector', [{ ...OTADATA, size: 0x1000 }], {}, ['partition-otadata-size']],
    ['a flash that is too small', ALL, { flashSize: 0x20_0000 }, ['partition-beyond-flash']],
    [
      'two faults',
      [
        { ...NVS, size: 0x2000 },
        { ...OTA_0, offset: 0x7001, size: 0x1000 },
      ],
      {},
      ['partition-nvs-too-small', 'partition-misaligned', 'partition-below-table'],
    ],
  ])('%s', (_, partitions, options, expected) => {
    expect(errors(partitions, options)).toEqual(expected);
  });

  test('an issue carries the place that is known for its partition', () => {
    const [error] = verifyPartitions([{ ...NVS, size: 0x2000 }], { placeOf: () => ({ line: 7 }) }).errors;
    expect(error?.place).toEqual({ line: 7 });
  });
});

describe('warnings', () => {
  test.each<[string, Partition[], string[]]>([
    ['a name that is another type', [{ ...NVS, name: 'app' }], ['partition-name-is-type']],
    ['a name that is another subtype', [{ ...NVS, name: 'phy' }], ['partition-name-is-subtype']],
    ['a name of 17 bytes', [{ ...NVS, name: 'a_name_of_16_byté' }], ['partition-name-cut']],
    [
      'two names that are the same when cut',
      [
        { ...NVS, name: 'a_name_of_16_byte1' },
        { ...OTADATA, name: 'a_name_of_16_byte2' },
      ],
      ['partition-name-cut', 'partition-name-cut', 'partition-name-twice-when-cut'],
    ],
    ['a type that is not free', [{ ...NVS, name: 'x', type: 0x3f }], ['partition-reserved-type']],
    ['a hole in the OTA slots', [OTADATA, OTA_1], ['partition-ota-hole']],
    ['OTA slots without otadata', [OTA_0, OTA_1], ['partition-no-otadata']],
  ])('%s', (_, partitions, expected) => {
    expect(warnings(partitions)).toEqual(expected);
  });
});

test.each<[Partial<Partition>, string]>([
  [{ flags: 2 }, '5.2'],
  [{ subtype: 0x83 }, '5.2'],
  [{ subtype: 0x90 }, '5.4'],
  [{ type: 0, subtype: 0x31 }, '5.4'],
  [{ type: 3, subtype: 1 }, '5.5'],
])('%o names the version of ESP-IDF that it needs', (change, version) => {
  const [warning, ...others] = partitionVersionWarnings([{ ...NVS, ...change }]);
  expect(warning).toMatchObject({ code: 'partition-newer-idf' });
  expect(warning?.message).toContain(version);
  expect(others).toEqual([]);
  expect(partitionVersionWarnings(ALL)).toEqual([]);
});
