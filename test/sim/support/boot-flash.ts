/** Flash contents of small boards with stand-in images. */
import { chipByName } from '#formats/chips.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { appDescription, bootLoaderStart, type DescriptionShape, standInImage } from './stand-in-images.ts';

export const MB = 0x10_0000;

const row = (name: string, type: number, subtype: number, offset: number, size: number): Partition => ({
  name,
  type,
  subtype,
  offset,
  size,
  flags: 0,
});

/** nvs at 0x9000, otadata at 0xd000, then apps from 0x10000 on, each of the same size. */
export function tableOf({ slots = 2, factory = false, size = 0x10_0000, otadata = true } = {}): Partition[] {
  const rows = [row('nvs', 1, 2, 0x9000, 0x4000)];
  if (otadata) rows.push(row('otadata', 1, 0, 0xd000, 0x2000));
  let offset = 0x1_0000;
  const add = (name: string, subtype: number): void => {
    rows.push(row(name, 0, subtype, offset, size));
    offset += size;
  };
  if (factory) add('factory', 0);
  for (let slot = 0; slot < slots; slot++) add(`ota_${slot}`, 0x10 + slot);
  return rows;
}

interface Shape {
  ram: number;
  code: number;
  constants: number;
  frequencyCode: number;
}

const SHAPES: Record<string, Shape> = {
  esp32: { ram: 0x3fff_0030, code: 0x4008_0000, constants: 0x3f40_0020, frequencyCode: 0 },
  esp32s3: { ram: 0x3fce_2810, code: 0x403c_9700, constants: 0x3c00_0020, frequencyCode: 0xf },
  esp32c3: { ram: 0x3fcd_5810, code: 0x403c_c710, constants: 0x3c00_0020, frequencyCode: 0xf },
};

const shapeOf = (chip: string): Shape & { chipId: number } => ({
  ...SHAPES[chip]!,
  chipId: chipByName(chip)!.imageChipId,
});

export function bootLoaderFor(chip: string, { flashSizeCode = 2, start = bootLoaderStart(), length = 2000 } = {}) {
  const { ram, code, frequencyCode, chipId } = shapeOf(chip);
  const segments = [
    [ram, start.length > 500 ? start.length + (-start.length & 3) : 500],
    [code, length],
  ] as const;
  return standInImage({ chipId, entry: code, segments, flashSizeCode, frequencyCode, start });
}

export interface AppShape extends DescriptionShape {
  constants?: number;
}

export function appFor(chip: string, { constants = 1000, ...description }: AppShape = {}): Uint8Array<ArrayBuffer> {
  const { code, chipId } = shapeOf(chip);
  const segments = [
    [SHAPES[chip]!.constants, constants],
    [code, 600],
  ] as const;
  return standInImage({ chipId, entry: code + 4, segments, start: appDescription(description) });
}

export interface BoardShape {
  chip?: string;
  flashSize?: number;
  partitions?: Partition[];
  tableOffset?: number;
  /** Without the MD5 row. */
  md5?: boolean;
  bootLoader?: Uint8Array;
  /** What lies where, besides boot loader and table: partition name to content. */
  content?: Record<string, Uint8Array>;
}

export function flashWith(shape: BoardShape = {}): Uint8Array {
  const { chip = 'esp32', flashSize = 4 * MB, partitions = tableOf(), tableOffset = 0x8000, md5 = true } = shape;
  const flash = new Uint8Array(flashSize).fill(0xff);
  flash.set(shape.bootLoader ?? bootLoaderFor(chip), chipByName(chip)!.bootloaderOffset);
  flash.set(encodePartitionTable(partitions, { md5 }), tableOffset);
  for (const [name, bytes] of Object.entries(shape.content ?? {})) {
    flash.set(bytes, partitions.find((partition) => partition.name === name)!.offset);
  }
  return flash;
}
