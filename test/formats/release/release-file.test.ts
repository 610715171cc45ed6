/** The release file: made of every kind of input it opens as the same parts; what is wrong in it is refused whole. */
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { isDataImage } from '#formats/data/data-image.ts';
import { checkRelease } from '#formats/release/check-release.ts';
import { SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { filesNamedBy, recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { type JsonPart, type ReleaseJson } from '#formats/release/release-json.ts';
import { partsOf } from '#formats/release/release-parts.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { decodeZip, encodeZip } from '#formats/zip.ts';
import { imageFixture } from '../app-fixtures.ts';
import {
  appNamed,
  bytesOf,
  expectNoOtherError,
  file,
  json,
  merge,
  refusal,
  sample,
  sampleNames,
  tableOf,
} from './support.ts';

const opened = (archive: Uint8Array): Release => recogniseRelease([file('release.zip', archive)]);
const made = (release: Release): Uint8Array => encodeReleaseFile(prepareRelease(release, {}));

/** Roles, names, addresses and bytes of every build, and what else decides what a board gets. */
const contentOf = ({ name, version, builds }: Release): unknown => ({
  name,
  version,
  builds: builds.map((build) => ({
    chip: build.chip.name,
    parts: partsOf(build).map(({ data, ...part }) => ({
      ...part,
      name: part.role === 'partition-table' ? '' : part.name,
      data: toHex(data),
    })),
    rows: build.table?.partitions,
    settings: [build.serialType, build.headerRepair, build.consoleBaud, build.ignoresNvs, build.bootCheck],
  })),
});

const arduino = (name: string): Uint8Array => bytesOf(sample('arduino-build'), `sketch.ino${name}.bin`);
const withSerialType = (): ReleaseFile[] => {
  const manifest = JSON.parse(new TextDecoder().decode(bytesOf(sample('web-tools'), 'manifest.json'))) as {
    builds: { serialType?: string }[];
  };
  manifest.builds[1]!.serialType = 'cdc';
  return [...sample('web-tools').filter(({ path }) => path !== 'manifest.json'), json('manifest.json', manifest)];
};

const INPUTS: [what: string, files: () => ReleaseFile[]][] = [
  ...sampleNames().map((name): [string, () => ReleaseFile[]] => [name, () => sample(name)]),
  ['a lone app', () => [file('heater.bin', appNamed('heater'))]],
  [
    'an app and a boot loader without a table',
    () => [file('a.bin', arduino('')), file('b.bin', arduino('.bootloader'))],
  ],
  [
    'a merged image',
    () => [
      file(
        'all.bin',
        merge(0x1000, { 0x1000: arduino('.bootloader'), 0x8000: arduino('.partitions'), 0x1_0000: arduino('') }),
      ),
    ],
  ],
  ['a manifest for two kinds of port', withSerialType],
  [
    'a build with a boot check',
    () => [...sample('idf-build'), json('twostep.json', { bootCheck: { line: 'up' }, ignoresNvs: true })],
  ],
];

describe('made of every kind of input', () => {
  test.each(INPUTS)('%s: the same parts when it is opened', (_, files) => {
    const release = recogniseRelease(files());
    const again = opened(made(release));
    expect(again.kind).toBe('release-file');
    expect(contentOf(again)).toEqual(contentOf(release));
    expect(again.firmwareProfile).toEqual(SEED_FIRMWARE);
    expect(checkRelease(again)).toEqual([]);
  });

  test.each(INPUTS)('%s: the same bytes when it is made again, of itself too', (_, files) => {
    const archive = made(recogniseRelease(files()));
    expect(toHex(made(recogniseRelease(files().toReversed())))).toBe(toHex(archive));
    expect(toHex(made(opened(archive)))).toBe(toHex(archive));
  });

  test.each(INPUTS)('%s: a .zip of it is the same release', (_, files) => {
    const zipped = encodeZip(files().map(({ path, bytes }) => ({ path: `firmware/${path}`, bytes })));
    expect(contentOf(opened(zipped))).toEqual(contentOf(recogniseRelease(files())));
  });
});

test('names that some system would not take are made plain, and stay apart', () => {
  const files = [
    file('my app (1).bin', arduino('')),
    file('.my_app__1_.bin', arduino('.bootloader')),
    file('t.bin', arduino('.partitions')),
  ];
  expect(decodeZip(made(recogniseRelease(files))).map(({ path }) => path)).toEqual([
    'esp32/my_app__1_-2.bin',
    'esp32/my_app__1_.bin',
    'esp32/partition-table.bin',
    'release.json',
  ]);
});

test('an archive in an archive stays what it is', () => {
  expect(refusal([file('outer.zip', encodeZip([{ path: 'inner.zip', bytes: encodeZip(sample('idf-build')) }]))])).toBe(
    'release-archive',
  );
});

const PAYLOAD = new Uint8Array(5000).map((_, index) => (index === 181 ? 0 : index * 7));
const DATA = { name: 'voices.bin', bytes: PAYLOAD, layout: 'raw' } as const;
const build = (): Release => recogniseRelease(sample('idf-build'));

describe('its data', () => {
  test('go to the second slot, with the header of the chip', () => {
    const [found] = opened(encodeReleaseFile(prepareRelease(build(), { data: { ...DATA, tag: 'voices 2.4' } }))).builds;
    expect(found!.data).toMatchObject({ name: 'voices.bin', offset: 0x20_0000, layout: 'raw', tag: 'voices 2.4' });
    const { data } = found!.data!;
    expect(isDataImage(data)).toBe(true);
    expect(toHex(data.subarray(32, 48))).toBe(toHex(new TextEncoder().encode('voices 2.4')).padEnd(32, '0'));
    expect(toHex(data.subarray(48))).toBe(toHex(PAYLOAD));
  });

  test('have no header where the firmware wants none, and get it when that changes', () => {
    const bare = prepareRelease(build(), { data: { ...DATA, layout: 'assets' }, dataHeader: 'none' });
    const found = opened(encodeReleaseFile(bare));
    expect(found.firmwareProfile).toEqual({ ...SEED_FIRMWARE, dataHeader: 'none' });
    expect(toHex(found.builds[0]!.data!.data)).toBe(toHex(PAYLOAD));
    expect(found.builds[0]!.data!.layout).toBe('assets');
    const changed = prepareRelease(found, { dataHeader: 'two-step' });
    expect(toHex(changed.builds[0]!.data!.data)).toBe(
      toHex(prepareRelease(build(), { data: DATA }).builds[0]!.data!.data),
    );
  });

  test('have a tag of their digest on request', () => {
    const [found] = prepareRelease(build(), { data: { ...DATA, tag: 'auto' } }).builds;
    expect(found!.data!.tag).toBe(toHex(sha256(PAYLOAD)).slice(0, 16));
  });

  test('have no address where there is no second slot', () => {
    const lone = recogniseRelease([file('heater.bin', appNamed('heater'))]);
    expect(opened(encodeReleaseFile(prepareRelease(lone, { data: DATA }))).builds[0]!.data).not.toHaveProperty(
      'offset',
    );
  });

  test('that a build put into a slot are the data of the release', () => {
    const image = prepareRelease(build(), { data: DATA }).builds[0]!.data!.data;
    const merged = merge(0, {
      ...Object.fromEntries(partsOf(build().builds[0]!).map(({ offset, data }) => [offset!, data])),
      0x20_0000: image,
    });
    const found = prepareRelease(recogniseRelease([file('all.bin', merged)]), {});
    expect(found.builds[0]).toMatchObject({ data: { offset: 0x20_0000, layout: 'raw' }, extra: [] });
  });

  test.each([
    ['data-empty', { ...DATA, bytes: new Uint8Array(0) }, 'two-step'],
    ['data-empty', { ...DATA, bytes: new Uint8Array(0) }, 'none'],
    ['data-too-large', { ...DATA, bytes: new Uint8Array(0x10_0001) }, 'none'],
    ['data-starts-like-image', { ...DATA, bytes: imageFixture('esp32-small.bin') }, 'none'],
    ['data-bad-tag', { ...DATA, tag: 'more than sixteen' }, 'two-step'],
    ['data-bad-tag', { ...DATA, tag: 'ümlaut' }, 'two-step'],
  ] as const)('%s (%#)', (code, data, dataHeader) => {
    expect(() => prepareRelease(build(), { data, dataHeader })).toThrowError(
      expect.objectContaining({ code }) as Error,
    );
  });
});

test('only the builds for one chip, or a refusal', () => {
  const release = recogniseRelease(sample('web-tools'));
  const s3 = release.builds[1]!.chip;
  expect(prepareRelease(release, { chip: s3 }).builds.map(({ chip }) => chip.name)).toEqual(['esp32s3']);
  expect(() => prepareRelease(build(), { chip: s3 })).toThrowError(
    expect.objectContaining({ code: 'release-no-build' }) as Error,
  );
});

test('what a reader would refuse is not written', () => {
  const release = build();
  const stray = { name: 'stray.bin', offset: 0x30_0000, data: new Uint8Array(16) };
  const builds = [{ ...release.builds[0]!, extra: [stray] }];
  expect(() => made({ ...release, builds })).toThrowError(
    expect.objectContaining({ code: 'release-part-outside-table' }) as Error,
  );
});

/** A good release file with data and everything else, unpacked, with its description changed. */
function changed(change: (value: ReleaseJson & Record<string, unknown>, files: ReleaseFile[]) => void): ReleaseFile[] {
  const release = prepareRelease(build(), {
    data: { ...DATA, tag: 'voices 2.4' },
    wifiStore: { kind: 'idf' },
    nvsTemplate: [{ name: 'Serial', namespace: 'unit', key: 'serial', type: 'string', required: true }],
  });
  const files: ReleaseFile[] = decodeZip(encodeReleaseFile(release));
  const value = JSON.parse(new TextDecoder().decode(bytesOf(files, 'release.json'))) as ReleaseJson &
    Record<string, unknown>;
  change(value, files);
  return [...files.filter(({ path }) => path !== 'release.json'), json('release.json', value)];
}

const roleOf = ({ builds }: ReleaseJson, role: JsonPart['role']): JsonPart =>
  builds[0]!.parts.find((part) => part.role === role)!;

/** Other bytes for a part, with their right size and digest. */
function replacePart(value: ReleaseJson, files: ReleaseFile[], [role, bytes]: [JsonPart['role'], Uint8Array]): void {
  const part = roleOf(value, role);
  files.find(({ path }) => path === part.file)!.bytes = bytes;
  Object.assign(part, { size: bytes.length, sha256: toHex(sha256(bytes)) });
}

const field = (more: Record<string, unknown>): ReleaseJson['nvsTemplate'] => [
  { name: 'Port', namespace: 'unit', key: 'port', type: 'u16', required: false, ...more },
];

const REFUSED: [code: string, change: Parameters<typeof changed>[0]][] = [
  ['release-format-version', (value) => Object.assign(value, { formatVersion: 2, builds: 'of another shape' })],
  ['release-bad-release-file', (value) => Object.assign(value, { formatVersion: 0 })],
  ['release-bad-release-file', (value) => Object.assign(value, { wifistore: 'idf' })],
  ['release-bad-release-file', (value) => Object.assign(value, { product: '' })],
  ['release-bad-release-file', (value) => value.builds.push(value.builds[0]!)],
  ['release-bad-release-file', (value) => delete roleOf(value, 'bootloader').address],
  ['release-bad-release-file', (value) => (roleOf(value, 'app').sha256 = 'ABC')],
  ['release-unknown-chip', (value) => (value.builds[0]!.chip = 'esp32x9')],
  ['release-mixed-chips', (value) => (value.builds[0]!.chip = 'esp32s3')],
  ['release-mixed-chips', (value, files) => replacePart(value, files, ['app', imageFixture('esp32s3-small.bin')])],
  ['release-mixed-chips', (value, files) => replacePart(value, files, ['data', otherChip()])],
  ['release-path-outside', (value) => (roleOf(value, 'app').file = '../app.bin')],
  ['release-path-outside', (value) => (roleOf(value, 'app').file = 'esp32/../esp32/app.bin')],
  ['release-path-outside', (value) => (roleOf(value, 'app').file = '/etc/app.bin')],
  ['release-path-outside', (value) => (roleOf(value, 'app').file = 'C:/app.bin')],
  ['release-path-outside', (value) => (roleOf(value, 'app').file = 'esp32\\app.bin')],
  ['release-missing-file', (value) => (roleOf(value, 'app').file = 'app.bin')],
  ['release-hash-differs', (value) => (roleOf(value, 'app').sha256 = '0'.repeat(64))],
  ['release-hash-differs', (value) => (roleOf(value, 'app').size -= 1)],
  ['release-bad-role', (value) => value.builds[0]!.parts.push(roleOf(value, 'otadata'))],
  ['release-bad-role', (value) => Object.assign(roleOf(value, 'otadata'), { role: 'other' })],
  ['release-bad-role', (value) => Object.assign(roleOf(value, 'bootloader'), { role: 'otadata' })],
  ['release-no-app', (value) => (value.builds[0]!.parts = value.builds[0]!.parts.filter(({ role }) => role !== 'app'))],
  ['release-overlap', (value) => (roleOf(value, 'bootloader').address = 0x8000)],
  ['release-overlap', (value) => (roleOf(value, 'app').address = 0x8400)],
  ['release-bootloader-moved', (value) => (roleOf(value, 'bootloader').address = 0)],
  ['release-otadata-moved', (value) => (roleOf(value, 'otadata').address = 0xf000)],
  ['release-beyond-flash', (value) => (value.builds[0]!.flashSize = 0x20_0000)],
  ['release-beyond-flash', (value) => (roleOf(value, 'app').address = 0x40_0000)],
  ['release-part-outside-table', (value) => (roleOf(value, 'app').address = 0x30_0000)],
  ['release-part-outside-table', (value) => (roleOf(value, 'app').address = 0x9000)],
  ['release-part-outside-table', (value) => (roleOf(value, 'data').address = 0x10_0000)],
  ['release-part-too-large', (value, files) => replacePart(value, files, ['app', appOf(0x10_0001)])],
  ['release-table-differs', (value) => (value.builds[0]!.partitionTable!.partitions[0]!.size -= 0x1000)],
  ['release-table-differs', (value) => (value.builds[0]!.partitionTable!.address = 0x9000)],
  [
    'release-bad-table',
    (value, files) =>
      replacePart(value, files, ['partition-table', tableOf(['nvs', 1, 2, 0x9000, 0x4000]).fill(0, 4, 8)]),
  ],
  [
    'release-damaged-image',
    (value, files) => replacePart(value, files, ['app', imageFixture('esp32-small.bin').slice(0, 500)]),
  ],
  ['release-bad-data', (value, files) => replacePart(value, files, ['data', PAYLOAD])],
  ['release-bad-data', (value) => Object.assign(roleOf(value, 'data'), { tag: 'voices 2.5' })],
  ['release-bad-data', (value) => (value.firmwareProfile!.dataHeader = 'none')],
  ['data-verifies-as-app', (value, files) => replacePart(value, files, ['data', imageFixture('data-byte31-ef.bin')])],
  ['wifi-bad-store', (value) => (value.wifiStore = 'wifi:same:same')],
  ['release-bad-boot-check', (value) => (value.bootCheck = { line: '(', timeoutSeconds: 3 })],
  ['release-bad-nvs-template', (value) => value.nvsTemplate!.push(value.nvsTemplate![0]!)],
  ['release-bad-nvs-template', (value) => value.nvsTemplate!.push({ ...value.nvsTemplate![0]!, name: 'Other' })],
  ['release-bad-nvs-template', (value) => (value.nvsTemplate = field({ default: 65_536 }))],
  ['release-bad-nvs-template', (value) => (value.nvsTemplate = field({ default: 'many' }))],
  ['release-bad-nvs-template', (value) => (value.nvsTemplate = field({ type: 'i8', default: -129 }))],
  ['release-bad-nvs-template', (value) => (value.nvsTemplate = field({ type: 'blob', default: 'abc' }))],
  ['release-bad-nvs-template', (value) => (value.nvsTemplate = field({ type: 'string', default: 'x'.repeat(4000) }))],
];

const otherChip = (): Uint8Array => {
  const image = prepareRelease(build(), { data: DATA }).builds[0]!.data!.data.slice();
  image[12] = 9;
  return image;
};

/** The app with so many bytes behind it, as a signature. */
const appOf = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  bytes.set(imageFixture('esp32-small.bin'));
  return bytes;
};

describe('what is refused whole', () => {
  test('the file itself is fine', () => {
    expect(recogniseRelease(changed(() => undefined))).toMatchObject({
      kind: 'release-file',
      wifiStore: { kind: 'idf' },
      nvsTemplate: [{ name: 'Serial' }],
    });
  });

  test.each(REFUSED)('%s (%#)', (code, change) => expect(refusal(changed(change))).toBe(code));

  test('a description that is no JSON, though its parts would be a release', () => {
    const files = changed(() => undefined).filter(({ path }) => path !== 'release.json');
    expect(refusal([...files, file('release.json', '{ "format": ')])).toBe('release-bad-release-file');
  });

  test('two of them side by side', () => {
    const both = ['a', 'b'].flatMap((folder) =>
      changed(() => undefined).map((entry) => ({ ...entry, path: `${folder}/${entry.path}` })),
    );
    expect(refusal(both)).toBe('release-ambiguous');
  });
});

test('a release.json of another program is none of ours', () => {
  expect(recogniseRelease([...sample('idf-build'), json('release.json', { branches: ['main'] })]).kind).toBe(
    'idf-build',
  );
});

test('rows alone are a table', () => {
  const files = changed(
    ({ builds: [only] }) => (only!.parts = only!.parts.filter(({ role }) => role !== 'partition-table')),
  );
  expect(toHex(recogniseRelease(files).builds[0]!.table!.data)).toBe(toHex(build().builds[0]!.table!.data));
});

test('defaults that fit their types are kept', () => {
  const fields = (['u8', 'i64', 'u64', 'string', 'blob'] as const).map((type, index) => ({
    ...field({})![0]!,
    name: type,
    key: type,
    type,
    default: [255, '-9223372036854775808', '18446744073709551615', 'text', '00ff'][index]!,
  }));
  expect(recogniseRelease(changed((value) => (value.nvsTemplate = fields))).nvsTemplate).toEqual(fields);
});

test('whatever the description, the end is a release or a FormatError', () => {
  expectNoOtherError(
    changed(() => undefined),
    'release.json',
    500,
  );
});

test('the files that it names are known before they are read, and lie inside', () => {
  const named = filesNamedBy([changed((value) => (roleOf(value, 'app').file = '../app.bin')).at(-1)!]);
  expect(named.toSorted()).toEqual(
    ['bootloader.bin', 'ota_data_initial.bin', 'partition-table.bin', 'voices.bin'].map((name) => `esp32/${name}`),
  );
});
