import { describe, expect, test } from 'vitest';
import { chipByName } from '#formats/chips.ts';
import { filesNamedBy, recogniseRelease } from '#formats/release/recognise.ts';
import { buildsFor, type ReleaseFile } from '#formats/release/release.ts';
import { bytesOf, file, json, merge, noteCodes, refusal, replaced, sample } from './support.ts';

interface Manifest {
  name?: unknown;
  builds: { chipFamily: string; serialType?: string; parts: { path: string; offset: unknown }[] }[];
}

const files = (): ReleaseFile[] => sample('web-tools');
const esp32 = chipByName('esp32')!;
const esp32s3 = chipByName('esp32s3')!;

function withManifest(change: (manifest: Manifest) => void, others = files()): ReleaseFile[] {
  const manifest = JSON.parse(new TextDecoder().decode(bytesOf(files(), 'manifest.json'))) as Manifest;
  change(manifest);
  return replaced(others, 'manifest.json', json('manifest.json', manifest));
}

test('offsets written as text are understood', () => {
  const changed = withManifest(({ builds: [first] }) => {
    first!.parts[0]!.offset = '0x1000';
    first!.parts[1]!.offset = '32768';
  });
  expect(recogniseRelease(changed)).toEqual(recogniseRelease(files()));
});

test('paths are URLs: a query is dropped, escapes are read', () => {
  const renamed = files().map((entry) =>
    entry.path === 'esp32/firmware.bin' ? { ...entry, path: 'esp32/my firmware.bin' } : entry,
  );
  const changed = withManifest(
    ({ builds: [first] }) => (first!.parts[3]!.path = './esp32/my%20firmware.bin?token=abc'),
    renamed,
  );
  expect(buildsFor(recogniseRelease(changed), esp32)[0]!.app.name).toBe('my firmware.bin');
});

test('the kind of port is kept', () => {
  const release = recogniseRelease(withManifest(({ builds: [, second] }) => (second!.serialType = 'cdc')));
  expect(release.builds.map(({ serialType }) => serialType)).toEqual([undefined, 'cdc']);
});

describe('builds that cannot be used', () => {
  test('are left out and said while another remains', () => {
    const release = recogniseRelease(files().filter(({ path }) => !path.startsWith('esp32s3/')));
    expect(noteCodes(release)).toEqual(['release-missing-file']);
    expect(release.notes[0]!.message).toContain('esp32s3/merged.bin');
    expect(release.builds.map(({ chip }) => chip.name)).toEqual(['esp32']);
    const old = recogniseRelease(withManifest(({ builds: [first] }) => (first!.chipFamily = 'ESP8266')));
    expect(noteCodes(old)).toEqual(['release-unknown-chip']);
  });

  test('are refused when none remains', () => {
    expect(refusal([files().find(({ path }) => path === 'manifest.json')!])).toBe('release-missing-file');
    const other = withManifest(({ builds }) => builds.forEach((build) => (build.chipFamily = 'ESP8266')));
    expect(refusal(other)).toBe('release-unknown-chip');
  });
});

test.each<[string, (manifest: Manifest) => void]>([
  ['release-mixed-chips', ({ builds: [first] }) => (first!.chipFamily = 'ESP32-S3')],
  ['release-bad-manifest', (manifest) => (manifest.name = 7)],
  ['release-bad-manifest', (manifest) => (manifest.builds = [])],
  ['release-bad-manifest', ({ builds: [first] }) => (first!.parts[0]!.offset = -1)],
  ['release-bad-manifest', ({ builds: [first] }) => (first!.parts[0]!.offset = 'start')],
  ['release-bad-manifest', ({ builds: [first] }) => (first!.parts = [])],
  ['release-overlap', ({ builds: [first] }) => (first!.parts[0]!.offset = 0x8000)],
])('%s is refused', (code, change) => {
  expect(refusal(withManifest(change))).toBe(code);
});

