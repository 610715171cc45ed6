/** Width and height of PNG and JPEG pictures, from their headers alone. Layouts: PNG specification 11.2.1 (IHDR), ITU T.81 annex B. */
import { equalBytes, fromHex, viewOf } from '../bytes.ts';

export interface PictureSize {
  width: number;
  height: number;
}

/** Signature, then a chunk of 13 bytes named IHDR. */
const PNG_START = fromHex('89504e470d0a1a0a 0000000d 49484452');
/** The largest number that the table of an asset image can hold. */
const MAX_SIDE = 0xffff;

/** Pixels of a picture; zeros for anything else, also for a side above 65535. */
export function pictureSize(bytes: Uint8Array): PictureSize {
  const size = pngSize(bytes) ?? jpegSize(bytes);
  return size && size.width <= MAX_SIDE && size.height <= MAX_SIDE ? size : { width: 0, height: 0 };
}

function pngSize(bytes: Uint8Array): PictureSize | undefined {
  if (bytes.length < 24 || !equalBytes(bytes.subarray(0, PNG_START.length), PNG_START)) return undefined;
  const view = viewOf(bytes);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** Walks the marker segments to the frame header (SOF0 to SOF15). */
function jpegSize(bytes: Uint8Array): PictureSize | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  const view = viewOf(bytes);
  let offset = 2;
  while (offset + 9 <= bytes.length && bytes[offset] === 0xff) {
    const marker = bytes[offset + 1] ?? 0;
    if (marker === 0xff) {
      offset += 1; // fill byte
    } else if (isFrameHeader(marker)) {
      return { width: view.getUint16(offset + 7), height: view.getUint16(offset + 5) };
    } else if (standsAlone(marker)) {
      offset += 2;
    } else {
      offset += 2 + view.getUint16(offset + 2);
    }
  }
  return undefined;
}

/** C0 to CF but for DHT (C4), JPG (C8) and DAC (CC). */
const isFrameHeader = (marker: number): boolean => (marker & 0xf0) === 0xc0 && ![0xc4, 0xc8, 0xcc].includes(marker);

/** TEM, RSTn, SOI: markers without a length. */
const standsAlone = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);
