/** Every command of docs/product-files.md does what the page says, in its order, in one folder. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { appImage, bootloaderImage } from '../support/releases.ts';
import { payload } from '../workflows/boards.ts';
import { runCli } from './run-cli.ts';

const PAGE = readFileSync('docs/product-files.md', 'utf8');
const COMMANDS = [...PAGE.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'));
/** What a user would have at hand. */
const FILES: Record<string, string | Uint8Array> = {
  'partitions.csv': [
    'nvs, data, nvs, 0x9000, 0x6000',
    'otadata, data, ota, , 0x2000',
    'ota_0, app, ota_0, 0x100000, 1M',
    'ota_1, app, ota_1, , 1M',
  ].join('\n'),
  'settings.csv': 'key,type,encoding,value\nproduct,namespace,,\nname,data,string,Voice box\nobsolete,data,u8,1\n',
  'units-config.csv': 'product,namespace,\nserial,data,string\n',
  'units.csv': 'id,serial\n1,A-0001\n2,A-0002\n',
  'app.bin': appImage({ chip: 'esp32' }),
  'bootloader.bin': bootloaderImage('esp32'),
  'voices.bin': payload(5000).fill(0, 181, 182),
};

const before = process.cwd();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-product-'));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content);
  mkdirSync(join(folder, 'pictures'));
  cpSync(join(before, 'static', 'icon-192.png'), join(folder, 'pictures', 'icon.png'));
  process.chdir(folder);
});
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

test('the page has commands', () => {
  expect(COMMANDS.length).toBeGreaterThan(15);
});

test.each(COMMANDS)('%s', async (command) => {
  const [program, ...args] = command.split(' ');
  expect(program).toBe('twostep');
  const { code, err } = await runCli(args);
  expect(err.split('\n').filter((line) => line !== '' && !line.startsWith('warning: '))).toEqual([]);
  expect(code).toBe(0);
});
