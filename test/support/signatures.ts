/** Images with something behind them that has the form of a secure-boot signature; no key was ever near. */
import { parseImage } from '#formats/app-image.ts';
import { alignUp, concatBytes, padBytes, writeU32 } from '#formats/bytes.ts';
import { zlibCrc32 } from '#formats/crc32.ts';

/** v2: a sector at the next border of 4 KiB, with one block. */
export function signedV2(image: Uint8Array, version = 2): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(1216);
  block.set([0xe7, version]);
  block.fill(0x5c, 4, 1196);
  writeU32(block, 1196, zlibCrc32(block.subarray(0, 1196)));
  const { length } = parseImage(image);
  return concatBytes(padBytes(image.subarray(0, length), alignUp(length, 0x1000)), padBytes(block, 0x1000));
}

/** v1: 68 bytes right behind the image. */
export function signedV1(image: Uint8Array): Uint8Array<ArrayBuffer> {
  const signature = new Uint8Array(68).fill(0x5c, 4);
  return concatBytes(image.subarray(0, parseImage(image).length), signature);
}
