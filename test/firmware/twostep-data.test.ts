/** `firmware/twostep_data.h`, compiled by the system's compiler, reads what this project packs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { concatBytes, writeU32 } from '#formats/bytes.ts';
import { CHIPS } from '#formats/chips.ts';
import { type AssetFile, encodeAssets } from '#formats/data/assets.ts';
import { DATA_HEADERS, packDataImage } from '#formats/data/data-image.ts';
import { formatDataHeader } from '#formats/data/data-header-file.ts';
import { imageFixture } from '../formats/app-fixtures.ts';
import { assetFiles } from '../formats/data/data-arbitrary.ts';
import { jpeg, png } from '../formats/data/pictures.ts';
import { compile, compiler } from './c-compiler.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const chip = CHIPS[0]!;

/** FNV-1a, as the program computes it. */
function digest(bytes: Uint8Array): string {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

interface ReadOptions {
  tagged?: boolean;
  nameLength?: number;
  names?: string[];
}

describe.skipIf(!compiler)('twostep_data.h (skipped where there is no C compiler: cc, gcc or clang)', () => {
  let folder: string;
  let program: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-firmware-'));
    program = join(folder, 'read_data');
    compile('test/firmware/read_data.c', program);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What the program prints about each image. */
  function read(images: Uint8Array[], { tagged = false, nameLength = 32, names = [] }: ReadOptions = {}): string[][] {
    const input = join(folder, 'images');
    const records = images.flatMap((image) => {
      const length = new Uint8Array(4);
      writeU32(length, 0, image.length);
      return [length, image];
    });
    writeFileSync(input, concatBytes(...records));
    const args = [input, tagged ? '1' : '0', `${nameLength}`, ...names];
    const out = execFileSync(program, args, { encoding: 'latin1', maxBuffer: 1 << 28 });
    return out
      .split('image\n')
      .slice(1)
      .map((part) => part.trimEnd().split('\n'));
  }

  test.each(CHIPS.map((known) => [known.name, known] as const))('raw data for the %s', (_, known) => {
    const payload = text('payload '.repeat(200));
    const [plain] = read([packDataImage(payload, { chip: known, allowSpiModeByte: true })]);
    expect(plain).toEqual([`data header=1 chip=${known.imageChipId} tag= size=${payload.length} ${digest(payload)}`]);
    const image = packDataImage(payload, { chip: known, tag: '0123456789abcdef', allowSpiModeByte: true });
    expect(read([image], { tagged: true })).toEqual([
      [`data header=1 chip=${known.imageChipId} tag=0123456789abcdef size=${payload.length} ${digest(payload)}`],
    ]);
  });

  test('data without a header, also when they start with FF', () => {
    const payload = concatBytes(jpeg(8, 8), new Uint8Array(2000));
    expect(read([packDataImage(payload, { chip, header: 'none' })])).toEqual([
      [`data header=0 chip=0 tag= size=${payload.length} ${digest(payload)}`],
    ]);
  });

  const FILES: AssetFile[] = [
    { name: 'ui/logo.png', bytes: png(320, 240) },
    { name: 'photo.jpg', bytes: jpeg(17, 300) },
    { name: 'voices.bin', bytes: Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff) },
  ];

  test.each(CHIPS.flatMap((known) => DATA_HEADERS.map((header) => [known.name, header, known] as const)))(
    'files for the %s, header %s',
    (_, header, known) => {
      const { payload, entries } = encodeAssets(FILES, { nameLength: 20 });
      const options = { chip: known, header, allowSpiModeByte: true };
      const facts = ({ name, bytes, width, height }: (typeof entries)[number]): string =>
        `${name} ${bytes.length} ${width} ${height} ${digest(bytes)}`;
      const expected = [
        'assets 3 right',
        ...entries.map((entry) => `file ${facts(entry)}`),
        `found ${facts(entries.find(({ name }) => name === 'voices.bin')!)}`,
        'missing voices',
      ];
      for (const tagged of [false, true]) {
        const image = packDataImage(payload, { ...options, ...(tagged && { tag: 'v1' }) });
        const [lines = []] = read([image], { tagged, nameLength: 20, names: ['voices.bin', 'voices'] });
        expect(lines.slice(1)).toEqual(expected);
      }
    },
  );

  test('an app, an erased slot and an empty one hold no data', () => {
    const images = [imageFixture('esp32-small.bin'), new Uint8Array(4096).fill(0xff), new Uint8Array(0)];
    expect(read(images)).toEqual([['nothing'], ['nothing'], ['nothing']]);
    expect(read([imageFixture('seed-data.bin').subarray(0, 40)], { tagged: true })).toEqual([['nothing']]);
    // It would verify as an app; it is not read as data either.
    expect(read([imageFixture('data-byte31-ef.bin')])).toEqual([['nothing']]);
  });

  test('a changed byte shows in the checksum', () => {
    const { payload } = encodeAssets(FILES);
    payload[payload.length - 1]! ^= 1;
    const [lines] = read([packDataImage(payload, { chip, allowSpiModeByte: true })]);
    expect(lines?.[1]).toBe('assets 3 wrong');
  });

  test('cut and mutated images do not make it read elsewhere', () => {
    const mutations = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 });
    const images = fc
      .sample(fc.tuple(assetFiles, mutations, fc.nat(1024)), { numRuns: 2000, seed: 1 })
      .map(([files, changes, cut]) => {
        const image = packDataImage(encodeAssets(files).payload, { chip, allowSpiModeByte: true });
        for (const [at, value] of changes) image[at] = value;
        return image.subarray(0, cut % 2 === 0 ? image.length : cut);
      });
    for (const tagged of [false, true]) {
      // The program stops at the first wrong read, and the rest of the answers is missing.
      const answers = read(images, { tagged, names: ['a'] });
      expect(answers).toHaveLength(images.length);
      expect(answers.some(([line]) => line === 'nothing')).toBe(true);
      if (!tagged) expect(answers.some((lines) => lines.some((line) => line.startsWith('file ')))).toBe(true);
    }
  });

  test('the slot that does not run is mapped, whatever its label', () => {
    const mapping = join(folder, 'map_slot');
    compile('test/firmware/map_slot.c', mapping, ['-DESP_PLATFORM', '-Itest/firmware/idf']);
    expect(execFileSync(mapping, { encoding: 'utf8' })).toBe('9 payload\n');
  });

  test('the C header of an image compiles, however the files are named', () => {
    const names = ['files', 'checksum', 'a-b', 'a_b', 'A.b', '1', 'ä ö', 'x*/y', 'x/*y', '??/', 'int'];
    const { entries, checksum } = encodeAssets(
      names.map((name) => ({ name: name.replace(/\/$/, '_'), bytes: text('x') })),
    );
    const header = formatDataHeader({
      name: 'UI',
      payloadOffset: 48,
      payloadLength: 100,
      tag: String.raw`"?\??/`,
      assets: { entries, checksum, nameLength: 32 },
    });
    writeFileSync(join(folder, 'ui.h'), header);
    const source = join(folder, 'ui.c');
    writeFileSync(
      source,
      '#include <stdio.h>\n#include "ui.h"\n' +
        'int main(void) { printf("%d %d %s\\n", MMAP_UI_FILES, MMAP_UI_INT, TWOSTEP_UI_TAG); return 0; }\n',
    );
    const built = join(folder, 'ui');
    compile(source, built, [`-I${folder}`]);
    const index = entries.findIndex(({ name }) => name === 'int');
    expect(execFileSync(built, { encoding: 'utf8' })).toBe(`${names.length} ${index} ${String.raw`"?\??/`}\n`);
  });
});
