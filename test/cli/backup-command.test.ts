/** `twostep backup` and `twostep restore` on a virtual board: from a flash to a file and back, whatever comes between. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeBackup, readBackup } from '#formats/backup/backup-reader.ts';
import { encodeBackup } from '#formats/backup/backup-writer.ts';
import { noise } from '../device/support/bench.ts';
import { layOut, MIB, text, TWO_SLOTS } from '../workflows/boards.ts';
import { type CliInput, type CliResult, runCli } from './run-cli.ts';

const NVS = { offset: 0x9000, size: 0x4000 };

let folder: string;
/** The flash of the virtual board, and the backup. */
let board: string;
let file: string;
let original: Uint8Array;

beforeAll(() => {
  original = layOut({
    partitions: TWO_SLOTS,
    settings: [text('app', 'name', 'kitchen')],
    boots: 0,
    contents: { 0x1000: noise(20_000), 0x10_0000: noise(200_000), 0x20_0000: noise(400_000, 3) },
  }).bytes;
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-backup-'));
  board = join(folder, 'board.bin');
  file = join(folder, 'board.backup');
  writeFileSync(board, original);
});
afterEach(() => rmSync(folder, { recursive: true }));

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const isOriginal = (): boolean => Buffer.compare(readFileSync(board), original) === 0;
const backup = (more: string[] = [], input?: CliInput): Promise<CliResult> =>
  runCli(['backup', '--port', `virtual:esp32@${board}`, '-o', file, ...more], input);
const restore = (more: string[] = [], input?: CliInput, port = `virtual:esp32@${board}`): Promise<CliResult> =>
  runCli(['restore', file, '--port', port, ...more], input);

/** Everything on the board is changed or gone. */
function wreck(): void {
  const bytes = original.slice().fill(0, 0, 0x1_0000).fill(0xff, 0x10_0000, 0x12_0000);
  bytes.set(noise(MIB, 9), 0x28_0000);
  writeFileSync(board, bytes);
}

describe('there and back', () => {
  test('a wrecked board is what it was, byte for byte', async () => {
    const made = await backup();
    expect(made.code).toBe(0);
    expect(made.out).toContain('Backs up 4 MiB (the whole flash). It takes at most about');
    expect(isOriginal()).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['board.backup', 'board.bin']);
    wreck();
    const back = await restore();
    expect([back.code, back.err]).toEqual([0, '']);
    expect(back.out).toContain('Restored and verified');
    expect(isOriginal()).toBe(true);
  });

  test('only what differs is sent, and with --full everything', async () => {
    await backup();
    const bytes = original.slice();
    bytes[0x9100]! ^= 1;
    writeFileSync(board, bytes);
    const { records } = await restore(['--json']);
    const toSend = (found: typeof records): unknown => found.find(({ event }) => event === 'compared')?.['toSend'];
    expect(toSend(records)).toBeLessThanOrEqual(0x4000);
    expect(isOriginal()).toBe(true);
    expect((await restore()).out).toContain('Nothing to send');
    const full = await restore(['--full', '--json', '--partition', 'nvs']);
    expect(full.records.filter(({ event }) => event === 'write')).toMatchObject([{ label: 'nvs', toSend: NVS.size }]);
  });

  test('of some partitions the others are left alone', async () => {
    const { records } = await backup(['--json', '--partition', 'nvs', 'otadata', '--range', '0x1000:1', '2M:4K']);
    expect(records.find(({ event }) => event === 'plan')).toMatchObject({
      ranges: [
        { offset: 0x1000, length: 0x1000 },
        { offset: 0x9000, length: 0x6000 },
        { offset: 0x20_0000, length: 0x1000 },
      ],
      total: 0x8000,
    });
    const bytes = original.slice().fill(0, 0x9000, 0xf000);
    writeFileSync(board, bytes);
    expect((await restore(['--partition', 'nvs'])).code).toBe(0);
    bytes.set(original.subarray(NVS.offset, NVS.offset + NVS.size), NVS.offset);
    expect(Buffer.compare(readFileSync(board), bytes)).toBe(0);
    expect((await restore()).code).toBe(0);
    expect(isOriginal()).toBe(true);
  });

  test('a chip that comes back as another port at each reset', async () => {
    copyFileSync(board, join(folder, 'c3.bin'));
    const port = `virtual:esp32c3+usb@${join(folder, 'c3.bin')}`;
    expect((await runCli(['backup', '--port', port, '-o', file, '--note', 'two', 'lines'])).code).toBe(0);
    expect(decodeBackup(bytesOf(file)).manifest).toMatchObject({ chip: 'esp32c3', notes: ['two', 'lines'] });
    expect((await restore([], {}, port)).out).toContain('Nothing to send');
  });

  test('the backup says what it holds without a board, damaged or not', async () => {
    await backup();
    const whole = await runCli(['restore', file, '--list']);
    expect(whole.code).toBe(0);
    for (const part of ['24:0a:c4:12:34:56', 'ota_1', 'phy_init', '\nComplete']) expect(whole.out).toContain(part);
    writeFileSync(file, bytesOf(file).subarray(0, 150_000));
    const { code, records } = await runCli(['restore', file, '--list', '--json']);
    expect(code).toBe(0);
    expect(records).toMatchObject([{ complete: false, issues: [{ code: 'backup-truncated' }] }]);
  });
});

