/** The CSV dialect of the partition generator, rule by rule. The expected values are what Python makes of the same text. */
import { describe, expect, it, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { type NvsStep, readNvsCsv, readNvsSteps } from '#formats/nvs/nvs-csv.ts';
import { generateNvs } from '#formats/nvs/nvs-generator.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { nvsText, type NvsVersion } from '#formats/nvs/nvs.ts';
import { passphraseKey } from '#formats/nvs/wifi-credentials.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Input {
  files?: Record<string, Uint8Array>;
  version?: NvsVersion;
}

function read(csv: string | Uint8Array, { files = {}, version = 2 }: Input = {}): ReturnType<typeof readNvsSteps> {
  const bytes = typeof csv === 'string' ? utf8(csv) : csv;
  return readNvsSteps(readNvsCsv(bytes), { version, files: new Map(Object.entries(files)) });
}

/** `namespace:key type value` of each entry, with strings as text and blobs as hex. */
function summary(steps: readonly NvsStep[]): string[] {
  return steps.flatMap((step) => {
    if (step.kind === 'namespace') return [];
    const { namespace, key, type, value } = step.entry;
    const text = typeof value === 'object' ? (type === 'string' ? nvsText(step.entry) : toHex(value)) : value;
    return [`${namespace}:${key} ${type} ${text}`];
  });
}

function refusal(csv: string | Uint8Array, input?: Input): { code: string; place: object } | undefined {
  try {
    read(csv, input);
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return { code: error.code, place: error.place };
    throw error;
  }
}

const HEAD = 'key,type,encoding,value\n';
const row = (encoding: string, value: string): string => `${HEAD}n,namespace,,\nk,data,${encoding},${value}\n`;
const only = (encoding: string, value: string): string | undefined => summary(read(row(encoding, value)).steps)[0];

describe('rows', () => {
  it('may have their columns in any order, and more than are needed', () => {
    const { steps } = read('remark,value,encoding,key,type\nx,,,n,namespace\n,5,u8,k,data,too,many\n');
    expect(summary(steps)).toEqual(['n:k u8 5']);
  });

  it.each([
    ['LF', '\n'],
    ['CR LF', '\r\n'],
    ['CR', '\r'],
  ])('end with %s, in quoted values too', (_, end) => {
    const lines = ['key,type,encoding,value', 'n,namespace,,', '', 'k,data,string,"two', 'lines"', 'b,data,u8,x'];
    expect(summary(read(lines.slice(0, -1).join(end)).steps)).toEqual(['n:k string two\nlines']);
    expect(refusal(lines.join(end))).toMatchObject({ place: { line: 6, column: 11 } });
  });

  it('are skipped when they begin with #, wherever they stand', () => {
    const csv = `# first\n${HEAD}n,namespace,,\n#x,data,u8,1\nk,data,string,"a\n#gone\n #b"\ni,data,u8,y\n`;
    expect(refusal(csv)).toEqual({ code: 'nvs-csv-integer', place: { line: 8, column: 11 } });
    expect(summary(read(csv.replace('u8,y', 'u8,1')).steps)).toEqual(['n:k string a\n #b', 'n:i u8 1']);
  });

  it('keep commas, quotes and blanks of their values', () => {
    expect(only('string', '"a, ""b"""')).toBe('n:k string a, "b"');
    expect(only('string', '  two  ')).toBe('n:k string   two  ');
    expect(only('string', 'say "hi"')).toBe('n:k string say "hi"');
    expect(only('string', '"a ""b""\t"\t ')).toBe('n:k string a "b"\t\t ');
    expect(summary(read(`${HEAD}n,namespace,"" ,\n"k",data,"u8"," 5" ,\n`).steps)).toEqual(['n:k u8 5']);
    expect(refusal(`${HEAD}n,namespace,,\n"k" ,data,"u8" ,5\n`)).toMatchObject({ code: 'nvs-csv-encoding' });
    expect(only('string', '')).toBe('n:k string ');
  });

  it('may begin with a byte order mark', () => {
    expect(summary(read(`\ufeff${row('u8', '1')}`).steps)).toEqual(['n:k u8 1']);
  });

  test.each<[string, string | Uint8Array, string, object]>([
    ['nothing at all', '', 'nvs-csv-header', { line: 1 }],
    ['no header', 'n,namespace,,\n', 'nvs-csv-header', { line: 1 }],
    ['blanks in the header', '\nkey, type, encoding, value\n', 'nvs-csv-header', { line: 2 }],
    ['a type that is none', `${HEAD}n,Namespace,,\n`, 'nvs-csv-type', { line: 2, column: 3 }],
    ['a row of one cell', `${HEAD}n\n`, 'nvs-csv-short-row', { line: 2, column: 2 }],
    ['a row without an encoding', `${HEAD}n,namespace\nk,data\n`, 'nvs-csv-short-row', { line: 3, column: 7 }],
    ['a quote without an end', row('string', '"abc'), 'nvs-csv-quotes', { line: 3 }],
    ['text behind a quoted value', row('string', '"abc"d'), 'nvs-csv-quotes', { line: 3 }],
    ['bytes that are no UTF-8', Uint8Array.from([...utf8(row('string', 'x')), 0xff]), 'nvs-csv-not-utf8', { line: 4 }],
    ['a namespace without a name', `${HEAD},namespace,,\n`, 'nvs-bad-namespace', { line: 2, column: 1 }],
    ['a key of 16 bytes in 8 letters', `${HEAD}äöüäöüäö,data,u8,1\n`, 'nvs-bad-key', { line: 2, column: 1 }],
  ])('%s is refused', (_, csv, code, place) => {
    expect(refusal(csv)).toEqual({ code, place });
  });
});

