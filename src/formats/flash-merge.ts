/**
 * Parts of a flash as one image, as esptool's merge-bin lays them out: gaps are FF, and the boot loader's header may get other flash
 * settings. Source: esptool 5.2 `cmds.py` (`merge_bin`, `_update_image_flash_params`).
 */
import { looksLikeImage } from './app-image.ts';
import { hexAddress } from './bytes.ts';
import { type Chip } from './chips.ts';
import { FormatError, type FormatIssue } from './format-error.ts';
import { type FlashHeaderChange, patchFlashHeader } from './image-header-patch.ts';

/** Bytes and the flash offset where they belong. */
export interface FlashPart {
  /** For messages. */
  name: string;
  offset: number;
  data: Uint8Array;
}

export interface MergeOptions {
  /** Flash offset of the image's first byte. Default 0. */
  targetOffset?: number;
  /** Flash offset up to which the image is filled with FF. Default: it ends with its last part. */
  padTo?: number;
}

/** The largest flash that an image header can name. */
const MAX_FLASH = 0x800_0000;

/**
 * One image of all parts, in whatever order they are given.
 *
 * @throws {FormatError} `image-merge-empty`, `image-merge-overlap`, `image-merge-before-target`, `image-merge-too-large` (beyond
 *   `padTo`, or beyond 128 MiB).
 */
export function mergeFlash(
  parts: readonly FlashPart[],
  { targetOffset = 0, padTo }: MergeOptions = {},
): Uint8Array<ArrayBuffer> {
  const sorted = parts.toSorted((a, b) => a.offset - b.offset);
  const limit = padTo ?? MAX_FLASH;
  let end = targetOffset;
  for (const [index, { name, offset, data }] of sorted.entries()) {
    const place = { file: name };
    if (offset < targetOffset) {
      throw new FormatError(
        'image-merge-before-target',
        `It belongs at ${hexAddress(offset)}, the image begins with ${hexAddress(targetOffset)}`,
        { place },
      );
    }
    if (offset < end) {
      const before = sorted[index - 1];
      throw new FormatError(
        'image-merge-overlap',
        `It belongs at ${hexAddress(offset)}, where ${before?.name ?? 'another'} reaches up to ${hexAddress(end)}`,
        { place },
      );
    }
    end = offset + data.length;
    if (end > limit) {
      throw new FormatError('image-merge-too-large', `It ends at ${hexAddress(end)}, beyond ${hexAddress(limit)}`, {
        place,
      });
    }
  }
  if (sorted.length === 0) throw new FormatError('image-merge-empty', 'There is nothing to merge');
  const image = new Uint8Array((padTo ?? end) - targetOffset).fill(0xff);
  for (const { offset, data } of sorted) image.set(data, offset - targetOffset);
  return image;
}

/**
 * The parts with other flash settings in the header of the boot loader, which is what lies at the chip's offset for it; nothing else is
 * changed. Where no image lies there, as in a table merged alone, it is said in `issues`.
 *
 * @throws {FormatError} as `patchFlashHeader`, with the part as place.
 */
export function patchBootloader(
  parts: readonly FlashPart[],
  chip: Chip,
  change: FlashHeaderChange,
): { parts: FlashPart[]; issues: FormatIssue[] } {
  if (Object.keys(change).length === 0) return { parts: [...parts], issues: [] };
  const bootloader = parts.find(({ offset, data }) => offset === chip.bootloaderOffset && looksLikeImage(data));
  if (!bootloader) {
    const message = `No image lies at ${hexAddress(chip.bootloaderOffset)}, where an ${chip.title} has its boot loader: no flash setting is changed`;
    return { parts: [...parts], issues: [{ code: 'image-merge-no-bootloader', message }] };
  }
  const data = inPart(bootloader.name, () => patchFlashHeader(bootloader.data, chip, change));
  return { parts: parts.map((part) => (part === bootloader ? { ...part, data } : part)), issues: [] };
}

function inPart<Value>(file: string, run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(error.code, error.message, { place: { ...error.place, file }, cause: error });
  }
}
