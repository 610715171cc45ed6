/**
 * What the boot loader checks before it starts an image, in its order: the first fault is the one it prints.
 * Source: ESP-IDF `components/bootloader_support/src/esp_image_format.c` (`esp_image_verify`, no secure boot) and
 * `bootloader_common_loader.c` (chip id and revision). The functions for a network update end with the same check.
 */
import {
  type AppImage,
  decodeAppDescription,
  decodeImageHeader,
  describeImage,
  IMAGE_HEADER_SIZE,
  IMAGE_MAGIC,
  type ImageHeader,
  type ImageSegment,
  isSegmentLength,
  MAX_SEGMENTS,
  SEGMENT_HEADER_SIZE,
  type Sha256,
} from './app-image.ts';
import { hexAddress, readU32 } from './bytes.ts';
import { chipByImageId, type ChipName } from './chips.ts';
import { isFlashMapped } from './memory-map.ts';

/** A slot larger than this is refused whatever it holds (16 MiB). */
const MAX_PARTITION_SIZE = 0x100_0000;
const DEFAULT_MMU_PAGE = 0x1_0000;
/** Chips whose MMU page can be chosen: there the boot loader needs the app's description to know it. */
const SELECTABLE_MMU_PAGE: readonly ChipName[] = ['esp32c2', 'esp32c6', 'esp32h2', 'esp32c5', 'esp32c61'];

export interface VerifyOptions {
  /** `chip_id` of the chip that is to run the image. */
  chipId: number;
  /** major * 100 + minor. Unknown: revisions are not compared. */
  chipRevision?: number;
  /** Bytes of the slot. Unknown: size is not compared. */
  partitionSize?: number;
  /** Flash offset of the slot, for the alignment of mapped segments; a multiple of 64 KiB changes nothing. Default 0. */
  partitionOffset?: number;
  /** The boot loader's own image: its digest is not compared. */
  isBootloader?: boolean;
  /** eFuse DISABLE_WAFER_VERSION_MAJOR or its like: the greatest revision is not compared. */
  ignoreMaxRevision?: boolean;
  /** A faster SHA-256 than the portable one. */
  sha256?: Sha256;
  /** What `describeImage` says of the same bytes, where that is known already: spares a second hash. */
  described?: AppImage;
}

/** The first fault, with the numbers that the boot loader prints. Revisions are major * 100 + minor. */
export type ImageFault =
  | { code: 'image-partition-too-large'; size: number; limit: number }
  | { code: 'image-too-short'; available: number }
  | { code: 'image-bad-magic'; found: number; expected: number }
  | { code: 'image-wrong-chip'; found: number; expected: number }
  | { code: 'image-chip-too-old'; found: number; expected: number }
  | { code: 'image-chip-too-new'; found: number; expected: number }
  | { code: 'image-too-many-segments'; found: number; limit: number }
  | { code: 'image-bad-segment-length'; segment: number; length: number }
  | { code: 'image-bad-segment-address'; segment: number; loadAddress: number; flashOffset: number }
  | { code: 'image-no-description' }
  | { code: 'image-truncated'; segment?: number; needed: number; available: number }
  | { code: 'image-bad-checksum'; calculated: number; read: number }
  | { code: 'image-too-large'; length: number; partitionSize: number }
  | { code: 'image-bad-sha'; calculated: string; read: string };

export type ImageVerdict = { ok: true; image: AppImage } | ({ ok: false; message: string } & ImageFault);

/**
 * Whether the boot loader would start these bytes. They may be a file or a whole slot, and may go on behind the slot as flash
 * does (give `partitionSize` then).
 */
export function verifyImage(bytes: Uint8Array, options: VerifyOptions): ImageVerdict {
  const early = checkBeforeSegments(bytes, options);
  if (early) return refuse(early);
  const header = decodeImageHeader(bytes);
  const walked = walkSegments(bytes, header, options);
  if (!Array.isArray(walked)) return refuse(walked);
  const image = options.described ?? describeImage(bytes, { header, segments: walked }, options.sha256);
  const late = checkAfterSegments(bytes, image, options);
  return late ? refuse(late) : { ok: true, image };
}

