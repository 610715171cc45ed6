/** `twostep update` against virtual boards with seed firmware, each at a loopback address of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeBackup } from '#formats/backup/backup-writer.ts';
import { equalBytes } from '#formats/bytes.ts';
import { stretchOf } from '../formats/backup/backup-arbitrary.ts';
import { type RealStation, startRealStation } from '../station/support/real-station.ts';
import { lockOwnStation } from '../../src/cli/update/own-station-lock.ts';
import { NetworkBoard, type NetworkBoardOptions } from './network-board.ts';
import { type CliInput, type CliResult, runCli } from './run-cli.ts';
import { makeVersion, PARTITIONS, type Version } from './update-versions.ts';

const VERSIONS = { old: makeVersion('1.0.0'), new: makeVersion('2.0.0'), newer: makeVersion('3.0.0') };
const { old: OLD, new: NEW, newer: NEWER } = VERSIONS;

let folder: string;
const boards: NetworkBoard[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-update-'));
  for (const [name, { file }] of Object.entries(VERSIONS)) writeFileSync(releasePath(name), file);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const board of boards.splice(0)) board.stop();
});

const releasePath = (name: string): string => join(folder, `${name}.twostep.zip`);

async function startBoard(host: string, options: Partial<NetworkBoardOptions> = {}): Promise<NetworkBoard> {
  const board = await NetworkBoard.start({ http: `${host}:0`, holds: OLD, ...options });
  boards.push(board);
  return board;
}

/** The update of these boards, with nothing left to ask unless `args` say otherwise. */
function update(on: readonly NetworkBoard[], args: string[] = [], input: CliInput = {}): Promise<CliResult> {
  const where = args.includes('--station') ? [] : ['--boards-listen', '127.0.0.1:0'];
  const [release, ...more] = args[0]?.startsWith('-') === false ? args : [releasePath('new'), ...args];
  const addresses = on.map(({ address }) => address);
  const env = { XDG_CACHE_HOME: join(folder, 'cache'), ...input.env };
  return runCli(['update', release ?? '', '--board', ...addresses, '--json', ...where, ...more], { ...input, env });
}

/** Enough for boards that are fifty times faster, on a machine that has other things to do. */
const TIMES = { quiet: 300, waiting: 5000, stalled: 5000, brokenOff: 800, arriving: 5000, searching: 2000 };

const AGREED = ['--yes', '--agree', 'no-way-back'];
const outcomes = ({ records }: CliResult): unknown[] =>
  records.filter(({ event }) => event === 'outcome').map(({ outcome }) => outcome);
const errorOf = ({ records }: CliResult): unknown => records.find(({ event }) => event === 'error')?.['code'];

/** App in `ota_1`, data in `ota_0`: the slots have changed their roles. */
const isSwapped = (board: NetworkBoard, { app, data }: Version): boolean =>
  board.holds('ota_1', app) && board.holds('ota_0', data);

