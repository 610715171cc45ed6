/**
 * The demo release of the page: small, synthetic, valid for the boot loader of each chip. `node test/support/make-demo-release.ts`
 * writes it into static/demo; a test holds what lies there to this file.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { concatBytes } from '#formats/bytes.ts';
import { CHIPS } from '#formats/chips.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { appDescription, standInImage } from '../sim/support/stand-in-images.ts';
import { bootloaderImage, VIRTUAL_CHIPS, type VirtualChip } from './releases.ts';

/** Folder that the page loads the demo from. */
export const DEMO_FOLDER = join(import.meta.dirname, '..', '..', 'static', 'demo');

const NAME = 'Voice box';
const VERSION = '2.4.0';
const APP_SIZE = 0x3_0000;
const DATA_SIZE = 0x6_0000;
const TABLE_OFFSET = 0x8000;
const APP_OFFSET = 0x2_0000;

const row = (name: string, [type, subtype]: [number, number], [offset, size]: [number, number]): Partition => ({
  name,
  type,
  subtype,
  offset,
  size,
  flags: 0,
});

const TABLE: Partition[] = [
  row('nvs', [1, 2], [0x9000, 0x6000]),
  row('otadata', [1, 0], [0xf000, 0x2000]),
  row('phy_init', [1, 1], [0x1_1000, 0x1000]),
  row('ota_0', [0, 0x10], [APP_OFFSET, 0x1e_0000]),
  row('ota_1', [0, 0x11], [0x20_0000, 0x20_0000]),
];

/** Where an app of each chip has its constants, its RAM and its code. */
const PLACES = {
  esp32: { rodata: 0x3f40_0020, ram: 0x3ffb_0000, code: 0x4008_0000 },
  esp32s3: { rodata: 0x3c00_0020, ram: 0x3fc9_0000, code: 0x4037_8000 },
  esp32c3: { rodata: 0x3c00_0020, ram: 0x3fc8_0000, code: 0x4038_0000 },
} as const;

/** Bytes that compress about as well as code and speech do, the same each time. */
function filling(length: number, seed: number): Uint8Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
  return Uint8Array.from({ length }, () => next() & next());
}

function appImage(chip: VirtualChip): Uint8Array {
  const { rodata, ram, code } = PLACES[chip];
  const imageChipId = CHIPS.find(({ name }) => name === chip)?.imageChipId ?? 0;
  const start = concatBytes(
    appDescription({ project: 'voice_box', version: VERSION }),
    filling(APP_SIZE - 256, imageChipId + 1),
  );
  const segments = [
    [rodata, APP_SIZE],
    [ram, 0x800],
    [code, 0x2000],
  ] as const;
  return standInImage({ chipId: imageChipId, entry: code + 0x10, segments, start });
}

function dataFile(): Uint8Array {
  const bytes = filling(DATA_SIZE, 99);
  bytes.set(new TextEncoder().encode('voices 2.4'));
  return bytes;
}

/** All files of static/demo: a manifest with a build for each chip, and the data for the second slot. */
export function demoFiles(): ReleaseFile[] {
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  const builds = VIRTUAL_CHIPS.map((chip) => {
    const { title, bootloaderOffset } = CHIPS.find(({ name }) => name === chip)!;
    const parts = [
      { path: `${chip}/bootloader.bin`, offset: bootloaderOffset },
      { path: `${chip}/partition-table.bin`, offset: TABLE_OFFSET },
      { path: `${chip}/voice_box.bin`, offset: APP_OFFSET },
    ];
    return { chipFamily: title, parts };
  });
  return [
    { path: 'manifest.json', bytes: json({ name: NAME, version: VERSION, builds }) },
    { path: 'voices.bin', bytes: dataFile() },
    ...VIRTUAL_CHIPS.flatMap((chip) => [
      { path: `${chip}/bootloader.bin`, bytes: bootloaderImage(chip) },
      { path: `${chip}/partition-table.bin`, bytes: encodePartitionTable(TABLE) },
      { path: `${chip}/voice_box.bin`, bytes: appImage(chip) },
    ]),
  ];
}

if (process.argv[1] === import.meta.filename) {
  rmSync(DEMO_FOLDER, { recursive: true, force: true });
  for (const { path, bytes } of demoFiles()) {
    const file = join(DEMO_FOLDER, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  }
}