const refuse = (fault: ImageFault): ImageVerdict => ({ ok: false, message: faultText(fault), ...fault });

function checkBeforeSegments(bytes: Uint8Array, options: VerifyOptions): ImageFault | undefined {
  const { chipId, chipRevision, partitionSize, ignoreMaxRevision } = options;
  if (partitionSize !== undefined && partitionSize > MAX_PARTITION_SIZE) {
    return { code: 'image-partition-too-large', size: partitionSize, limit: MAX_PARTITION_SIZE };
  }
  const magic = bytes[0];
  if (magic !== undefined && magic !== IMAGE_MAGIC)
    return { code: 'image-bad-magic', found: magic, expected: IMAGE_MAGIC };
  if (bytes.length < IMAGE_HEADER_SIZE) return { code: 'image-too-short', available: bytes.length };
  const header = decodeImageHeader(bytes);
  if (header.chipId !== chipId) return { code: 'image-wrong-chip', found: header.chipId, expected: chipId };
  if (chipRevision !== undefined) {
    const least = leastRevision(header);
    if (chipRevision < least) return { code: 'image-chip-too-old', found: chipRevision, expected: least };
    const greatest = greatestRevision(header);
    if (greatest !== undefined && chipRevision > greatest && !ignoreMaxRevision) {
      return { code: 'image-chip-too-new', found: chipRevision, expected: greatest };
    }
  }
  if (header.segmentCount > MAX_SEGMENTS) {
    return { code: 'image-too-many-segments', found: header.segmentCount, limit: MAX_SEGMENTS };
  }
  return undefined;
}

/**
 * The least chip revision an image asks for, major * 100 + minor. Builds before ESP-IDF 5.0 fill only the old byte:
 * the major revision, on the ESP32-C3 the minor one (esptool `cmds.py`).
 */
export function leastRevision(header: ImageHeader): number {
  if (header.minChipRevFull !== 0 || greatestRevision(header) !== undefined || header.maxChipRevFull !== 0) {
    return header.minChipRevFull;
  }
  return chipByImageId(header.chipId)?.name === 'esp32c3' ? header.minChipRev : header.minChipRev * 100;
}

/** The greatest chip revision an image allows, or `undefined` for any. */
export function greatestRevision(header: ImageHeader): number | undefined {
  return header.maxChipRevFull === 0 || header.maxChipRevFull === 0xffff ? undefined : header.maxChipRevFull;
}

function walkSegments(bytes: Uint8Array, header: ImageHeader, options: VerifyOptions): ImageSegment[] | ImageFault {
  const page = mmuPage(bytes, header.chipId);
  const segments: ImageSegment[] = [];
  let offset = IMAGE_HEADER_SIZE;
  for (let index = 0; index < header.segmentCount; index++) {
    const fileOffset = offset + SEGMENT_HEADER_SIZE;
    if (fileOffset > bytes.length) {
      return { code: 'image-truncated', segment: index, needed: fileOffset, available: bytes.length };
    }
    const segment = { loadAddress: readU32(bytes, offset), length: readU32(bytes, offset + 4), fileOffset };
    const fault = checkSegment(segment, index, { ...options, page });
    if (fault) return fault;
    offset = fileOffset + segment.length;
    if (offset > bytes.length) {
      return { code: 'image-truncated', segment: index, needed: offset, available: bytes.length };
    }
    if (index === 0 && page === undefined && !options.isBootloader) return { code: 'image-no-description' };
    segments.push(segment);
  }
  return segments;
}