describe('with a station of its own', () => {
  test('a board gets the new app, then the new data, and nothing else of its flash changes', async () => {
    const board = await startBoard('127.0.0.21');
    const before = board.flash.slice();
    const result = await update([board], [...AGREED, '--on-failure', 'stop']);
    expect(result.code).toBe(0);
    expect(isSwapped(board, NEW)).toBe(true);
    // What stays: everything but the slots and which of them starts.
    const written = new Set(['otadata', 'ota_0', 'ota_1']);
    for (const { offset, size } of PARTITIONS.filter(({ name }) => written.has(name))) {
      before.set(board.flash.subarray(offset, offset + size), offset);
    }
    expect(equalBytes(board.flash, before)).toBe(true);
    const events = result.records.map(({ event }) => event);
    expect(events.slice(0, 2)).toEqual(['plan', 'listening']);
    expect(events.slice(-2)).toEqual(['outcome', 'done']);
    expect(outcomes(result)).toEqual(['complete']);
    expect(new Set(events)).toEqual(new Set(['plan', 'listening', 'update', 'progress', 'outcome', 'done']));
  }, 20_000);

  test('--plan shows it and touches nothing, with nobody at a terminal', async () => {
    const board = await startBoard('127.0.0.22');
    const before = board.flash.slice();
    const result = await update([board], ['--plan']);
    expect(result.code).toBe(0);
    expect(result.records).toMatchObject([
      { event: 'plan', steps: ['app', 'data'], consents: [{ code: 'no-way-back' }] },
    ]);
    expect(equalBytes(board.flash, before)).toBe(true);
  });

  test('the release that the board has is the way back', async () => {
    const board = await startBoard('127.0.0.23');
    const result = await update([board], ['--plan', '--old-release', releasePath('old')]);
    expect(result.records).toMatchObject([{ event: 'plan', consents: [], wayBack: { size: OLD.data.length } }]);
  });

  test('a backup of the board is the way back', async () => {
    const board = await startBoard('127.0.0.61');
    const file = join(folder, 'board.backup');
    const range = { offset: 0, length: board.flash.length };
    const manifest = {
      ...{ created: '2026-07-31T12:00:00.000Z', chip: 'esp32' as const, description: 'ESP32', notes: [] },
      ...{ flashSize: range.length, flashEncryption: 'off' as const, ranges: [range] },
      table: { offset: 0x8000, partitions: PARTITIONS },
    };
    writeFileSync(file, encodeBackup({ manifest, stretches: [stretchOf(0, board.flash.slice())] }));
    const result = await update([board], ['--plan', '--old-release', file]);
    expect(result.records).toMatchObject([{ event: 'plan', consents: [], wayBack: { size: OLD.data.length } }]);
  });

  test('of two releases with the same app, the one with the data that the board shows is the way back', async () => {
    const board = await startBoard('127.0.0.35');
    const [old, other] = [join(folder, 'old.bin'), join(folder, 'other.bin')];
    writeFileSync(old, 'data 1.0.0 of its own');
    writeFileSync(other, 'other data');
    const had = ['--old-release', releasePath('old'), '--old-data', old];
    const result = await update([board], [releasePath('old'), '--data', other, '--plan', ...had]);
    expect(result.records).toMatchObject([{ event: 'plan', consents: [], wayBack: { size: 1024 } }]);
  });

  test('new data that only begin like those of the board are no way back', async () => {
    const board = await startBoard('127.0.0.38');
    const [own, other] = [join(folder, 'own.bin'), join(folder, 'like.bin')];
    writeFileSync(own, OLD.data);
    writeFileSync(other, 'data 1.0.0, or so it seems');
    const plan = [releasePath('old'), '--data', other, '--plan'];
    const unknown = await update([board], plan);
    expect(unknown.records).toMatchObject([{ event: 'plan', consents: [{ code: 'no-way-back' }] }]);
    expect(unknown.records[0]).not.toHaveProperty('wayBack');
    // Named as those that the board has, others are.
    const named = await update([board], [...plan, '--old-release', releasePath('old'), '--old-data', own]);
    expect(named.records).toMatchObject([{ event: 'plan', consents: [], wayBack: { size: OLD.data.length } }]);
  });

  test('Ctrl-C stops the run, leaves the board, and says what it holds', async () => {
    const board = await startBoard('127.0.0.24', { faults: 'stall:90000:600000' });
    const result = await update([board], [...AGREED, '--on-failure', 'retry:3'], { interruptAt: '"at":"downloading"' });
    expect(result.code).toBe(130);
    expect(outcomes(result)).toEqual(['left']);
    expect(result.records.at(-2)).toMatchObject({
      event: 'outcome',
      slots: [{ slot: 'PA', role: 'app' }, { slot: 'PB' }],
    });
    expect(errorOf(result)).toBe('aborted');
    expect(board.holds('ota_0', OLD.app)).toBe(true);
    expect(board.holds('ota_1', OLD.data)).toBe(false);
  }, 20_000);
});

