import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAX_UPLOAD, type ReleaseView } from '#api.ts';
import { type Release } from '#formats/release/release.ts';
import { ReleaseFolder } from '../../src/station/releases/release-folder.ts';
import { type ReleaseLibrary } from '../../src/station/releases/release-library.ts';
import { ReleaseCache } from '../../src/station/releases/release-cache.ts';
import { appImage } from '../support/releases.ts';
import { releaseFile, StationRig } from './support/station-rig.ts';

let rig: StationRig;

describe('uploads', () => {
  beforeEach(async () => {
    rig = await StationRig.start();
    await rig.session();
  });
  afterEach(() => rig.end());

  const upload = (name: string, body: Uint8Array) =>
    rig.ask<{ error: string; detail: string }>('POST', `/api/releases?name=${encodeURIComponent(name)}`, { body });

  test('a release is told by what is in it', async () => {
    const view = await rig.upload('2.0.0');
    expect(view).toMatchObject({
      name: 'Voice box',
      version: '2.0.0',
      builds: [{ chip: 'esp32', app: { project: 'voice_box', version: '2.0.0' }, data: { name: 'voices.bin' } }],
    });
    expect(await rig.get<ReleaseView[]>('GET', '/api/releases')).toEqual([view]);
  });

  test('the same file is the same release, also after a restart', async () => {
    const first = await rig.upload('2.0.0');
    await rig.station.close();
    await rig.open();
    expect(await rig.upload('2.0.0')).toEqual(first);
    expect(readdirSync(join(rig.data, 'releases'))).toEqual([first.id]);
  });

  test('names are names, never paths', async () => {
    const view = await rig.get<ReleaseView>(
      'POST',
      '/api/releases?name=..%2F..%2Fetc%2Fevil%0A.bin',
      appImage({ chip: 'esp32' }),
    );
    expect(view.builds[0]?.app.name).toBe('evil.bin');
    expect(readdirSync(join(rig.data, 'releases'))).toEqual([view.id]);
    for (const name of ['', '/', 'x'.repeat(300)]) {
      expect((await upload(name, new Uint8Array(9))).status).toBe(400);
    }
  });

  test('what is none is refused, with the reason, and leaves nothing', async () => {
    const whole = releaseFile('2.0.0');
    const damaged = appImage({ chip: 'esp32' });
    damaged[100] = damaged[100]! ^ 1;
    const files = {
      'text.txt': new TextEncoder().encode('hello'),
      'zeros.bin': new Uint8Array(5000),
      'cut.zip': whole.subarray(0, whole.length / 2),
      'damaged.bin': damaged,
    };
    for (const [name, bytes] of Object.entries(files)) {
      const { status, body } = await upload(name, bytes);
      expect([status, body.error]).toEqual([422, 'release-refused']);
      expect(body.detail).toMatch(/^[a-z]+(-[a-z0-9]+)+: ./);
    }
    expect(readdirSync(join(rig.data, 'releases'))).toEqual([]);
  });

  test('an empty file, and one as JSON', async () => {
    expect((await upload('x.bin', new Uint8Array())).status).toBe(400);
    expect((await rig.ask('POST', '/api/releases?name=x', { body: { a: 1 } })).status).toBe(400);
    expect((await rig.ask('POST', '/api/releases?name=x')).status).toBe(400);
  });

  test('a file that was changed behind the back of the station is not given to boards', async () => {
    const { id } = await rig.upload('2.0.0');
    rig.lan.add('192.168.7.50');
    const board = await rig.addBoard('192.168.7.50');
    await rig.station.close();
    writeFileSync(join(rig.data, 'releases', id), releaseFile('3.0.0'));
    writeFileSync(join(rig.data, 'releases', 'left-over.part'), 'x');
    await rig.open();
    const answer = await rig.ask('POST', '/api/updates/plan', { body: { release: id, boards: [board.id] } });
    expect(answer).toMatchObject({ status: 500, body: { error: 'station-failed' } });
    expect(readdirSync(join(rig.data, 'releases'))).toEqual([id]);
  });
});

