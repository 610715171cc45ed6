/** `twostep nvs keys generate`. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHmac } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeNvsKeys } from '#formats/nvs/nvs-keys.ts';
import { runCli } from './run-cli.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const generate = (...options: string[]): ReturnType<typeof runCli> => runCli(['nvs', 'keys', 'generate', ...options]);
const keysIn = (name: string): string => {
  const { eky, tky } = decodeNvsKeys(new Uint8Array(readFileSync(at(name))));
  return Buffer.concat([eky, tky]).toString('hex');
};
const derived = (hmacKey: Uint8Array): string =>
  ['5a5abeae', 'a5a5dece']
    .map((seed) =>
      createHmac('sha256', hmacKey)
        .update(Buffer.from(seed.repeat(8), 'hex'))
        .digest('hex'),
    )
    .join('');

test('random keys are a partition that only its owner may read, and never the same', async () => {
  for (const name of ['a.bin', 'b.bin']) {
    const { code, out, err } = await generate('-o', at(name));
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(statSync(at(name))).toMatchObject({ size: 4096 });
    expect(statSync(at(name)).mode & 0o077).toBe(0);
    expect(out).not.toContain(keysIn(name).slice(0, 8));
  }
  expect(keysIn('a.bin')).not.toBe(keysIn('b.bin'));
});

test('an HMAC key that is there is used', async () => {
  const hmacKey = new Uint8Array(32).fill(0xa7);
  writeFileSync(at('hmac.bin'), hmacKey);
  expect(await generate('-o', at('keys.bin'), '--hmac-key', at('hmac.bin'))).toMatchObject({ code: 0 });
  expect(keysIn('keys.bin')).toBe(derived(hmacKey));
  expect(Buffer.compare(readFileSync(at('hmac.bin')), hmacKey)).toBe(0);
});

test('an HMAC key that is not there is made, which is said', async () => {
  const { code, out } = await generate('-o', at('keys.bin'), '--hmac-key', at('hmac.bin'));
  const hmacKey = readFileSync(at('hmac.bin'));
  expect(code).toBe(0);
  expect(out).toContain('hmac.bin: ');
  expect(hmacKey).toHaveLength(32);
  expect(statSync(at('hmac.bin')).mode & 0o077).toBe(0);
  expect(keysIn('keys.bin')).toBe(derived(hmacKey));
});

test('keys that are there are never replaced', async () => {
  writeFileSync(at('keys.bin'), 'the only ones');
  const { code, err } = await generate('-o', at('keys.bin'), '--hmac-key', at('hmac.bin'));
  expect(code).toBe(2);
  expect(err).toMatch(/keys\.bin: file-exists: /);
  expect(readFileSync(at('keys.bin'), 'utf8')).toBe('the only ones');
  expect(readdirSync(folder)).toEqual(['keys.bin']);
});

test('one file cannot be both', async () => {
  const { code, err } = await generate('-o', at('keys.bin'), '--hmac-key', `${folder}/./keys.bin`);
  expect(code).toBe(2);
  expect(err).toContain('keys.bin: file-twice: ');
  expect(readdirSync(folder)).toEqual([]);
});

test.each([0, 31, 64])('an HMAC key of %i bytes is refused', async (length) => {
  writeFileSync(at('hmac.bin'), new Uint8Array(length));
  const { code, err } = await generate('-o', at('keys.bin'), '--hmac-key', at('hmac.bin'));
  expect(code).toBe(2);
  expect(err).toMatch(/^[^\n]*hmac\.bin: nvs-hmac-key-size: [^\n]*\n$/);
  expect(readdirSync(folder)).toEqual(['hmac.bin']);
});