describe('is refused before anything is asked of a board', () => {
  test('while another command is a station', async () => {
    const board = await startBoard('127.0.0.60');
    const unlock = lockOwnStation(join(folder, 'cache', 'twostep'));
    const refused = await update([board], [...AGREED, '--on-failure', 'stop']);
    unlock();
    expect([refused.code, errorOf(refused)]).toEqual([2, 'update-running']);
    expect((await update([board], ['--plan'])).code).toBe(0);
  });

  let board: NetworkBoard;
  beforeEach(async () => {
    board = await startBoard('127.0.0.25');
  });

  test.each([
    { what: 'nobody to agree', args: ['--on-failure', 'stop'], code: 'needs-terminal' },
    { what: 'nobody to decide', args: ['--yes'], code: 'needs-terminal' },
    { what: 'no way back', args: ['--yes', '--on-failure', 'stop'], code: 'not-agreed' },
    { what: 'no release', args: ['/nowhere.zip', '--plan'], code: 'file-missing' },
    { what: 'no data file', args: ['--plan', '--data', '/nowhere.bin'], code: 'file-missing' },
    { what: 'no old release', args: ['--plan', '--old-release', '/nowhere.zip'], code: 'file-missing' },
    { what: 'a name', args: ['--plan', '--board', 'board.local'], code: 'address-refused' },
    { what: 'a public address', args: ['--plan', '--board', '192.0.2.1'], code: 'address-refused' },
    { what: 'nobody there', args: ['--plan', '--board', '127.0.0.250'], code: 'plan-refused' },
    { what: 'no listener', args: ['--plan', '--boards-listen', 'bench:1'], code: 'boards-listen' },
    { what: 'no policy', args: ['--on-failure', 'panic'], code: 'commander.invalidArgument' },
    { what: 'no number', args: ['--on-failure', 'retry:0'], code: 'commander.invalidArgument' },
    { what: 'stop with a number', args: ['--on-failure', 'stop:2'], code: 'commander.invalidArgument' },
    { what: 'none at once', args: ['--at-once', '0'], code: 'commander.invalidArgument' },
    { what: 'fewer than none', args: ['--test-group', '-1'], code: 'commander.invalidArgument' },
    { what: 'no failure to stop after', args: ['--stop-after', '0'], code: 'commander.invalidArgument' },
    { what: 'a step that there is not', args: ['--only', 'restore'], code: 'commander.invalidArgument' },
    { what: 'no URL', args: ['--plan', '--station', 'bench'], code: 'station-address' },
    { what: 'no station', args: ['--plan', '--station', 'http://127.0.0.1:9/'], code: 'station-unreachable' },
  ])('$what: $code', async ({ args, code }) => {
    const before = board.flash.slice();
    const result = await update([board], args);
    expect(errorOf(result)).toBe(code);
    expect(result.code).toBe(2);
    expect(equalBytes(board.flash, before)).toBe(true);
  });

  test('by somebody who says no', async () => {
    const before = board.flash.slice();
    for (const typed of [['n'], ['y', 'n'], ['y', 'y', 'n'], []]) {
      const result = await update([board], [], { typed });
      expect({ typed, code: result.code, error: errorOf(result) }).toEqual({ typed, code: 2, error: 'not-agreed' });
    }
    expect(equalBytes(board.flash, before)).toBe(true);
  });

  test('what answers there is no station', async () => {
    const server = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const result = await update([board], ['--plan', '--station', `http://127.0.0.1:${port}`]);
    server.close();
    expect({ code: result.code, error: errorOf(result) }).toEqual({ code: 2, error: 'station-unknown' });
  });
});

