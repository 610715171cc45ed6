/**
 * What a file is, by its content. The names of build systems differ and users rename files; the first bytes do not lie.
 * Rules for firmware files: image magics and layouts of ESP-IDF; for the rest the well-known magic numbers of each format.
 */
import { type AppImage, IMAGE_MAGIC, looksLikeImage, parseImage } from '../app-image.ts';
import { isBlank, readU16, readU32 } from '../bytes.ts';
import { isDataImage } from '../data/data-image.ts';
import { FormatError } from '../format-error.ts';
import { decodeOtadata, OTADATA_SIZE } from '../otadata.ts';
import { findPartitionTable, PARTITION_MAGIC, PartitionType } from '../partition-table.ts';

export type FileContent =
  | { kind: 'app' | 'bootloader' | 'unknown-image'; image: AppImage }
  | { kind: 'damaged-image'; cause: FormatError }
  | { kind: 'merged'; tablePosition: number }
  | { kind: 'table' | 'otadata' | 'data-image' | 'nvs' | 'file-system' | 'blank' | 'empty' }
  | {
      kind:
        'elf' | 'uf2' | 'hex' | 'archive' | 'object' | 'partition-csv' | 'launchpad' | 'text' | 'encrypted' | 'other';
    };

/** Recognises one file. Never throws. */
export function contentOf(bytes: Uint8Array): FileContent {
  if (bytes.length === 0) return { kind: 'empty' };
  return (
    foreignContent(bytes) ??
    firmwareContent(bytes) ??
    textContent(bytes) ?? { kind: looksEncrypted(bytes) ? 'encrypted' : 'other' }
  );
}

const startsWith = (bytes: Uint8Array, ...magic: number[]): boolean =>
  magic.every((byte, index) => bytes[index] === byte);

/** Archives: ZIP, gzip, 7z, RAR, bzip2, xz, zstd. */
const ARCHIVES = [
  [0x50, 0x4b, 0x03, 0x04],
  [0x50, 0x4b, 0x05, 0x06],
  [0x1f, 0x8b],
  [0x37, 0x7a, 0xbc, 0xaf],
  [0x52, 0x61, 0x72, 0x21],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58],
  [0x28, 0xb5, 0x2f, 0xfd],
];

function foreignContent(bytes: Uint8Array): FileContent | undefined {
  if (startsWith(bytes, 0x7f, 0x45, 0x4c, 0x46)) return { kind: 'elf' };
  // `!<arch>`: a static library, thousands of which lie in build folders.
  if (startsWith(bytes, 0x21, 0x3c, 0x61, 0x72, 0x63, 0x68)) return { kind: 'object' };
  if (ARCHIVES.some((magic) => startsWith(bytes, ...magic))) return { kind: 'archive' };
  if (bytes.length >= 8 && readU32(bytes, 0) === 0x0a32_4655 && readU32(bytes, 4) === 0x9e5d_5157)
    return { kind: 'uf2' };
  if (/^:[0-9a-f]{10}/i.test(latin(bytes.subarray(0, 11)))) return { kind: 'hex' };
  return undefined;
}

function firmwareContent(bytes: Uint8Array): FileContent | undefined {
  if (isBlank(bytes)) return { kind: bytes.length === OTADATA_SIZE ? 'otadata' : 'blank' };
  if (bytes.length >= 32 && readU16(bytes, 0) === PARTITION_MAGIC) return { kind: 'table' };
  if (isDataImage(bytes)) return { kind: 'data-image' };
  const merged = findMergedTable(bytes);
  if (merged !== undefined) return { kind: 'merged', tablePosition: merged };
  if (bytes[0] === IMAGE_MAGIC) return imageContent(bytes);
  if (isOtadata(bytes)) return { kind: 'otadata' };
  if (isNvs(bytes)) return { kind: 'nvs' };
  return isFileSystem(bytes) ? { kind: 'file-system' } : undefined;
}

/** Position of a partition table with an app row inside the file, as merged images and dumps have one. */
function findMergedTable(bytes: Uint8Array): number | undefined {
  const found = findPartitionTable(bytes);
  return found?.table.partitions.some(({ type }) => type === PartitionType.App) ? found.offset : undefined;
}

function imageContent(bytes: Uint8Array): FileContent {
  try {
    const image = parseImage(bytes);
    return { kind: image.kind === 'unknown' ? 'unknown-image' : image.kind, image };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    return { kind: 'damaged-image', cause };
  }
}

/** Two sectors with at least one entry that has a right CRC; sequence 0 counts (boot_app0.bin has one). */
function isOtadata(bytes: Uint8Array): boolean {
  if (bytes.length !== OTADATA_SIZE) return false;
  const { entries } = decodeOtadata(bytes);
  return entries.some((entry) => entry?.crcOk);
}

/** A page header: state, version 1 or 2, then 19 bytes FF. */
function isNvs(bytes: Uint8Array): boolean {
  if (bytes.length % 4096 !== 0) return false;
  const state = readU32(bytes, 0);
  const version = bytes[8] ?? 0;
  return (state === 0xffff_fffe || state === 0xffff_fffc) && version >= 0xfe && isBlank(bytes.subarray(9, 28));
}

/** LittleFS superblock, or the boot sector of a FAT. SPIFFS has no magic. */
function isFileSystem(bytes: Uint8Array): boolean {
  if (latin(bytes.subarray(8, 16)) === 'littlefs') return true;
  const bootSector = bytes.length >= 512 && bytes[510] === 0x55 && bytes[511] === 0xaa;
  return bootSector && (bytes[0] === 0xeb || bytes[0] === 0xe9) && /FAT/.test(latin(bytes.subarray(54, 90)));
}

const TEXT_SAMPLE = 4096;

function textContent(bytes: Uint8Array): FileContent | undefined {
  const sample = bytes.subarray(0, TEXT_SAMPLE);
  if (sample.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)) return undefined;
  const text = new TextDecoder('utf-8').decode(sample);
  // A sample may end inside a character; any other U+FFFD says that it is no text.
  if (text.slice(0, -1).includes('\ufffd')) return undefined;
  if (/^\s*esp_toml_version\s*=/m.test(text)) return { kind: 'launchpad' };
  const row =
    /^[ \t]*[^#\s,][^,\n]*,[ \t]*(app|data|bootloader|partition_table|0x[0-9a-f]+|\d+)[ \t]*,[^,\n]*,[^,\n]*,[^,\n]*/im;
  return { kind: row.test(text) ? 'partition-csv' : 'text' };
}

/** Whether a text is a configuration of ESP Launchpad: its version stands at its top. */
export const isLaunchpad = (bytes: Uint8Array): boolean => bytes.length > 0 && textContent(bytes)?.kind === 'launchpad';

const ENTROPY_SAMPLE = 0x1_0000;
/** Bits a byte: encrypted and compressed data are close to 8, code is below 7. */
const ENCRYPTED_ENTROPY = 7.5;

function looksEncrypted(bytes: Uint8Array): boolean {
  if (bytes.length < TEXT_SAMPLE) return false;
  const sample = bytes.subarray(0, ENTROPY_SAMPLE);
  const counts = new Uint32Array(256);
  for (const byte of sample) counts[byte] = (counts[byte] ?? 0) + 1;
  let entropy = 0;
  for (const count of counts) if (count > 0) entropy -= (count / sample.length) * Math.log2(count / sample.length);
  return entropy > ENCRYPTED_ENTROPY;
}

const latin = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Whether the bytes are an app or boot loader image and not the imitation that a data image is. */
export const isRealImage = (bytes: Uint8Array): boolean => looksLikeImage(bytes) && !isDataImage(bytes);
