/** `twostep nvs encode`, `decode` and `set` with keys. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nvsManifest } from '../formats/nvs-fixtures.ts';
import { type CliResult, runCli } from './run-cli.ts';

const fixture = (name: string): string => join('test/fixtures/nvs', name);
const KEYS_A = fixture('keys-a.bin');
const KEYS_B = fixture('keys-b.bin');
const ENCRYPTED = fixture('enc-minimal.bin');
const vectors = nvsManifest.images.filter(({ encrypted }) => encrypted);

let folder: string;
let made: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-nvs-'));
  made = join(folder, 'made.bin');
});
afterEach(() => rmSync(folder, { recursive: true }));

const given = (name: string, content: Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

async function valuesOf(path: string, ...keys: string[]): Promise<Record<string, unknown>> {
  const { code, records } = await runCli(['nvs', 'decode', path, '--json', ...keys]);
  expect(code).toBe(0);
  const { entries, issues } = records[0] as { entries: { key: string; value: string }[]; issues: unknown[] };
  expect(issues).toEqual([]);
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

/** One line with that code, no image, and none of the key in it. */
function expectRefusal({ code, out, err }: CliResult, refusal: string): void {
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(new RegExp(`^[^\\n]*: ${refusal}: [^\\n]*\\n$`));
  for (const file of [KEYS_A, KEYS_B]) {
    const keys = readFileSync(file).subarray(0, 64);
    for (const form of [keys.toString('hex'), keys.toString('base64'), keys.join(',')]) {
      expect(err.toLowerCase()).not.toContain(form.slice(0, 8).toLowerCase());
    }
  }
  expect(readdirSync(folder)).not.toContain('made.bin');
}

describe('what the partition generator encrypted', () => {
  test.each(vectors)('$id is encoded to the same bytes', async ({ inputs: [csv = '', keys = ''], image, expected }) => {
    const size = String(expected.size);
    const { code } = await runCli(['nvs', 'encode', fixture(csv), '--size', size, '-o', made, '--keys', fixture(keys)]);
    expect(code).toBe(0);
    expect(Buffer.compare(readFileSync(made), readFileSync(fixture(image)))).toBe(0);
  });

  test.each(vectors)('$id is decoded to the same items', async ({ inputs: [, keys = ''], image, expected }) => {
    const values = await valuesOf(fixture(image), '--keys', fixture(keys));
    expect(Object.keys(values)).toEqual(expected.items.map(({ key }) => key));
    for (const { key, value, sha256 } of expected.items) {
      const found = String(values[key]);
      if (sha256 === undefined) expect(found).toBe(value);
      else expect(createHash('sha256').update(Buffer.from(found, 'hex')).digest('hex')).toBe(sha256);
    }
  });

  test('nvs-bad-enc-bothkeys: two sources of keys are refused', async () => {
    const args = ['nvs', 'encode', fixture('bad-enc-bothkeys.csv'), '--size', '0x3000', '-o', made];
    expect(await runCli([...args, '--keys', KEYS_A, '--hmac-key', KEYS_A])).toMatchObject({ code: 2, out: '' });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('with an HMAC key, and with the keys that follow from it, it is the same image', async () => {
  const hmacKey = given('hmac.bin', new Uint8Array(32).fill(9));
  const keys = join(folder, 'keys.bin');
  const encode = ['nvs', 'encode', fixture('minimal.csv'), '--size', '0x3000', '-o', made];
  expect((await runCli([...encode, '--hmac-key', hmacKey])).code).toBe(0);
  expect((await runCli(['nvs', 'keys', 'generate', '-o', keys, '--hmac-key', hmacKey])).code).toBe(0);
  const plain = await valuesOf(fixture('minimal.bin'));
  expect(await valuesOf(made, '--hmac-key', hmacKey)).toEqual(plain);
  expect(await valuesOf(made, '--keys', keys)).toEqual(plain);
});

describe('set', () => {
  test('decrypts, changes and encrypts again', async () => {
    const { code, out } = await runCli(['nvs', 'set', ENCRYPTED, '-o', made, 'storage:n:i32=6', '--keys', KEYS_A]);
    expect({ code, out }).toEqual({ code: 0, out: '1 of 3 pages changed\n' });
    expect(await valuesOf(made, '--keys', KEYS_A)).toEqual({ hello: 'world', n: '6' });
    expect((await runCli(['nvs', 'decode', made])).err).toContain(': nvs-encrypted: ');
  });

  test('leaves every byte when nothing changes', async () => {
    await runCli(['nvs', 'set', ENCRYPTED, '-o', made, 'storage:n:i32=-5', '--keys', KEYS_A]);
    expect(Buffer.compare(readFileSync(made), readFileSync(ENCRYPTED))).toBe(0);
  });

  test('encrypts what it puts into a blank partition', async () => {
    const blank = given('blank.bin', new Uint8Array(0x3000).fill(0xff));
    expect((await runCli(['nvs', 'set', blank, '-o', made, 'n:k:u8=1', '--keys', KEYS_A])).code).toBe(0);
    expect(await valuesOf(made, '--keys', KEYS_A)).toEqual({ k: '1' });
    expect((await runCli(['nvs', 'decode', made])).err).toContain(': nvs-encrypted: ');
  });
});

describe('what is refused', () => {
  const keysWith = (change: (keys: Uint8Array) => void): string => {
    const keys = new Uint8Array(readFileSync(KEYS_A));
    change(keys);
    return given('keys.bin', keys);
  };

  test.each<[string, string, () => string[]]>([
    ['no keys', 'nvs-encrypted', () => [ENCRYPTED]],
    ['other keys', 'nvs-wrong-key', () => [ENCRYPTED, '--keys', KEYS_B]],
    ['keys for what is not encrypted', 'nvs-not-encrypted', () => [fixture('minimal.bin'), '--keys', KEYS_A]],
    [
      'a keys partition without keys',
      'nvs-keys-blank',
      () => [ENCRYPTED, '--keys', keysWith((keys) => keys.fill(0xff))],
    ],
    ['damaged keys', 'nvs-keys-damaged', () => [ENCRYPTED, '--keys', keysWith((keys) => keys.fill(0, 10, 11))]],
    ['half a keys partition', 'nvs-keys-size', () => [ENCRYPTED, '--keys', given('keys.bin', new Uint8Array(2048))]],
    ['keys for an HMAC key', 'nvs-hmac-key-size', () => [ENCRYPTED, '--hmac-key', KEYS_A]],
    ['keys that are not there', 'file-missing', () => [ENCRYPTED, '--keys', join(folder, 'none.bin')]],
  ])('%s: %s', async (_what, refusal, args) => {
    const options = args();
    expectRefusal(await runCli(['nvs', 'decode', ...options, '--json']), refusal);
    expectRefusal(await runCli(['nvs', 'set', ...options, '-o', made, 'storage:n:i32=6']), refusal);
  });

  test('to encode with keys that are none', async () => {
    const keys = keysWith((bytes) => bytes.fill(0, 0, 1));
    const args = ['nvs', 'encode', fixture('minimal.csv'), '--size', '0x3000', '-o', made, '--keys', keys];
    expectRefusal(await runCli(args), 'nvs-keys-damaged');
  });
});