describe('with a station that is there', () => {
  let data: string;
  let station: RealStation;
  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'twostep-update-station-'));
    station = await startRealStation(data, { times: TIMES });
  });
  afterEach(async () => {
    await station.close();
    rmSync(data, { recursive: true, force: true });
  });

  const at = (...args: string[]): string[] => [...args, '--station', station.url];

  test('the second update swaps the slots back, and knows the way back from the first', async () => {
    const board = await startBoard('127.0.0.26');
    expect((await update([board], at(...AGREED, '--on-failure', 'stop'))).code).toBe(0);
    const result = await update([board], at(releasePath('newer'), '--yes', '--on-failure', 'stop'));
    expect(outcomes(result)).toEqual(['complete']);
    expect(result.records[0]).toMatchObject({ event: 'plan', consents: [], wayBack: { size: NEW.data.length } });
    expect(board.holds('ota_0', NEWER.app)).toBe(true);
    expect(board.holds('ota_1', NEWER.data)).toBe(true);
  }, 20_000);

  test.each([
    { policy: 'retry:1', faults: 'cut:90000', ends: 'complete', error: undefined },
    { policy: 'retry:1', faults: 'cut:90000,cut:120000', ends: 'left', error: 'update-incomplete' },
    { policy: 'stop', faults: 'cut:90000', ends: 'left', error: 'update-incomplete' },
    { policy: 'restore', faults: 'cut:90000', ends: 'restored', error: 'update-incomplete' },
  ])(
    '$policy after $faults: $ends',
    async ({ policy, faults, ends, error }) => {
      const board = await startBoard('127.0.0.27', { faults });
      const result = await update([board], at('--yes', '--on-failure', policy, '--old-release', releasePath('old')));
      expect(outcomes(result)).toEqual([ends]);
      expect(errorOf(result)).toBe(error);
      expect(result.code).toBe(error === undefined ? 0 : 1);
      expect(isSwapped(board, NEW)).toBe(ends === 'complete');
      expect(board.holds('ota_0', OLD.app) && board.holds('ota_1', OLD.data)).toBe(ends === 'restored');
    },
    20_000,
  );

  test.each(['cut', 'restart', 'power-cut'])(
    '%s in the first range: broken off, and not refused',
    async (fault) => {
      const board = await startBoard('127.0.0.39', { faults: `${fault}:10000` });
      const stopped = await update([board], at(...AGREED), { typed: [] });
      expect(outcomes(stopped)).toEqual(['left']);
      const failures = stopped.records.flatMap(
        ({ position }) => (position as { failure?: string } | undefined)?.failure ?? [],
      );
      expect(new Set(failures)).toEqual(new Set(['broken-off']));
    },
    20_000,
  );

  // The station has sent all of it by then; only the board knows how much it has.
  test.each(['cut', 'drop', 'restart', 'power-cut'])(
    '%s in the last range of the data: not complete, until it is tried again',
    async (fault) => {
      const inLastRange = NEW.app.length + NEW.data.length - 10_000;
      const board = await startBoard('127.0.0.37', { faults: `${fault}:${inLastRange}` });
      const stopped = await update([board], at(...AGREED, '--on-failure', 'stop'));
      expect(outcomes(stopped)).toEqual(['left']);
      expect(board.holds('ota_1', NEW.app)).toBe(true);
      expect(board.holds('ota_0', NEW.data)).toBe(false);
      const again = await update([board], at(...AGREED, '--only', 'data', '--on-failure', 'stop'));
      expect(outcomes(again)).toEqual(['complete']);
      expect(isSwapped(board, NEW)).toBe(true);
    },
    30_000,
  );

  test('a failure is decided at the terminal, in words that are offered', async () => {
    const board = await startBoard('127.0.0.28', { faults: 'cut:90000' });
    const typed = ['y', 'y', 'y', 'restore', 'again', 'retry'];
    const result = await update([board], at(), { typed });
    expect(result.code).toBe(0);
    expect(isSwapped(board, NEW)).toBe(true);
    expect(result.err.match(/retry, leave/g)).toHaveLength(3);
  }, 20_000);

  test('at the end of what is typed the board is left', async () => {
    const board = await startBoard('127.0.0.29', { faults: 'cut:90000' });
    const result = await update([board], at(...AGREED), { typed: [] });
    expect(outcomes(result)).toEqual(['left']);
    expect(result.code).toBe(1);
  }, 20_000);

  test('Ctrl-C leaves the run to the station', async () => {
    const board = await startBoard('127.0.0.30', { faults: 'slow:1000:2000:5' });
    const input = { interruptAt: '"at":"downloading"' };
    const result = await update([board], at(...AGREED, '--on-failure', 'retry:3'), input);
    expect({ code: result.code, error: errorOf(result) }).toEqual({ code: 130, error: 'aborted' });
    await expect.poll(() => isSwapped(board, NEW), { timeout: 15_000 }).toBe(true);
  }, 20_000);

  test('a station that is started anew is followed further', async () => {
    const board = await startBoard('127.0.0.31', { faults: 'slow:1000:2000:5' });
    const port = Number(new URL(station.url).port);
    let restarted: Promise<void> | undefined;
    const restart = async (): Promise<void> => {
      await station.close();
      station = await startRealStation(data, { port, times: TIMES });
    };
    const result = await update([board], at(...AGREED, '--on-failure', 'retry:3'), {
      onOutput: (out) => {
        if (out.includes('"at":"downloading"')) restarted ??= restart();
      },
    });
    await restarted;
    expect(restarted).toBeDefined();
    expect(result.code).toBe(0);
    expect(isSwapped(board, NEW)).toBe(true);
  }, 20_000);

  test('a terminal has one line for several boards, with how far each of them is', async () => {
    const faults = 'slow:1000:2000:5';
    const several = [await startBoard('127.0.0.36', { faults }), await startBoard('127.0.0.37', { faults })];
    const addresses = several.map(({ address }) => address);
    const together = [...AGREED, '--on-failure', 'stop', '--test-group', '0'];
    const command = ['update', releasePath('new'), '--board', ...addresses, ...at(...together)];
    const { code, out } = await runCli(command, { tty: true, env: { XDG_CACHE_HOME: join(folder, 'cache') } });
    expect(code).toBe(0);
    for (const address of addresses) {
      expect(out).toMatch(new RegExp(`0 of 2 boards done.* ${address} app [1-9]\\d? %`));
      expect(out).toMatch(new RegExp(`of 2 boards done.* ${address} data [1-9]\\d? %`));
    }
    expect(out.split('\n').at(-1)).toBe('');
    expect((await runCli(command)).out).not.toContain('boards done');
  }, 20_000);

  test('of several boards the test group goes first, and holds the others back when it fails', async () => {
    const first = await startBoard('127.0.0.32', { faults: 'cut:90000' });
    const others = [await startBoard('127.0.0.33'), await startBoard('127.0.0.34')];
    const before = others.map(({ flash }) => flash.slice());
    const args = at(...AGREED, '--on-failure', 'stop');
    const failed = await update([first, ...others], args);
    expect(outcomes(failed)).toEqual(['left', 'held', 'held']);
    // How far each of several is would be no news for a machine, which reads the station's events for that.
    expect(failed.records.map(({ event }) => event)).not.toContain('progress');
    expect(failed.code).toBe(1);
    expect(others.map(({ flash }, place) => equalBytes(flash, before[place]!))).toEqual([true, true]);

    const again = await update([first, ...others, first], args);
    expect(outcomes(again)).toEqual(['complete', 'complete', 'complete']);
    expect([first, ...others].every((board) => isSwapped(board, NEW))).toBe(true);
  }, 30_000);
});
