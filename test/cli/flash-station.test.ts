/** `twostep flash --station` when the station is not there, or not any more: the board is not touched, or has everything. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BoardView } from '#api.ts';
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
