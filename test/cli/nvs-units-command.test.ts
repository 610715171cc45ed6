/** `twostep nvs units`: the tables of mfg_gen.py become images, all of them or none. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { decodeNvsKeys, nvsKeysFromHmacKey } from '#formats/nvs/nvs-keys.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type CliResult, runCli } from './run-cli.ts';

const KEYS_A = 'test/fixtures/nvs/keys-a.bin';
const CONFIG = 'device,namespace,\nserial,data,u32\nmodel,data,string,REPEAT\n';
const VALUES = 'id,serial,model\nleft,100,Duo\nright,101,\n';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-units-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]): string => join(folder, ...names);
const read = (...names: string[]): Uint8Array => new Uint8Array(readFileSync(at(...names)));
const serial = (image: Uint8Array): unknown => decodeNvs(image).entries.find(({ key }) => key === 'serial')?.value;

async function units(options: string[] = [], { config = CONFIG, values = VALUES } = {}): Promise<CliResult> {
  writeFileSync(at('config.csv'), config);
  writeFileSync(at('values.csv'), values);
  const tables = ['--config', at('config.csv'), '--values', at('values.csv')];
  return runCli(['nvs', 'units', ...tables, '--size', '0x4000', '-o', at('out'), ...options]);
}

/** What lies in the folder besides the two tables. */
const made = (): string[] => readdirSync(folder).filter((name) => !name.endsWith('.csv'));

describe('good tables', () => {
  test('one image for each unit, named after it', async () => {
    expect(await units()).toMatchObject({ code: 0, err: '' });
    expect(readdirSync(at('out')).toSorted()).toEqual(['left.bin', 'right.bin']);
    expect(read('out', 'left.bin')).toHaveLength(0x4000);
    expect([serial(read('out', 'left.bin')), serial(read('out', 'right.bin'))]).toEqual([100, 101]);
  });

  test('a prefix and a column for the names, as mfg_gen.py has them', async () => {
    const { records } = await units(['--prefix', 'Duo', '--id', 'serial', '--json']);
    expect(readdirSync(at('out')).toSorted()).toEqual(['Duo-100.bin', 'Duo-101.bin']);
    expect(records).toEqual([
      {
        units: [
          { name: '100', file: at('out', 'Duo-100.bin') },
          { name: '101', file: at('out', 'Duo-101.bin') },
        ],
        metadata: ['id'],
      },
    ]);
  });

  test('a file that a value names', async () => {
    writeFileSync(at('cert.pem'), 'certificate');
    const config = 'device,namespace,\nserial,data,u32\ncert,file,string,REPEAT\n';
    expect(await units([], { config, values: `serial,cert\n1,${at('cert.pem')}\n2,\n` })).toMatchObject({ code: 0 });
    const [, cert] = decodeNvs(read('out', '2.bin')).entries;
    expect(cert).toMatchObject({ key: 'cert', value: new TextEncoder().encode('certificate') });
  });

  test('format version 1', async () => {
    await units(['--nvs-version', '1']);
    expect(decodeNvs(read('out', 'left.bin')).pages[0]).toMatchObject({ version: 1 });
  });
});

describe('encryption', () => {
  test('with the same keys for all', async () => {
    expect(await units(['--keys', KEYS_A])).toMatchObject({ code: 0 });
    const keys = decodeNvsKeys(new Uint8Array(readFileSync(KEYS_A)));
    expect(decodeNvs(read('out', 'left.bin')).verdict).toBe('encrypted');
    expect(serial(decryptNvs(read('out', 'right.bin'), keys))).toBe(101);
  });

  test('with an HMAC key', async () => {
    writeFileSync(at('hmac.bin'), new Uint8Array(32).fill(5));
    expect(await units(['--hmac-key', at('hmac.bin')])).toMatchObject({ code: 0 });
    const keys = nvsKeysFromHmacKey(new Uint8Array(32).fill(5));
    expect(serial(decryptNvs(read('out', 'left.bin'), keys))).toBe(100);
  });

  test('with keys of its own for each', async () => {
    const { code, records } = await units(['--generate-keys', '--json']);
    expect(code).toBe(0);
    expect(records[0]?.units).toMatchObject([{ keys: at('out', 'keys', 'left.bin') }, {}]);
    const keysOf = (name: string): Uint8Array => read('out', 'keys', name);
    expect(serial(decryptNvs(read('out', 'left.bin'), decodeNvsKeys(keysOf('left.bin'))))).toBe(100);
    expect(serial(decryptNvs(read('out', 'right.bin'), decodeNvsKeys(keysOf('right.bin'))))).toBe(101);
    expect(Buffer.compare(keysOf('left.bin'), keysOf('right.bin'))).not.toBe(0);
  });

  test.each([
    ['--keys', KEYS_A, '--hmac-key', KEYS_A],
    ['--keys', KEYS_A, '--generate-keys'],
    ['--hmac-key', KEYS_A, '--generate-keys'],
    ['--hmac-key', KEYS_A],
  ])('%s %s %s %s is refused', async (...options) => {
    expect(await units(options)).toMatchObject({ code: 2 });
    expect(made()).toEqual([]);
  });
});

describe('nothing is written', () => {
  test('when rows are bad, which are all told with file and line', async () => {
    const values = 'id,serial,model\nleft,-1,Duo\nmiddle,5,\nright,many,\n';
    const { code, out, err } = await units([], { values });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    const lines = err.trim().split('\n');
    expect(lines.map((line) => line.replace(folder, '').split(': ').slice(0, 2))).toEqual([
      ['/values.csv:2', 'nvs-value-range'],
      ['/values.csv:4', 'nvs-csv-integer'],
    ]);
    expect(made()).toEqual([]);
  });

  test('when the configuration is bad', async () => {
    const { code, err } = await units([], { config: `${CONFIG}size,data,u128\n` });
    expect(code).toBe(2);
    expect(err).toMatch(/config\.csv:4: nvs-csv-encoding: /);
    expect(made()).toEqual([]);
  });

  test('when a file that a value names is missing', async () => {
    const config = 'device,namespace,\ncert,file,binary\n';
    const { code, err } = await units([], { config, values: `id,cert\na,${at('config.csv')}\nb,missing.pem\n` });
    expect(code).toBe(2);
    expect(err).toMatch(/values\.csv:3: nvs-csv-file: /);
    expect(made()).toEqual([]);
  });

  test('when a name leads out of the folder', async () => {
    const { code, err } = await units([], { values: 'id,serial,model\n../left,1,Duo\n' });
    expect(code).toBe(2);
    expect(err).toMatch(/values\.csv:2: nvs-units-name: /);
    expect(made()).toEqual([]);
  });

  test('when an image is there already, which may be of another run', async () => {
    await units();
    const before = read('out', 'right.bin');
    const values = 'id,serial,model\nnew,7,Duo\nright,8,\n';
    const { code, err } = await units([], { values });
    expect(code).toBe(2);
    expect(err).toMatch(/right\.bin: file-exists: /);
    expect(readdirSync(at('out')).toSorted()).toEqual(['left.bin', 'right.bin']);
    expect(Buffer.compare(read('out', 'right.bin'), before)).toBe(0);
  });

  test.each([
    ['--size', '0x4100'],
    ['--size', 'large'],
    ['--nvs-version', '3'],
    ['--id', 'mac'],
  ])('with %s %s', async (...options) => {
    expect(await units(options)).toMatchObject({ code: 2 });
    expect(made()).toEqual([]);
  });
});
