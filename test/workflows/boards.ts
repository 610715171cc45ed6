/** Boards and releases for the tests of plans: flash contents are laid out in memory and read as a board's are. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type BoardIdentity } from '#device/identify.ts';
import { type ChipSecurity, OPEN_CHIP } from '#formats/chip-security.ts';
import { type ChipName, CHIPS } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { type BoardHints, type BoardState, readBoardState } from '#workflows/board-state.ts';
import { MemoryFlash } from '../support/memory-flash.ts';

export const MIB = 0x10_0000;
const FIXTURES = join(import.meta.dirname, '..', 'fixtures');

export const fixture = (path: string): Uint8Array => new Uint8Array(readFileSync(join(FIXTURES, path)));

/** All files below a folder of the fixtures, as a user who drops the folder gives them. */
export function releaseFiles(folder: string): ReleaseFile[] {
  const root = join(FIXTURES, 'release', folder);
  const below = (path: string): string[] =>
    statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => below(join(path, name))) : [path];
  return below(root).map((path) => ({
    path: relative(root, path).replaceAll('\\', '/'),
    bytes: new Uint8Array(readFileSync(path)),
  }));
}

export const sample = (folder: string): Release => recogniseRelease(releaseFiles(folder));

/** The app of the samples, which goes to any slot: 1968 bytes, no mapped segment. */
export const APP = fixture('app/esp32-small.bin');

export const row = (name: string, [type, subtype]: [number, number], [offset, size]: [number, number]): Partition => ({
  name,
  type,
  subtype,
  offset,
  size,
  flags: 0,
});

export const NVS_ROW = row('nvs', [1, 2], [0x9000, 0x4000]);
/** The rows of the sample build: settings, otadata, and two slots of 1 MiB. */
export const TWO_SLOTS: Partition[] = [
  NVS_ROW,
  row('otadata', [1, 0], [0xd000, 0x2000]),
  row('phy_init', [1, 1], [0xf000, 0x1000]),
  row('ota_0', [0, 0x10], [0x10_0000, MIB]),
  row('ota_1', [0, 0x11], [0x20_0000, MIB]),
];

export const text = (namespace: string, key: string, value: string): NvsEntry => nvsString(namespace, key, value);

export interface BoardLayout {
  chip?: ChipName;
  flashSize?: number;
  tableOffset?: number;
  partitions?: Partition[];
  /** Bytes at offsets, laid over everything else. */
  contents?: Record<number, Uint8Array>;
  settings?: NvsEntry[];
  /** Index of the OTA slot that otadata selects. */
  boots?: number;
  security?: Partial<ChipSecurity>;
  revision?: { major: number; minor: number };
  hints?: BoardHints;
}

export function identity({ chip = 'esp32', flashSize = 4 * MIB, security, revision }: BoardLayout = {}): BoardIdentity {
  const facts = CHIPS.find(({ name }) => name === chip)!;
  return {
    chip: facts,
    chipName: facts.title,
    description: facts.title,
    revision: revision ?? { major: 3, minor: 1 },
    mac: '24:0a:c4:12:34:56',
    flashId: 0x16_4020,
    flashSize,
    features: [],
    crystalMhz: 40,
    security: { ...OPEN_CHIP, ...security },
    usb: {},
  };
}

export function layOut(layout: BoardLayout): MemoryFlash {
  const { flashSize = 4 * MIB, tableOffset = 0x8000, partitions, settings, boots, contents = {} } = layout;
  const flash = new MemoryFlash(flashSize);
  if (partitions) flash.bytes.set(encodePartitionTable(partitions), tableOffset);
  const at = (type: number, subtype: number): Partition | undefined =>
    partitions?.find((partition) => partition.type === type && partition.subtype === subtype);
  const nvs = at(1, 2);
  if (nvs && settings) flash.bytes.set(encodeNvs(settings, nvs.size), nvs.offset);
  const otadata = at(1, 0);
  if (otadata && boots !== undefined) {
    const slotCount = partitions!.filter(({ type, subtype }) => type === 0 && subtype >= 0x10 && subtype < 0x20).length;
    flash.bytes.set(encodeOtadata({ slot: boots, slotCount }), otadata.offset);
  }
  for (const [offset, bytes] of Object.entries(contents)) flash.bytes.set(bytes, Number(offset));
  return flash;
}

export const readBoard = (layout: BoardLayout = {}): Promise<BoardState> =>
  readBoardState(layOut(layout), identity(layout), { hints: layout.hints ?? {} });

/** A payload that begins with a readable tag. */
export function payload(length: number, tag = 'voices 2.4'): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(new TextEncoder().encode(tag));
  for (let index = tag.length; index < length; index++) bytes[index] = (index * 7) & 0xff;
  return bytes;
}

export const dataImage = (chip: ChipName, bytes: Uint8Array): Uint8Array =>
  packDataImage(bytes, {
    chip: CHIPS.find(({ name }) => name === chip)!,
    slotSize: MIB,
    allowSpiModeByte: true,
  });

/** A board as a network update leaves it: the app in PB, the data in PA. */
export const swappedBoard = (extra: BoardLayout = {}): BoardLayout => ({
  partitions: TWO_SLOTS,
  boots: 1,
  contents: { 0x10_0000: dataImage('esp32', payload(5000, 'old data 1')), 0x20_0000: APP },
  ...extra,
});
