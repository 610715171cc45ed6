/**
 * The tag of packed data: 16 bytes of text, NUL padded, in front of the payload. It tells versions of the data apart without reading
 * them: the demo firmware of two-step OTA shows the first ten bytes of the data slot on its page.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../bytes.ts';
import { FormatError } from '../format-error.ts';

/** Bytes of the field. */
export const TAG_SIZE = 16;
/** Bytes of the data that the demo firmware shows, cut at the first NUL. */
export const SHOWN_BYTES = 10;
/** In place of a text: take the tag from the payload. */
export const AUTO_TAG = 'auto';

/** The tag that `auto` stands for: the first 16 hex digits of the payload's SHA-256. */
export const digestTag = (payload: Uint8Array): string => toHex(sha256(payload)).slice(0, TAG_SIZE);

/** Printable ASCII, without what the demo firmware's page, which escapes nothing, would take for markup. */
const TAG_TEXT = /^[\x20-\x7e]+$/;
const MARKUP = /[<>&]/;

/**
 * The 16 bytes of a tag.
 *
 * @throws {FormatError} `data-bad-tag` when it is empty, longer than 16, or not printable ASCII; `<`, `>` and `&` are not taken either.
 */
export function encodeTag(tag: string): Uint8Array<ArrayBuffer> {
  if (!TAG_TEXT.test(tag) || MARKUP.test(tag) || tag.length > TAG_SIZE) {
    throw new FormatError('data-bad-tag', `A tag is 1 to ${TAG_SIZE} printable ASCII characters other than < > &`);
  }
  const field = new Uint8Array(TAG_SIZE);
  field.set(new TextEncoder().encode(tag));
  return field;
}

/** The text of the field at the start of `bytes`, or `undefined` when it holds no tag. */
export function decodeTag(bytes: Uint8Array): string | undefined {
  if (bytes.length < TAG_SIZE) return undefined;
  const text = String.fromCharCode(...bytes.subarray(0, TAG_SIZE)).replace(/\0+$/, '');
  return TAG_TEXT.test(text) ? text : undefined;
}