/** Bytes of an MMU page; `undefined` where only the description could tell it and there is none. */
function mmuPage(bytes: Uint8Array, chipId: number): number | undefined {
  const chip = chipByImageId(chipId);
  if (!chip || !SELECTABLE_MMU_PAGE.includes(chip.name)) return DEFAULT_MMU_PAGE;
  const description = decodeAppDescription(bytes);
  return description && (description.mmuPageSize ?? DEFAULT_MMU_PAGE);
}

function checkSegment(
  { loadAddress, length, fileOffset }: ImageSegment,
  segment: number,
  { chipId, partitionOffset = 0, page = DEFAULT_MMU_PAGE }: VerifyOptions & { page: number | undefined },
): ImageFault | undefined {
  if (!isSegmentLength(length)) return { code: 'image-bad-segment-length', segment, length };
  const flashOffset = partitionOffset + fileOffset;
  // Flash shows page by page: data must lie at the same place inside its page as its address does.
  if (isFlashMapped(chipId, loadAddress) && loadAddress % page !== flashOffset % page) {
    return { code: 'image-bad-segment-address', segment, loadAddress, flashOffset };
  }
  return undefined;
}

function checkAfterSegments(bytes: Uint8Array, image: AppImage, options: VerifyOptions): ImageFault | undefined {
  const { stored, computed, offset } = image.checksum;
  if (stored === undefined) return { code: 'image-truncated', needed: offset + 1, available: bytes.length };
  if (stored !== computed) return { code: 'image-bad-checksum', calculated: computed, read: stored };
  const { partitionSize, isBootloader } = options;
  if (partitionSize !== undefined && image.length > partitionSize) {
    return { code: 'image-too-large', length: image.length, partitionSize };
  }
  if (image.sha256 && !isBootloader && image.sha256.stored !== image.sha256.computed) {
    return { code: 'image-bad-sha', calculated: image.sha256.computed, read: image.sha256.stored };
  }
  return undefined;
}

/** `v3.1` of 301. */
export const revisionText = (revision: number): string => `v${Math.floor(revision / 100)}.${revision % 100}`;

/** A fault in words for a log. */
export function faultText(fault: ImageFault): string {
  switch (fault.code) {
    case 'image-partition-too-large':
      return `The slot has ${fault.size} bytes, an app slot may have at most ${fault.limit}`;
    case 'image-too-short':
      return `Only ${fault.available} bytes, not even an image header`;
    case 'image-bad-magic':
      return `Not an image: it starts with ${hexAddress(fault.found)} in place of 0xe9`;
    case 'image-wrong-chip':
      return `Made for ${chipText(fault.found)}, the chip is ${chipText(fault.expected)}`;
    case 'image-chip-too-old':
      return `Needs chip revision ${revisionText(fault.expected)} or newer, the chip is ${revisionText(fault.found)}`;
    case 'image-chip-too-new':
      return `Made for chip revisions up to ${revisionText(fault.expected)}, the chip is ${revisionText(fault.found)}`;
    case 'image-too-many-segments':
      return `${fault.found} segments, at most ${fault.limit} are allowed`;
    case 'image-bad-segment-length':
      return `Segment ${fault.segment} has the invalid length ${hexAddress(fault.length)}`;
    case 'image-bad-segment-address':
      return `Segment ${fault.segment} is to be mapped to ${hexAddress(fault.loadAddress)}, which does not fit its place ${hexAddress(fault.flashOffset)}`;
    case 'image-no-description':
      return 'The app has no description, which this chip needs to choose its MMU page';
    case 'image-truncated':
      return `The image ends too early: ${fault.available} bytes of at least ${fault.needed}`;
    case 'image-bad-checksum':
      return `Wrong checksum: calculated ${hexAddress(fault.calculated)}, read ${hexAddress(fault.read)}`;
    case 'image-too-large':
      return `The image has ${fault.length} bytes, the slot ${fault.partitionSize}`;
    case 'image-bad-sha':
      return 'Wrong SHA-256: the image is damaged or was changed';
  }
}

function chipText(chipId: number): string {
  return chipByImageId(chipId)?.title ?? `a chip with the unknown id ${chipId}`;
}
