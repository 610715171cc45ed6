/**
 * A copy of settings on their way: before a plan rewrites or moves NVS, it writes the new images into flash that the same plan
 * overwrites later anyway (the start of the app slot). A run that is cut short leaves either the old NVS or this copy whole.
 *
 * Layout, our own: one sector of directory, then the images one after the other. Directory: magic (16 bytes), u32 number of
 * images, for each u32 flash offset, u32 size, 16 bytes label (NUL padded), 16 bytes MD5; then the MD5 of all that.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { concatBytes, equalBytes, padBytes, readU32, textUntilNul, writeU32 } from '../bytes.ts';

/** An NVS image and where it belongs. */
export interface NvsImage {
  /** Partition label. */
  name: string;
  /** Flash offset of its partition. */
  offset: number;
  bytes: Uint8Array;
}

/** What the directory says of one image; `at` is its byte offset behind the start of the copy. */
export interface NvsCopyEntry {
  name: string;
  offset: number;
  size: number;
  at: number;
  md5: Uint8Array;
}

const MAGIC = new TextEncoder().encode('twostep:nvs-copy');
const DIRECTORY_SIZE = 0x1000;
const COUNT_OFFSET = 16;
const FIRST_ENTRY = 20;
const ENTRY_SIZE = 40;
const LABEL_SIZE = 16;
const DIGEST_SIZE = 16;
/** A table has far fewer NVS partitions; more in a directory is no directory. */
const MAX_IMAGES = 8;
/** Bytes at the start of a copy that hold the whole directory. */
export const NVS_COPY_HEAD_SIZE = FIRST_ENTRY + MAX_IMAGES * ENTRY_SIZE + DIGEST_SIZE;

/** Bytes from which it can be told that a copy begins with them. */
export const NVS_COPY_MAGIC_SIZE = MAGIC.length;

/** Bytes that a copy of these images takes. */
export const nvsCopySize = (images: readonly Pick<NvsImage, 'bytes'>[]): number =>
  images.reduce((sum, { bytes }) => sum + bytes.length, DIRECTORY_SIZE);

/** The copy, to be written to the start of a sector. At most 8 images. */
export function encodeNvsCopy(images: readonly NvsImage[]): Uint8Array<ArrayBuffer> {
  const end = FIRST_ENTRY + images.length * ENTRY_SIZE;
  const directory = new Uint8Array(DIRECTORY_SIZE).fill(0xff);
  directory.set(MAGIC);
  writeU32(directory, COUNT_OFFSET, images.length);
  for (const [index, { name, offset, bytes }] of images.entries()) {
    const entry = FIRST_ENTRY + index * ENTRY_SIZE;
    writeU32(directory, entry, offset);
    writeU32(directory, entry + 4, bytes.length);
    directory.set(padBytes(new TextEncoder().encode(name).subarray(0, LABEL_SIZE), LABEL_SIZE, 0), entry + 8);
    directory.set(md5(bytes), entry + 8 + LABEL_SIZE);
  }
  directory.set(md5(directory.subarray(0, end)), end);
  return concatBytes(directory, ...images.map(({ bytes }) => bytes));
}

/** Whether these bytes (at least `NVS_COPY_MAGIC_SIZE`) are the beginning of a copy. */
export const beginsNvsCopy = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, MAGIC.length), MAGIC);

/** The directory at the start of `head` (at least `NVS_COPY_HEAD_SIZE` bytes), or `undefined` when there is none that is whole. */
export function decodeNvsCopy(head: Uint8Array): NvsCopyEntry[] | undefined {
  if (head.length < NVS_COPY_HEAD_SIZE || !beginsNvsCopy(head)) return undefined;
  const count = readU32(head, COUNT_OFFSET);
  if (count > MAX_IMAGES) return undefined;
  const end = FIRST_ENTRY + count * ENTRY_SIZE;
  if (!equalBytes(md5(head.subarray(0, end)), head.subarray(end, end + DIGEST_SIZE))) return undefined;
  let at = DIRECTORY_SIZE;
  return Array.from({ length: count }, (_, index) => {
    const entry = FIRST_ENTRY + index * ENTRY_SIZE;
    const label = head.subarray(entry + 8, entry + 8 + LABEL_SIZE);
    const size = readU32(head, entry + 4);
    const found = {
      name: textUntilNul(label),
      offset: readU32(head, entry),
      size,
      at,
      md5: head.slice(entry + 24, entry + 40),
    };
    at += size;
    return found;
  });
}

/** Whether these are the bytes that the directory promises: the copy was written to its end. */
export const isWholeCopy = (entry: NvsCopyEntry, bytes: Uint8Array): boolean =>
  bytes.length === entry.size && equalBytes(md5(bytes), entry.md5);
