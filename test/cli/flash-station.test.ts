/** `twostep flash --station` when the station is not there, or not any more: the board is not touched, or has everything. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import * as v from 'valibot';
import { type BoardView, ProvisionedRequest } from '#api.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { StationClient } from '../../src/cli/station-client.ts';
import { type RealStation, startRealStation } from '../station/support/real-station.ts';
import { type CliInput, type CliResult, runCli } from './run-cli.ts';

const BUILD = 'test/fixtures/release/idf-build';

let folder: string;
let board: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-flash-station-'));
  board = join(folder, 'board.bin');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const flash = (args: string[], input: CliInput = {}): Promise<CliResult> =>
  runCli(['flash', BUILD, '--port', `virtual:esp32@${board}`, '--json', ...args], {
    env: { XDG_CACHE_HOME: folder },
    ...input,
  });

test.each([
  { station: 'bench', code: 'station-address' },
  { station: 'http://127.0.0.1:9/', code: 'station-unreachable' },
])('before anything is written, a station at $station is $code', async ({ station, code }) => {
  const result = await flash(['--station', station]);
  expect({ code: result.code, records: result.records }).toMatchObject({
    code: 2,
    records: [{ event: 'error', code }],
  });
  expect(existsSync(board)).toBe(false);
});

describe('with a station', () => {
  let station: RealStation;
  beforeEach(async () => {
    station = await startRealStation(folder);
  });
  afterEach(() => station.close());

  const kept = async (): Promise<BoardView[]> =>
    (await StationClient.connect({ url: station.url, signal: new AbortController().signal })).get('boards');

  test('that ends before the board is up, the flash is done, with a warning', async () => {
    let closing: Promise<void> | undefined;
    const { code, records } = await flash(['--station', station.url], {
      onOutput: (out) => {
        if (out.includes('"event":"write"')) closing ??= station.close();
      },
    });
    await closing;
    expect(code).toBe(0);
    expect(records.slice(-2)).toMatchObject([
      { event: 'warning', code: 'station-not-told', reason: 'station-unreachable' },
      { event: 'done' },
    ]);
  });

  test('nothing is told by --plan', async () => {
    expect((await flash(['--station', station.url, '--plan'])).code).toBe(0);
    expect(await kept()).toEqual([]);
  });

  test('a board without two slots is not told of', async () => {
    const table = join(folder, 'one-slot.csv');
    writeFileSync(table, 'nvs,data,nvs,0x9000,0x6000\notadata,data,ota,0xf000,0x2000\napp0,app,ota_0,0x20000,1M\n');
    const { code, records } = await flash(['--station', station.url, '--partitions', table]);
    expect(records.slice(-2)).toMatchObject([{ code: 'station-not-told', reason: 'no-two-slots' }, { event: 'done' }]);
    expect(code).toBe(0);
    expect(await kept()).toEqual([]);
  });

  test('what lies in a board that was left in its loader is known too', async () => {
    const { code } = await flash(['--station', station.url, '--after', 'none']);
    expect(code).toBe(0);
    expect(await kept()).toMatchObject([{ from: 'provisioned', running: 'PA', slots: [{ role: 'app' }, {}] }]);
  });
});

interface Told {
  path: string | undefined;
  cookie: string | undefined;
  body: string;
}

/** What looks like a station on another computer. `answers`: false for a path where it hangs. */
async function stationElsewhere(answers: (path: string) => boolean): Promise<{ url: string; told: Told[] }> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request;
    void text(request).then((body) => {
      told.push({ path, cookie: headers.cookie, body });
      if (!answers(path)) return;
      response.setHeader('Content-Type', 'application/json');
      if (path === '/api/pairing') response.setHeader('Set-Cookie', 'session=of-the-station; HttpOnly');
      response.end(JSON.stringify({ session: 'pair', boardsListener: {}, id: '1', name: 'board' }));
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, told };
}

test('a station that hangs is waited for no longer than it may take, and the flash is done', async () => {
  const { url } = await stationElsewhere((path) => path !== '/api/boards/provisioned');
  const soon = AbortSignal.timeout(1000);
  const limit = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(soon);
  onTestFinished(() => limit.mockRestore());
  const { code, records } = await flash(['--station', url], { typed: ['ABCD-EFGH'] });
  expect(records.slice(-2)).toMatchObject([
    { event: 'warning', code: 'station-not-told', reason: 'station-silent' },
    { event: 'done' },
  ]);
  expect(code).toBe(0);
});

test('at a terminal the code of a station elsewhere is asked for before the password, and both reach who they are for', async () => {
  const { url: station, told } = await stationElsewhere(() => true);
  const answers = { 'Code that the station printed: ': 'ABCD-EFGH', 'Wi-Fi password: ': 'two steps ahead' };
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const terminal = {
    write: (said: string) => {
      const answer = answers[said as keyof typeof answers];
      if (answer !== undefined) stdin.write(`${answer}\n`);
    },
  };
  const wifi = ['--wifi-ssid', 'workshop', '--wifi-password-stdin'];
  const args = ['flash', BUILD, '--port', `virtual:esp32@${board}`, ...wifi, '--station', station];
  const code = await runCommandLine(args, {
    streams: { out: terminal, err: terminal },
    stdin,
    env: { XDG_CACHE_HOME: folder },
    onInterrupt: () => undefined,
  });
  expect(code).toBe(0);
  expect(told.map(({ path, cookie }) => [path, cookie])).toEqual([
    ['/api/station', undefined],
    ['/api/pairing', undefined],
    ['/api/boards/provisioned', 'session=of-the-station'],
  ]);
  expect(told[1]?.body).toBe('{"code":"ABCD-EFGH"}');
  expect(v.is(ProvisionedRequest, JSON.parse(told[2]?.body ?? ''))).toBe(true);
  expect(told[2]?.body).not.toContain('two steps ahead');
}, 10_000);
