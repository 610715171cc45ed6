/**
 * All that can be said of an image file, damaged or not: what is in it as far as it can be read, and whether the boot loader would
 * start it.
 */
import {
  type AppImage,
  describeImage,
  headerFields,
  IMAGE_HEADER_SIZE,
  type ImageHeader,
  type ImageSegment,
  SEGMENT_HEADER_SIZE,
  type Sha256,
} from './app-image.ts';
import { readU32 } from './bytes.ts';
import { type Chip, chipByImageId } from './chips.ts';
import { faultText, type ImageFault, verifyImage } from './image-verify.ts';

export interface InspectOptions {
  /** The chip that is to run the image; without it the one that the header names. */
  chip?: Chip;
  /** major * 100 + minor. Unknown: revisions are not compared. */
  chipRevision?: number;
  /** A faster SHA-256 than the portable one. */
  sha256?: Sha256;
}

export type InspectionVerdict =
  { ok: true } | { ok: false; code: ImageFault['code'] | 'image-unknown-chip'; message: string };

export interface ImageInspection {
  /** Whatever the bytes say, also behind a wrong magic; absent below 24 bytes. */
  header?: ImageHeader;
  /** The chip that the verdict is about, if it is known. */
  chip?: Chip;
  /** As far as their headers lie in the bytes. Lengths that no boot loader takes are shown too; the last one may reach beyond the end. */
  segments: ImageSegment[];
  /** Checksum, digest, descriptions: only where all segments lie in the bytes. */
  image?: AppImage;
  verdict: InspectionVerdict;
}

/** Looks at an image. Never throws. */
export function inspectImage(
  bytes: Uint8Array,
  { chip: asked, chipRevision, sha256 }: InspectOptions = {},
): ImageInspection {
  const header = bytes.length >= IMAGE_HEADER_SIZE ? headerFields(bytes) : undefined;
  const { segments, complete } = header ? readableSegments(bytes, header) : { segments: [], complete: false };
  const image = header && complete ? describeImage(bytes, { header, segments }, sha256) : undefined;
  const chip = asked ?? (header && chipByImageId(header.chipId));
  return {
    ...(header && { header }),
    ...(chip && { chip }),
    segments,
    ...(image && { image }),
    verdict: judge(bytes, { chip, chipRevision, header, image }),
  };
}

interface Judged {
  chip: Chip | undefined;
  chipRevision: number | undefined;
  header: ImageHeader | undefined;
  image: AppImage | undefined;
}

function judge(bytes: Uint8Array, { chip, chipRevision, header, image }: Judged): InspectionVerdict {
  const verdict = verifyImage(bytes, {
    chipId: chip?.imageChipId ?? header?.chipId ?? 0,
    ...(chipRevision !== undefined && { chipRevision }),
    ...(image && { described: image, isBootloader: image.kind === 'bootloader' }),
  });
  if (!verdict.ok) return refuse(verdict);
  // The ROM does not compare a boot loader's digest, but a wrong one means that the file is damaged or was patched badly.
  const digest = image?.sha256;
  if (digest && digest.stored !== digest.computed) {
    return refuse({ code: 'image-bad-sha', calculated: digest.computed, read: digest.stored });
  }
  if (chip) return { ok: true };
  const message = `Made for a chip that is not known here (id ${header?.chipId ?? 0})`;
  return { ok: false, code: 'image-unknown-chip', message };
}

const refuse = (fault: ImageFault): InspectionVerdict => ({ ok: false, code: fault.code, message: faultText(fault) });

function readableSegments(
  bytes: Uint8Array,
  { segmentCount }: ImageHeader,
): { segments: ImageSegment[]; complete: boolean } {
  const segments: ImageSegment[] = [];
  let offset = IMAGE_HEADER_SIZE;
  while (segments.length < segmentCount && offset + SEGMENT_HEADER_SIZE <= bytes.length) {
    const fileOffset = offset + SEGMENT_HEADER_SIZE;
    const length = readU32(bytes, offset + 4);
    segments.push({ loadAddress: readU32(bytes, offset), length, fileOffset });
    offset = fileOffset + length;
  }
  return { segments, complete: segments.length === segmentCount && offset <= bytes.length };
}
