/** `twostep image merge` and `split`: whole-flash images, equal to those of the official tool. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeOtadata } from '#formats/otadata.ts';
import { readRelease } from '../../src/cli/release-files.ts';
import { imageFixture, imageVectors } from '../formats/app-fixtures.ts';
import { merge, tableOf } from '../formats/release/support.ts';
import { runCli } from './run-cli.ts';

const FIXTURES = 'test/fixtures/app';
const BOOT = join(FIXTURES, 'esp32-bootloader.bin');
const TABLE = join(FIXTURES, 'pt.bin');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-flash-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const out = (): string => join(folder, 'out.bin');
const isSame = (a: string, b: string): boolean => readFileSync(a).equals(readFileSync(b));

describe('merge', () => {
  const run = (...args: string[]): ReturnType<typeof runCli> =>
    runCli(['image', 'merge', '-o', out(), '--chip', 'esp32', ...args]);
  const merged = imageVectors.filter(({ kind }) => kind === 'merged_flash');

  test.each(merged)('$id comes out as the official tool makes it', async ({ file, command }) => {
    // Its own arguments, but for the name of the output.
    const [, words = ''] = /merge-bin (.*)$/.exec(command)!;
    const args = words.replace(/-o \S+ /, '').split(' ');
    const here = args.map((word) => (word.endsWith('.bin') ? join(FIXTURES, word) : word));
    expect(await run(...here)).toEqual({ code: 0, out: '', err: '', records: [] });
    expect(isSame(out(), join(FIXTURES, file))).toBe(true);
  });

  test('address and file may be one word, in any order', async () => {
    expect(await run(`0x8000=${TABLE}`, '4096', BOOT)).toMatchObject({ code: 0 });
    expect(isSame(out(), join(FIXTURES, 'merge-esp32-keep.bin'))).toBe(true);
  });

  test.each(['--pad-to-size', '--fill-flash-size'])('%s fills with FF, from the target offset on', async (option) => {
    await run(`0x1000=${BOOT}`, '--target-offset', '0x1000', option, '1MB');
    const image = readFileSync(out());
    expect(image.length).toBe(0x10_0000 - 0x1000);
    expect(image.subarray(0, 2064).equals(readFileSync(BOOT))).toBe(true);
    expect(image.subarray(2064).every((byte) => byte === 0xff)).toBe(true);
  });

  test('settings that change nothing, because there is no boot loader, are warned of', async () => {
    const { code, err } = await run(`0x8000=${TABLE}`, '--flash-mode', 'qio');
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('warning: ') as unknown });
    expect(err).toContain('image-merge-no-bootloader');
  });

  test.each<[string, string[]]>([
    ['image-merge-overlap', [`0x1000=${BOOT}`, `0x1800=${TABLE}`]],
    ['image-merge-before-target', [`0x1000=${BOOT}`, '--target-offset', '0x2000']],
    ['image-merge-too-large', [`0xfff00=${BOOT}`, '--pad-to-size', '1MB']],
    ['image-merge-bad-address', [BOOT, '0x1000']],
    ['image-merge-bad-address', [`boot=${BOOT}`]],
    ['image-merge-no-file', [`0x1000=${BOOT}`, '0x8000']],
    ['image-bad-flash-frequency', [`0x1000=${BOOT}`, '--flash-freq', '48m']],
    ['file-missing', ['0x1000=missing.bin']],
  ])('%s is refused in one line, and leaves no file behind', async (refused, args) => {
    const { code, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`^([^:\n]+(:0x[0-9a-f]+)?: )?${refused}: [^\n]+\n$`));
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([[['--chip', 'esp9']], [['--flash-size', 'big']], [['--pad-to-size', '1MB', '--fill-flash-size', '1MB']]])(
    'options that make no sense are refused: %s',
    async (options) => {
      expect(await run(`0x1000=${BOOT}`, ...options)).toMatchObject({ code: 2 });
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe('split', () => {
  const table = tableOf(
    ['nvs', 1, 2, 0x9000, 0x4000],
    ['otadata', 1, 0, 0xd000, 0x2000],
    ['ota_0', 0, 0x10, 0x1_0000, 0x10_0000],
    ['ota_1', 0, 0x11, 0x11_0000, 0x10_0000],
  );
  const dump = merge(
    0,
    {
      0x1000: imageFixture('esp32-bootloader.bin'),
      0x8000: table,
      0xd000: encodeOtadata({ slot: 0, slotCount: 2 }),
      0x1_0000: imageFixture('esp32-small.bin'),
    },
    0x40_0000,
  );
  const parts = (): string => join(folder, 'parts');
  const writeDump = (): string => {
    const path = join(folder, 'dump.bin');
    writeFileSync(path, dump);
    return path;
  };

  test('the files are named, and those left out too', async () => {
    const { code, out: text } = await runCli(['image', 'split', writeDump(), '-o', parts()]);
    expect(code).toBe(0);
    expect(text).toMatch(/^0x1000 +bootloader\.bin/);
    expect(text).toMatch(/Blank.*: nvs, ota_1\n$/);
    expect(readdirSync(parts()).toSorted()).toEqual([
      'bootloader.bin',
      'flasher_args.json',
      'ota_0.bin',
      'otadata.bin',
      'partition-table.bin',
    ]);
    expect(isSame(join(parts(), 'bootloader.bin'), BOOT)).toBe(true);
    expect(isSame(join(parts(), 'ota_0.bin'), join(FIXTURES, 'esp32-small.bin'))).toBe(true);
  });

  test('the folder is a release', async () => {
    await runCli(['image', 'split', writeDump(), '-o', parts()]);
    const { kind, builds } = await readRelease([parts()]);
    expect({ kind, builds }).toMatchObject({
      kind: 'idf-build',
      builds: [{ chip: { name: 'esp32' }, app: { offset: 0x1_0000 }, notes: [] }],
    });
  });

  test('merged again by its list it is the same', async () => {
    const args = ['image', 'split', writeDump(), '-o', parts(), '--json'];
    const [record] = (await runCli(args)).records;
    expect(record).toMatchObject({ start: 0, length: dump.length, chip: 'esp32', blank: ['nvs', 'ota_1'] });
    const { flash_files: files } = JSON.parse(readFileSync(join(parts(), 'flasher_args.json'), 'utf8')) as {
      flash_files: Record<string, string>;
    };
    const words = Object.entries(files).map(([address, file]) => `${address}=${join(parts(), file)}`);
    await runCli(['image', 'merge', '-o', out(), '--chip', 'esp32', '--pad-to-size', '4MB', ...words]);
    expect(readFileSync(out()).equals(dump)).toBe(true);
  });

  test('what the official tool merged is split into what it was merged from', async () => {
    const merged = join(FIXTURES, 'merge-esp32-keep.bin');
    expect(await runCli(['image', 'split', merged, '-o', parts()])).toMatchObject({ code: 0 });
    expect(isSame(join(parts(), 'bootloader.bin'), BOOT)).toBe(true);
    expect(isSame(join(parts(), 'partition-table.bin'), TABLE)).toBe(true);
  });

  test.each<[string, string, string[]]>([
    ['image-no-table', BOOT, []],
    ['image-wrong-chip', join(FIXTURES, 'merge-esp32-keep.bin'), ['--chip', 'esp32c3']],
    ['release-wrongly-merged', join(FIXTURES, 'merge-esp32-keep.bin'), ['--offset', '0x1000']],
    ['file-missing', 'missing.bin', []],
  ])('%s is refused, and no folder made', async (refused, input, options) => {
    const { code, err } = await runCli(['image', 'split', input, '-o', parts(), ...options]);
    expect(code).toBe(2);
    expect(err).toContain(`: ${refused}: `);
    expect(readdirSync(folder)).toEqual([]);
  });
});