describe('a folder of releases', () => {
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-releases-'));
    writeFileSync(join(folder, 'one.zip'), releaseFile('1.0.0'));
    writeFileSync(join(folder, 'notes.txt'), 'hello');
    writeFileSync(join(folder, '.hidden.zip'), releaseFile('0.9.0'));
    mkdirSync(join(folder, 'sub'));
    rig = await StationRig.start({ releasesFolder: folder });
    await rig.session();
  });
  afterEach(async () => {
    await rig.end();
    rmSync(folder, { recursive: true, force: true });
  });
  const versions = async () =>
    (await rig.get<ReleaseView[]>('GET', '/api/releases')).map(({ version }) => version).sort();

  test('the name of a file controls no terminal', async () => {
    writeFileSync(join(folder, '\u001b[2Jcleared\u009b.bin'), 'x');
    const line = async () => (await rig.pass(5000), rig.said.find((said) => said.includes('cleared')));
    await expect.poll(line).toBeDefined();
    expect(await line()).not.toMatch(/\p{Cc}/u);
  });

  test('what is there is taken, and what is none is said once', async () => {
    expect(await versions()).toEqual(['1.0.0']);
    const named = () => rig.said.map((line) => line.split(' ')[0]).toSorted();
    expect(named()).toEqual(['notes.txt', 'sub']);
    await rig.pass(20_000);
    expect(named()).toEqual(['notes.txt', 'sub']);
  });

  const BUILD = 'test/fixtures/release/idf-build';
  const about = (name: string) => rig.said.filter((line) => line.startsWith(`${name} is not taken: `));
  const fromBuilds = async () =>
    (await rig.get<ReleaseView[]>('GET', '/api/releases')).filter(({ name }) => name !== 'Voice box');

  test('a build folder is a release, and the same one at the next start, whatever else was built', async () => {
    cpSync(BUILD, join(folder, 'build'), { recursive: true });
    await rig.station.close();
    await rig.open();
    const before = await fromBuilds();
    expect(before).toMatchObject([{ builds: [{ app: { name: 'app.bin' } }] }]);
    writeFileSync(join(folder, 'build', 'app.elf'), new Uint8Array(100_000));
    writeFileSync(join(folder, 'build', 'compile_commands.json'), '[]');
    await rig.station.close();
    await rig.open();
    expect(await fromBuilds()).toEqual(before);
    expect(about('build')).toEqual([]);
  });

  test('a build folder is taken once it is whole, and again when it is built anew', async () => {
    const taken: string[] = [];
    const library = { add: async (name: string) => void taken.push(name) } as unknown as ReleaseLibrary;
    const said: string[] = [];
    const watched = mkdtempSync(join(tmpdir(), 'twostep-builds-'));
    const looking = await ReleaseFolder.open({
      ...{ folder: watched, library, clock: rig.clock, log: (line: string) => said.push(line) },
    });
    const build = join(watched, 'build');
    cpSync(BUILD, build, { recursive: true });
    // A file in a folder of its own is still being written while nothing else changes.
    const part = join(build, 'bootloader', 'bootloader.bin');
    const whole = readFileSync(part);
    for (const arrived of [100, 200, 300, whole.length]) {
      writeFileSync(part, whole.subarray(0, arrived));
      await looking.look();
      expect(taken).toEqual([]);
    }
    for (let looks = 0; looks < 3; looks++) await looking.look();
    expect(taken).toEqual(['build.twostep.zip']);
    writeFileSync(join(build, 'ota_data_initial.bin'), new Uint8Array(0x2000).fill(0xff));
    await looking.look();
    await looking.look();
    expect(taken).toEqual(['build.twostep.zip', 'build.twostep.zip']);
    expect(said).toEqual([]);
    looking.close();
    rmSync(watched, { recursive: true });
  });

  test('folders that are no release are named, once, and the others are taken', async () => {
    cpSync(BUILD, join(folder, 'broken'), { recursive: true });
    rmSync(join(folder, 'broken', 'app.bin'));
    cpSync(BUILD, join(folder, 'whole'), { recursive: true });
    mkdirSync(join(folder, 'texts'));
    writeFileSync(join(folder, 'texts', 'notes.txt'), 'hello');
    cpSync(BUILD, join(folder, 'large'), { recursive: true });
    truncateSync(join(folder, 'large', 'app.bin'), MAX_UPLOAD + 1);
    await expect.poll(async () => (await rig.pass(5000), fromBuilds())).toHaveLength(1);
    await rig.pass(20_000);
    expect(about('broken')).toEqual([expect.stringContaining('release-missing-file')]);
    expect(about('large')).toEqual(['large is not taken: too-large']);
    expect(about('texts')).toHaveLength(1);
    expect(about('sub')).toHaveLength(1);
    expect(about('whole')).toEqual([]);
  });

  test.skipIf(process.platform === 'win32')('what links lead to outside of a build folder is not taken', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'twostep-elsewhere-'));
    cpSync(BUILD, elsewhere, { recursive: true });
    for (const [name, linked] of [
      ['linked-file', 'bootloader/bootloader.bin'],
      ['linked-folder', 'bootloader'],
    ] as const) {
      cpSync(BUILD, join(folder, name), { recursive: true });
      rmSync(join(folder, name, linked), { recursive: true });
      symlinkSync(join(elsewhere, linked), join(folder, name, linked));
    }
    cpSync(BUILD, join(folder, 'inside'), { recursive: true });
    const loader = join(folder, 'inside', 'bootloader', 'bootloader.bin');
    cpSync(loader, `${loader}.real`);
    rmSync(loader);
    symlinkSync('bootloader.bin.real', loader);
    await expect.poll(async () => (await rig.pass(5000), fromBuilds())).toHaveLength(1);
    await rig.pass(20_000);
    expect([about('linked-file'), about('linked-folder'), about('inside')].map(({ length }) => length)).toEqual([
      1, 1, 0,
    ]);
    rmSync(elsewhere, { recursive: true });
  });

  test('what comes is taken once it is whole; what goes stays', async () => {
    const bytes = releaseFile('2.0.0');
    writeFileSync(join(folder, 'two.zip'), bytes.subarray(0, 1000));
    await rig.pass(5500);
    writeFileSync(join(folder, 'two.zip'), bytes);
    rmSync(join(folder, 'one.zip'));
    await expect.poll(async () => (await rig.pass(5000), versions())).toEqual(['1.0.0', '2.0.0']);
    expect(rig.said.filter((line) => line.includes('two.zip'))).toEqual([]);
  });

  test('one that cannot be read is no folder of releases', async () => {
    await rig.station.close();
    rmSync(folder, { recursive: true });
    await expect(rig.open()).rejects.toMatchObject({ code: 'releases-unreadable' });
    mkdirSync(folder);
    await rig.open();
  });
});

test('releases that were read are kept up to a limit, those that were used last', () => {
  const cache = new ReleaseCache(100);
  const release = (name: string) => ({ name }) as Release;
  cache.put('a', release('a'), 40);
  cache.put('b', release('b'), 40);
  expect(cache.get('a')?.name).toBe('a');
  cache.put('c', release('c'), 40);
  expect(['a', 'b', 'c'].map((id) => cache.get(id)?.name)).toEqual(['a', undefined, 'c']);
  cache.put('large', release('large'), 1000);
  expect(['a', 'c', 'large'].map((id) => cache.get(id)?.name)).toEqual([undefined, undefined, 'large']);
});
