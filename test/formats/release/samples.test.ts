import { describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { buildsFor, type ReleaseBuild } from '#formats/release/release.ts';
import { bytesOf, noteCodes, sample, sampleNames } from './support.ts';

const layoutOf = ({ bootloader, table, otadata, app, extra }: ReleaseBuild): unknown => ({
  bootloader: bootloader?.offset,
  table: table?.offset,
  otadata: otadata?.offset,
  app: app.offset,
  extra: extra.map(({ name, offset }) => [name, offset]),
});

describe.each(sampleNames())('the sample %s', (name) => {
  const release = recogniseRelease(sample(name));

  test('is recognised by content, without a complaint', () => {
    expect(release.kind).toBe({ 'idf-build': 'idf-build', 'arduino-build': 'arduino', 'web-tools': 'web-tools' }[name]);
    expect(noteCodes(release)).toEqual([]);
  });

  test('is the same when the files come in another order and in a folder', () => {
    const files = sample(name)
      .toReversed()
      .map(({ path, bytes }) => ({ path: `given\\${path.replaceAll('/', '\\')}`, bytes }));
    expect(recogniseRelease(files)).toEqual(release);
  });

  test.each(release.builds.map((build) => [build.chip.title, build] as const))(
    'its build for %s is whole and verifies',
    (_, build) => {
      const { chip, bootloader, app, table } = build;
      const slot = table!.partitions.find(({ offset }) => offset === app.offset)!;
      expect(verifyImage(app.data, { chipId: chip.imageChipId, partitionSize: slot.size })).toMatchObject({ ok: true });
      expect(verifyImage(bootloader!.data, { chipId: chip.imageChipId, isBootloader: true })).toMatchObject({
        ok: true,
      });
      expect(app.image).toEqual(parseImage(app.data));
      expect(build).not.toHaveProperty('ignoresNvs');
      expect(build).not.toHaveProperty('headerRepair');
    },
  );
});

test('the ESP-IDF build folder lies where its list says', () => {
  const files = sample('idf-build');
  const release = recogniseRelease(files);
  const [build] = release.builds;
  expect(release).toMatchObject({ name: 'demo_app', version: '1.0.0' });
  expect(layoutOf(build!)).toEqual({ bootloader: 0x1000, table: 0x8000, otadata: 0xd000, app: 0x10_0000, extra: [] });
  expect(build!.table!.partitions.map((row) => row.name)).toEqual(['nvs', 'otadata', 'phy_init', 'ota_0', 'ota_1']);
  expect(toHex(build!.app.data)).toBe(toHex(bytesOf(files, 'app.bin')));
  expect(build).toMatchObject({ chip: { name: 'esp32' }, consoleBaud: 115200 });
});

test('no path of the machine that built it is kept', () => {
  expect(JSON.stringify(recogniseRelease(sample('idf-build')))).not.toMatch(/home|\/dev\//);
});

test('the Arduino build gets its chip from the images and its offsets from the table', () => {
  const release = recogniseRelease(sample('arduino-build'));
  const [build] = release.builds;
  expect(layoutOf(build!)).toEqual({ bootloader: 0x1000, table: 0x8000, otadata: 0xe000, app: 0x1_0000, extra: [] });
  expect(release).toMatchObject({ name: 'demo_app', builds: [{ chip: { name: 'esp32' } }] });
});

test('the manifest has a build for each chip, the merged one cut into its parts', () => {
  const release = recogniseRelease(sample('web-tools'));
  expect(release).toMatchObject({ name: 'Demo', version: '1.0.0' });
  const [esp32] = buildsFor(release, chipByName('esp32')!);
  const [esp32s3] = buildsFor(release, chipByName('esp32s3')!);
  expect(layoutOf(esp32!)).toEqual({ bootloader: 0x1000, table: 0x8000, otadata: 0xe000, app: 0x1_0000, extra: [] });
  expect(layoutOf(esp32s3!)).toEqual({ bootloader: 0, table: 0x8000, otadata: 0xe000, app: 0x1_0000, extra: [] });
  expect(buildsFor(release, chipByName('esp32c3')!)).toEqual([]);
});

test('of a cut merged image the parts are the same bytes as in the file', () => {
  const files = sample('web-tools');
  const merged = bytesOf(files, 'esp32s3/merged.bin');
  const [build] = buildsFor(recogniseRelease(files), chipByName('esp32s3')!);
  const { bootloader, table, otadata, app } = build!;
  const rebuilt = new Uint8Array(merged.length).fill(0xff);
  for (const part of [bootloader!, table!, otadata!, app]) rebuilt.set(part.data, part.offset);
  expect(toHex(rebuilt)).toBe(toHex(merged));
});
