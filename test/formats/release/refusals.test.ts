import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '#formats/format-error.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { imageFixture } from '../app-fixtures.ts';
import { bytesOf, file, imageFor, json, refusal, sample } from './support.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Bytes that look random, the same in every run. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24);
}

function nvsPage(): Uint8Array {
  const page = new Uint8Array(0x3000).fill(0xff);
  page.set(bytes(0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xfe));
  return page;
}

function littlefs(): Uint8Array {
  const image = new Uint8Array(4096);
  image.set(new TextEncoder().encode('littlefs'), 8);
  return image;
}

const CASES: [code: string, content: Uint8Array | string][] = [
  ['release-elf', bytes(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1)],
  ['release-uf2', bytes(0x55, 0x46, 0x32, 0x0a, 0x57, 0x51, 0x5d, 0x9e, 0, 0x20)],
  ['release-hex', ':020000040000FA\n:10000000E9030220'],
  ['zip-damaged', bytes(0x50, 0x4b, 3, 4, 20, 0)],
  ['release-archive', bytes(0x1f, 0x8b, 8, 0)],
  ['release-only-table', imageFixture('pt.bin')],
  ['release-only-bootloader', imageFixture('esp32-bootloader.bin')],
  ['release-only-otadata', bytesOf(sample('arduino-build'), 'boot_app0.bin')],
  ['release-only-otadata', bytesOf(sample('idf-build'), 'ota_data_initial.bin')],
  ['release-data-image', imageFixture('seed-data.bin')],
  ['release-data-image', imageFixture('data-byte31-ef.bin')],
  ['release-nvs', nvsPage()],
  ['release-file-system', littlefs()],
  ['release-blank', new Uint8Array(4096).fill(0xff)],
  ['release-empty', new Uint8Array(0)],
  [
    'release-partition-csv',
    '# Name, Type, SubType, Offset, Size, Flags\nnvs, data, nvs, 0x9000, 0x6000,\nfactory, app, factory, , 1M,\n',
  ],
  ['release-bad-launchpad', 'esp_toml_version = 1.0\nfirmware_images_url = "https://example.org/"\n'],
  ['release-encrypted', noise(8192)],
  ['release-unknown', noise(100)],
  ['release-unknown', 'Dear reader,\nhello.\n'],
  ['release-unknown', imageFixture('data-raw.bin').slice(0, 5)],
  ['release-unknown', '{ "name": 1 }'],
  ['release-damaged-image', imageFixture('bad-segcount-17.bin')],
  ['release-damaged-image', imageFixture('bad-seglen-huge.bin')],
  ['release-damaged-image', imageFixture('esp32-small.bin').subarray(0, 1500)],
  ['release-unknown-chip', imageFor(99, 'esp32-nodigest.bin').fill(0, 32, 36)],
];

describe('what is no release is told what it is', () => {
  test.each(CASES)('%s (%#)', (code, content) => {
    expect(refusal([file('given.bin', content)])).toBe(code);
  });

  test('the file is named in the place and the words', () => {
    const error = caught(() => recogniseRelease([file('folder/given.bin', littlefs())]));
    expect(error).toMatchObject({ place: { file: 'folder/given.bin' } });
    expect((error as Error).message).toContain('given.bin');
  });

  test('nothing at all is refused', () => expect(refusal([])).toBe('release-empty'));

  test('of several useless files the most telling one is named', () => {
    const files = [
      file('readme.txt', 'Hello.\n'),
      file('table.bin', imageFixture('pt.bin')),
      file('firmware.zip', bytes(0x50, 0x4b, 3, 4)),
    ];
    expect(refusal(files)).toBe('release-archive');
    expect(refusal(files.slice(0, 2))).toBe('release-only-table');
  });

  test('an app that is damaged is told with the reason and the place', () => {
    const error = caught(() => recogniseRelease([file('given.bin', imageFixture('bad-seglen-huge.bin'))]));
    expect(error).toMatchObject({
      place: { file: 'given.bin', offset: 28 },
      cause: { code: 'image-bad-segment-length' },
    });
  });
});

test('an app with a wrong checksum or digest is still a release: the plan objects, not the reader', () => {
  expect(recogniseRelease([file('a.bin', imageFixture('bad-sha.bin'))]).kind).toBe('app');
  expect(recogniseRelease([file('a.bin', imageFixture('bad-checksum-sha-ok.bin'))]).kind).toBe('app');
});

describe('twostep.json', () => {
  const withOwn = (own: unknown): ReturnType<typeof sample> => [...sample('idf-build'), json('twostep.json', own)];

  test('brings the boot check and overrules name, version and NVS', () => {
    const own = {
      name: 'Heater',
      version: '2.1.0',
      bootCheck: { line: '^I .* ready', timeoutSeconds: 20 },
      ignoresNvs: true,
      more: 1,
    };
    expect(recogniseRelease(withOwn(own))).toMatchObject({
      name: 'Heater',
      version: '2.1.0',
      builds: [{ bootCheck: { line: '^I .* ready', timeoutSeconds: 20 }, ignoresNvs: true }],
    });
  });

  test('reaches all builds, waits 30 s unless told, and can say that the demo reads NVS now', () => {
    const release = recogniseRelease([...sample('web-tools'), json('twostep.json', { bootCheck: { line: 'up' } })]);
    expect(release.builds.map(({ bootCheck }) => bootCheck)).toEqual(Array(2).fill({ line: 'up', timeoutSeconds: 30 }));
    const demo = [file('demo.bin', imageFixture('esp32c3-full.bin')), json('twostep.json', { ignoresNvs: false })];
    expect(recogniseRelease(demo).builds[0]!.ignoresNvs).toBe(false);
  });

  test.each([
    ['release-bad-own-file', { bootCheck: { timeoutSeconds: 3 } }],
    ['release-bad-own-file', { bootCheck: { line: 'up', timeoutSeconds: 0 } }],
    ['release-bad-own-file', { bootCheck: { line: 'up', timeoutSeconds: 601 } }],
    ['release-bad-own-file', { ignoresNvs: 'no' }],
    ['release-bad-own-file', 'text'],
    ['release-bad-boot-check', { bootCheck: { line: '(' } }],
  ])('%s', (code, own) => expect(refusal(withOwn(own))).toBe(code));

  test('alone is no release', () => expect(refusal([json('twostep.json', {})])).toBe('release-empty'));
});

test('whatever files come, the end is a release or a FormatError', () => {
  const pieces = [...sample('idf-build'), ...sample('arduino-build'), ...sample('web-tools')];
  const anyFile = fc.record({
    source: fc.constantFrom(...pieces),
    flips: fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { maxLength: 4 }),
    length: fc.option(fc.nat(40_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(anyFile, { minLength: 1, maxLength: 6 }), (chosen) => {
      const files = chosen.map(({ source, flips, length }) => {
        const content = source.bytes.slice(0, length);
        for (const [offset, value] of flips) if (offset < content.length) content[offset] = value;
        return { path: source.path, bytes: content };
      });
      const error = caught(() => recogniseRelease(files));
      expect(error === undefined || error instanceof FormatError, String(error)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
