/**
 * Flash mode, frequency and size in the header of a boot loader, and the digest that covers them.
 * As `esptool` does when it writes or merges at the boot loader's offset (`cmds.py`, `_update_image_flash_params`);
 * app images are never changed.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { parseImage } from './app-image.ts';
import { hexAddress } from './bytes.ts';
import { type Chip, chipByImageId, FLASH_MODES, type FlashMode, flashSizeName, flashSizeOfCode } from './chips.ts';
import { FormatError } from './format-error.ts';

export interface FlashHeaderChange {
  mode?: FlashMode;
  /** A key of the chip's `flashFrequencies`: `40m`. */
  frequency?: string;
  /** Bytes: 1 MiB times a power of two, up to 128 MiB. */
  size?: number;
}

const LARGEST_SIZE_CODE = 7;

/**
 * A copy of `image` with other flash settings; what is not named is kept. The SHA-256 is made new when the header says that there
 * is one; bytes behind it are kept.
 *
 * @throws {FormatError} `image-…` when it cannot be parsed, `image-wrong-chip`, `image-bad-checksum` or `image-bad-sha` when it is
 *   damaged (a new digest would hide that), `image-bad-flash-mode`, `image-bad-flash-frequency`, `image-bad-flash-size`.
 */
export function patchFlashHeader(
  image: Uint8Array,
  chip: Chip,
  { mode, frequency, size }: FlashHeaderChange,
): Uint8Array<ArrayBuffer> {
  const { header, sha256: digest } = parseIntact(image, chip);
  const modeCode = mode === undefined ? header.spiMode : codeOfMode(mode);
  const frequencyCode = frequency === undefined ? header.frequencyCode : codeOfFrequency(frequency, chip);
  const sizeCode = size === undefined ? header.sizeCode : codeOfSize(size);
  const patched = image.slice();
  patched[2] = modeCode;
  patched[3] = (sizeCode << 4) | frequencyCode;
  if (digest) patched.set(sha256(patched.subarray(0, digest.offset)), digest.offset);
  return patched;
}

function parseIntact(bytes: Uint8Array, chip: Chip): ReturnType<typeof parseImage> {
  const image = parseImage(bytes);
  const { header, checksum, sha256: digest } = image;
  if (header.chipId !== chip.imageChipId) {
    const found = chipByImageId(header.chipId)?.title ?? `chip id ${header.chipId}`;
    throw new FormatError('image-wrong-chip', `The image is for ${found}, not for ${chip.title}`, {
      place: { offset: 12 },
    });
  }
  if (checksum.stored !== checksum.computed) {
    throw new FormatError('image-bad-checksum', 'The image is damaged: its checksum is wrong', {
      place: { offset: checksum.offset },
    });
  }
  if (digest && digest.stored !== digest.computed) {
    throw new FormatError('image-bad-sha', 'The image is damaged: its SHA-256 is wrong', {
      place: { offset: digest.offset },
    });
  }
  return image;
}

function codeOfMode(mode: FlashMode): number {
  const code = FLASH_MODES.indexOf(mode);
  if (code < 0)
    throw new FormatError('image-bad-flash-mode', `Unknown flash mode ${mode}; known: ${FLASH_MODES.join(', ')}`);
  return code;
}

function codeOfFrequency(frequency: string, chip: Chip): number {
  const code = Object.hasOwn(chip.flashFrequencies, frequency) ? chip.flashFrequencies[frequency] : undefined;
  if (code === undefined) {
    const known = Object.keys(chip.flashFrequencies).join(', ');
    throw new FormatError(
      'image-bad-flash-frequency',
      `${chip.title} has no flash frequency ${frequency}; it has ${known}`,
    );
  }
  return code;
}

function codeOfSize(size: number): number {
  for (let code = 0; code <= LARGEST_SIZE_CODE; code++) if (flashSizeOfCode(code) === size) return code;
  const range = `${flashSizeName(flashSizeOfCode(0))} to ${flashSizeName(flashSizeOfCode(LARGEST_SIZE_CODE))}`;
  throw new FormatError(
    'image-bad-flash-size',
    `A header cannot say ${hexAddress(size)} bytes of flash, only ${range}`,
  );
}

/** Name of the header's frequency on that chip (the first of names that share a code), if it has one. */
export function flashFrequencyName(frequencyCode: number, chip: Chip): string | undefined {
  return Object.entries(chip.flashFrequencies).find(([, code]) => code === frequencyCode)?.[0];
}