describe('broken off', () => {
  test('by its user, a backup is gone on with, and is then as if nothing had happened', async () => {
    await backup();
    const whole = readBackup(bytesOf(file)).stretches.map(({ offset, md5 }) => [offset, md5]);
    rmSync(file);
    const cut = await backup([], { interruptAt: '(50 %)' });
    expect(cut.code).toBe(130);
    expect(cut.out).toContain('--resume');
    expect(existsSync(file)).toBe(false);
    const kept = readBackup(bytesOf(`${file}.part`));
    expect(kept.unbroken).toBeGreaterThan(3);
    const { records } = await backup(['--resume', '--json']);
    expect(records.find(({ event }) => event === 'plan')?.['done']).toBeGreaterThanOrEqual(2 * MIB);
    const read = decodeBackup(bytesOf(file));
    expect(read.manifest).toEqual(kept.manifest);
    expect(read.stretches.map(({ offset, md5 }) => [offset, md5])).toEqual(whole);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  test('a file that was cut is gone on with as well, and one that is whole is brought up to date', async () => {
    await backup();
    const whole = bytesOf(file);
    for (const length of [whole.length - 1, 100_000, 20_000]) {
      writeFileSync(file, whole.subarray(0, length));
      expect((await backup(['--resume'])).code).toBe(0);
      expect(Buffer.compare(readFileSync(file), whole)).toBe(0);
    }
    const bytes = original.slice();
    bytes[0x20_5000]! ^= 1;
    writeFileSync(board, bytes);
    const { records } = await backup(['--resume', '--json']);
    expect(records.find(({ event }) => event === 'plan')?.['done']).toBe(0x20_0000);
    expect(decodeBackup(bytesOf(file)).stretches.find(({ offset }) => offset === 0x20_0000)?.data[0x5000]).toBe(
      bytes[0x20_5000],
    );
  });

  test('a board that does not connect costs nothing of what was kept', async () => {
    await backup([], { interruptAt: '(50 %)' });
    const kept = bytesOf(`${file}.part`);
    const { code } = await runCli(['backup', '--port', join(folder, 'ttyUSB9'), '-o', file]);
    expect(code).toBe(1);
    expect(Buffer.compare(readFileSync(`${file}.part`), kept)).toBe(0);
  });

  test('with nothing read it leaves nothing behind', async () => {
    const { code, out } = await runCli(['backup', '--port', join(folder, 'ttyUSB9'), '-o', file]);
    expect(code).toBe(1);
    expect(out).not.toContain('--resume');
    expect(readdirSync(folder)).toEqual(['board.bin']);
  });

  test('another board does not go on with it, nor do other parts', async () => {
    await backup([], { interruptAt: '(50 %)' });
    const parts = await backup(['--resume', '--partition', 'nvs']);
    expect([parts.code, parts.err]).toEqual([2, expect.stringContaining('[backup-other-ranges]')]);
    const other = await runCli(['backup', '--port', 'virtual:esp32s3', '-o', file, '--resume']);
    expect([other.code, other.err]).toEqual([2, expect.stringContaining('[backup-other-board]')]);
    expect((await backup(['--resume'])).code).toBe(0);
  });

  test('without anything to go on with --resume begins anew', async () => {
    expect((await backup(['--resume'])).code).toBe(0);
    expect(decodeBackup(bytesOf(file)).manifest.flashSize).toBe(4 * MIB);
  });

  test('a restore is finished by the same command', async () => {
    await backup();
    wreck();
    const cut = await restore([], { interruptAt: 'Writing ota_1' });
    expect([cut.code, cut.err]).toEqual([130, expect.stringContaining('half-written')]);
    expect(isOriginal()).toBe(false);
    expect((await restore()).code).toBe(0);
    expect(isOriginal()).toBe(true);
  });
});

describe('what is refused', () => {
  test('a plan with objections touches nothing', async () => {
    await backup();
    const { code, out, err } = await restore([], {}, 'virtual:esp32s3');
    expect([code, err]).toEqual([2, expect.stringContaining('[plan-refused]')]);
    expect(out).toContain('Objection: This backup is of an ESP32');
    wreck();
    const before = readFileSync(board);
    const planned = await restore(['--plan']);
    expect([planned.code, Buffer.compare(readFileSync(board), before)]).toEqual([0, 0]);
    expect(planned.out).toContain('Sends');
  });

  test.each([
    ['cut', (bytes: Uint8Array) => bytes.subarray(0, 200_000), 'backup-truncated'],
    ['changed in one byte', (bytes: Uint8Array) => bytes.with(100_000, bytes[100_000]! ^ 1), 'backup-stretch-damaged'],
    ['of nothing', () => new Uint8Array(0), 'backup-not-one'],
    ['of something else', () => new TextEncoder().encode('Dear board'), 'backup-not-one'],
  ])('a backup that is %s, before the port is opened', async (_, change, expected) => {
    await backup();
    writeFileSync(file, change(bytesOf(file)));
    const { code, err } = await restore([], {}, '/dev/no-such-port');
    expect([code, err]).toEqual([2, expect.stringContaining(`[${expected}]`)]);
  });

  test('of a damaged backup only what is damaged', async () => {
    await backup();
    const bytes = bytesOf(file);
    // In ota_1, which comes last.
    const at = readBackup(bytes).stretches.findLast(({ blank }) => !blank)!.fileEnd - 100;
    writeFileSync(file, bytes.with(at, bytes[at]! ^ 1));
    expect(await restore(['--partition', 'ota_1'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('[backup-part-missing]') as string,
    });
    wreck();
    expect((await restore(['--partition', 'bootloader', 'partition-table', 'nvs', 'ota_0'])).code).toBe(0);
    expect(Buffer.compare(readFileSync(board).subarray(0x1000, 0xd000), original.subarray(0x1000, 0xd000))).toBe(0);
  });

  test.each([
    ['a partition that is not there', ['--partition', 'spiffs'], 'partition-not-found'],
    ['a range beyond the flash', ['--range', '4M:4K'], 'range-beyond-flash'],
    ['a range that is none', ['--range', '0x1000'], 'OFFSET:LENGTH'],
    ['a range of nothing', ['--range', '0x1000:0'], 'nothing'],
    ['a range with a word', ['--range', 'nvs:4K'], 'Give bytes'],
  ])('%s', async (_, more, expected) => {
    const { code, err } = await backup(more);
    expect([code, err]).toEqual([2, expect.stringContaining(expected)]);
    expect(readdirSync(folder)).toEqual(['board.bin']);
  });

  test('a place where no file can be', async () => {
    mkdirSync(file);
    expect(await backup()).toMatchObject({ code: 2, err: expect.stringContaining('[file-unwritable]') as string });
    rmSync(file, { recursive: true });
    writeFileSync(file, 'Dear board');
    expect(await backup(['--resume'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('[backup-not-one]') as string,
    });
    expect(readFileSync(file, 'utf8')).toBe('Dear board');
  });

  test('a backup that is not there, and a port that is not named', async () => {
    expect(await restore()).toMatchObject({ code: 2, err: expect.stringContaining('[file-missing]') as string });
    await backup();
    expect(await runCli(['restore', file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('[port-name]') as string,
    });
  });
});

test('a backup of another board is restored, with a note of what is bound to that', async () => {
  const s3 = join(folder, 's3.bin');
  writeFileSync(s3, original);
  await runCli(['backup', '--port', `virtual:esp32s3@${s3}`, '-o', file]);
  const bytes = bytesOf(file);
  const { manifest, stretches } = decodeBackup(bytes);
  writeFileSync(file, encodeBackup({ manifest: { ...manifest, mac: '24:0a:c4:99:99:99' }, stretches }));
  const { code, out } = await restore(['--json'], {}, `virtual:esp32s3@${s3}`);
  expect(code).toBe(0);
  const plan = out.split('\n').map((line) => JSON.parse(line || '{}') as Record<string, unknown>);
  expect(plan.find(({ event }) => event === 'plan')).toMatchObject({
    warnings: [{ code: 'backup-other-mac' }, { code: 'backup-has-settings', values: { label: 'nvs', count: 1 } }],
  });
});
