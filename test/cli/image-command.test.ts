/** `twostep image info` and `patch` on every image that the official tool made, and on damaged ones. */
import fc from 'fast-check';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { imageFixture, imageVectors } from '../formats/app-fixtures.ts';
import { runCli } from './run-cli.ts';

const FIXTURES = 'test/fixtures/app';
const images = imageVectors.filter(({ kind }) => kind !== 'merged_flash');
const fixture = (file: string): string => join(FIXTURES, file);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-image-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const CODES: Record<string, string> = {
  'app-bad-magic': 'image-bad-magic',
  'app-bad-sha': 'image-bad-sha',
  'app-bad-checksum-sha-ok': 'image-bad-checksum',
  'app-bad-nosha-file': 'image-bad-sha',
  'app-bad-segcount-17': 'image-too-many-segments',
  'app-bad-seglen-huge': 'image-bad-segment-length',
  'app-seed-data': 'image-bad-checksum',
  'app-data-esp32': 'image-bad-checksum',
  'app-data-raw': 'image-bad-magic',
};

describe('info', () => {
  test.each(images)('$id is told as the official tool tells it, with the verdict of ESP-IDF', async (vector) => {
    const { code, err, records } = await runCli(['image', 'info', fixture(vector.file), '--json']);
    const { truncated, ...parsed } = vector.expected.parsed!;
    const refused = CODES[vector.id] ?? null;
    expect(records).toMatchObject([{ ...parsed, code: refused, verdict: refused === null ? 'ok' : 'refused' }]);
    if (truncated) expect(records).toMatchObject([{ checksum_ok: null, sha256_ok: null, app_desc: null }]);
    expect(code).toBe(vector.expected.idf_verify === 'ESP_OK' ? 0 : 2);
    if (refused !== null) expect(err).toMatch(new RegExp(`^${fixture(vector.file)}: ${refused}: .+\n$`));
  });

  test.each(images)('$id is told in text, too', async ({ file, expected }) => {
    const { code, out } = await runCli(['image', 'info', fixture(file)]);
    expect(code).toBe(expected.idf_verify === 'ESP_OK' ? 0 : 2);
    for (const { file_offset } of expected.parsed!.segments)
      expect(out).toMatch(new RegExp(` 0x${file_offset.toString(16)}\\s`));
    const { version, project_name } = (expected.parsed!.app_desc ?? {}) as Record<string, string>;
    if (expected.parsed!.app_desc) expect(out).toContain(`${project_name}\n`);
    if (expected.parsed!.app_desc) expect(out).toContain(`${version}\n`);
  });

  test('the names of the flash settings are those of the chip', async () => {
    const { records } = await runCli(['image', 'info', fixture('esp32s3-small.bin'), '--json']);
    expect(records).toMatchObject([
      { chip: 'esp32s3', kind: 'app', flash: { mode: 'dio', freq: '80m', size: '16MB' } },
    ]);
  });

  test('a boot loader shows its own description', async () => {
    const { records } = await runCli(['image', 'info', fixture('esp32-bootloader.bin'), '--json']);
    const bootloader_desc = { version: 1, idf_ver: 'v5.1', date_time: 'Jan  2 2024 12:34:56' };
    expect(records).toMatchObject([{ kind: 'bootloader', bootloader_desc, app_desc: null }]);
  });

  test.each([
    ['--chip', 'ESP32-S3', 'image-wrong-chip'],
    ['--revision', '299', 'image-chip-too-old'],
    ['--revision', 'v2.99', 'image-chip-too-old'],
    ['--revision', '4.0', 'image-chip-too-new'],
    ['--revision', '3.1', null],
    ['--revision', '399', null],
  ])('%s %s of the board that is to start it counts: %s', async (option, value, refused) => {
    const { code, records } = await runCli(['image', 'info', fixture('esp32-rev.bin'), '--json', option, value]);
    expect(records).toMatchObject([{ code: refused }]);
    expect(code).toBe(refused === null ? 0 : 2);
  });

  test('an image without segments that would be started is warned of', async () => {
    const { code, err } = await runCli(['image', 'info', fixture('data-byte31-ef.bin')]);
    expect(code).toBe(0);
    expect(err).toContain('image-without-segments');
  });

  test('what an image says of itself cannot control the terminal', async () => {
    const image = imageFixture('esp32-small.bin');
    image.set(new TextEncoder().encode('\u001b[2J\n'), 80);
    writeFileSync(join(folder, 'hostile.bin'), image);
    const { out } = await runCli(['image', 'info', join(folder, 'hostile.bin')]);
    expect(out).toMatch(/Project +\ufffd\[2J\ufffd/);
  });

  test('less than a header, and nothing at all', async () => {
    for (const length of [0, 23]) {
      writeFileSync(join(folder, 'short.bin'), imageFixture('esp32-small.bin').subarray(0, length));
      const { code, records } = await runCli(['image', 'info', join(folder, 'short.bin'), '--json']);
      expect({ code, records }).toMatchObject({ code: 2, records: [{ header: null, code: 'image-too-short' }] });
      expect(await runCli(['image', 'info', join(folder, 'short.bin')])).toMatchObject({ code: 2 });
    }
  });

  test('a damaged image ends in 0 or 2, and in one document', async () => {
    const original = imageFixture('esp32c6-small.bin');
    const path = join(folder, 'damaged.bin');
    const change = fc.tuple(fc.nat(original.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 5 }), fc.nat(original.length), async (changes, length) => {
        const bytes = original.slice(0, length);
        for (const [offset, value] of changes) if (offset < length) bytes[offset] = value;
        writeFileSync(path, bytes);
        const { code, records } = await runCli(['image', 'info', path, '--json']);
        expect(records).toHaveLength(1);
        expect(code).toBe(records[0]!['verdict'] === 'ok' ? 0 : 2);
        expect([0, 2]).toContain((await runCli(['image', 'info', path])).code);
      }),
      { numRuns: 150 },
    );
  });
});

