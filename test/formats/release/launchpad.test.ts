import { describe, expect, test } from 'vitest';
import { filesNamedBy, recogniseRelease } from '#formats/release/recognise.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { appNamed, bytesOf, expectNoOtherError, file, noteCodes, refusal, sample } from './support.ts';

const S3 = bytesOf(sample('web-tools'), 'esp32s3/merged.bin');
const part = (name: string): Uint8Array => bytesOf(sample('web-tools'), `esp32/${name}.bin`);

const CONFIG = `esp_toml_version = 1.0
firmware_images_url = "https://example.org/firmware/"
supported_apps = ["heater"]

[heater]
chipsets = ["ESP32", "ESP32-S3"]
image.esp32 = "heater-esp32.bin"
image.esp32-s3 = "heater-s3.bin"
console_baudrate = 921600
`;

/** A configuration in the quick-start form; its ESP32 image is a lone app. */
const quickStart = (config = CONFIG): ReleaseFile[] => [
  file('config.toml', config),
  file('heater-esp32.bin', appNamed('heater')),
  file('heater-s3.bin', S3),
];

const MULTIPART = `esp_toml_version = "1.0"
firmware_images_url = ""
supported_apps = ["heater"]
[heater]
chipsets = ["ESP32"]
[heater.image.esp32]
parts = ["out/bootloader.bin", "out/partitions.bin", "out/boot_app0.bin?sig=1", "out/firmware.bin"]
addresses = ["0x1000", "0x8000", "0xe000", 65536]
`;

const multipart = (config = MULTIPART): ReleaseFile[] => [
  file('launchpad.toml', config),
  ...['bootloader', 'partitions', 'boot_app0', 'firmware'].map((name) => file(`out/${name}.bin`, part(name))),
];

test('an image for each chip, found by its name', () => {
  const release = recogniseRelease(quickStart());
  expect(release).toMatchObject({ kind: 'launchpad', name: 'heater', version: '1.0.0', notes: [] });
  expect(release.builds.map(({ chip }) => chip.name)).toEqual(['esp32', 'esp32s3']);
  expect(release.builds[1]).toMatchObject({ app: { offset: 0x1_0000 }, consoleBaud: 921_600 });
});

test('parts with addresses are those of the same manifest', () => {
  const [build] = recogniseRelease(multipart()).builds;
  const [same] = recogniseRelease(sample('web-tools')).builds;
  expect(build).toEqual(same);
});

test('names follow the prefix when it is a folder', () => {
  const config = CONFIG.replace('https://example.org/firmware/', './bin/');
  const files = quickStart(config).map((entry) =>
    entry.path.endsWith('.bin') ? { ...entry, path: `bin/${entry.path}` } : entry,
  );
  expect(recogniseRelease([...files, file('old/heater-s3.bin', 'older')]).builds).toHaveLength(2);
  expect(filesNamedBy(files.slice(0, 1))).toEqual(['bin/heater-esp32.bin', 'bin/heater-s3.bin']);
});

describe('images for boards', () => {
  const kits = (second: string): string =>
    CONFIG.replace(
      'image.esp32-s3 = "heater-s3.bin"',
      `image.kit-a = "heater-s3.bin"\nimage.kit-b = "${second}"\ndevelopKits.esp32-s3 = ["kit-a", "kit-b"]`,
    );

  test('are taken when they are the same', () => {
    expect(recogniseRelease(quickStart(kits('heater-s3.bin'))).builds).toHaveLength(2);
  });

  test('are not guessed between', () => {
    const release = recogniseRelease(quickStart(kits('heater-b.bin')));
    expect(noteCodes(release)).toContain('release-ambiguous');
    expect(release.builds.map(({ chip }) => chip.name)).toEqual(['esp32']);
  });
});

describe('what is not there', () => {
  test('leaves a build out, by the name of its file', () => {
    const release = recogniseRelease(quickStart().slice(0, 2));
    expect(noteCodes(release)).toContain('release-missing-file');
    expect(release.notes[0]!.message).toContain('heater-s3.bin');
  });

  test('is never fetched: without any image the configuration is refused', () => {
    expect(() => recogniseRelease(quickStart().slice(0, 1))).toThrowError(/heater-esp32\.bin.*heater-s3\.bin/);
    expect(refusal(quickStart().slice(0, 1))).toBe('release-missing-file');
  });

  test('leaves out the other apps, and says which', () => {
    const config = CONFIG.replace('["heater"]', '["cooler", "heater"]').concat(
      '\n[cooler]\nchipsets = ["ESP32"]\nimage.esp32 = "cooler.bin"\n',
    );
    const release = recogniseRelease(quickStart(config));
    expect(release.name).toBe('heater');
    expect(noteCodes(release)).toContain('release-apps-left-out');
    expect(refusal([...quickStart(config), file('cooler.bin', appNamed('cooler'))])).toBe('release-ambiguous');
  });
});

test.each<[string, string]>([
  ['release-bad-launchpad', CONFIG.replace('= 1.0', '= 2.0')],
  ['release-bad-launchpad', CONFIG.replace('["heater"]', '[]')],
  ['release-bad-launchpad', CONFIG.replace('["heater"]', '["other"]')],
  ['release-bad-launchpad', CONFIG.replace('chipsets', 'chips')],
  ['release-bad-launchpad', `${CONFIG}offset = "start"\n`],
  ['release-bad-launchpad', `${CONFIG}no value\n`],
  [
    'release-unknown-chip',
    CONFIG.replace('["ESP32", "ESP32-S3"]', '["ESP8266"]').replace('image.esp32 ', 'image.esp8266 '),
  ],
  ['release-missing-file', CONFIG.replace('["ESP32", "ESP32-S3"]', '["ESP32-C3"]')],
  ['release-mixed-chips', CONFIG.replace('"heater-s3.bin"', '"heater-esp32.bin"')],
])('%s (%#)', (code, config) => expect(refusal(quickStart(config))).toBe(code));

test('parts without addresses are refused', () => {
  expect(refusal(multipart(MULTIPART.replace('"0x1000", ', '')))).toBe('release-bad-launchpad');
});

test('a fault of the text is told by line and column', () => {
  expect(() => recogniseRelease(quickStart(`${CONFIG}no value\n`))).toThrowError(
    expect.objectContaining({
      place: { file: 'config.toml', line: 10, column: expect.any(Number) as number },
    }) as Error,
  );
});

test('two configurations are not guessed between', () => {
  expect(refusal([...quickStart(), file('second.toml', CONFIG)])).toBe('release-ambiguous');
});

test('whatever the configuration, the end is a release or a FormatError', () => {
  expectNoOtherError(quickStart(), 'config.toml', 1000);
});
