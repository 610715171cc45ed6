/** Where the file commands write to: files, links, pipes, and names that cannot be written. */
import { execFile, execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

const CSV = 'test/fixtures/partitions/seed.csv';
const TABLE = readFileSync('test/fixtures/partitions/seed.bin');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-outputs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const encodeTo = (path: string): ReturnType<typeof runCli> => runCli(['partitions', 'encode', CSV, '-o', path]);

test('a link stays one, and the file behind it is written', async () => {
  const [file, link] = [join(folder, 'table.bin'), join(folder, 'link.bin')];
  writeFileSync(file, 'old');
  symlinkSync(file, link);
  expect(await encodeTo(link)).toMatchObject({ code: 0 });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(Buffer.compare(readFileSync(file), TABLE)).toBe(0);
  expect(readdirSync(folder)).toEqual(['link.bin', 'table.bin']);
});

test.skipIf(process.platform === 'win32')('a pipe is written into, not replaced', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
  // A reader in the test itself could not be stopped when nothing comes.
  const reader = promisify(execFile)('cat', [pipe], { encoding: 'buffer', timeout: 3000 });
  const [result, { stdout }] = await Promise.all([encodeTo(pipe), reader]);
  expect(result).toMatchObject({ code: 0 });
  expect(Buffer.compare(stdout, TABLE)).toBe(0);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});

test('two outputs of one name are refused before either is written', async () => {
  const [payload, image] = [join(folder, 'payload.txt'), join(folder, 'image.bin')];
  writeFileSync(payload, 'data');
  const options = ['--chip', 'esp32', '-o', image, '--c-header', `${folder}/./image.bin`];
  const { code, err } = await runCli(['data', 'pack', payload, ...options]);
  expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(': file-twice: ') as string });
  expect(readdirSync(folder)).toEqual(['payload.txt']);
});
