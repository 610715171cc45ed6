import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '#formats/format-error.ts';
import { formatPartitionCsv, parsePartitionCsv, type PartitionCsvOptions } from '#formats/partition-csv.ts';
import { decodePartitionTable, encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { optionsOf, readBytes, readText, validVectors, vectors } from './partition-fixtures.ts';

const file = (names: string[], ending: RegExp): string => names.find((name) => ending.test(name))!;

const refusal = (csv: string | Uint8Array, options: PartitionCsvOptions = {}): { code: string; place: unknown } => {
  try {
    parsePartitionCsv(csv, options);
  } catch (error) {
    if (error instanceof FormatError) return { code: error.code, place: error.place };
    throw error;
  }
  return { code: 'accepted', place: {} };
};

describe('the official tool', () => {
  test.each(validVectors)('makes the same table of $id', (vector) => {
    const { partitions } = parsePartitionCsv(readBytes(file(vector.inputs, /\.csv$/)), optionsOf(vector));
    expect(encodePartitionTable(partitions)).toEqual(readBytes(file(vector.outputs, /\.bin$/)));
  });

  test.each(validVectors)('prints the same CSV of $id, which reads back', (vector) => {
    const options = optionsOf(vector);
    const { partitions } = decodePartitionTable(readBytes(file(vector.outputs, /\.bin$/)));
    const csv = formatPartitionCsv(partitions, { extraSubtypes: options.extraSubtypes ?? [] });
    expect(csv).toBe(readText(file(vector.outputs, /roundtrip\.csv$/)));
    expect(parsePartitionCsv(csv, options).partitions).toEqual(partitions);
  });

  test.each(validVectors)('warns of as many names in $id', (vector) => {
    const { warnings } = parsePartitionCsv(readBytes(file(vector.inputs, /\.csv$/)), optionsOf(vector));
    const ofNames = warnings.filter(({ code }) => code.startsWith('partition-name-is-'));
    expect(ofNames).toHaveLength(vector.expected.warnings!.length);
  });

  /** Code and place of every table that the tool refuses. */
  const refused: Record<string, [string, object]> = {
    'pt-bad-overlap': ['partition-overlap', { line: 2, column: 14 }],
    'pt-bad-data-align': ['partition-misaligned', { line: 1 }],
    'pt-bad-two-otadata': ['partition-otadata-twice', { line: 2 }],
    'pt-bad-tee-otadata-size': ['partition-tee-otadata-size', { line: 1 }],
    'pt-bad-below-table': ['partition-overlap', { line: 2, column: 14 }],
    'pt-bad-unknown-type': ['partition-unknown-type', { line: 1, column: 5 }],
    'pt-bad-empty-type': ['partition-type-empty', { line: 1, column: 5 }],
    'pt-bad-unknown-flag': ['partition-unknown-flag', { line: 1, column: 22 }],
    'pt-bad-too-many-nomd5': ['partition-too-many', {}],
    'pt-bad-hex-noprefix': ['partition-bad-number', { line: 1, column: 14 }],
    'pt-bad-flash-size': ['partition-beyond-flash', { line: 3 }],
    'pt-bad-small-nvs': ['partition-nvs-too-small', { line: 1 }],
    'pt-bad-ro-coredump': ['partition-always-writable', { line: 1 }],
    'pt-bad-secure-v1-size': ['partition-size-misaligned', { line: 1 }],
    'pt-bad-recovery-no-offset': ['partition-no-recovery-offset', { line: 1, column: 25 }],
    'pt-bad-env-line': ['partition-unknown-variable', { line: 1, column: 1 }],
    'pt-bad-extra-subtype': ['partition-unknown-subtype', { line: 1, column: 8 }],
  };
  const refusedVectors = vectors.filter(({ valid, inputs }) => !valid && inputs[0]?.endsWith('.csv'));

  test.each(refusedVectors)('refuses $id as well', (vector) => {
    const options = optionsOf(vector);
    const [code, place] = refused[vector.id] ?? [];
    expect(() => {
      const { partitions } = parsePartitionCsv(readBytes(vector.inputs[0]!), options);
      encodePartitionTable(partitions, { md5: options.md5 });
    }).toThrow(expect.objectContaining({ code, place }));
  });
});

const row = (text: string, options?: PartitionCsvOptions): Partition => parsePartitionCsv(text, options).partitions[0]!;

describe('numbers', () => {
  test.each([
    ['0x10000', 0x1_0000],
    ['65536', 0x1_0000],
    ['0X1_0000', 0x1_0000],
    ['0o200000', 0x1_0000],
    ['0b1_0000_0000_0000_0000', 0x1_0000],
    ['+64k', 0x1_0000],
    ['0x40K', 0x1_0000],
    ['64 K', 0x1_0000],
    ['1_0K', 0x2800],
    ['1kk', 0x10_0000],
    ['0x2M', 0x20_0000],
    ['00', 0],
  ])('%s is %i', (text, value) => {
    expect(row(`a,0x40,1,,${text}`).size).toBe(value);
  });

  test.each(['016', '1__0', '_1', '0x', '9000h', '4.5K', 'K', '--1', '1e3', 'N/A', '0b2'])('%s is none', (text) => {
    expect(refusal(`a,0x40,1,,${text}`)).toEqual({ code: 'partition-bad-number', place: { line: 1, column: 11 } });
  });

  test.each(['a,256,1,,4K', 'a,0x40,-1,,4K', 'a,0x40,1,,0x100000000', 'a,app,ota_0,2M,-1M', 'a,datak,1,,4K'])(
    '%s is out of range',
    (text) => {
      expect(refusal(text).code).toBe('partition-out-of-range');
    },
  );
});

describe('the dialect', () => {
  test('comments, blank lines, spaces, missing and further columns, any line end', () => {
    const csv = '# Name\r\n\r\n  # more\r\n  nvs , data , nvs , , 16K\r\nx,0x40,,,4K,,,more\rota_0,app,OTA_0,,1M,';
    expect(parsePartitionCsv(csv).partitions).toMatchObject([
      { name: 'nvs', type: 1, subtype: 2, offset: 0x9000, size: 0x4000 },
      { name: 'x', type: 0x40, subtype: 6, offset: 0xd000 },
      { name: 'ota_0', type: 0, subtype: 0x10, offset: 0x1_0000 },
    ]);
  });

  test('an empty file is an empty table', () => {
    expect(parsePartitionCsv('')).toEqual({ partitions: [], warnings: [] });
  });

  test.each([
    ['a,app,,,1M', 'partition-subtype-empty', { line: 1, column: 7 }],
    ['a,data,nvs', 'partition-size-empty', { line: 1 }],
    ['a', 'partition-type-empty', { line: 1 }],
    ['\n  a, data, nvs, 0x4000, 16K', 'partition-below-table', { line: 2, column: 17 }],
    ['a,0x40,nvs,,4K', 'partition-bad-number', { line: 1, column: 8 }],
    ['a,data,nvs,,4K,ReadOnly', 'partition-unknown-flag', { line: 1, column: 16 }],
    ['a,data,constructor,,4K', 'partition-unknown-subtype', { line: 1, column: 8 }],
    ['b,bootloader,ota,,', 'partition-no-bootloader-offset', { line: 1, column: 18 }],
  ])('%j is refused with %s', (csv, code, place) => {
    expect(refusal(csv)).toEqual({ code, place });
  });

  test('variables are replaced wherever they stand', () => {
    const env = { NAME: 'nvs', SIZE: '16', 'odd name': 'data', MORE: 'x,y' };
    expect(row('$NAME,${odd name},nvs,,${SIZE}K', { env })).toMatchObject({ name: 'nvs', type: 1, size: 0x4000 });
    expect(row('$MORE', { env: { MORE: 'a,0x40,1,,4K' } })).toMatchObject({ name: 'a', type: 0x40 });
  });

  test('an unknown variable is refused at the start of a line, and stays as it is elsewhere', () => {
    expect(refusal('$SIZE,data,nvs,,4K').code).toBe('partition-unknown-variable');
    expect(refusal('# fine\n$toString,data,nvs,,4K').place).toEqual({ line: 2, column: 1 });
    expect(row('a$SIZE,0x40,1,,4K').name).toBe('a$SIZE');
    expect(row(' ${SIZE},0x40,1,,4K').name).toBe('${SIZE}');
  });

  test('no column is told where variables moved the text', () => {
    expect(refusal('$A,data,nvs,,4Q', { env: { A: 'a_long_name' } })).toEqual({
      code: 'partition-bad-number',
      place: { line: 1 },
    });
  });

  test('boot loader and table rows get their places, whatever their cells say', () => {
    const csv =
      'b,bootloader,primary,1,2\nt,partition_table,0,N/A,\nr,bootloader,recovery,,\ns,3,ota,,\nnvs,data,nvs,,12K';
    const options = { tableOffset: 0xc000, primaryBootloaderOffset: 0x2000, recoveryBootloaderOffset: 0xd000 };
    expect(parsePartitionCsv(csv, options).partitions).toMatchObject([
      { offset: 0x2000, size: 0xa000 },
      { offset: 0xc000, size: 0x1000 },
      { offset: 0xd000, size: 0xa000 },
      { offset: 0x1_7000, size: 0x1000 },
      { offset: 0x1_8000, size: 0x3000 },
    ]);
  });

  test('the boot loader must lie below the table', () => {
    expect(refusal('', { primaryBootloaderOffset: 0x8000 }).code).toBe('partition-bootloader-offset');
  });

  test.each([
    ['data, mydata'],
    ['data, mydata, 0x02'],
    ['blob, mydata, 0x91'],
    ['data, , 0x91'],
    ['data, mydata, 0x100'],
    ['data, mydata, x'],
  ])('the extra subtype %j is refused', (line) => {
    expect(refusal('', { extraSubtypes: [line] }).code).toBe('partition-extra-subtype');
  });

  test('numbers of extra subtypes are hex, with or without 0x', () => {
    expect(row('a,data,mydata,,4K', { extraSubtypes: ['data,mydata,91'] }).subtype).toBe(0x91);
  });

  test('without verification rows must still follow each other and fit the flash', () => {
    const options = { verify: false };
    expect(refusal('a,data,nvs,0x9100,4K', options).code).toBe('accepted');
    expect(refusal('a,data,nvs,,4K\nb,data,nvs,0x9000,4K', options).code).toBe('partition-overlap');
    expect(refusal('a,data,nvs,,4M', { ...options, flashSize: 0x40_0000 }).code).toBe('partition-beyond-flash');
  });
});

describe('encodings', () => {
  const text = 'é,data,nvs,,16K\n';
  const wide = (unit: 2 | 4, littleEndian: boolean): Uint8Array => {
    const points = [0xfeff, ...[...text].map((char) => char.codePointAt(0)!)];
    const view = new DataView(new ArrayBuffer(points.length * unit));
    points.forEach((point, index) => {
      if (unit === 2) view.setUint16(index * unit, point, littleEndian);
      else view.setUint32(index * unit, point, littleEndian);
    });
    return new Uint8Array(view.buffer);
  };

  test.each([
    ['UTF-8 with a mark', new TextEncoder().encode(`\ufeff${text}`)],
    ['UTF-16LE', wide(2, true)],
    ['UTF-16BE', wide(2, false)],
    ['UTF-32LE', wide(4, true)],
    ['UTF-32BE', wide(4, false)],
    ['a string with a mark', `\ufeff${text}`],
  ])('%s is read, with a warning that older versions cannot', (_, csv) => {
    const { partitions, warnings } = parsePartitionCsv(csv);
    expect(partitions).toMatchObject([{ name: 'é', offset: 0x9000 }]);
    expect(warnings).toMatchObject([{ code: 'partition-newer-idf' }]);
  });

  test('UTF-8 without a mark is read without a warning', () => {
    expect(parsePartitionCsv(new TextEncoder().encode(text))).toMatchObject({
      partitions: [{ name: 'é' }],
      warnings: [],
    });
  });

  test.each([
    ['Latin-1', Uint8Array.of(0xe9, 0x2c)],
    ['half a UTF-16 unit', wide(2, true).subarray(0, 5)],
    ['half a UTF-32 unit', wide(4, true).subarray(0, 10)],
    ['UTF-32 beyond Unicode', Uint8Array.of(0xff, 0xfe, 0, 0, 0, 0, 0x7f, 0)],
    ['a table', readBytes('names.bin')],
  ])('%s is refused', (_, bytes) => {
    expect(refusal(bytes).code).toBe('partition-csv-encoding');
  });
});

describe('writing', () => {
  const layout = fc.array(
    fc.record({
      type: fc.constantFrom(0x40, 1, 0),
      subtype: fc.integer({ min: 0x10, max: 0x1f }),
      gap: fc.nat(3),
      sectors: fc.integer({ min: 1, max: 600 }),
      bytes: fc.nat(1),
      flags: fc.nat(3),
    }),
    { maxLength: 20 },
  );

  test('what is written reads back', () => {
    fc.assert(
      fc.property(layout, (rows) => {
        let end = 0x9000;
        const partitions = rows.map(({ type, subtype, gap, sectors, bytes, flags }, index): Partition => {
          const unit = type === 0 ? 0x1_0000 : 0x1000;
          const offset = Math.ceil(end / unit) * unit + gap * unit;
          const size = sectors * 0x1000 + (type === 0 ? 0 : bytes);
          end = offset + size;
          return { name: `p${index}`, type, subtype, offset, size, flags };
        });
        expect(parsePartitionCsv(formatPartitionCsv(partitions)).partitions).toEqual(partitions);
      }),
    );
  });

  test.each(['a,b', '#a', ' a', 'a ', 'a\nb', '$HOME', 'a${X}', 'a\u2028'])('the name %j is refused', (name) => {
    const partition: Partition = { name, type: 1, subtype: 2, offset: 0x9000, size: 0x4000, flags: 0 };
    expect(() => formatPartitionCsv([partition])).toThrow(expect.objectContaining({ code: 'partition-name-not-csv' }));
  });
});
