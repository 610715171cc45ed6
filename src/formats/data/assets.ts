/**
 * Many files in one payload, as Espressif's component `esp_mmap_assets` 1.1 and later reads them.
 *
 * u32 count | u32 checksum | u32 length of table and data | table | data. An entry of the table: name[N], u32 size, u32 offset,
 * u16 width, u16 height; offsets count from the end of the table. In the data each file stands behind 5A 5A, which its offset points at
 * and its size does not count. The checksum is the low half of the sum of all bytes of table and data. Layout:
 * esp-iot-solution `components/display/tools/esp_mmap_assets` (`esp_mmap_assets.c`, `spiffs_assets_gen.py`). Its reader takes a name for a
 * C string, so the last byte of the field stays NUL here. N is not stored anywhere.
 */
import { readU32, writeU16, writeU32 } from '../bytes.ts';
import { FormatError, type FormatErrorPlace } from '../format-error.ts';
import { clashingNames, compareNames, nameFault } from './asset-names.ts';
import { pictureSize, type PictureSize } from './picture-size.ts';

/** Bytes before the table. */
export const ASSETS_HEADER_SIZE = 12;
/** Bytes of an entry behind its name. */
export const ENTRY_TAIL = 12;
/** Bytes in front of each file. */
export const FILE_MAGIC = [0x5a, 0x5a] as const;
export const DEFAULT_NAME_LENGTH = 32;
/** Bytes of the name field that are sensible: one character and the NUL, up to far more than any firmware has. */
export const NAME_LENGTHS = { min: 2, max: 256 } as const;

export interface AssetFile {
  /** Relative path with `/`. */
  name: string;
  bytes: Uint8Array;
  /** Where the user has it; the place of what is refused. */
  source?: string;
}

export interface AssetEntry extends AssetFile, PictureSize {
  /** From the end of the table to the 5A 5A in front of the file. */
  offset: number;
}

/**
 * The payload, the same for the same files in whatever order they are given: they lie in the order of Espressif's generator.
 *
 * @throws {FormatError} `data-no-files`, `data-empty-file`, `data-name-too-long`, `data-unsafe-name`, `data-duplicate-name`, and
 *   `data-bad-name-length`.
 */
export function encodeAssets(
  files: readonly AssetFile[],
  { nameLength = DEFAULT_NAME_LENGTH }: { nameLength?: number } = {},
): { payload: Uint8Array<ArrayBuffer>; entries: AssetEntry[]; checksum: number } {
  checkNameLength(nameLength);
  const sorted = [...files].sort((a, b) => compareNames(a.name, b.name));
  checkFiles(sorted, nameLength);
  const stride = nameLength + ENTRY_TAIL;
  const dataStart = ASSETS_HEADER_SIZE + sorted.length * stride;
  const dataLength = sorted.reduce((sum, { bytes }) => sum + FILE_MAGIC.length + bytes.length, 0);

  const payload = new Uint8Array(dataStart + dataLength);
  const entries: AssetEntry[] = [];
  let offset = 0;
  for (const [index, file] of sorted.entries()) {
    const entry = { ...file, ...pictureSize(file.bytes), offset };
    writeEntry(payload.subarray(ASSETS_HEADER_SIZE + index * stride), entry, nameLength);
    payload.set(FILE_MAGIC, dataStart + offset);
    payload.set(file.bytes, dataStart + offset + FILE_MAGIC.length);
    offset += FILE_MAGIC.length + file.bytes.length;
    entries.push(entry);
  }
  const checksum = assetsChecksum(payload.subarray(ASSETS_HEADER_SIZE));
  writeU32(payload, 0, sorted.length);
  writeU32(payload, 4, checksum);
  writeU32(payload, 8, payload.length - ASSETS_HEADER_SIZE);
  return { payload, entries, checksum };
}

function writeEntry(at: Uint8Array, { name, bytes, offset, width, height }: AssetEntry, nameLength: number): void {
  at.set(new TextEncoder().encode(name));
  writeU32(at, nameLength, bytes.length);
  writeU32(at, nameLength + 4, offset);
  writeU16(at, nameLength + 8, width);
  writeU16(at, nameLength + 10, height);
}

/** Low 16 bits of the sum of table and data. */
export function assetsChecksum(tableAndData: Uint8Array): number {
  let sum = 0;
  for (const byte of tableAndData) sum = (sum + byte) & 0xffff;
  return sum;
}

function checkNameLength(nameLength: number): void {
  const { min, max } = NAME_LENGTHS;
  if (!Number.isInteger(nameLength) || nameLength < min || nameLength > max) {
    throw new FormatError('data-bad-name-length', `A name field has ${min} to ${max} bytes, not ${nameLength}`);
  }
}

function checkFiles(files: readonly AssetFile[], nameLength: number): void {
  const refuse = (code: string, { source, name }: AssetFile, message: string): never => {
    const place: FormatErrorPlace = { file: source ?? name };
    throw new FormatError(code, message, { place });
  };
  if (files.length === 0) throw new FormatError('data-no-files', 'There is no file to pack');
  for (const file of files) {
    const fault = nameFault(file.name);
    if (fault !== undefined)
      refuse('data-unsafe-name', file, `The name ${JSON.stringify(file.name)} cannot be used: ${fault}`);
    const length = new TextEncoder().encode(file.name).length;
    if (length >= nameLength) {
      const room = `a field of ${nameLength} bytes takes ${nameLength - 1}`;
      refuse('data-name-too-long', file, `The name ${file.name} has ${length} bytes, ${room}`);
    }
    if (file.bytes.length === 0) refuse('data-empty-file', file, `${file.name} is empty`);
  }
  const [clash] = clashingNames(files.map(({ name }) => name));
  const file = clash === undefined ? undefined : files[clash];
  if (file) refuse('data-duplicate-name', file, `There is more than one ${file.name}`);
}

/** What stands in front of the table. */
export interface AssetsHead {
  count: number;
  checksum: number;
  /** Bytes of table and data. */
  length: number;
}

/** Reads the head; `undefined` when the bytes are too short for one. */
export function decodeAssetsHead(payload: Uint8Array): AssetsHead | undefined {
  if (payload.length < ASSETS_HEADER_SIZE) return undefined;
  return { count: readU32(payload, 0), checksum: readU32(payload, 4), length: readU32(payload, 8) };
}
