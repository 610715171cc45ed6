/** Synthetic images of a given shape: segments at the addresses that are wanted, filled with a pattern. */
import { alignUp, concatBytes, padBytes, viewOf } from '#formats/bytes.ts';
import { sha256 } from '@noble/hashes/sha2.js';

export interface ImageShape {
  chipId?: number;
  entry: number;
  /** Load address and length, in order. */
  segments: readonly (readonly [address: number, length: number])[];
  flashSizeCode?: number;
  frequencyCode?: number;
  maxRevision?: number;
  /** Bytes that the first segment begins with. */
  start?: Uint8Array;
}

/** A valid image with checksum and digest. */
export function standInImage(shape: ImageShape): Uint8Array<ArrayBuffer> {
  const { chipId = 0, entry, segments, flashSizeCode = 2, frequencyCode = 0, maxRevision = 0xffff, start } = shape;
  const header = new Uint8Array(24);
  header.set([0xe9, segments.length, 2, (flashSizeCode << 4) | frequencyCode]);
  const view = viewOf(header);
  view.setUint32(4, entry, true);
  header[8] = 0xee;
  view.setUint16(12, chipId, true);
  view.setUint16(17, maxRevision, true);
  header[23] = 1;
  let checksum = 0xef;
  const parts = segments.map(([address, length], index) => {
    const part = new Uint8Array(8 + length);
    viewOf(part).setUint32(0, address, true);
    viewOf(part).setUint32(4, length, true);
    for (let at = 8; at < part.length; at++) part[at] = (at * 7 + index * 13) & 0xff;
    if (index === 0 && start) part.set(start, 8);
    for (let at = 8; at < part.length; at++) checksum ^= part[at]!;
    return part;
  });
  const body = concatBytes(header, ...parts);
  const image = padBytes(body, alignUp(body.length + 1, 16), 0);
  image[image.length - 1] = checksum;
  return concatBytes(image, sha256(image));
}

export interface DescriptionShape {
  project?: string;
  version?: string;
  idf?: string;
}

/** The 256 bytes of an app description. */
export function appDescription({
  project = 'two_slot_demo',
  version = '1.2.3',
  idf = 'v5.4.2',
}: DescriptionShape = {}) {
  const bytes = new Uint8Array(256);
  viewOf(bytes).setUint32(0, 0xabcd_5432, true);
  const put = (offset: number, text: string): void => bytes.set(new TextEncoder().encode(text), offset);
  put(16, version);
  put(48, project);
  put(80, '12:34:56');
  put(96, 'Jan  2 2026');
  put(112, idf);
  bytes.fill(0x5a, 144, 176);
  return bytes;
}

/** The 80 bytes of a boot loader description, and the texts that a build with that log level carries. */
export function bootLoaderStart({ idf = 'v5.4.2', date = 'Jan  2 2026 12:34:56', texts = '' } = {}): Uint8Array {
  const bytes = new Uint8Array(80);
  bytes[0] = 0x50;
  bytes[4] = 1;
  bytes.set(new TextEncoder().encode(idf), 8);
  bytes.set(new TextEncoder().encode(date), 40);
  return concatBytes(bytes, new TextEncoder().encode(texts));
}
