import { describe, expect, test } from 'vitest';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { imageFixture } from '../app-fixtures.ts';
import { appNamed, bytesOf, file, imageFor, json, noteCodes, refusal, replaced, sample, tableOf } from './support.ts';

const build = (): ReleaseFile[] => sample('idf-build');
const args = (): Record<string, Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(bytesOf(build(), 'flasher_args.json'))) as Record<
    string,
    Record<string, unknown>
  >;

/** The sample with another flasher_args.json. */
const withArgs = (change: (value: Record<string, Record<string, unknown>>) => void, files = build()): ReleaseFile[] => {
  const value = args();
  change(value);
  return replaced(files, 'flasher_args.json', json('flasher_args.json', value));
};

/** One more image at a row of the table, as FLASH_IN_PROJECT makes them: its label is the key. */
const storage = (entry: Record<string, unknown> = {}, files = build()): ReleaseFile[] =>
  withArgs((value) => {
    value.storage = { offset: '0x200000', file: 'storage.bin', encrypted: 'false', ...entry };
    value.flash_files!['0x200000'] = 'storage.bin';
  }, files);

const storageFile = file('storage.bin', new Uint8Array(5000).fill(7));

describe('what is flashed', () => {
  test('only the files that the list names', () => {
    const files = [
      ...build(),
      file('other-app.bin', appNamed('other')),
      file('app.elf', '\x7fELF'),
      file('bootloader/x.bin', 'x'),
    ];
    expect(recogniseRelease(files)).toEqual(recogniseRelease(build()));
  });

  test('label images lie in extra, by address', () => {
    const [found] = recogniseRelease([...storage(), storageFile]).builds;
    expect(found!.extra).toEqual([{ name: 'storage.bin', offset: 0x20_0000, data: storageFile.bytes }]);
  });

  test('old builds name the table with an underscore and have no chip', () => {
    const files = withArgs((value) => {
      value.partition_table = value['partition-table']!;
      delete value['partition-table'];
      delete value.extra_esptool_args!.chip;
      for (const key of ['app', 'bootloader', 'otadata', 'partition_table']) delete value[key]!.encrypted;
    });
    expect(recogniseRelease(replaced(files, 'project_description.json', undefined)).builds).toMatchObject([
      { chip: { name: 'esp32' }, table: { offset: 0x8000 } },
    ]);
  });

  test('files may be given without their folders', () => {
    const flat = build().map(({ path, bytes }) => ({ path: path.split('/').at(-1)!, bytes }));
    expect(recogniseRelease(flat)).toEqual(recogniseRelease(build()));
  });

  test('the list of the uppermost folder counts, not that of a sub-project', () => {
    const below = build().map(({ path, bytes }) => ({ path: `bootloader/sub/${path}`, bytes }));
    const sub = below.filter(({ path }) => path.endsWith('flasher_args.json'));
    expect(recogniseRelease([...sub, ...build()])).toEqual(recogniseRelease(build()));
  });

  test('two builds side by side are not guessed between', () => {
    const both = ['a', 'b'].flatMap((folder) =>
      build().map(({ path, bytes }) => ({ path: `${folder}/${path}`, bytes })),
    );
    expect(refusal(both)).toBe('release-ambiguous');
  });

  test('the text list serves where the JSON one is missing', () => {
    const text =
      '--flash_mode dio --flash_freq 40m --flash_size 4MB\n0x1000 bootloader/bootloader.bin\r\n0x100000 app.bin\n0x8000 partition_table/partition-table.bin\n0xd000 ota_data_initial.bin\n';
    const files = replaced(build(), 'flasher_args.json', { path: 'flash_args', bytes: new TextEncoder().encode(text) });
    expect(recogniseRelease(files)).toEqual(recogniseRelease(build()));
    const encrypted = text.replace('0x100000', '--encrypt-files\n0x100000');
    const noted = recogniseRelease(replaced(files, 'flash_args', { bytes: new TextEncoder().encode(encrypted) }));
    expect(noteCodes(noted)).toEqual(['release-wants-encryption']);
  });

  test('a CMake expression in place of the app is looked up', () => {
    const files = withArgs((value) => {
      value.app!.file = value.flash_files!['0x100000'] = '$<TARGET_PROPERTY:__idf_build_target,EXECUTABLE_NAME>.bin';
    });
    expect(recogniseRelease(files).builds).toEqual(recogniseRelease(build()).builds);
    const undescribed = replaced(files, 'project_description.json', undefined);
    expect(recogniseRelease(undescribed).builds[0]!.app.name).toBe('app.bin');
    expect(refusal([...undescribed, file('second.bin', appNamed('second'))])).toBe('release-missing-file');
  });
});

