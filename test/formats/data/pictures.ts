/** The beginnings of pictures, as far as their sizes need them. */
import { concatBytes, fromHex } from '#formats/bytes.ts';

const big = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, index) => (value / 256 ** (bytes - 1 - index)) & 0xff);

export const png = (width: number, height: number): Uint8Array =>
  concatBytes(fromHex('89504e470d0a1a0a 0000000d 49484452'), big(width, 4), big(height, 4), fromHex('0806000000'));

/** With an APP0 segment, fill bytes and a table before the frame header `marker`. */
export const jpeg = (width: number, height: number, marker = 0xc0): Uint8Array =>
  concatBytes(
    fromHex('ffd8 ffe0 0010 4a46494600 0101 00 0001 0001 0000 ffff ffc4 0004 0000'),
    Uint8Array.of(0xff, marker, 0, 11, 8),
    big(height, 2),
    big(width, 2),
    fromHex('01 11 22'),
  );
