import { describe, expect, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { imageFixture } from '../app-fixtures.ts';
import { appNamed, file, imageFor, merge, noteCodes, refusal, tableOf } from './support.ts';

const NVS = ['nvs', 1, 2, 0x9000, 0x4000] as const;
const OTADATA = ['otadata', 1, 0, 0xd000, 0x2000] as const;
const table = tableOf(
  [...NVS],
  [...OTADATA],
  ['ota_0', 0, 0x10, 0x1_0000, 0x10_0000],
  ['ota_1', 0, 0x11, 0x11_0000, 0x10_0000],
);
const factoryTable = tableOf([...NVS], ['factory', 0, 0, 0x1_0000, 0x10_0000]);

const esp32Boot = imageFixture('esp32-bootloader.bin');
const esp32App = imageFixture('esp32-small.bin');

const buildOf = (bytes: Uint8Array): ReleaseBuild => recogniseRelease([file('firmware.bin', bytes)]).builds[0]!;

/** Chips by id, the place of their boot loader, and a table that leaves room for it. */
describe.each([
  [0, 0x1000],
  [2, 0x1000],
  [5, 0],
  [9, 0],
  [18, 0x2000],
  [23, 0x2000],
])('for chip id %d, whose boot loader lies at 0x%s', (chipId, bootOffset) => {
  const boot = imageFor(chipId, 'esp32-bootloader.bin');
  const app = imageFor(chipId, 'esp32-small.bin');
  const parts = { [bootOffset]: boot, 0x8000: table, 0x1_0000: app };

  test.each([0, bootOffset])('a file that starts at %d is placed right', (start) => {
    const build = buildOf(merge(start, parts));
    expect(build).toMatchObject({
      chip: { imageChipId: chipId },
      bootloader: { offset: bootOffset },
      table: { offset: 0x8000 },
      app: { offset: 0x1_0000 },
    });
    expect(toHex(build.app.data)).toBe(toHex(app));
    expect(toHex(build.bootloader!.data)).toBe(toHex(boot));
    expect(toHex(build.table!.data)).toBe(toHex(table));
  });

  test('a table elsewhere is found from the boot loader', () => {
    const moved = tableOf(
      ['nvs', 1, 2, 0x1_1000, 0x4000],
      ['ota_0', 0, 0x10, 0x2_0000, 0x10_0000],
      ['ota_1', 0, 0x11, 0x12_0000, 0x10_0000],
    );
    const build = buildOf(merge(bootOffset, { [bootOffset]: boot, 0x1_0000: moved, 0x2_0000: app }));
    expect(build).toMatchObject({
      table: { offset: 0x1_0000 },
      app: { offset: 0x2_0000 },
      bootloader: { offset: bootOffset },
    });
  });
});

test('an ESP32 image merged for 0x0 without its gap is refused, with the reason', () => {
  expect(refusal([file('wrong.bin', merge(0, { 0: esp32Boot, 0x8000: table, 0x1_0000: esp32App }))])).toBe(
    'release-wrongly-merged',
  );
});

test('padding to the full flash is not part of anything', () => {
  const parts = { 0x1000: esp32Boot, 0x8000: table, 0x1_0000: esp32App };
  expect(buildOf(merge(0, parts, 0x40_0000))).toEqual(buildOf(merge(0, parts)));
});

test('an image without a boot loader starts where its table fits', () => {
  const build = buildOf(merge(0x7000, { 0x8000: table, 0x1_0000: esp32App }));
  expect(build).toMatchObject({ table: { offset: 0x8000 }, app: { offset: 0x1_0000 } });
  expect(build).not.toHaveProperty('bootloader');
});

test('rows for the boot loader and the table itself do not make them parts twice', () => {
  const full = tableOf(
    ['boot', 2, 0, 0x1000, 0x7000],
    ['table', 3, 0, 0x8000, 0x1000],
    ['factory', 0, 0, 0x1_0000, 0x10_0000],
  );
  const build = buildOf(merge(0, { 0x1000: esp32Boot, 0x8000: full, 0x1_0000: esp32App }));
  expect(build).toMatchObject({ bootloader: { offset: 0x1000 }, table: { offset: 0x8000 }, extra: [], notes: [] });
});

test('a table without its app is refused', () => {
  expect(refusal([file('firmware.bin', merge(0, { 0x1000: esp32Boot, 0x8000: table }))])).toBe(
    'release-merged-unclear',
  );
});

test('the content of other partitions, and what lies outside of all, comes along', () => {
  const settings = new Uint8Array(100).fill(3);
  const stray = new Uint8Array(5000).fill(9);
  const build = buildOf(
    merge(0, { 0x1000: esp32Boot, 0x8000: table, 0x9000: settings, 0x1_0000: esp32App, 0x21_0000: stray }),
  );
  expect(build.extra.map(({ name, offset }) => [name, offset])).toEqual([
    ['nvs', 0x9000],
    ['0x210000', 0x21_0000],
  ]);
  expect(toHex(build.extra[0]!.data.subarray(0, 100))).toBe(toHex(settings));
  expect(toHex(build.extra[1]!.data.subarray(0, 5000))).toBe(toHex(stray));
  expect(
    noteCodes(
      recogniseRelease([
        file('x.bin', merge(0, { 0x1000: esp32Boot, 0x8000: table, 0x1_0000: esp32App, 0x21_0000: stray })),
      ]),
    ),
  ).toEqual(['release-part-outside-table']);
});

describe('in a dump of a board', () => {
  const second = appNamed('second');
  const data = imageFixture('data-esp32.bin');
  const dump = (otadata: Uint8Array, slots: [Uint8Array, Uint8Array]): ReleaseBuild =>
    buildOf(
      merge(
        0,
        { 0x1000: esp32Boot, 0x8000: table, 0xd000: otadata, 0x1_0000: slots[0], 0x11_0000: slots[1] },
        0x40_0000,
      ),
    );
  const selecting = (slot: number): Uint8Array => encodeOtadata({ slot, slotCount: 2 });

  test('the app is the one that otadata selects', () => {
    expect(dump(selecting(1), [esp32App, second])).toMatchObject({
      app: { name: 'ota_1', offset: 0x11_0000 },
      extra: [{ name: 'ota_0', offset: 0x1_0000 }],
    });
    expect(dump(selecting(0), [esp32App, second]).app.offset).toBe(0x1_0000);
  });

  test('a data image is never the app', () => {
    const build = dump(selecting(1), [data, second]);
    expect(build.app.offset).toBe(0x11_0000);
    expect(toHex(build.extra[0]!.data.subarray(0, 64))).toBe(toHex(data.subarray(0, 64)));
    expect(dump(selecting(0), [data, second]).app.offset).toBe(0x11_0000);
  });

  test('otadata has its whole size again', () => {
    expect(toHex(dump(selecting(1), [data, second]).otadata!.data)).toBe(toHex(selecting(1)));
  });
});

test('an image whose digest ends in FF keeps them', () => {
  const bytes = esp32App.slice();
  bytes.fill(0xff, bytes.length - 20);
  const build = buildOf(merge(0, { 0x1000: esp32Boot, 0x8000: factoryTable, 0x1_0000: bytes }));
  expect(build.app.data.length).toBe(bytes.length);
});

test('name and version come from the app, or the file where the app has none', () => {
  const named = (app: Uint8Array): unknown => {
    const { kind, name, version } = recogniseRelease([
      file('dir/board-v2.bin', merge(0x1000, { 0x1000: esp32Boot, 0x8000: factoryTable, 0x1_0000: app })),
    ]);
    return { kind, name, version };
  };
  expect(named(esp32App)).toEqual({ kind: 'merged', name: 'demo_app', version: '1.0.0' });
  expect(named(appNamed(''))).toEqual({ kind: 'merged', name: 'board-v2', version: '1.0.0' });
});
