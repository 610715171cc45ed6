/** Turns the verdict on an image into the objections of a plan. */
import { type AppImage } from '#formats/app-image.ts';
import { type Chip, chipByImageId } from '#formats/chips.ts';
import { type ChipRevision } from '#formats/chip-security.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { type Objection, objection } from './plan-notices.ts';

interface Question {
  subject: 'bootloader' | 'app';
  chip: Chip;
  /** Unknown: revisions are not compared. */
  revision: ChipRevision | undefined;
  /** Bytes of the slot; not given for a boot loader. */
  slotSize?: number;
}

/** The parsed image when this chip would start it, else why it would not. */
export function imageObjections(
  bytes: Uint8Array,
  { subject, chip, revision, slotSize }: Question,
): { image: AppImage } | { objections: Objection[] } {
  const chipRevision = revision && revision.major * 100 + revision.minor;
  const verdict = verifyImage(bytes, {
    chipId: chip.imageChipId,
    ...(chipRevision === undefined ? {} : { chipRevision }),
    ...(slotSize === undefined ? {} : { partitionSize: slotSize }),
    ...(subject === 'bootloader' ? { isBootloader: true } : {}),
  });
  const refuse = (...objections: Objection[]): { objections: Objection[] } => ({ objections });
  if (verdict.ok) {
    // The ROM does not compare a boot loader's digest, but a wrong one means that the file is damaged or was patched badly.
    const { sha256 } = verdict.image;
    if (!sha256 || sha256.stored === sha256.computed) return { image: verdict.image };
    return refuse(objection('image-damaged', subject, { fault: 'image-bad-sha', message: 'SHA-256 differs' }));
  }
  switch (verdict.code) {
    case 'image-wrong-chip': {
      const found = chipByImageId(verdict.found)?.title ?? `chip id ${verdict.found}`;
      return refuse(objection('image-wrong-chip', subject, { found, chip: chip.title }));
    }
    case 'image-chip-too-old':
    case 'image-chip-too-new': {
      const values = {
        needs: verdict.expected,
        has: chipRevision ?? 0,
        bound: verdict.code === 'image-chip-too-old' ? 'least' : 'most',
      };
      return refuse(objection('chip-revision', subject, values));
    }
    case 'image-too-large':
      return refuse(objection('too-large', subject, { size: bytes.length, room: slotSize ?? 0 }));
    default:
      return refuse(objection('image-damaged', subject, { fault: verdict.code, message: verdict.message }));
  }
}
