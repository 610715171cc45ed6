import { describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { imageFixture } from '../app-fixtures.ts';
import { appNamed, bytesOf, file, json, merge, noteCodes, refusal, replaced, sample, tableOf } from './support.ts';

const arduino = (): ReleaseFile[] => sample('arduino-build');
const app = (): Uint8Array => imageFixture('esp32-small.bin');
const boot = (): Uint8Array => imageFixture('esp32-bootloader.bin');

/** The layout of PlatformIO's folder, from the Arduino sample. */
const platformio = (): ReleaseFile[] =>
  arduino().map(({ path, bytes }) => ({
    path: `.pio/build/board/${{ 'sketch.ino.bootloader.bin': 'bootloader.bin', 'sketch.ino.partitions.bin': 'partitions.bin', 'sketch.ino.bin': 'firmware.bin' }[path] ?? path}`,
    bytes,
  }));

describe('Arduino and PlatformIO', () => {
  test('names do not matter', () => {
    const renamed = arduino().map(({ bytes }, index) => ({ path: `${index}.bin`, bytes }));
    expect(recogniseRelease(renamed).builds.map(({ app: { offset } }) => offset)).toEqual([0x1_0000]);
  });

  test("PlatformIO's folder is told by the name of its app", () => {
    expect(recogniseRelease(platformio())).toMatchObject({
      kind: 'platformio',
      builds: [{ app: { name: 'firmware.bin', offset: 0x1_0000 } }],
    });
  });

  test('debug files, objects, texts and copies beside them change nothing', () => {
    const more = [
      file('sketch.ino.elf', '\x7fELF...'),
      file('sketch.ino.map', 'Archive member included'),
      file('partitions.csv', 'nvs,data,nvs,0x9000,0x5000,\n'),
      file('lib/core.a', '!<arch>\n'),
      file('copy/sketch.ino.bin', app()),
      json('build.options.json', { fqbn: 'esp32:esp32:esp32' }),
    ];
    expect(recogniseRelease([...arduino(), ...more])).toEqual(recogniseRelease(arduino()));
  });

  test('the merged image beside the parts is not needed', () => {
    const merged = merge(
      0,
      { 0x1000: boot(), 0x8000: bytesOf(arduino(), 'sketch.ino.partitions.bin'), 0x1_0000: app() },
      0x40_0000,
    );
    expect(recogniseRelease([...arduino(), file('sketch.ino.merged.bin', merged)])).toEqual(
      recogniseRelease(arduino()),
    );
    expect(recogniseRelease([file('a.merged.bin', merged), file('a.bin', app())]).kind).toBe('merged');
  });

  test('without boot_app0.bin there is no otadata', () => {
    const [build] = recogniseRelease(replaced(arduino(), 'boot_app0.bin', undefined)).builds;
    expect(build).not.toHaveProperty('otadata');
    expect(build!.notes).toEqual([]);
  });

  test('otadata goes to the row of the table, not to 0xe000', () => {
    const table = bytesOf(sample('idf-build'), 'partition_table/partition-table.bin');
    const [build] = recogniseRelease(replaced(arduino(), 'sketch.ino.partitions.bin', { bytes: table })).builds;
    expect(build).toMatchObject({ otadata: { offset: 0xd000 }, app: { offset: 0x10_0000 } });
  });

  test('a file system goes to the last row for one', () => {
    const littlefs = new Uint8Array(4096);
    littlefs.set(new TextEncoder().encode('littlefs'), 8);
    const spiffs = new Uint8Array(4096).fill(0xee);
    for (const image of [file('any.bin', littlefs), file('spiffs.bin', spiffs)]) {
      const release = recogniseRelease([...arduino(), image]);
      expect(release.builds[0]!.extra).toEqual([{ name: image.path, offset: 0x29_0000, data: image.bytes }]);
      expect(noteCodes(release)).toEqual([]);
    }
  });

  test('a FAT leaves the first sector of its row to wear levelling', () => {
    const fat = new Uint8Array(8192);
    fat.set([0xeb, 0x3c, 0x90]);
    fat.set(new TextEncoder().encode('FAT12   '), 54);
    fat.set([0x55, 0xaa], 510);
    const table = tableOf(
      ['nvs', 1, 2, 0x9000, 0x5000],
      ['app0', 0, 0x10, 0x1_0000, 0x14_0000],
      ['ffat', 1, 0x81, 0x29_0000, 0x3000],
    );
    const files = replaced(
      replaced(arduino(), 'sketch.ino.partitions.bin', { bytes: table }),
      'boot_app0.bin',
      undefined,
    );
    expect(recogniseRelease([...files, file('fatfs.bin', fat)]).builds[0]!.extra).toMatchObject([
      { offset: 0x29_1000 },
    ]);
    const full = new Uint8Array(0x3000);
    full.set(fat);
    expect(recogniseRelease([...files, file('fatfs.bin', full)]).builds[0]!.extra).toMatchObject([
      { offset: 0x29_0000 },
    ]);
  });

  test('a file that has no known place is named', () => {
    expect(noteCodes(recogniseRelease([...arduino(), file('srmodels.bin', new Uint8Array(100))]))).toEqual([
      'release-file-unused',
    ]);
  });

  test('without a boot loader it stays, without a table one is needed', () => {
    const noBoot = recogniseRelease(replaced(arduino(), 'sketch.ino.bootloader.bin', undefined));
    expect(noteCodes(noBoot)).toEqual(['release-no-bootloader']);
    const noTable = recogniseRelease([file('a.bin', app()), file('b.bin', boot())]);
    expect(noteCodes(noTable)).toEqual(['release-no-table']);
    expect(noTable.builds[0]).toMatchObject({ bootloader: { offset: 0x1000 } });
    expect(noTable.builds[0]!.app.offset).toBeUndefined();
  });
});

describe('where the table goes', () => {
  const withTable = (first: number, bootloader = boot()): Release => {
    const table = tableOf(['nvs', 1, 2, first, 0x4000], ['factory', 0, 0, 0x2_0000, 0x10_0000]);
    return recogniseRelease([file('t.bin', table), file('a.bin', app()), file('b.bin', bootloader)]);
  };

  test.each([
    [0x9000, 0x8000, []],
    [0xd000, 0x8000, ['release-table-offset-assumed']],
  ])('first row at %d: table at %d', (first, offset, notes) => {
    const release = withTable(first);
    expect(release.builds[0]!.table!.offset).toBe(offset);
    expect(noteCodes(release)).toEqual(notes);
  });

  test('a boot loader that reaches beyond 0x8000 pushes it', () => {
    const large = new Uint8Array(0x7800).fill(0x5a);
    large.set(boot());
    expect(withTable(0xd000, large).builds[0]!.table!.offset).toBe(0xc000);
  });

  test('a row below 0x9000 pulls it', () => {
    expect(withTable(0x8000).builds[0]!.table!.offset).toBe(0x7000);
  });
});

describe('a lone app', () => {
  test('is a release without a table', () => {
    const release = recogniseRelease([file('out/heater.bin', app())]);
    expect(release).toEqual({
      kind: 'app',
      name: 'demo_app',
      version: '1.0.0',
      notes: [],
      builds: [
        {
          chip: release.builds[0]!.chip,
          app: { name: 'heater.bin', data: app(), image: parseImage(app()) },
          extra: [],
          notes: [],
        },
      ],
    });
  });

  test('may be from before there were app descriptions', () => {
    expect(recogniseRelease([file('old.bin', imageFixture('bad-appdesc-magic.bin'))])).toMatchObject({
      kind: 'app',
      name: 'old',
    });
  });

  test('of a signed build stands beside its unsigned file', () => {
    const files = [file('heater.bin', appNamed('signed')), file('heater-unsigned.bin', app())];
    expect(recogniseRelease(files).name).toBe('signed');
  });

  test('is not chosen among several', () => {
    expect(refusal([file('a.bin', app()), file('b.bin', appNamed('other'))])).toBe('release-ambiguous');
  });

  test('is read from the file name when the description has the name of all sketches', () => {
    const release = recogniseRelease([file('blink.ino.bin', appNamed('arduino-lib-builder', 'v5.1'))]);
    expect(release.name).toBe('blink');
    expect(release).not.toHaveProperty('version');
  });
});

describe('firmware that is known', () => {
  const withApp = (bytes: Uint8Array): Release => recogniseRelease(replaced(arduino(), 'sketch.ino.bin', { bytes }));

  test('the demo ignores NVS, by its project name or by its page', () => {
    expect(recogniseRelease([file('demo.bin', imageFixture('esp32c3-full.bin'))]).builds[0]!.ignoresNvs).toBe(true);
    const page = app();
    page.set(new TextEncoder().encode('<br>App Partitoin: '), 600);
    expect(recogniseRelease([file('fork.bin', page)]).builds[0]!.ignoresNvs).toBe(true);
    expect(recogniseRelease([file('own.bin', app())]).builds[0]).not.toHaveProperty('ignoresNvs');
  });

  test('boot loaders of Arduino core 2 get a repair from the header of their app', () => {
    const release = withApp(appNamed('arduino-lib-builder', 'v4.4.7-dirty'));
    expect(noteCodes(release)).toEqual(['release-bootloader-header']);
    expect(release.builds[0]!.headerRepair).toEqual({ mode: 'dio', frequency: '40m' });
  });

  test('those of core 3 only when they differ from the app; quad modes start as dual', () => {
    expect(noteCodes(withApp(appNamed('arduino-lib-builder', 'v5.1.4')))).toEqual([]);
    const fast = appNamed('arduino-lib-builder', 'v5.1.4');
    fast[2] = 0;
    fast[3] = 0x2f;
    expect(withApp(fast).builds[0]!.headerRepair).toEqual({ mode: 'dio', frequency: '80m' });
    fast[2] = 1;
    expect(withApp(fast).builds[0]!.headerRepair).toEqual({ mode: 'dout', frequency: '80m' });
  });

  test('an ESP-IDF 4.4 build that is not Arduino is left alone', () => {
    expect(noteCodes(withApp(appNamed('heater', 'v4.4.7')))).toEqual([]);
  });
});