describe('namespaces', () => {
  it('that are named again go on, which is not so in the official tool', () => {
    const csv = `${HEAD}a,namespace,,\nb,namespace,,\na,namespace,,\nk,data,u8,1\n`;
    const { image, warnings } = generateNvs(readNvsCsv(utf8(csv)), 0x3000, { version: 2 });
    expect(decodeNvs(image)).toMatchObject({
      entries: [{ namespace: 'a', key: 'k' }],
      namespaces: [{ name: 'a' }, { name: 'b' }],
    });
    expect(warnings).toEqual([]);
  });

  it('that are missing are the list of namespaces itself, with a warning', () => {
    const { steps, warnings } = read(`${HEAD}k,data,u8,9\n`);
    expect(summary(steps)).toEqual([':k u8 9']);
    expect(warnings).toMatchObject([{ code: 'nvs-csv-no-namespace', place: { line: 2 } }]);
  });

  it('are at most 254', () => {
    const csv = (count: number): string =>
      HEAD + Array.from({ length: count }, (_, index) => `n${index},namespace,,\n`).join('');
    const make = (count: number): unknown => generateNvs(readNvsCsv(utf8(csv(count))), 0x6000, { version: 2 });
    expect(make(254)).toBeTruthy();
    expect(() => make(255)).toThrow(
      expect.objectContaining({ code: 'nvs-too-many-namespaces', place: { line: 256, column: 1 } }) as Error,
    );
  });
});

it('a key that is there twice is written twice, with a warning', () => {
  const { steps, warnings } = read(`${HEAD}n,namespace,,\nk,data,u8,1\nk,data,u16,2\nm,namespace,,\nk,data,u8,3\n`);
  expect(summary(steps)).toEqual(['n:k u8 1', 'n:k u16 2', 'm:k u8 3']);
  expect(warnings).toMatchObject([{ code: 'nvs-csv-duplicate-key', place: { line: 4 } }]);
});

describe('encodings', () => {
  test.each([
    ['u8', ' 007 ', 'u8 7'],
    ['U8', '+1', 'u8 1'],
    ['i16', '-1_000', 'i16 -1000'],
    ['i64', '-9223372036854775808', 'i64 -9223372036854775808'],
    ['hex2bin', ' 00Ff ', 'blob 00ff'],
    ['hex2bin', '', 'blob '],
    ['base64', 'YWI=', 'blob 6162'],
    ['base64', 'Y W I =', 'blob 6162'],
    ['base64', 'YW=Jj', 'blob 616263'],
    ['base64', '=YWJj=', 'blob 616263'],
    ['binary', 'ab', 'blob 6162'],
    ['blob_fill(4;0xAb)', 'hi', 'blob 6869abab'],
    ['blob_fill(2;0x00)', '', 'blob 0000'],
    ['blob_fill(0;0x00)', '', 'blob '],
    ['blob_sz_fill(3;0xff)', 'é', 'blob 02000000c3a9ff'],
    ['String', 'x', 'string x'],
  ])('%s of %j', (encoding, value, expected) => {
    expect(only(encoding, value)).toBe(`n:k ${expected}`);
    expect(read(row(encoding, value)).warnings).toEqual([]);
  });

  test.each([
    ['base64', 'YWJj*-', 'blob 616263', 'nvs-csv-base64-ignored'],
    ['base64', 'YWI=YWJj', 'blob 6162', 'nvs-csv-base64-ignored'],
    ['HEX2BIN', '00ff', 'blob 30306666', 'nvs-csv-encoding-case'],
    ['Base64', 'YWI=', 'blob 5957493d', 'nvs-csv-encoding-case'],
  ])('%s of %j is what the tool makes of it, with a warning', (encoding, value, expected, code) => {
    expect(only(encoding, value)).toBe(`n:k ${expected}`);
    expect(read(row(encoding, value)).warnings).toMatchObject([{ code, place: { line: 3 } }]);
  });

  test.each([
    ['u8', '', 'nvs-csv-integer'],
    ['u8', '1.0', 'nvs-csv-integer'],
    ['u8', '1__0', 'nvs-csv-integer'],
    ['u32', '9'.repeat(2000), 'nvs-csv-integer'],
    ['u32', '4294967296', 'nvs-value-range'],
    ['i8', '-129', 'nvs-value-range'],
    ['u64', '-1', 'nvs-value-range'],
    ['u64', '18446744073709551616', 'nvs-value-range'],
    ['hex2bin', 'abc', 'nvs-csv-hex'],
    ['hex2bin', 'a b', 'nvs-csv-hex'],
    ['hex2bin', '0x12', 'nvs-csv-hex'],
    ['base64', 'YWI', 'nvs-csv-base64'],
    ['base64', 'YWJjY===', 'nvs-csv-base64'],
    ['base64', 'YQ=x', 'nvs-csv-base64'],
    ['float', '1.5', 'nvs-csv-encoding'],
    ['', '1', 'nvs-csv-encoding'],
    ['Blob_fill(4;0x00)', 'a', 'nvs-csv-encoding'],
    ['blob_fill(4)', 'a', 'nvs-csv-fill'],
    ['blob_fill(4;00)', 'a', 'nvs-csv-fill'],
    ['blob_fill(4;0x0)', 'a', 'nvs-csv-fill'],
    ['blob_fill(99999999999;0x00)', 'a', 'nvs-csv-fill'],
    ['blob_sz_fill(1;0x00)', 'é', 'nvs-csv-fill'],
    ['string', 'x'.repeat(4000), 'nvs-value-too-long'],
  ])('%s of %j is refused', (encoding, value, code) => {
    expect(refusal(row(encoding, value))).toMatchObject({ code, place: { line: 3 } });
  });

  it('have smaller limits in version 1', () => {
    expect(refusal(row('string', 'x'.repeat(1983)), { version: 1 })).toBeUndefined();
    expect(refusal(row('string', 'x'.repeat(1984)), { version: 1 })?.code).toBe('nvs-value-too-long');
  });

  it('need a value, but for blobs that are filled', () => {
    for (const encoding of ['u8', 'string', 'hex2bin', 'base64', 'binary']) {
      expect(refusal(`${HEAD}n,namespace\nk,data,${encoding}\n`)?.code).toBe('nvs-csv-short-row');
    }
    const { steps } = read(`${HEAD}n,namespace\nk,data,blob_sz_fill(1;0x07)\n`);
    expect(summary(steps)).toEqual(['n:k blob 0000000007']);
  });
});

