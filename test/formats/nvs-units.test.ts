import { describe, expect, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { readNvsCsv } from '#formats/nvs/nvs-csv.ts';
import { generateNvs } from '#formats/nvs/nvs-generator.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { readUnitConfig } from '#formats/nvs/nvs-unit-config.ts';
import { generateUnits, type NvsUnits, readUnits } from '#formats/nvs/nvs-units.ts';
import { nvsText } from '#formats/nvs/nvs.ts';

const SIZE = 0x3000;
const utf8 = (...lines: string[]): Uint8Array => new TextEncoder().encode(`${lines.join('\n')}\n`);
const found = (issues: readonly FormatIssue[]): string[] =>
  issues.map(({ code, place }) => `${place?.line ?? ''} ${code}`);

const CONFIG = [
  'wifi,namespace,',
  'ssid,data,string,REPEAT',
  'channel,data,u8',
  'device,namespace,',
  'serial,data,u32',
];

function unitsOf(values: string[], config = CONFIG, idColumn?: string): NvsUnits {
  const { rows, issues } = readUnitConfig(utf8(...config));
  expect(found(issues)).toEqual([]);
  return readUnits(utf8(...values), rows, { idColumn });
}

const generate = (values: string[], config?: string[], size = SIZE): ReturnType<typeof generateUnits> =>
  generateUnits(unitsOf(values, config), size, { version: 2, files: new Map([['a.txt', utf8('text')]]) });

describe('good tables', () => {
  test('each image is what the partition generator makes of the CSV that mfg_gen.py would write for the unit', () => {
    const config = [
      'a,namespace,',
      'blob,data,hex2bin',
      'text,file,string',
      'b,namespace,',
      'n,data,i64,REPEAT',
      'blob,data,base64',
    ];
    const values = ['blob,text,id,n,blob', '0a0b,a.txt,7,-9,SGk=', 'ff,a.txt,8,,aGV5'];
    const byHand = [
      ['0a0b', 'SGk='],
      ['ff', 'aGV5'],
    ].map(([hex, base64]) => [
      'key,type,encoding,value',
      'a,namespace,,',
      `blob,data,hex2bin,${hex}`,
      'text,file,string,a.txt',
      'b,namespace,,',
      'n,data,i64,-9',
      `blob,data,base64,${base64}`,
    ]);
    const files = new Map([['a.txt', utf8('text')]]);
    const { images, issues, warnings } = generate(values, config);
    expect(found([...issues, ...warnings])).toEqual([]);
    expect(images.map(({ image }) => toHex(image))).toEqual(
      byHand.map((lines) => toHex(generateNvs(readNvsCsv(utf8(...lines)), SIZE, { version: 2, files }).image)),
    );
  });

  test('a value with REPEAT is given once and holds for all; saying it again does no harm', () => {
    const { images } = generate(['id,ssid,channel,serial', 'x,Nest,1,10', 'y,,2,11', 'z,Nest,3,12']);
    const entries = images.map(({ image }) => decodeNvs(image).entries);
    expect(entries.map(([ssid]) => ssid?.type === 'string' && nvsText(ssid))).toEqual(['Nest', 'Nest', 'Nest']);
    expect(entries.map(([, channel, serial]) => [channel?.value, serial?.value])).toEqual([
      [1, 10],
      [2, 11],
      [3, 12],
    ]);
  });

  test('columns that are no keys stay out of the images', () => {
    expect(unitsOf(['id,ssid,mac,channel,serial,note', 'x,N,m,1,2,']).metadata).toEqual(['id', 'mac', 'note']);
  });

  test('a namespace named again goes on', () => {
    const config = ['a,namespace,', 'k,data,u8', 'b,namespace,', 'k,data,u8', 'a,namespace', 'l,data,u8'];
    const { images } = generate(['k,k,l', '1,2,3'], config);
    expect(decodeNvs(images[0]!.image).entries.map(({ namespace, key }) => `${namespace}:${key}`)).toEqual([
      'a:k',
      'b:k',
      'a:l',
    ]);
  });

  test('blank lines, comments in the configuration, quoted values, CR LF and a byte order mark are fine', () => {
    const config = ['# the product', 'a,namespace,,', '', '   ', 'k,data,string,'];
    const { rows, issues } = readUnitConfig(utf8(...config));
    expect(issues).toEqual([]);
    const { units } = readUnits(utf8('\ufeffid,k\r', '\r', '1,"a, ""b""\n# not a comment"\r', '  '), rows);
    expect(units).toMatchObject([{ name: '1', rows: [{}, { value: 'a, "b"\n# not a comment' }] }]);
  });

  test('a row whose first value begins with # is a unit', () => {
    expect(unitsOf(['ssid,channel,serial', '#1,1,1']).units).toHaveLength(1);
  });
});

describe('names', () => {
  const config = ['n,namespace,', 'k,data,u8'];
  test.each([
    ['the first column', ['id,k', 'left,1', 'right,2'], undefined, ['left', 'right']],
    ['the number where the first column is a key', ['k,id', '1,left', '2,right'], undefined, ['1', '2']],
    ['the column that is told', ['k,id', '7,left', '8,right'], 'id', ['left', 'right']],
    ['a key, if told', ['k,id', '7,left', '8,right'], 'k', ['7', '8']],
    ['MAC addresses', ['mac,k', 'AA:BB:CC:00:11:22,1'], undefined, ['AA-BB-CC-00-11-22']],
    ['letters of any script, blanks, points', ['id,k', 'Größe 1.2_b+c,1'], undefined, ['Größe 1.2_b+c']],
  ])('%s', (_what, values, idColumn, names) => {
    const { units, issues } = unitsOf(values, config, idColumn);
    expect(found(issues)).toEqual([]);
    expect(units.map(({ name }) => name)).toEqual(names);
  });

  test.each([
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\\b',
    '/a',
    '.hidden',
    '-rf',
    'a.',
    'a ',
    ' a',
    'a\u0000b',
    'a\u202eb',
    'a*',
    'x'.repeat(101),
  ])('%j is none', (name) => {
    expect(found(unitsOf(['id,k', `${name},1`], config).issues)).toEqual(['2 nvs-units-name']);
  });

  test('no two units have one, however it is written', () => {
    expect(found(unitsOf(['id,k', 'a:1,1', 'b,2', 'A-1,3', 'b,4'], config).issues)).toEqual([
      '4 nvs-units-name',
      '5 nvs-units-name',
    ]);
  });
});

describe('bad configurations', () => {
  test.each([
    ['no rows', ['# nothing'], [' nvs-units-empty']],
    ['a key before the first namespace', ['k,data,u8', 'a,namespace,'], ['1 nvs-units-no-namespace']],
    ['no encoding', ['a,namespace,', 'k,data'], ['2 nvs-csv-encoding']],
    ['an encoding that is none', ['a,namespace,', 'k,data,float'], ['2 nvs-csv-encoding']],
    ['a fill that is none', ['a,namespace,', 'k,data,blob_fill(4)'], ['2 nvs-csv-fill']],
    ['a type that is none', ['a,namespace,', 'k,date,u8'], ['2 nvs-units-config']],
    ['a word that is not REPEAT', ['a,namespace,', 'k,data,u8,repeat'], ['2 nvs-units-config']],
    ['a fifth column', ['a,namespace,', 'k,data,u8,REPEAT,x'], ['2 nvs-units-config']],
    ['a key of 16 bytes', ['a,namespace,', 'sixteen_chars_ok,data,u8'], ['2 nvs-bad-key']],
    ['a namespace without a name', [',namespace,', 'k,data,u8'], ['1 nvs-bad-namespace']],
    [
      'a key twice',
      ['a,namespace,', 'k,data,u8', 'b,namespace,', 'k,data,u8', 'a,namespace,', 'k,data,i8'],
      ['6 nvs-duplicate-key'],
    ],
    [
      'all of that at once',
      ['a,namespace,', 'k,data,u7', '', 'l,dat,u8', 'l,data,u8'],
      ['2 nvs-csv-encoding', '4 nvs-units-config'],
    ],
  ])('%s', (_what, config, issues) => {
    expect(found(readUnitConfig(utf8(...config)).issues)).toEqual(issues);
  });
});

describe('bad values', () => {
  test.each([
    ['no lines', [], ['nvs-units-empty']],
    ['no units', ['id,ssid,channel,serial'], ['nvs-units-empty']],
    ['a key without a column', ['id,ssid,serial', 'x,a,1'], ['1 nvs-units-no-column']],
    ['a key with two columns', ['id,ssid,channel,serial,ssid', 'x,a,1,2,b'], ['1 nvs-duplicate-key']],
    ['another order', ['id,ssid,serial,channel', 'x,a,1,2'], ['1 nvs-units-order']],
    [
      'too few and too many values',
      ['id,ssid,channel,serial', 'x,a,1', 'y,,1,2', 'z,,1,2,3'],
      ['2 nvs-units-row', '4 nvs-units-row'],
    ],
    ['no value', ['id,ssid,channel,serial', 'x,a,,1', 'y,,2,'], ['2 nvs-units-no-value', '3 nvs-units-no-value']],
    [
      'REPEAT without a first value',
      ['id,ssid,channel,serial', 'x,,1,1', 'y,b,2,2'],
      ['2 nvs-units-no-value', '3 nvs-units-repeat'],
    ],
    ['REPEAT with another value', ['id,ssid,channel,serial', 'x,a,1,1', 'y,b,2,2'], ['3 nvs-units-repeat']],
  ])('%s', (_what, values, issues) => {
    const { issues: all } = unitsOf(values);
    expect(found(all).map((issue) => issue.trim())).toEqual(issues);
  });

  test('a column to name the units that is not there', () => {
    const { issues } = unitsOf(['id,ssid,channel,serial', 'x,a,1,1'], CONFIG, 'mac');
    expect(found(issues)).toEqual(['1 nvs-units-no-column']);
  });

  test('every value that cannot be is told with its line and column, and there is no image', () => {
    const config = ['n,namespace,', 'a,data,u8', 'b,data,hex2bin', 'c,file,binary', 'd,data,i8,REPEAT'];
    const { images, issues } = generate(
      ['a,b,c,d', '256,00,a.txt,128', 'x,0,a.txt,', '1,00,b.txt,', '2,00,a.txt,'],
      config,
    );
    expect(issues.map(({ code, place }) => `${place?.line}:${place?.column} ${code}`)).toEqual([
      '2:1 nvs-value-range',
      '2:14 nvs-value-range',
      '3:1 nvs-csv-integer',
      '3:3 nvs-csv-hex',
      '4:6 nvs-csv-file',
    ]);
    expect(images).toEqual([]);
  });

  test('what is wrong with the form of a row and what with its values is told together, in the order of lines', () => {
    const { images, issues } = generate(['id,ssid,channel,serial', 'x,a,256,1', '../y,,1,', 'z,b', 'x,,x,-1']);
    expect(found(issues)).toEqual([
      '2 nvs-value-range',
      '3 nvs-units-name',
      '3 nvs-units-no-value',
      '4 nvs-units-row',
      '5 nvs-units-name',
      '5 nvs-csv-integer',
      '5 nvs-value-range',
    ]);
    expect(images).toEqual([]);
  });

  test('a value for all units that is missing is told once', () => {
    const config = ['n,namespace,', 'a,data,u8,REPEAT', 'b,data,u8'];
    expect(found(generate(['id,a,b', 'x,,1', 'y,,2'], config).issues)).toEqual(['2 nvs-units-no-value']);
    expect(found(generate(['id,a,b', 'x', 'y,,2'], config).issues)).toEqual(['2 nvs-units-row']);
  });

  test('one unit too large leaves none', () => {
    const config = ['n,namespace,', 'a,data,blob_fill(3000;0x00)', 'b,data,string'];
    const { images, issues } = generate(['id,a,b', '1,x,y', `2,x,${'y'.repeat(2000)}`, '3,x,y'], config, 0x1000);
    expect(found(issues)).toEqual(['3 nvs-no-room']);
    expect(images).toEqual([]);
  });

  test('a size that is none is refused once', () => {
    expect(() => generate(['id,ssid,channel,serial', 'x,a,1,1', 'y,,1,1'], CONFIG, 0x3100)).toThrowError(
      expect.objectContaining({ code: 'nvs-size' }) as Error,
    );
  });

  test('what the tool does without a word is a warning', () => {
    const config = ['n,namespace,', 'a,data,base64,REPEAT'];
    const { warnings } = generate(['id,a', '1,SG!k=', '2,', '3,'], config);
    expect(found(warnings)).toEqual(['2 nvs-csv-base64-ignored']);
  });
});

test('a hundred units of 24 KiB take well under a second', () => {
  const keys = Array.from({ length: 100 }, (_, index) => `key${index}`);
  const config = ['n,namespace,', ...keys.map((key) => `${key},data,string`)];
  const valueOf = (unit: number): string[] => keys.map((key) => `${key} of unit ${unit} as it is`);
  const values = Array.from({ length: 100 }, (_, unit) => [`${unit}`, ...valueOf(unit)].join(','));
  const table = [`id,${keys.join(',')}`, ...values];
  // Of the processor, because the machine may be busy with other tests.
  const before = process.cpuUsage();
  const { images } = generate(table, config, 0x6000);
  expect(images).toHaveLength(100);
  expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
});
