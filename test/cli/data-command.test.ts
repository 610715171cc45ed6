/** `twostep data`: pack, unpack, info, verify on the disk. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHIPS } from '#formats/chips.ts';
import { encodeAssets } from '#formats/data/assets.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { jpeg, png } from '../formats/data/pictures.ts';
import { type CliResult, runCli } from './run-cli.ts';

const FIXTURES = 'test/fixtures/app';
const MIB = 0x10_0000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-data-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (...parts: string[]): string => join(folder, ...parts);
function write(name: string, content: string | Uint8Array): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
  return at(name);
}
const data = (...args: string[]): Promise<CliResult> => runCli(['data', ...args]);
const pack = (inputs: string[], ...options: string[]): Promise<CliResult> =>
  data('pack', ...inputs, '-o', at('image.bin'), '--chip', 'esp32', ...options);
const image = (): Buffer => readFileSync(at('image.bin'));
/** `FILE[:PLACE]: code: message` of the last line on standard error. */
const refusal = ({ err }: CliResult): string | undefined =>
  /^(?:.*?: )?(data-[a-z0-9-]+|file-[a-z-]+): /.exec(err.trim().split('\n').at(-1) ?? '')?.[1];

function makeFiles(): string {
  write('in/b.png', png(64, 32));
  write('in/a.png', 'no picture');
  write('in/sounds/hello.wav', 'RIFF');
  write('in/photo.jpg', jpeg(640, 480));
  write('in/.hidden', 'left out');
  return at('in');
}

