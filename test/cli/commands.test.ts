/** The commands on a virtual board: what they do, what they say, what their exit code is. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { payload } from '../workflows/boards.ts';
import { BlockFiles } from '../../src/cli/block-files.ts';
import { type CliResult, runCli } from './run-cli.ts';

const BUILD = 'test/fixtures/release/idf-build';
const PASSWORD = 'two steps ahead';
const WIFI = ['--wifi-ssid', 'workshop', '--wifi-password-stdin'];

let folder: string;
let board: string;
let data: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-cli-'));
  board = join(folder, 'board.bin');
  data = join(folder, 'voices.bin');
  writeFileSync(data, payload(20_000));
});

afterEach(() => rmSync(folder, { recursive: true }));

const flash = (...more: string[]): string[] => ['flash', BUILD, '--port', `virtual:esp32@${board}`, ...more];

describe('flash', () => {
  test('brings a board onto the network, and says so', async () => {
    const { code, out } = await runCli(flash('--data', data, ...WIFI), { stdin: `${PASSWORD}\n` });
    expect(code).toBe(0);
    expect(out).toContain('Running, on the network as 192.168.1.57');
    expect(out).toContain('data slot ota_1 at 0x200000: "voices 2.4"');
    const after = readFileSync(board);
    expect(after.length).toBe(0x40_0000);
    expect(new Uint8Array(after.subarray(0x20_0020, 0x20_0020 + 20_000))).toEqual(payload(20_000));
  });

  test('--no-stub leaves the work to the ROM, and says so', async () => {
    const { code, records } = await runCli(flash('--json', '--no-stub', '--data', data, ...WIFI), { stdin: PASSWORD });
    expect(records.slice(0, 3).map(({ event }) => event)).toEqual(['release', 'rom-loader', 'board']);
    expect(records.at(-1)).toMatchObject({ event: 'done', address: '192.168.1.57' });
    expect(code).toBe(0);
    const after = new Uint8Array(readFileSync(board));
    expect(after.subarray(0x20_0020, 0x20_0020 + 20_000)).toEqual(payload(20_000));
    const again = await runCli(['identify', '--port', `virtual:esp32@${board}`, '--no-stub', '--json']);
    expect(again.records.map(({ event }) => event)).toEqual(['rom-loader', 'board', 'flash']);
  });

  test('never prints the password, in no form of output', async () => {
    const plain = await runCli(flash(...WIFI), { stdin: `${PASSWORD}\n` });
    const json = await runCli(flash('--json', ...WIFI), { stdin: `${PASSWORD}\n` });
    const terminal = await runCli(flash(...WIFI), { stdin: `${PASSWORD}\n`, tty: true });
    const wrong = await runCli(flash('--json', ...WIFI), { stdin: 'some other password\n' });
    for (const { out, err } of [plain, json, terminal]) expect(out + err).not.toContain(PASSWORD);
    expect(wrong.out + wrong.err).not.toContain('some other password');
    expect(wrong.code).toBe(1);
  });

  test('with --json tells everything as records', async () => {
    const { code, records } = await runCli(flash('--json', '--data', data, ...WIFI), { stdin: PASSWORD });
    expect(code).toBe(0);
    const events = records.map(({ event }) => event);
    expect(events.slice(0, 3)).toEqual(['release', 'board', 'plan']);
    expect(records.find(({ event }) => event === 'board')).toMatchObject({ chip: 'esp32', mac: '24:0a:c4:12:34:56' });
    expect(records.filter(({ event }) => event === 'verify')).toHaveLength(6);
    expect(records.at(-1)).toEqual({
      event: 'done',
      mac: '24:0a:c4:12:34:56',
      by: 'loaded-app',
      appOffset: 0x10_0000,
      address: '192.168.1.57',
    });
  });

  test('--plan shows what would be done and writes nothing', async () => {
    const { code, out } = await runCli(flash('--plan', '--data', data, '--before', 'classic'));
    expect(code).toBe(0);
    expect(out).toContain('0x100000');
    expect(new Uint8Array(readFileSync(board)).every((byte) => byte === 0xff)).toBe(true);
  });

  test('keeps the settings of the board, and takes a namespace of the user’s own', async () => {
    await runCli(flash(...WIFI), { stdin: PASSWORD });
    const own = await runCli(flash(...WIFI, '--wifi-store', 'cfg:net:pw'), { stdin: PASSWORD });
    expect(own.code).toBe(0);
    const nvs = new Uint8Array(readFileSync(board)).subarray(0x9000, 0xd000);
    const names = decodeNvs(nvs).entries.map(({ namespace, key }) => `${namespace}/${key}`);
    expect(names).toEqual(expect.arrayContaining(['nvs.net80211/sta.ssid', 'cfg/net', 'cfg/pw']));
  });

  test('with objections exits with 2 and touches nothing', async () => {
    const { code, out, err } = await runCli(['flash', BUILD, '--port', `virtual:esp32c3@${board}`]);
    expect(code).toBe(2);
    expect(out).toContain('Objection');
    expect(err).toContain('[plan-refused]');
    expect(new Uint8Array(readFileSync(board)).every((byte) => byte === 0xff)).toBe(true);
  });

  test('that is interrupted exits with 130, and the next run succeeds', async () => {
    const cut = await runCli(flash('--data', data), { interruptAt: 'Writing ota_0' });
    expect(cut.code).toBe(130);
    expect(cut.err).toContain('[aborted]');
    expect((await runCli(flash('--data', data))).code).toBe(0);
  });

  test('draws a bar on a terminal', async () => {
    const { out } = await runCli(flash('--data', data), { tty: true });
    expect(out).toMatch(/█+░* +\d+ %/);
  });

  test('leaves the board in its loader with --after none', async () => {
    const { code, out } = await runCli(flash('--after', 'none'));
    expect(code).toBe(0);
    expect(out).not.toContain('Restarting');
  });

  test.each([
    ['no such release', ['flash', 'nothing-here', '--port', 'virtual:esp32'], 'file-missing'],
    ['something that is no release', ['flash', 'README.md', '--port', 'virtual:esp32'], 'release-'],
    ['no such chip', ['flash', BUILD, '--port', 'virtual:esp8266'], 'virtual-chip'],
    ['no such data', [...['flash', BUILD, '--port', 'virtual:esp32'], '--data', 'nothing'], 'file-missing'],
    ['data without an end', [...['flash', BUILD, '--port', 'virtual:esp32'], '--data', '/dev/zero'], 'file-too-large'],
    ['a folder as data', [...['flash', BUILD, '--port', 'virtual:esp32'], '--data', 'src'], 'file-unreadable'],
    ['a port of no kind', ['flash', BUILD, '--port', 'ftp://host'], 'port-name'],
    [
      'a store without keys',
      ['flash', BUILD, '--port', 'virtual:esp32', '--wifi-ssid', 'a', '--wifi-store', 'x:y'],
      'wifi-bad-store',
    ],
    ['a password that does not come', ['flash', BUILD, '--port', 'virtual:esp32', ...WIFI], 'password-missing'],
    [
      'two releases at once',
      ['flash', BUILD, 'test/fixtures/release/arduino-build', '--port', 'virtual:esp32'],
      'several-releases',
    ],
    [
      'a flash file that cannot be',
      ['flash', BUILD, '--port', 'virtual:esp32@/no-such-folder/board.bin'],
      'flash-file',
    ],
    ['a store without a name', ['flash', BUILD, '--port', 'virtual:esp32', '--wifi-store', 'idf'], 'wifi-ssid-missing'],
    ['a bad rate', ['flash', BUILD, '--port', 'virtual:esp32', '--baud', 'fast'], 'baud'],
    [
      'a bad header setting',
      ['flash', BUILD, '--port', 'virtual:esp32', '--flash-header', 'mode=fast'],
      'flash-header',
    ],
    ['a CSV with a mistake', ['flash', BUILD, '--port', 'virtual:esp32', '--partitions', 'package.json'], 'partition-'],
  ])('refuses %s with exit code 2', async (_, args, code) => {
    const result = await runCli(args);
    expect(result.err).toContain(`[${code}`);
    expect(result.code).toBe(2);
  });

  test.each([
    ['an unknown option', ['flash', BUILD, '--port', 'virtual:esp32', '--force']],
    ['an unknown command', ['erase']],
    ['no port', ['flash', BUILD]],
    ['a value that is no choice', ['flash', BUILD, '--port', 'virtual:esp32', '--orientation', 'sideways']],
  ])('refuses %s with exit code 2', async (_, args) => {
    expect((await runCli(args)).code).toBe(2);
  });

  test('fails with 1 when there is no such port', async () => {
    const { code, err } = await runCli(['flash', BUILD, '--port', join(folder, 'ttyUSB9')]);
    expect(err).toContain('[port-missing]');
    expect(code).toBe(1);
  });
});

describe('identify', () => {
  test('tells what the board is and what it holds, without changing it', async () => {
    await runCli(flash('--data', data, ...WIFI), { stdin: PASSWORD });
    const before = readFileSync(board);
    const { code, out } = await runCli(['identify', '--port', `virtual:esp32@${board}`]);
    expect(code).toBe(0);
    for (const word of ['24:0a:c4:12:34:56', '4MB', 'demo_app 1.0.0', 'data "voices 2.4"', '7 settings'])
      expect(out).toContain(word);
    expect(Buffer.compare(readFileSync(board), before)).toBe(0);
  });

  test('tells names, not values, of settings in its record', async () => {
    await runCli(flash(...WIFI), { stdin: PASSWORD });
    const { records, out } = await runCli(['identify', '--json', '--port', `virtual:esp32@${board}`]);
    const state = records.find(({ event }) => event === 'flash') as { nvs: { keys: unknown[] } };
    expect(state.nvs.keys).toContainEqual({ namespace: 'nvs.net80211', key: 'sta.pswd', type: 'blob' });
    expect(out).not.toContain(PASSWORD);
  });

  test.each(['esp32', 'esp32s3', 'esp32c3', 'esp32s3+usb', 'esp32c3+usb'])('knows a blank virtual %s', async (name) => {
    const { code, out } = await runCli(['identify', '--port', `virtual:${name}`]);
    expect(code).toBe(0);
    expect(out).toContain('No partition table found');
  });
});

test('a mistake in the options is a record too with --json', async () => {
  const { code, records } = await runCli(['flash', BUILD, '--json']);
  expect(code).toBe(2);
  expect(records.at(-1)).toMatchObject({ event: 'error', code: 'commander.missingMandatoryOptionValue' });
});

test('help and version of what there is exit with 0', async () => {
  for (const args of [['--help'], ['--version'], ['flash', '--help'], ['identify', '--help'], ['virtual', '--help']]) {
    expect((await runCli(args)).code).toBe(0);
  }
});

describe('probe', () => {
  const MAC_FILE = '24-0a-c4-12-34-56';
  const kept = (): string[] => readdirSync(join(folder, 'twostep', 'measured'));
  const probe = (...more: string[]): Promise<CliResult> =>
    runCli(['probe', '--port', `virtual:esp32@${board}`, ...more], { env: { XDG_STATE_HOME: folder } });

  /** As after a command that was killed: some of what was in the block is erased, and its file is there. */
  async function killed(before: Uint8Array): Promise<void> {
    const offset = 0x3f_0000;
    await runCli(flash());
    const bytes = readFileSync(board);
    const loader = bytes.subarray(0x1000, 0x2000);
    const tripwire = { offset: 0x1000, length: 0x1000, digest: createHash('md5').update(loader).digest('hex') };
    const watched = [{ label: 'boot loader', offset: 0x1000, length: 0x7000, tripwire }];
    const block = { mac: '24:0a:c4:12:34:56', offset, size: before.length, before, watched };
    expect(await new BlockFiles(join(folder, 'twostep', 'measured')).hold(block)).toBe(true);
    bytes.set(before, offset);
    bytes.fill(0xff, offset, offset + 0x3000);
    writeFileSync(board, bytes);
  }

  test('reports what it measured, without the part of the MAC that is this board’s own, and restores the flash', async () => {
    await runCli(flash());
    const before = readFileSync(board);
    const { code, out } = await probe();
    expect(code).toBe(0);
    expect(out).toMatch(/921600 baud +writes/);
    expect(out).toContain('first line after');
    expect(out).not.toContain('12:34:56');
    expect(Buffer.compare(readFileSync(board), before)).toBe(0);
    expect(kept()).toEqual([]);
    const { records } = await probe('--json');
    expect(records.at(-1)).toMatchObject({ event: 'report', board: { chip: 'esp32', mac: '24:0a:c4:…' } });
  });

  test('first puts back what one that was killed had to leave, which nobody else could read meanwhile', async () => {
    const before = payload(0x1_0000);
    await killed(before);
    if (process.platform !== 'win32') {
      expect(statSync(join(folder, 'twostep', 'measured', `${MAC_FILE}.json`)).mode & 0o077).toBe(0);
    }
    const { code, records } = await probe('--json');
    expect(code).toBe(0);
    const events = records.map(({ event }) => event);
    expect(events.indexOf('put-back')).toBeGreaterThan(-1);
    expect(events.indexOf('put-back')).toBeLessThan(events.indexOf('report'));
    expect(new Uint8Array(readFileSync(board).subarray(0x3f_0000))).toEqual(before);
    expect(kept()).toEqual([]);
    expect((await probe('--json')).records.map(({ event }) => event)).not.toContain('put-back');
  });

  test('names what one that was killed may have hit besides, once', async () => {
    const before = payload(0x1_0000);
    await killed(before);
    const bytes = readFileSync(board);
    writeFileSync(board, bytes.fill(0xff, 0x1000, 0x2000));
    const { code, records } = await probe('--json');
    expect([code, records.at(-1)?.['code']]).toEqual([1, 'kept-in-doubt']);
    expect(new Uint8Array(readFileSync(board).subarray(0x3f_0000))).toEqual(before);
    expect((await probe()).code).toBe(0);
  });

  test('leaves what somebody else has written there since, and what was there before in a file', async () => {
    const before = payload(0x1_0000);
    await killed(before);
    const bytes = readFileSync(board);
    bytes.set(
      payload(0x4000).map((byte) => byte ^ 0x55),
      0x3f_0000,
    );
    writeFileSync(board, bytes);
    const { code, records } = await probe('--json');
    expect(code).toBe(0);
    const left = records.find(({ event }) => event === 'block-left');
    expect(new Uint8Array(readFileSync(String(left?.['file'])))).toEqual(before);
    expect(Buffer.compare(readFileSync(board), bytes)).toBe(0);
    expect(kept()).toEqual([`${MAC_FILE}-0x3f0000.bin`]);
  });

  test('goes on without a file where none can be kept, or where it is damaged', async () => {
    await killed(payload(0x1_0000));
    const file = join(folder, 'twostep', 'measured', `${MAC_FILE}.json`);
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(/"before":"./, (text) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0')),
    );
    expect((await probe('--json')).records.map(({ event }) => event)).not.toContain('put-back');
    const { code, err } = await runCli(['probe', '--port', `virtual:esp32@${board}`], {
      env: { XDG_STATE_HOME: board },
    });
    expect(code).toBe(0);
    expect(err).not.toBe('');
  });
});
