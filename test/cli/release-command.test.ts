/** `twostep release`: what is made, shown, checked and refused; and a board that is flashed from a release file. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeZip } from '#formats/zip.ts';
import { imageFixture } from '../formats/app-fixtures.ts';
import { payload } from '../workflows/boards.ts';
import { runCli } from './run-cli.ts';

const FIXTURES = 'test/fixtures/release';
const BUILD = join(FIXTURES, 'idf-build');

let folder: string;
let made: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-release-'));
  made = join(folder, 'release.zip');
  data = join(folder, 'voices.bin');
  writeFileSync(data, payload(20_000));
});
afterEach(() => rmSync(folder, { recursive: true }));

const written = (name: string, content: Uint8Array | string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

test.each(['idf-build', 'arduino-build', 'web-tools'])(
  '%s is made, shown as what it was, and in order',
  async (name) => {
    const input = join(FIXTURES, name);
    expect(await runCli(['release', 'make', input, '-o', made])).toMatchObject({ code: 0, out: '', err: '' });
    const [before, after] = [
      await runCli(['release', 'show', input, '--json']),
      await runCli(['release', 'show', made, '--json']),
    ];
    const parts = ({ records: [record] }: typeof before): unknown =>
      (record!.builds as { chip: string; parts: { name: string }[] }[]).map((build) => [
        build.chip,
        build.parts.map((part) => ({ ...part, name: '' })),
      ]);
    expect(parts(after)).toEqual(parts(before));
    expect(after.records[0]).toMatchObject({
      kind: 'release-file',
      firmwareProfile: { dataHeader: 'two-step', urlLimit: 255 },
    });
    expect(await runCli(['release', 'check', made])).toMatchObject({ code: 0, err: '' });
    const again = join(folder, 'again.zip');
    await runCli(['release', 'make', made, '-o', again]);
    expect(Buffer.compare(readFileSync(again), readFileSync(made))).toBe(0);
  },
);

test('everything that its maker adds is in it', async () => {
  const profile = written('profile.json', '{ "urlLimit": 1000, "keepAlive": true }');
  const template = written(
    'template.json',
    '[{ "name": "Serial", "namespace": "unit", "key": "sn", "type": "u32", "default": 7 }]',
  );
  const options = [
    '--product',
    'Voice box',
    '--release-version',
    '3.0',
    '--chip',
    'ESP32',
    '--data',
    data,
    '--tag',
    'voices 3',
  ];
  const more = [
    '--wifi-store',
    'cfg:net:pw',
    '--profile',
    profile,
    '--nvs-template',
    template,
    '--data-layout',
    'assets',
  ];
  expect((await runCli(['release', 'make', BUILD, '-o', made, ...options, ...more])).code).toBe(0);
  const { records, out } = await runCli(['release', 'show', made, '--json']);
  expect(records[0]).toMatchObject({
    product: 'Voice box',
    version: '3.0',
    wifiStore: 'cfg:net:pw',
    firmwareProfile: { urlLimit: 1000, keepAlive: true, dataHeader: 'two-step' },
    nvsTemplate: [{ name: 'Serial', default: 7, required: false }],
    builds: [{ chip: 'esp32', flashSize: 0x40_0000 }],
  });
  expect(out).toContain('"tag": "voices 3"');
  const text = (await runCli(['release', 'show', made])).out;
  for (const word of ['Voice box 3.0', '0x200000', 'voices.bin', 'cfg:net:pw', 'Serial']) expect(text).toContain(word);
});

describe('what is refused leaves no file behind', () => {
  const bad = (name: string, content: Uint8Array | string, option: string): string[] => [
    option,
    written(name, content),
  ];

  test.each<[string, RegExp, () => string[]]>([
    ['no release', /README\.md: release-/, () => ['README.md']],
    ['nothing', /nowhere: file-missing: /, () => [join(folder, 'nowhere')]],
    [
      'an app that would not start',
      /bad-sha\.bin: image-bad-sha: /,
      () => [written('bad-sha.bin', imageFixture('bad-sha.bin'))],
    ],
    ['a chip that it is not for', /idf-build: release-no-build: /, () => [BUILD, '--chip', 'esp32s3']],
    ['a chip that is none', /esp8266/, () => [BUILD, '--chip', 'esp8266']],
    ['no data', /empty\.bin: data-empty: /, () => [BUILD, ...bad('empty.bin', '', '--data')]],
    ['a tag alone', /release-tag-without-data: /, () => [BUILD, '--tag', 'x']],
    ['a store that is none', /wifi-bad-store: /, () => [BUILD, '--wifi-store', 'x:y']],
    ['a profile that is no JSON', /p\.json: release-bad-profile: /, () => [BUILD, ...bad('p.json', '{', '--profile')]],
    [
      'a profile with a slip',
      /p\.json: release-bad-profile: /,
      () => [BUILD, ...bad('p.json', '{"urllimit":1}', '--profile')],
    ],
    [
      'a template with a slip',
      /t\.json: release-bad-nvs-template: /,
      () => [BUILD, ...bad('t.json', '[{}]', '--nvs-template')],
    ],
    ['a hostile archive', /evil\.zip.*: zip-bad-path: /, () => [written('evil.zip', evilZip())]],
  ])('%s', async (_, said, args) => {
    const { code, err, out } = await runCli(['release', 'make', ...args(), '-o', made]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(said);
    expect(existsSync(made)).toBe(false);
  });
});

const evilZip = (): Uint8Array => encodeZip([{ path: '../../app.bin', bytes: imageFixture('esp32-small.bin') }]);

test('a check says everything that is wrong, a line each, with the part', async () => {
  const damaged = (name: string): Uint8Array => {
    const bytes = new Uint8Array(readFileSync(join(BUILD, name)));
    bytes[bytes.length - 40]! ^= 1;
    return bytes;
  };
  const files = ['flasher_args.json', 'partition_table/partition-table.bin', 'ota_data_initial.bin'].map((path) => ({
    path,
    bytes: new Uint8Array(readFileSync(join(BUILD, path))),
  }));
  const images = ['app.bin', 'bootloader/bootloader.bin'].map((path) => ({ path, bytes: damaged(path) }));
  const { code, err } = await runCli(['release', 'check', written('bad.zip', encodeZip([...files, ...images]))]);
  expect(code).toBe(2);
  expect(err.trim().split('\n').toSorted()).toEqual([
    expect.stringMatching(/bad\.zip\/app\.bin: image-bad-/),
    expect.stringMatching(/bad\.zip\/bootloader\.bin: image-bad-/),
  ]);
});

test('a changed byte in a release file is found', async () => {
  await runCli(['release', 'make', BUILD, '-o', made]);
  const bytes = readFileSync(made);
  bytes[60]! ^= 0xff;
  writeFileSync(made, bytes);
  const { code, err } = await runCli(['release', 'check', made]);
  expect(code).toBe(2);
  expect(err).toMatch(/release\.zip.*: zip-damaged: /);
});

describe('a board', () => {
  const flash = (input: string, board: string, ...more: string[]): Promise<{ code: number }> =>
    runCli(['flash', input, '--port', `virtual:esp32@${join(folder, board)}`, '--wifi-ssid', 'workshop', ...more], {
      stdin: 'two steps ahead\n',
    });
  const flashOf = (board: string): Uint8Array => new Uint8Array(readFileSync(join(folder, board)));

  test('ends with the same flash from a release file as from the folder it was made of', async () => {
    await runCli(['release', 'make', BUILD, '-o', made, '--data', data, '--wifi-store', 'cfg:net:pw']);
    const [fromFile, fromFolder] = [
      await flash(made, 'file.bin', '--wifi-password-stdin'),
      await flash(BUILD, 'folder.bin', '--wifi-password-stdin', '--data', data, '--wifi-store', 'cfg:net:pw'),
    ];
    expect([fromFile.code, fromFolder.code]).toEqual([0, 0]);
    expect(Buffer.compare(flashOf('file.bin'), flashOf('folder.bin'))).toBe(0);
    const names = decodeNvs(flashOf('file.bin').subarray(0x9000, 0xd000)).entries.map(({ namespace }) => namespace);
    expect(names).toContain('cfg');
  });

  test('gets data without a header where the firmware wants none', async () => {
    await runCli(['release', 'make', BUILD, '-o', made, '--data', data, '--data-header', 'none']);
    expect((await runCli(['flash', made, '--port', `virtual:esp32@${join(folder, 'bare.bin')}`])).code).toBe(0);
    expect(flashOf('bare.bin').subarray(0x20_0000, 0x20_0000 + 20_000)).toEqual(payload(20_000));
  });
});