describe('pack', () => {
  test('the vectors of both chips come out of their payloads', async () => {
    for (const [vector, chip] of [
      ['seed-data.bin', 'esp32c3'],
      ['data-esp32.bin', 'esp32'],
    ] as const) {
      expect(await data('unpack', join(FIXTURES, vector), '-o', at('payload'))).toMatchObject({ code: 0 });
      expect(await pack([at('payload')], '--chip', chip)).toMatchObject({ code: 0, err: '' });
      expect(Buffer.compare(image(), readFileSync(join(FIXTURES, vector)))).toBe(0);
    }
  });

  test('the document tells what was made', async () => {
    const { records } = await pack([write('in.txt', 'Hello')], '--tag', 'v1.2', '--json');
    expect(records).toMatchObject([
      {
        output: at('image.bin'),
        c_header: null,
        header: 'two-step',
        chip: 'esp32',
        chip_id: 0,
        layout: 'raw',
        tag: 'v1.2',
        shown: 'v1.2',
        image_length: 1024,
        payload_offset: 48,
        payload_length: 5,
        payload_sha256: '185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969',
        warnings: [],
      },
    ]);
    expect(image().subarray(32, 53).toString('latin1')).toBe('v1.2'.padEnd(16, '\0') + 'Hello');
  });

  test('a tag of auto is the start of the payload’s digest', async () => {
    const { records } = await pack([write('in.txt', 'Hello')], '--tag', 'auto', '--json');
    expect(records[0]).toMatchObject({ tag: '185f8db32271fe25', shown: '185f8db322', warnings: [] });
  });

  test('without a header the payload is first', async () => {
    await pack([write('in.txt', 'Hello')], '--header', 'none');
    expect(image().toString('latin1')).toBe('Hello'.padEnd(1024, '\0'));
  });

  test('files and folders make the same image in whatever order they are given', async () => {
    makeFiles();
    const extra = write('extra.png', 'x');
    const first = await pack([at('in'), extra], '--layout', 'assets', '--json');
    const made = image();
    expect(first.records[0]).toMatchObject({
      layout: 'assets',
      name_length: 32,
      checksum_ok: true,
      files: [
        { name: 'photo.jpg', width: 640, height: 480, offset: 0 },
        { name: 'a.png', width: 0, height: 0 },
        { name: 'b.png', width: 64, height: 32 },
        { name: 'extra.png', size: 1 },
        { name: 'sounds/hello.wav', size: 4 },
      ],
    });
    await pack([extra, at('in')], '--layout', 'assets');
    expect(Buffer.compare(image(), made)).toBe(0);
  });

  test('the C header names the files and where they are', async () => {
    makeFiles();
    write('in/files', 'a name that a definition has');
    write('in/A_PNG', 'and one like another');
    await pack([at('in')], '--layout', 'assets', '--tag', 'v1', '--c-header', at('include', 'mmap_generate_my-ui.h'));
    const text = readFileSync(at('include', 'mmap_generate_my-ui.h'), 'utf8');
    for (const line of [
      '#define TWOSTEP_MY_UI_PAYLOAD_OFFSET 48',
      '#define TWOSTEP_MY_UI_TAG "v1"',
      '#define TWOSTEP_MY_UI_NAME_LENGTH 32',
      '#define MMAP_MY_UI_FILES 6',
      'enum MMAP_MY_UI_LISTS {',
      '    MMAP_MY_UI_A_PNG = 0, /* A_PNG */',
      '    MMAP_MY_UI_FILES_2 = 1, /* files */',
      '    MMAP_MY_UI_A_PNG_2 = 3, /* a.png */',
      '    MMAP_MY_UI_SOUNDS_HELLO_WAV = 5, /* sounds/hello.wav */',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).toMatch(/#define MMAP_MY_UI_CHECKSUM 0x[0-9A-F]{4}\n/);
  });

  test.each<[string, string[], () => string[]]>([
    ['data-empty', [], () => [write('in', '')]],
    ['data-already-packed', [], () => [join(FIXTURES, 'data-byte31-ef.bin')]],
    ['data-already-packed', ['--header', 'none'], () => [join(FIXTURES, 'seed-data.bin')]],
    ['data-starts-like-image', ['--header', 'none'], () => [join(FIXTURES, 'esp32-small.bin')]],
    ['data-looks-like-app', [], () => [write('in', Uint8Array.of(0x32, 0x54, 0xcd, 0xab))]],
    ['data-too-large', ['--slot-size', '1M'], () => [write('in', new Uint8Array(MIB - 4096 - 31))]],
    ['data-too-large', ['--slot-size', '1M', '--tag', 'a'], () => [write('in', new Uint8Array(MIB - 4096 - 32))]],
    ['data-too-large', ['--slot-size', '1M', '--header', 'none'], () => [write('in', new Uint8Array(MIB + 1))]],
    ['data-bad-tag', ['--tag', 'more than 16 bytes'], () => [write('in', 'a')]],
    ['data-one-file', [], () => [write('in', 'a'), write('b', 'b')]],
    ['data-one-file', [], () => [makeFiles()]],
    ['file-missing', [], () => [at('missing')]],
    ['file-missing', ['--layout', 'assets'], () => [at('missing')]],
    ['data-no-files', ['--layout', 'assets'], () => (mkdirSync(at('empty')), [at('empty')])],
    ['data-empty-file', ['--layout', 'assets'], () => [write('a', 'a'), write('b', '')]],
    ['data-duplicate-name', ['--layout', 'assets'], () => [write('x/a', 'a'), write('y/a', 'b')]],
    ['data-name-too-long', ['--layout', 'assets', '--name-length', '8'], () => [write('in/eight.xy', 'a')]],
    ['file-not-regular', ['--layout', 'assets'], () => (symlinkSync('.', at('loop')), [folder])],
  ])('%s: %j', async (code, options, inputs) => {
    const result = await pack(inputs(), ...options, '--c-header', at('header.h'));
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(refusal(result)).toBe(code);
    expect(existsSync(at('image.bin')) || existsSync(at('header.h'))).toBe(false);
  });

  test('what fits exactly is taken', async () => {
    expect(await pack([write('in', new Uint8Array(MIB - 4096 - 32).fill(0, 0, 1))], '--slot-size', '1M')).toMatchObject(
      {
        code: 0,
      },
    );
    expect(await pack([write('in', new Uint8Array(MIB))], '--slot-size', '1M', '--header', 'none')).toMatchObject({
      code: 0,
    });
  });

  test.each<[string, string[], Uint8Array]>([
    ['data-slot-too-large-to-map', ['--slot-size', '4M'], Uint8Array.of(1)],
    ['data-spi-mode-byte', [], new Uint8Array(200).fill(1)],
    ['data-tag-cut', ['--tag', 'eleven char'], Uint8Array.of(1)],
    ['data-length-lost', [], Uint8Array.of(1, 0)],
  ])('%s is a warning', async (code, options, payload) => {
    const { records, err, code: exit } = await pack([write('in', payload)], ...options, '--json');
    expect(exit).toBe(0);
    expect(records[0]).toMatchObject({ warnings: [{ code }] });
    expect(err).toContain(` ${code}: `);
  });

  test.each([
    [['--chip', 'esp99']],
    [['--layout', 'zip']],
    [['--header', 'app']],
    [['--name-length', '0']],
    [['--slot-size', 'big']],
  ])('%j makes no sense', async (options) => {
    expect(await pack([write('in', 'a')], ...options)).toMatchObject({ code: 2 });
    expect(existsSync(at('image.bin'))).toBe(false);
  });
});

describe('unpack', () => {
  test.each(CHIPS.map(({ name }) => name))('files packed for the %s come back', async (chip) => {
    makeFiles();
    await pack([at('in')], '--layout', 'assets', '--chip', chip, '--tag', 'v1');
    const { code, records } = await data('unpack', at('image.bin'), '-o', at('out'), '--chip', chip, '--json');
    expect(code).toBe(0);
    expect(records[0]).toMatchObject({ chip, tag: 'v1', layout: 'assets', issues: [] });
    for (const name of ['a.png', 'b.png', 'photo.jpg', 'sounds/hello.wav']) {
      expect(readFileSync(at('out', name))).toEqual(readFileSync(at('in', name)));
    }
    expect(readdirSync(at('out')).sort()).toEqual(['a.png', 'b.png', 'photo.jpg', 'sounds']);
  });

  test.each<[string, string[], string[]]>([
    ['no tag', [], []],
    ['a tag of auto, found', ['--tag', 'auto'], []],
    ['a tag of auto, checked', ['--tag', 'auto'], ['--tag', 'auto']],
    ['a tag that is told', ['--tag', 'v1'], ['--tag', 'v1']],
    ['a tag, whatever it is', ['--tag', 'v1'], ['--tagged']],
    ['no header', ['--header', 'none'], ['--header', 'none']],
    ['no header, a tag of auto', ['--header', 'none', '--tag', 'auto'], []],
  ])('a raw file comes back: %s', async (_, packing, unpacking) => {
    for (const content of ['short', 'long'.repeat(1000)]) {
      await pack([write('in', content)], ...packing);
      expect(await data('unpack', at('image.bin'), '-o', at('out'), ...unpacking)).toMatchObject({ code: 0 });
      expect(readFileSync(at('out'), 'utf8')).toBe(content);
    }
  });

  test('of a slot of a board', async () => {
    await pack([write('in', 'payload')]);
    write('slot', Buffer.concat([image(), Buffer.alloc(8192, 0xff)]));
    expect(await data('unpack', at('slot'), '--slot', '-o', at('out'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('out'), 'utf8')).toBe('payload');
  });

  test('a damaged image is refused, and with --lenient gives what is left', async () => {
    makeFiles();
    await pack([at('in')], '--layout', 'assets');
    // Behind the first file, before the end of the last.
    write('cut.bin', image().subarray(0, 290));
    const refused = await data('unpack', at('cut.bin'), '-o', at('out'));
    expect(refused).toMatchObject({ code: 2 });
    expect(refusal(refused)).toBe('data-assets-truncated');
    expect(existsSync(at('out'))).toBe(false);
    const { code, records } = await data('unpack', at('cut.bin'), '-o', at('out'), '--lenient', '--json');
    expect(code).toBe(0);
    expect(records[0]).toMatchObject({
      issues: expect.arrayContaining([expect.objectContaining({ code: 'data-assets-truncated' })]) as unknown,
    });
    expect(readFileSync(at('out/photo.jpg'))).toEqual(readFileSync(at('in/photo.jpg')));
  });

  /** Files with names that the packer would not take, and a right checksum. */
  function hostileImage(names: [string, string][]): void {
    const stand = names.map(([, content], index) => ({ name: `${index}`.repeat(3), bytes: Buffer.from(content) }));
    const { payload } = encodeAssets(stand);
    names.forEach(([name], index) => {
      payload.fill(0, 12 + index * 44, 44 + index * 44);
      payload.set(Buffer.from(name), 12 + index * 44);
    });
    const sum = payload.subarray(12).reduce((total, byte) => total + byte, 0) & 0xffff;
    payload.set([sum & 0xff, sum >> 8], 4);
    write('image.bin', packDataImage(payload, { chip: CHIPS[0]!, allowSpiModeByte: true }));
  }

  test.each(['../out.txt', '/absolute/out.txt', 'a/../../out.txt', '..\\out.txt', 'c:out.txt', 'a\u0001'])(
    'the name %j is refused, and skipped with --lenient',
    async (name) => {
      hostileImage([
        [name, 'hostile'],
        ['good', 'good'],
        ['also', 'good'],
      ]);
      const refused = await data('unpack', at('image.bin'), '-o', at('deep/out'));
      expect(refusal(refused)).toBe('data-unsafe-name');
      expect(await data('unpack', at('image.bin'), '-o', at('deep/out'), '--lenient')).toMatchObject({ code: 0 });
      expect(readdirSync(at('deep'))).toEqual(['out']);
      expect(readdirSync(at('deep/out')).sort()).toEqual(['also', 'good']);
    },
  );

  test('a link in the folder leads nowhere', async () => {
    write('in/sub/file', 'content');
    await pack([at('in')], '--layout', 'assets');
    mkdirSync(at('out'));
    mkdirSync(at('elsewhere'));
    symlinkSync(at('elsewhere'), at('out/sub'));
    const refused = await data('unpack', at('image.bin'), '-o', at('out'));
    expect(refusal(refused)).toBe('data-folder-has-link');
    expect(readdirSync(at('elsewhere'))).toEqual([]);
    // A link in place of the file itself is replaced, not followed.
    rmSync(at('out/sub'));
    mkdirSync(at('out/sub'));
    symlinkSync(at('elsewhere/file'), at('out/sub/file'));
    expect(await data('unpack', at('image.bin'), '-o', at('out'))).toMatchObject({ code: 0 });
    expect(readFileSync(at('out/sub/file'), 'utf8')).toBe('content');
    expect(readdirSync(at('elsewhere'))).toEqual([]);
  });

  test.each([
    ['data-verifies-as-app', join(FIXTURES, 'data-byte31-ef.bin'), []],
    ['data-not-packed', join(FIXTURES, 'data-raw.bin'), []],
    ['data-not-packed', join(FIXTURES, 'esp32-small.bin'), []],
    ['data-starts-like-image', join(FIXTURES, 'esp32-small.bin'), ['--header', 'none']],
    ['data-wrong-chip', join(FIXTURES, 'seed-data.bin'), ['--chip', 'esp32']],
    ['data-wrong-tag', join(FIXTURES, 'seed-data.bin'), ['--tag', 'v1']],
    ['data-truncated', join(FIXTURES, 'data-esp32.bin'), ['--size', '2000']],
  ])('%s: %s %j', async (code, path, options) => {
    const result = await data('unpack', path, '-o', at('out'), ...options);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(refusal(result)).toBe(code);
    expect(existsSync(at('out'))).toBe(false);
  });
});

describe('info and verify', () => {
  test('info shows an image that verify refuses', async () => {
    const path = join(FIXTURES, 'data-byte31-ef.bin');
    const { code, records } = await data('info', path, '--json');
    expect(code).toBe(0);
    expect(records[0]).toMatchObject({ chip: 'esp32', issues: [{ code: 'data-verifies-as-app', offset: 31 }] });
    const refused = await data('verify', path);
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refusal(refused)).toBe('data-verifies-as-app');
  });

  test('what is no data image has no info', async () => {
    const refused = await data('info', join(FIXTURES, 'data-raw.bin'));
    expect(refused).toMatchObject({ code: 2 });
    expect(refusal(refused)).toBe('data-not-packed');
  });

  test('a sound image is verified, for a chip and a slot', async () => {
    const path = join(FIXTURES, 'seed-data.bin');
    const { code, records } = await data('verify', path, '--chip', 'esp32c3', '--slot-size', '1M', '--json');
    expect(code).toBe(0);
    expect(records[0]).toMatchObject({ payload_length: 29, shown: 'Hello from', issues: [], warnings: [] });
    expect(refusal(await data('verify', path, '--slot-size', '4K'))).toBe('data-too-large');
    expect((await data('verify', path, '--slot-size', '4M', '--chip', 'esp32c3')).code).toBe(0);
  });
});
