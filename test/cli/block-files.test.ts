import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheFolder } from '../../src/cli/baud-memory.ts';
import { BlockFiles, stateFolder } from '../../src/cli/block-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-blocks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what is set aside overwrites nothing that was set aside before', async () => {
  const files = new BlockFiles(folder);
  const contents = [1, 2, 3].map((byte) => new Uint8Array(16).fill(byte));
  const paths: string[] = [];
  for (const before of contents) {
    const path = await files.setAside({ mac: '24:0a:c4:12:34:56', offset: 0x1000, size: 16, before, watched: [] });
    paths.push(path ?? '');
  }
  expect(paths.map((path) => new Uint8Array(readFileSync(path)))).toEqual(contents);
});

test.each([
  { what: 'blocks', folderOf: stateFolder, name: 'XDG_STATE_HOME' },
  { what: 'what is remembered', folderOf: cacheFolder, name: 'XDG_CACHE_HOME' },
])('the folder of $what is the named one, and never the one that a command is given in', ({ folderOf, name }) => {
  expect(folderOf({ [name]: folder })).toBe(join(folder, 'twostep'));
  expect(folderOf({ [name]: '', LOCALAPPDATA: '' }).startsWith(homedir())).toBe(true);
});
