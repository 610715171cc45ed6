/**
 * The image format of apps and second-stage boot loaders: header, segments, checksum, digest, descriptions.
 *
 * Layouts: ESP-IDF `components/bootloader_support/include/esp_app_format.h`, `components/esp_app_format/include/esp_app_desc.h`
 * and `components/esp_bootloader_format/include/esp_bootloader_desc.h`. Where a length ends and what the checksum covers:
 * `components/bootloader_support/src/esp_image_format.c`.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { alignUp, hexAddress, readU16, readU32, textUntilNul, toHex, xorBytes } from './bytes.ts';
import { chipByImageId, FLASH_MODES, type FlashMode, flashSizeOfCode } from './chips.ts';
import { FormatError } from './format-error.ts';
import { isFlashMapped } from './memory-map.ts';

/** First byte of every image. */
export const IMAGE_MAGIC = 0xe9;
/** Bytes of the image header; the first segment's header follows. */
export const IMAGE_HEADER_SIZE = 24;
/** Bytes in front of each segment's data: load address, length. */
export const SEGMENT_HEADER_SIZE = 8;
/** The boot loader refuses more. */
export const MAX_SEGMENTS = 16;
/** A segment must be shorter than this (16 MiB). */
const MAX_SEGMENT_LENGTH = 0x100_0000;
/** The XOR checksum starts with this value; with no segment at all it stays so. */
export const CHECKSUM_START = 0xef;
/** First word of an app description (`esp_app_desc_t`), at byte 32 of the image. */
export const APP_DESCRIPTION_MAGIC = 0xabcd_5432;

const DESCRIPTION_OFFSET = 32;
const APP_DESCRIPTION_SIZE = 256;
const BOOTLOADER_DESCRIPTION_MAGIC = 0x50;
const BOOTLOADER_DESCRIPTION_SIZE = 80;
const DIGEST_SIZE = 32;
/** Boot loaders without a description (ESP-IDF before 5.2) are told by their size; the largest room that a table offset leaves. */
const MAX_BOOTLOADER_LENGTH = 0x1_0000;

/** `esp_image_header_t`. */
export interface ImageHeader {
  /** Byte 0, 0xE9 in every image. */
  magic: number;
  segmentCount: number;
  /** Byte 2 as it is, and its name where it has one. */
  spiMode: number;
  flashMode?: FlashMode;
  /** Low nibble of byte 3; what it means depends on the chip (`Chip.flashFrequencies`). */
  frequencyCode: number;
  /** High nibble of byte 3, and the bytes of flash that it means (absent for codes above 7 = 128 MB). */
  sizeCode: number;
  flashSize?: number;
  entry: number;
  /** GPIO of the flash's write-protect pin, 0xEE = not used. */
  wpPin: number;
  /** Bytes 9 to 11: two drive strengths of the flash's pins each, a nibble a pin: clock and Q, D and CS, HD and WP. */
  spiPinDrive: readonly [number, number, number];
  chipId: number;
  /** Byte 14, the field of old boot loaders: the major revision, on the ESP32-C3 the minor one. */
  minChipRev: number;
  /** major * 100 + minor; 0 = any. */
  minChipRevFull: number;
  /** major * 100 + minor; 0 and 65535 = any. */
  maxChipRevFull: number;
  /** Bytes 19 to 22. */
  reserved: Uint8Array;
  /** Byte 23. ESP-IDF takes anything but 0 as 1, esptool knows no other value. */
  hashByte: number;
  /** A SHA-256 follows the checksum. */
  hashAppended: boolean;
}

export interface ImageSegment {
  /** Address in the chip's memory; 0 is padding. */
  loadAddress: number;
  length: number;
  /** Where the data (not the segment's header) starts in the image. */
  fileOffset: number;
}

/** `esp_app_desc_t`. */
export interface AppDescription {
  secureVersion: number;
  version: string;
  projectName: string;
  time: string;
  date: string;
  idfVersion: string;
  /** 64 hex digits. */
  elfSha256: string;
  minEfuseBlockRevFull: number;
  maxEfuseBlockRevFull: number;
  /** Bytes of an MMU page, where the build tells it (newer than ESP-IDF 5.1). */
  mmuPageSize?: number;
  /** Byte 213 of the image: the flash mode that ESP-IDF 6.1 compares before a network update; 0 = not told. */
  spiFlashMode: number;
}

/** `esp_bootloader_desc_t`, in boot loaders from ESP-IDF 5.2 on. */
export interface BootloaderDescription {
  version: number;
  idfVersion: string;
  dateTime: string;
}

export interface AppImage {
  header: ImageHeader;
  segments: ImageSegment[];
  /** XOR over all segment data. `stored` is undefined when the bytes end before it. A difference is a fact here, not an error. */
  checksum: { stored?: number; computed: number; offset: number };
  /** Present when the header says so; 64 hex digits each, `stored` shorter (or empty) when the bytes end inside the digest. */
  sha256?: { stored: string; computed: string; offset: number };
  /** Bytes from the magic to the end of the checksum block or of the digest. Signatures may follow. */
  length: number;
  description?: AppDescription;
  bootloaderDescription?: BootloaderDescription;
  kind: 'app' | 'bootloader' | 'unknown';
}

