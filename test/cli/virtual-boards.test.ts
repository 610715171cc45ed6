/** Virtual boards as a station finds them by itself: `twostep virtual --http` and `twostep serve --virtual-boards` beside each other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '#formats/bytes.ts';
import { type BoardView, type FoundBoard } from '#api.ts';
import { StationClient } from '../../src/cli/station-client.ts';
import { startRealStation } from '../station/support/real-station.ts';
import { appFor, flashWith } from '../sim/support/boot-flash.ts';
import { CliProcess } from '../support/cli-process.ts';
import { fixture } from '../workflows/boards.ts';
import { NetworkBoard } from './network-board.ts';
import { runCli } from './run-cli.ts';
import { makeVersion } from './update-versions.ts';

let folder: string;
const closing: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-virtual-boards-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

function start(...args: string[]): CliProcess {
  const child = new CliProcess(...args);
  closing.push(() => child.stop());
  return child;
}

const connect = (url: string): Promise<StationClient> =>
  StationClient.connect({ url, signal: new AbortController().signal });

/** @returns where it serves. */
async function startBoard(http: string): Promise<string> {
  const flash = join(folder, `${http.split(':')[0]}.bin`);
  writeFileSync(flash, flashWith({ content: { ota_0: appFor('esp32') } }));
  const options = ['--chip', 'esp32', '--flash', flash, '--speed', '20', '--firmware', 'seed'];
  const board = start('virtual', ...options, '--http', http);
  return (await board.next('online'))['http'] as string;
}

test('a station that was told of them finds two virtual boards by a scan', async () => {
  const first = await startBoard('127.0.0.71:0');
  const port = first.split(':')[1] ?? '';
  const second = await startBoard(`127.0.0.72:${port}`);
  const data = join(folder, 'station');
  const serve = start('serve', '--listen', '127.0.0.1:0', '--data', data, '--virtual-boards', port);
  const client = await connect((await serve.next('serving'))['url'] as string);
  const found = await client.post<FoundBoard[]>('boards/search', { how: 'scan' });
  expect(found.map(({ address, project, running }) => ({ address, project, running }))).toEqual(
    [first, second].map((address) => ({ address, project: 'two_slot_demo', running: 'PA' })),
  );
}, 20_000);

test('a board that the command line provisions is in the list of the station by its MAC, with what its slots hold', async () => {
  const mac = '24:0a:c4:00:00:75';
  const faces = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--http', '127.0.0.75:0'];
  const board = start('virtual', '--chip', 'esp32', '--mac', mac, '--speed', '20', '--firmware', 'seed', ...faces);
  const { uart, control, http } = (await board.next('listening')) as unknown as Record<string, string>;
  const port = `tcp://${uart}?control=${control!.split(':')[1]}`;
  const data = join(folder, 'station');
  const where = ['--listen', '127.0.0.1:0', '--data', data, '--virtual-boards', http!.split(':')[1]!];
  const url = (await start('serve', ...where).next('serving'))['url'] as string;

  const build = 'test/fixtures/release/idf-build';
  // With a network to join, the flash ends when the board has told its address.
  const wifi = ['--wifi-ssid', 'workshop', '--wifi-password-stdin'];
  const args = ['flash', build, '--data', 'package.json', '--port', port, '--station', url, ...wifi, '--json'];
  const { code, records } = await runCli(args, { stdin: 'two steps ahead', env: { XDG_CACHE_HOME: folder } });
  expect(code).toBe(0);
  const client = await connect(url);
  const boards = await client.get<BoardView[]>('boards');
  expect(boards).toMatchObject([{ mac, name: mac, chip: 'esp32', from: 'provisioned', address: http, running: 'PA' }]);
  const [{ id, slots }] = boards as [BoardView];
  expect(slots).toMatchObject([
    { slot: 'PA', role: 'app', version: '1.0.0', sha256: toHex(sha256(fixture('release/idf-build/app.bin'))) },
    { slot: 'PB', role: 'data', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
  ]);
  expect(records.slice(-2)).toMatchObject([
    { event: 'station', board: id, mac },
    { event: 'done', mac },
  ]);
  // Found on the network it is the same board.
  await board.next('online');
  expect(await client.post('boards/search', { how: 'scan' })).toMatchObject([{ address: http, id }]);
}, 30_000);

test('a board that has another address after its restart is found again, and its run goes on', async () => {
  const [old, next] = [makeVersion('1.0.0'), makeVersion('2.0.0')];
  const board = await NetworkBoard.start({ http: '127.0.0.73:0', holds: old, faults: 'new-address:127.0.0.74' });
  closing.push(() => board.stop());
  const release = join(folder, 'new.twostep.zip');
  writeFileSync(release, next.file);
  const port = board.address.split(':')[1] ?? '';
  const times = { quiet: 300, waiting: 5000, stalled: 5000, brokenOff: 800, arriving: 1000, searching: 5000 };
  const station = await startRealStation(folder, { virtualBoards: Number(port), times });
  closing.push(() => station.close());
  const args = ['--yes', '--agree', 'no-way-back', '--on-failure', 'stop', '--station', station.url];
  const { code } = await runCli(['update', release, '--board', board.address, '--json', ...args], {
    env: { XDG_CACHE_HOME: folder },
  });
  expect(code).toBe(0);
  expect(board.holds('ota_1', next.app) && board.holds('ota_0', next.data)).toBe(true);
  const boards = await (await connect(station.url)).get<BoardView[]>('boards');
  expect(boards).toMatchObject([{ address: `127.0.0.74:${port}`, running: 'PB' }]);
}, 20_000);