describe('what is said', () => {
  test('encryption, by the names of the files', () => {
    const release = recogniseRelease([...storage({ encrypted: 'true' }), storageFile]);
    expect(noteCodes(release)).toEqual(['release-wants-encryption']);
    expect(release.builds[0]!.notes[0]!.message).toContain('storage.bin');
  });

  test('two lists that differ; all files of both are taken', () => {
    const onlyNamed = withArgs((value) => (value.storage = { offset: '0x200000', file: 'storage.bin' }));
    const onlyListed = withArgs((value) => (value.flash_files!['0x200000'] = 'storage.bin'));
    for (const files of [onlyNamed, onlyListed]) {
      const release = recogniseRelease([...files, storageFile]);
      expect(noteCodes(release)).toEqual(['release-entries-differ']);
      expect(release.builds[0]!.extra).toHaveLength(1);
    }
  });

  test('a boot loader that is left out, as secure boot builds do; the file in the folder is not taken', () => {
    const files = withArgs((value) => {
      delete value.bootloader;
      delete value.flash_files!['0x1000'];
    });
    const release = recogniseRelease(files);
    expect(noteCodes(release)).toEqual(['release-no-bootloader']);
    expect(release.builds[0]).not.toHaveProperty('bootloader');
  });

  test('flash settings by hand, with the repair', () => {
    const release = recogniseRelease(withArgs((value) => (value.flash_settings!.flash_freq = '80m')));
    expect(noteCodes(release)).toEqual(['release-flash-settings-differ']);
    expect(release.builds[0]!.headerRepair).toEqual({ mode: 'dio', frequency: '80m' });
    const kept = recogniseRelease(withArgs((value) => (value.flash_settings!.flash_mode = 'keep')));
    expect(kept.builds[0]).not.toHaveProperty('headerRepair');
  });

  test('what lies in no partition, or reaches out of its own', () => {
    expect(noteCodes(recogniseRelease([...outside(), storageFile]))).toEqual(['release-part-outside-table']);
    const large = file('storage.bin', new Uint8Array(0x10_0001));
    expect(noteCodes(recogniseRelease([...storage(), large]))).toEqual(['release-part-too-large']);
  });
});

/** The sample with storage.bin at 0x300000, behind the last row. */
const outside = (): ReleaseFile[] =>
  withArgs((value) => {
    value.storage = { offset: '0x300000', file: 'storage.bin' };
    value.flash_files!['0x300000'] = 'storage.bin';
  });

describe('what is refused', () => {
  test.each<[string, () => ReleaseFile[]]>([
    ['release-missing-file', () => replaced(build(), 'app.bin', undefined)],
    ['release-path-outside', () => withArgs((value) => (value.flash_files!['0x300000'] = '../../assets/logo.bin'))],
    ['release-path-outside', () => withArgs((value) => (value.flash_files!['0x300000'] = 'C:\\build\\logo.bin'))],
    ['release-bad-offset', () => withArgs((value) => (value.flash_files!['somewhere'] = 'app.bin'))],
    ['release-bad-offset', () => withArgs((value) => (value.flash_files!['-4096'] = 'app.bin'))],
    ['release-bad-flasher-args', () => withArgs((value) => (value.flash_files = { '0x1000': 7 }))],
    ['release-bad-flasher-args', () => [json('flasher_args.json', { flash_files: {} })]],
    ['release-unknown-chip', () => withArgs((value) => (value.extra_esptool_args!.chip = 'esp99'))],
    ['release-mixed-chips', () => withArgs((value) => (value.extra_esptool_args!.chip = 'esp32s3'))],
    ['release-mixed-chips', () => replaced(build(), 'app.bin', { bytes: imageFixture('esp32s3-small.bin') })],
    ['release-unknown-chip', () => replaced(withoutChip(), 'app.bin', { bytes: imageFor(99, 'esp32-small.bin') })],
    [
      'release-damaged-image',
      () => replaced(build(), 'app.bin', { bytes: imageFixture('esp32-small.bin').subarray(0, 1000) }),
    ],
    ['release-empty-file', () => replaced(build(), 'app.bin', { bytes: new Uint8Array(0) })],
    ['release-no-app', () => replaced(build(), 'app.bin', { bytes: imageFixture('data-raw.bin') })],
    ['release-no-app', () => replaced(build(), 'app.bin', { bytes: imageFixture('data-esp32.bin') })],
    ['release-bad-table', () => replaced(build(), 'partition_table/partition-table.bin', { bytes: wrongMd5() })],
    ['release-overlap', () => withArgs((value) => (value.flash_files!['0x100400'] = 'bootloader/bootloader.bin'))],
    ['release-app-at-bootloader', () => replaced(build(), 'bootloader/bootloader.bin', { bytes: appNamed('x') })],
    [
      'release-ambiguous',
      () => withArgs((value) => (value.flash_files!['0xa000'] = 'partition_table/partition-table.bin')),
    ],
  ])('%s', (code, files) => {
    expect(refusal(files())).toBe(code);
  });

  test('a file of another machine is named without its path', () => {
    const files = withArgs((value) => (value.flash_files!['0x300000'] = '/home/someone/secret/logo.bin'));
    expect(() => recogniseRelease(files)).toThrowError(/logo\.bin/);
    expect(() => recogniseRelease(files)).not.toThrowError(/someone/);
  });
});

const withoutChip = (): ReleaseFile[] =>
  replaced(
    withArgs((value) => delete value.extra_esptool_args!.chip),
    'project_description.json',
    undefined,
  );

function wrongMd5(): Uint8Array {
  const table = bytesOf(build(), 'partition_table/partition-table.bin').slice();
  table[4]! ^= 0x10;
  return table;
}

test('with a factory row the app of the factory row is the app, one in a slot is extra', () => {
  const table = tableOf(
    ['nvs', 1, 2, 0x9000, 0x4000],
    ['otadata', 1, 0, 0xd000, 0x2000],
    ['factory', 0, 0, 0x1_0000, 0x10_0000],
    ['ota_0', 0, 0x10, 0x11_0000, 0x10_0000],
  );
  const files = withArgs(
    (value) => {
      value.flash_files = {
        '0x8000': 'partition_table/partition-table.bin',
        '0x110000': 'second.bin',
        '0x10000': 'app.bin',
        '0xd000': 'ota_data_initial.bin',
      };
      for (const key of ['app', 'bootloader', 'otadata', 'partition-table']) delete value[key];
    },
    replaced(build(), 'partition_table/partition-table.bin', { bytes: table }),
  );
  const [found] = recogniseRelease([...files, file('second.bin', appNamed('second'))]).builds;
  expect(found).toMatchObject({
    app: { name: 'app.bin', offset: 0x1_0000 },
    extra: [{ name: 'second.bin', offset: 0x11_0000 }],
  });
});