/** Computes a SHA-256. Node's own is ten times faster than the portable one, which is the default everywhere. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Whether the bytes begin like an image: the magic, and a segment count that an image may have. Data images look so too. */
export function looksLikeImage(bytes: Uint8Array): boolean {
  return bytes.length >= IMAGE_HEADER_SIZE && bytes[0] === IMAGE_MAGIC && (bytes[1] ?? 0xff) <= MAX_SEGMENTS;
}

/**
 * Reads an image. Bytes behind its end are allowed (a whole slot, a signature). A wrong checksum or digest is told in the
 * result: recovery must be able to show it.
 *
 * @param digest a faster SHA-256 than the portable one.
 * @throws {FormatError} `image-too-short`, `image-bad-magic`, `image-too-many-segments`, `image-bad-segment-length`
 *   or `image-truncated`, each with the offset.
 */
export function parseImage(bytes: Uint8Array, digest?: Sha256): AppImage {
  return describeImage(bytes, readStrictly(bytes), digest);
}

/**
 * Bytes of an image, from the magic to the end of the checksum or of the digest, as `AppImage.length`: without computing either.
 *
 * @throws {FormatError} as `parseImage`.
 */
export function imageLength(bytes: Uint8Array): number {
  const { header, segments } = readStrictly(bytes);
  return endOfChecksum(segments) + (header.hashAppended ? DIGEST_SIZE : 0);
}

/** Header and segments, which say where everything else is. */
export interface ImageLayout {
  header: ImageHeader;
  segments: ImageSegment[];
}

function readStrictly(bytes: Uint8Array): ImageLayout {
  const header = decodeImageHeader(bytes);
  if (header.segmentCount > MAX_SEGMENTS) {
    throw new FormatError(
      'image-too-many-segments',
      `${header.segmentCount} segments, at most ${MAX_SEGMENTS} are allowed`,
      {
        place: { offset: 1 },
      },
    );
  }
  const segments: ImageSegment[] = [];
  let offset = IMAGE_HEADER_SIZE;
  for (let index = 0; index < header.segmentCount; index++) {
    const segment = decodeSegment(bytes, offset, index);
    segments.push(segment);
    offset = segment.fileOffset + segment.length;
  }
  return { header, segments };
}

/** The checksum is the last byte of the 16-byte block that begins or goes on behind the segments. */
function endOfChecksum(segments: readonly ImageSegment[]): number {
  const last = segments.at(-1);
  return alignUp((last ? last.fileOffset + last.length : IMAGE_HEADER_SIZE) + 1, 16);
}

/**
 * Reads the 24 bytes of the header.
 *
 * @throws {FormatError} `image-too-short` or `image-bad-magic`.
 */
export function decodeImageHeader(bytes: Uint8Array): ImageHeader {
  const magic = bytes[0];
  if (magic !== undefined && magic !== IMAGE_MAGIC) {
    throw new FormatError('image-bad-magic', `An image starts with 0xe9, this starts with ${hexAddress(magic)}`, {
      place: { offset: 0 },
    });
  }
  if (bytes.length < IMAGE_HEADER_SIZE) {
    throw new FormatError('image-too-short', `An image header has ${IMAGE_HEADER_SIZE} bytes, got ${bytes.length}`, {
      place: { offset: bytes.length },
    });
  }
  return headerFields(bytes);
}

/** The fields of the header whatever is in them; `bytes` has at least 24. */
export function headerFields(bytes: Uint8Array): ImageHeader {
  const [magic = 0, segmentCount = 0, spiMode = 0, speedAndSize = 0] = bytes;
  const flashMode = FLASH_MODES[spiMode];
  const sizeCode = speedAndSize >>> 4;
  return {
    magic,
    segmentCount,
    spiMode,
    ...(flashMode && { flashMode }),
    frequencyCode: speedAndSize & 0xf,
    sizeCode,
    ...(sizeCode <= 7 && { flashSize: flashSizeOfCode(sizeCode) }),
    entry: readU32(bytes, 4),
    wpPin: bytes[8] ?? 0,
    spiPinDrive: [bytes[9] ?? 0, bytes[10] ?? 0, bytes[11] ?? 0],
    chipId: readU16(bytes, 12),
    minChipRev: bytes[14] ?? 0,
    minChipRevFull: readU16(bytes, 15),
    maxChipRevFull: readU16(bytes, 17),
    reserved: bytes.slice(19, 23),
    hashByte: bytes[23] ?? 0,
    hashAppended: bytes[23] !== 0,
  };
}

/**
 * Reads the segment whose 8-byte header is at `offset`.
 *
 * @throws {FormatError} `image-bad-segment-length` (not a multiple of 4, or 16 MiB and more), `image-truncated`.
 */
