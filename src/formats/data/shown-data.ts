import { toHex } from '../bytes.ts';
import { DATA_HEADER_SIZE } from './data-image.ts';
import { SHOWN_BYTES } from './data-tag.ts';

/**
 * What a board's page shows of an image that lies in its data slot, as hex: up to ten bytes behind the place of the 32-byte header, cut at the
 * first NUL, whatever the image begins with.
 */
export function shownOf(image: Uint8Array): string {
  const bytes = image.subarray(DATA_HEADER_SIZE, DATA_HEADER_SIZE + SHOWN_BYTES);
  const end = bytes.indexOf(0);
  return toHex(end < 0 ? bytes : bytes.subarray(0, end));
}