test('a boot loader at the wrong offset goes to where the ROM looks for it, and it is said', () => {
  const release = recogniseRelease(withManifest(({ builds: [first] }) => (first!.parts[0]!.offset = 0)));
  expect(noteCodes(release)).toEqual(['release-bootloader-moved']);
  expect(buildsFor(release, esp32)[0]!.bootloader!.offset).toBe(0x1000);
});

test('boot_app0.bin goes to where the table has otadata, and it is said', () => {
  const table = bytesOf(sample('idf-build'), 'partition_table/partition-table.bin');
  const changed = withManifest(
    ({ builds: [first] }) => {
      first!.parts[3]!.offset = 0x10_0000;
    },
    replaced(files(), 'esp32/partitions.bin', { bytes: table }),
  );
  const release = recogniseRelease(changed);
  expect(noteCodes(release)).toEqual(['release-otadata-moved']);
  expect(buildsFor(release, esp32)[0]!.otadata!.offset).toBe(0xd000);
});

test('a merged image with its boot loader at the wrong place is refused', () => {
  const [bootloader, table, app] = ['bootloader', 'partitions', 'firmware'].map((name) =>
    bytesOf(files(), `esp32/${name}.bin`),
  );
  const wrong = merge(0, { 0: bootloader!, 0x8000: table!, 0x1_0000: app! });
  const changed = withManifest(
    ({ builds: [first] }) => (first!.parts = [{ path: 'wrong.bin', offset: 0 }]),
    [...files(), file('wrong.bin', wrong)],
  );
  expect(refusal(changed)).toBe('release-wrongly-merged');
});

test('a merged image starts where the manifest says', () => {
  const parts = ['bootloader', 'partitions', 'firmware'].map((name) => bytesOf(files(), `esp32/${name}.bin`));
  const merged = merge(0x1000, { 0x1000: parts[0]!, 0x8000: parts[1]!, 0x1_0000: parts[2]! });
  const change = (offset: number): ReleaseFile[] =>
    withManifest(
      ({ builds: [first] }) => (first!.parts = [{ path: 'merged.bin', offset }]),
      [...files(), file('merged.bin', merged)],
    );
  expect(buildsFor(recogniseRelease(change(0x1000)), esp32)[0]).toMatchObject({
    bootloader: { offset: 0x1000 },
    app: { offset: 0x1_0000 },
  });
  expect(refusal(change(0))).toBe('release-wrongly-merged');
});

describe('the files that a list names', () => {
  test('are those of all builds of a manifest, or of the build folder', () => {
    expect(filesNamedBy(files().filter(({ path }) => path === 'manifest.json'))).toEqual([
      'esp32/bootloader.bin',
      'esp32/partitions.bin',
      'esp32/boot_app0.bin',
      'esp32/firmware.bin',
      'esp32s3/merged.bin',
    ]);
    const idf = filesNamedBy(sample('idf-build').filter(({ path }) => path === 'flasher_args.json'));
    expect(idf.toSorted()).toEqual([
      'app.bin',
      'bootloader/bootloader.bin',
      'ota_data_initial.bin',
      'partition_table/partition-table.bin',
    ]);
  });

  test('never lie outside of the folder', () => {
    const changed = withManifest(({ builds: [first] }) => {
      first!.parts[0]!.path = '../../secret.bin';
      first!.parts[1]!.path = '/etc/secret.bin';
      first!.parts[2]!.path = 'https://example.org/secret.bin';
      first!.parts[3]!.path = 'esp32/../../secret.bin';
    });
    expect(filesNamedBy(changed)).toEqual(['esp32s3/merged.bin']);
  });

  test('are none where there is no list, or a bad one', () => {
    expect(filesNamedBy([])).toEqual([]);
    expect(filesNamedBy([json('manifest.json', { builds: [] })])).toEqual([]);
    expect(filesNamedBy([json('flasher_args.json', { flash_files: { nowhere: 'x.bin' } })])).toEqual([]);
  });
});

test('both builds of the sample stay apart', () => {
  const release = recogniseRelease(files());
  expect(buildsFor(release, esp32)[0]!.app.image.header.chipId).toBe(0);
  expect(buildsFor(release, esp32s3)[0]!.app.image.header.chipId).toBe(9);
});