describe('files', () => {
  const csv = (encoding: string): string => `${HEAD}n,namespace,,\nk,file,${encoding},a.txt\n`;

  test.each([
    ['binary', Uint8Array.of(0, 255), 'blob 00ff'],
    ['string', utf8('é\n'), 'string é\n'],
    ['hex2bin', utf8('00ff\n'), 'blob 00ff'],
    ['base64', utf8('YWJj\r\nYWI=\n'), 'blob 6162636162'],
    ['u16', utf8('12\n'), 'u16 12'],
    ['blob_fill(3;0x00)', utf8('a'), 'blob 610000'],
  ])('are read as %s', (encoding, content, expected) => {
    expect(summary(read(csv(encoding), { files: { 'a.txt': content } }).steps)).toEqual([`n:k ${expected}`]);
  });

  it('must be there, and text where a string is asked for', () => {
    const place = { line: 3, column: 15 };
    expect(refusal(csv('string'))).toEqual({ code: 'nvs-csv-file', place });
    expect(refusal(csv('string'), { files: { 'a.txt': Uint8Array.of(0xff) } })).toEqual({
      code: 'nvs-csv-not-utf8',
      place,
    });
  });
});

describe('entries for the Wi-Fi driver', () => {
  const keys = (csv: string): string[] =>
    read(HEAD + csv).steps.map((step) => (step.kind === 'entry' ? step.entry.key : step.name));

  it('follow the first name or password of the station, once', () => {
    const csv = 'n,namespace,,\nsta.pswd,data,string,x\nm,namespace,,\nsta.ssid,data,string,y\n';
    expect(keys(csv)).toEqual(['n', 'sta.pswd', 'sta.apinfo', 'sta.pmk', 'sta.apsw', 'm', 'sta.ssid']);
  });

  it('come before the row that completes the access point', () => {
    const rows = ['ap.ssid,data,string,net', 'ap.authmode,data,u8,3', 'ap.passwd,data,string,password'];
    expect(keys(rows.join('\n'))).toEqual(['ap.ssid', 'ap.authmode', 'ap.pmk_info', 'ap.passwd']);
    expect(keys(rows.slice(0, 2).join('\n'))).toEqual(['ap.ssid', 'ap.authmode']);
    expect(keys(rows.join('\n').replace('u8,3', 'u8,0'))).toEqual(['ap.ssid', 'ap.authmode', 'ap.passwd']);
    expect(summary(read(HEAD + rows.join('\n')).steps)[2]).toBe(
      `:ap.pmk_info blob ${'00'.repeat(100)}${toHex(passphraseKey('net', 'password'))}`,
    );
  });
});

it('rows that do not fit are refused with their line', () => {
  const csv = HEAD + 'n,namespace,,\n' + Array.from({ length: 126 }, (_, index) => `k${index},data,u8,1\n`).join('');
  expect(() => generateNvs(readNvsCsv(utf8(csv)), 0x1000, { version: 2 })).toThrow(
    expect.objectContaining({ code: 'nvs-no-room', place: { line: 128, column: 1 } }) as Error,
  );
});