describe('patch', () => {
  const patch = (file: string, ...options: string[]): ReturnType<typeof runCli> =>
    runCli(['image', 'patch', fixture(file), '-o', join(folder, 'out.bin'), ...options]);

  test('a boot loader comes out as the official tool writes it', async () => {
    const options = ['--flash-mode', 'qio', '--flash-freq', '80m', '--flash-size', '16MB'];
    expect(await patch('esp32-bootloader.bin', ...options)).toEqual({ code: 0, out: '', err: '', records: [] });
    const patched = readFileSync(join(folder, 'out.bin'));
    expect(
      Buffer.compare(patched, imageFixture('merge-esp32-patch.bin').subarray(0x1000, 0x1000 + patched.length)),
    ).toBe(0);
  });

  test('what is not named, or to be kept, is kept', async () => {
    await patch('esp32-bootloader.bin', '--flash-mode', 'keep', '--flash-freq', 'keep', '--flash-size', 'keep');
    expect(Buffer.compare(readFileSync(join(folder, 'out.bin')), imageFixture('esp32-bootloader.bin'))).toBe(0);
    await patch('esp32s3-small.bin', '--flash-size', '8MB');
    const { header, sha256 } = parseImage(readFileSync(join(folder, 'out.bin')));
    expect(header).toMatchObject({ flashMode: 'dio', frequencyCode: 0xf, flashSize: 0x80_0000 });
    expect(sha256!.stored).toBe(sha256!.computed);
  });

  test.each([
    ['image-wrong-chip', 'esp32-bootloader.bin', ['--chip', 'esp32c3']],
    ['image-bad-flash-frequency', 'esp32-bootloader.bin', ['--flash-freq', '48m']],
    ['image-bad-flash-size', 'esp32-bootloader.bin', ['--flash-size', '3MB']],
    ['image-bad-sha', 'bad-sha.bin', ['--flash-mode', 'qio']],
    ['image-bad-magic', 'pt.bin', ['--flash-mode', 'qio']],
  ])('%s is refused, and leaves no file behind', async (refused, file, options) => {
    const { code, err } = await patch(file, ...options);
    expect(code).toBe(2);
    expect(err).toMatch(new RegExp(`^${fixture(file)}(:0x[0-9a-f]+)?: ${refused}: .+\n$`));
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a mode that is none is refused', async () => {
    expect(await patch('esp32-bootloader.bin', '--flash-mode', 'opi')).toMatchObject({ code: 2 });
    expect(existsSync(join(folder, 'out.bin'))).toBe(false);
  });
});
