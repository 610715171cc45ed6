/** Reads boot loader frames in tests. */
import { readU32 } from '#formats/bytes.ts';

/** The contents of all frames of a byte stream; bytes outside frames are skipped. */
export function decodeFrames(stream: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let frame: number[] | undefined;
  let escaped = false;
  for (const byte of stream) {
    if (byte === 0xc0) {
      if (frame && frame.length > 0) {
        frames.push(Uint8Array.from(frame));
        frame = undefined;
      } else {
        frame = [];
      }
    } else if (frame) {
      if (escaped) frame.push(byte === 0xdc ? 0xc0 : 0xdb);
      else if (byte !== 0xdb) frame.push(byte);
      escaped = !escaped && byte === 0xdb;
    }
  }
  return frames;
}

export interface Answer {
  op: number;
  value: number;
  /** Data and status. */
  body: Uint8Array;
}

/** The answers among the frames of a stream. */
export function decodeAnswers(stream: Uint8Array): Answer[] {
  return decodeFrames(stream)
    .filter((frame) => frame.length >= 8 && frame[0] === 1)
    .map((frame) => ({ op: frame[1]!, value: readU32(frame, 4), body: frame.subarray(8) }));
}