function decodeSegment(bytes: Uint8Array, offset: number, index: number): ImageSegment {
  if (offset + SEGMENT_HEADER_SIZE > bytes.length) {
    throw new FormatError('image-truncated', `The image ends before the header of segment ${index}`, {
      place: { offset },
    });
  }
  const length = readU32(bytes, offset + 4);
  if (!isSegmentLength(length)) {
    throw new FormatError('image-bad-segment-length', `Segment ${index} has the invalid length ${hexAddress(length)}`, {
      place: { offset: offset + 4 },
    });
  }
  const fileOffset = offset + SEGMENT_HEADER_SIZE;
  if (fileOffset + length > bytes.length) {
    throw new FormatError(
      'image-truncated',
      `The image ends inside segment ${index}, ${length} bytes at ${hexAddress(fileOffset)}`,
      {
        place: { offset: bytes.length },
      },
    );
  }
  return { loadAddress: readU32(bytes, offset), length, fileOffset };
}

/** What the boot loader accepts as the length of a segment. */
export const isSegmentLength = (length: number): boolean => length % 4 === 0 && length < MAX_SEGMENT_LENGTH;

/** Checksum, digest, descriptions and kind of an image whose header and segments are read. */
export function describeImage(bytes: Uint8Array, { header, segments }: ImageLayout, digest: Sha256 = sha256): AppImage {
  const end = endOfChecksum(segments);
  const stored = bytes[end - 1];
  const description = decodeAppDescription(bytes);
  const bootloaderDescription = description ? undefined : decodeBootloaderDescription(bytes);
  const image: AppImage = {
    header,
    segments,
    checksum: {
      ...(stored !== undefined && { stored }),
      computed: checksumOf(bytes, segments),
      offset: end - 1,
    },
    length: end,
    ...(description && { description }),
    ...(bootloaderDescription && { bootloaderDescription }),
    kind: 'unknown',
  };
  if (header.hashAppended) {
    image.sha256 = {
      stored: toHex(bytes.subarray(end, end + DIGEST_SIZE)),
      computed: toHex(digest(bytes.subarray(0, end))),
      offset: end,
    };
    image.length += DIGEST_SIZE;
  }
  image.kind = kindOf(image);
  return image;
}

function checksumOf(bytes: Uint8Array, segments: readonly ImageSegment[]): number {
  let value = CHECKSUM_START;
  for (const { fileOffset, length } of segments) value ^= xorBytes(bytes.subarray(fileOffset, fileOffset + length));
  return value;
}

/** An app keeps constants or code in mapped flash; a boot loader runs from RAM alone and is small. */
function kindOf(image: AppImage): AppImage['kind'] {
  if (image.description) return 'app';
  if (image.bootloaderDescription) return 'bootloader';
  if (!chipByImageId(image.header.chipId) || image.segments.length === 0) return 'unknown';
  if (image.segments.some(({ loadAddress }) => isFlashMapped(image.header.chipId, loadAddress))) return 'app';
  return image.length <= MAX_BOOTLOADER_LENGTH ? 'bootloader' : 'unknown';
}

/** The app description at byte 32, if its magic is there. */
export function decodeAppDescription(image: Uint8Array): AppDescription | undefined {
  if (image.length < DESCRIPTION_OFFSET + APP_DESCRIPTION_SIZE) return undefined;
  if (readU32(image, DESCRIPTION_OFFSET) !== APP_DESCRIPTION_MAGIC) return undefined;
  const text = (offset: number, length: number): string => textUntilNul(image.subarray(offset, offset + length));
  // log2 of the page size; 0 in builds that do not tell it, FF never.
  const pageBits = image[212] ?? 0;
  return {
    secureVersion: readU32(image, 36),
    version: text(48, 32),
    projectName: text(80, 32),
    time: text(112, 16),
    date: text(128, 16),
    idfVersion: text(144, 32),
    elfSha256: toHex(image.subarray(176, 208)),
    minEfuseBlockRevFull: readU16(image, 208),
    maxEfuseBlockRevFull: readU16(image, 210),
    ...(pageBits > 0 && pageBits < 32 && { mmuPageSize: 2 ** pageBits }),
    spiFlashMode: image[213] ?? 0,
  };
}

/** The boot loader description at byte 32, if it is one: its magic is a single byte, so the version text must be one too. */
function decodeBootloaderDescription(image: Uint8Array): BootloaderDescription | undefined {
  if (image.length < DESCRIPTION_OFFSET + BOOTLOADER_DESCRIPTION_SIZE) return undefined;
  if (image[DESCRIPTION_OFFSET] !== BOOTLOADER_DESCRIPTION_MAGIC) return undefined;
  const idfVersion = textUntilNul(image.subarray(40, 72));
  if (!/^[\x20-\x7e]+$/.test(idfVersion)) return undefined;
  return { version: readU32(image, 36), idfVersion, dateTime: textUntilNul(image.subarray(72, 96)) };
}
