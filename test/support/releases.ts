/** Releases in the shapes that people have, for any chip: synthetic images, valid for the boot loader's checks. */
import { concatBytes, padBytes } from '#formats/bytes.ts';
import { type Chip, CHIPS } from '#formats/chips.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { appDescription, bootLoaderStart, standInImage } from '../sim/support/stand-in-images.ts';

export type VirtualChip = 'esp32' | 'esp32s3' | 'esp32c3';
export const VIRTUAL_CHIPS: readonly VirtualChip[] = ['esp32', 'esp32s3', 'esp32c3'];

/** Where boot loaders and apps of each chip load to. */
const PLACES = {
  esp32: { bootRam: 0x3fff_0030, bootCode: 0x4007_8000, rodata: 0x3f40_0020, ram: 0x3ffb_0000 },
  esp32s3: { bootRam: 0x3fce_3808, bootCode: 0x403c_9700, rodata: 0x3c00_0020, ram: 0x3fc9_0000 },
  esp32c3: { bootRam: 0x3fcd_5820, bootCode: 0x403c_c710, rodata: 0x3c00_0020, ram: 0x3fc8_0000 },
} as const;

/** What a boot loader of the usual log level carries as text; the simulator takes its level from it. */
const INFO_TEXTS = '\u001b[0;32mI (%lu) %s: Loaded app from partition at offset 0x%lx\n\0I (%lu) %s: \0E (%lu) %s: \0';

export interface ReleaseShape {
  chip: VirtualChip;
  kind: 'idf' | 'arduino' | 'merged';
  partitions: Partition[];
  /** Bytes of constants in the app: makes it larger. */
  appSize?: number;
  /** What they are, behind the app's description; a pattern that nearly vanishes when compressed, unless told otherwise. */
  constants?: Uint8Array;
  project?: string;
  version?: string;
  idf?: string;
}

const chipOf = (name: VirtualChip): Chip => CHIPS.find((chip) => chip.name === name)!;

/** `codeSize`: bytes of its code. */
export function bootloaderImage(chip: VirtualChip, codeSize = 0x1000): Uint8Array {
  const { bootRam, bootCode } = PLACES[chip];
  const segments = [
    [bootRam, 0x400],
    [bootCode, codeSize],
  ] as const;
  return standInImage({
    chipId: chipOf(chip).imageChipId,
    entry: bootCode + 0x10,
    segments,
    start: bootLoaderStart({ texts: INFO_TEXTS }),
  });
}

export function appImage({
  chip,
  appSize = 0x2000,
  constants = new Uint8Array(),
  project,
  version,
  idf,
}: Omit<ReleaseShape, 'kind' | 'partitions'>): Uint8Array {
  const { rodata, ram, bootCode } = PLACES[chip];
  const segments = [
    [rodata, appSize],
    [ram, 0x400],
  ] as const;
  return standInImage({
    chipId: chipOf(chip).imageChipId,
    entry: bootCode,
    segments,
    start: concatBytes(
      appDescription({
        ...(project === undefined ? {} : { project }),
        ...(version === undefined ? {} : { version }),
        ...(idf === undefined ? {} : { idf }),
      }),
      constants,
    ),
  });
}

export function makeReleaseFiles(shape: ReleaseShape): ReleaseFile[] {
  const { chip, kind, partitions } = shape;
  const bootloader = bootloaderImage(chip);
  const table = encodePartitionTable(partitions);
  const app = appImage(shape);
  const appRow = partitions.find(({ type }) => type === 0)!;
  const { bootloaderOffset } = chipOf(chip);
  if (kind === 'merged') {
    const end = appRow.offset + app.length;
    const image = new Uint8Array(end - bootloaderOffset).fill(0xff);
    image.set(bootloader, 0);
    image.set(table, 0x8000 - bootloaderOffset);
    image.set(app, appRow.offset - bootloaderOffset);
    return [{ path: 'merged.bin', bytes: image }];
  }
  if (kind === 'arduino') {
    return [
      { path: 'sketch.ino.bin', bytes: app },
      { path: 'sketch.ino.bootloader.bin', bytes: bootloader },
      { path: 'sketch.ino.partitions.bin', bytes: table },
    ];
  }
  return idfBuild(shape, { bootloader, table, app, appOffset: appRow.offset });
}

export const makeRelease = (shape: ReleaseShape): Release => recogniseRelease(makeReleaseFiles(shape));

interface Images {
  bootloader: Uint8Array;
  table: Uint8Array;
  app: Uint8Array;
  appOffset: number;
}

function idfBuild({ chip, partitions }: ReleaseShape, { bootloader, table, app, appOffset }: Images): ReleaseFile[] {
  const otadata = partitions.find(({ type, subtype }) => type === 1 && subtype === 0);
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const parts = {
    bootloader: { offset: chipOf(chip).bootloaderOffset, file: 'bootloader/bootloader.bin', bytes: bootloader },
    app: { offset: appOffset, file: 'demo.bin', bytes: app },
    'partition-table': { offset: 0x8000, file: 'partition_table/partition-table.bin', bytes: table },
    ...(otadata
      ? { otadata: { offset: otadata.offset, file: 'ota_data_initial.bin', bytes: padBytes(new Uint8Array(), 0x2000) } }
      : {}),
  };
  const args = {
    flash_settings: { flash_mode: 'dio', flash_size: '4MB', flash_freq: '40m' },
    flash_files: Object.fromEntries(Object.values(parts).map(({ offset, file }) => [hex(offset), file])),
    ...Object.fromEntries(
      Object.entries(parts).map(([name, { offset, file }]) => [
        name,
        { offset: hex(offset), file, encrypted: 'false' },
      ]),
    ),
    extra_esptool_args: { after: 'hard_reset', before: 'default_reset', stub: true, chip },
  };
  return [
    { path: 'flasher_args.json', bytes: new TextEncoder().encode(JSON.stringify(args)) },
    ...Object.values(parts).map(({ file, bytes }) => ({ path: file, bytes })),
  ];
}

/** The otadata that a finished network update leaves: slot 1 of 2, in the second sector. */
export const swappedOtadata = (): Uint8Array =>
  concatBytes(encodeOtadata({ sequence: 1 }).subarray(0, 0x1000), encodeOtadata({ sequence: 2 }).subarray(0, 0x1000));
