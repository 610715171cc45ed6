/** `twostep partitions` on every vector that the official tool made. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { invalidVectors, validVectors, type PartitionVector } from '../formats/partition-fixtures.ts';
import { runCli } from './run-cli.ts';

const FIXTURES = 'test/fixtures/partitions';

/** The official tool's `-o` is the table's offset, ours is the output. */
const optionsOf = ({ args }: PartitionVector): string[] =>
  args.filter((arg) => arg !== '--').map((arg) => (arg === '-o' ? '--offset' : arg));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-partitions-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('good tables', () => {
  test.each(validVectors)('$id is encoded and decoded as the official tool does', async (vector) => {
    const [csv = ''] = vector.inputs;
    const [binary = '', roundTrip = ''] = vector.outputs;
    const made = join(folder, 'table.bin');
    const options = optionsOf(vector);
    expect(await runCli(['partitions', 'encode', join(FIXTURES, csv), '-o', made, ...options])).toMatchObject({
      code: 0,
    });
    expect(Buffer.compare(readFileSync(made), readFileSync(join(FIXTURES, binary)))).toBe(0);
    const back = await runCli(['partitions', 'decode', made, ...options]);
    expect(back).toMatchObject({ code: 0, out: readFileSync(join(FIXTURES, roundTrip), 'utf8') });
    const { records } = await runCli(['partitions', 'decode', made, '--json', ...options]);
    expect(records).toEqual([{ entries: vector.expected.entries, md5Ok: true }]);
  });
});

test.each(invalidVectors)('$id is refused in one line, and leaves no file behind', async (vector) => {
  const input = join(FIXTURES, vector.inputs[0]!);
  const made = join(folder, 'table.bin');
  const { code, err, out } = await runCli(['partitions', 'encode', input, '-o', made, ...optionsOf(vector)]);
  expect(code).toBe(2);
  expect(out).toBe('');
  expect(err.trim().split('\n').at(-1)).toMatch(/^[^:]+(:(\d+|0x[0-9a-f]+))?: partition-[a-z0-9-]+: /);
  expect(readdirSync(folder)).toEqual([]);
});

test('variables of the environment stand for what they hold', async () => {
  const csv = join(folder, 'table.csv');
  writeFileSync(csv, 'nvs, data, nvs, ${AT}, 0x4000\n');
  const { out } = await runCli(['partitions', 'decode', csv, '--json'], { env: { AT: '0xa000' } });
  expect(JSON.parse(out)).toMatchObject({ entries: [{ label: 'nvs', offset: 0xa000 }] });
});

test('a table without its MD5 row is decoded with a warning, unless told that it has none', async () => {
  const made = join(folder, 'table.bin');
  await runCli(['partitions', 'encode', join(FIXTURES, 'seed.csv'), '--disable-md5sum', '-o', made]);
  const plain = await runCli(['partitions', 'decode', made, '--json']);
  expect(plain).toMatchObject({ code: 0, records: [{ md5Ok: false }] });
  expect(plain.err).toContain('partition-md5-missing');
  expect(await runCli(['partitions', 'decode', made, '--disable-md5sum'])).toMatchObject({ code: 0, err: '' });
});

test.each([
  [['--offset', 'here'], 'a number that is none'],
  [['--secure', 'v3'], 'a version that is none'],
  [[], 'no output'],
])('options that make no sense are refused: %s (%s)', async (options) => {
  const output = options.length === 0 ? [] : ['-o', join(folder, 'table.bin')];
  expect(await runCli(['partitions', 'encode', join(FIXTURES, 'seed.csv'), ...output, ...options])).toMatchObject({
    code: 2,
  });
  expect(readdirSync(folder)).toEqual([]);
});

test('a file that cannot be written, or read, is refused by name', async () => {
  const seed = join(FIXTURES, 'seed.csv');
  const refused = await runCli(['partitions', 'encode', seed, '-o', join(seed, 'table.bin')]);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.err).toContain(`${seed}/table.bin: file-unwritable: `);
  const missing = await runCli(['partitions', 'decode', join(folder, 'missing.bin')]);
  expect(missing).toMatchObject({ code: 2 });
  expect(missing.err).toContain('missing.bin: file-missing: ');
});
