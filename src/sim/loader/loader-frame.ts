/** A request of the boot loader protocol, and what both loaders compute of it. */
import { readU32 } from '#formats/bytes.ts';

/** Bytes of the header in front of the payload: direction, opcode, length, checksum. */
export const HEADER_SIZE = 8;
/** Bytes of the sub-header of the three data commands: length, sequence number, two zero words. */
export const DATA_HEADER_SIZE = 16;

export const Op = {
  FlashBegin: 0x02,
  FlashData: 0x03,
  FlashEnd: 0x04,
  MemBegin: 0x05,
  MemEnd: 0x06,
  MemData: 0x07,
  Sync: 0x08,
  WriteReg: 0x09,
  ReadReg: 0x0a,
  SpiSetParams: 0x0b,
  SpiAttach: 0x0d,
  ReadFlashSlow: 0x0e,
  ChangeBaud: 0x0f,
  DeflateBegin: 0x10,
  DeflateData: 0x11,
  DeflateEnd: 0x12,
  FlashMd5: 0x13,
  SecurityInfo: 0x14,
  EraseFlash: 0xd0,
  EraseRegion: 0xd1,
  ReadFlash: 0xd2,
  RunUserCode: 0xd3,
} as const;

/** The word number `index` of a payload; 0 behind its end. */
export const word = (payload: Uint8Array, index: number): number =>
  payload.length >= 4 * index + 4 ? readU32(payload, 4 * index) : 0;

/** EF XOR all bytes: the checksum of the data commands. */
export function dataChecksum(data: Uint8Array): number {
  let sum = 0xef;
  for (const byte of data) sum ^= byte;
  return sum;
}

/** The words of WRITE_REG: address, value, mask, delay. */
export function* registerWrites(payload: Uint8Array): Generator<{ address: number; value: number; mask: number }> {
  for (let at = 0; at < payload.length; at += 16) {
    const words = payload.subarray(at, at + 16);
    // The ROM takes twelve bytes as well; the mask is then the third word as always.
    yield { address: word(words, 0), value: word(words, 1), mask: word(words, 2) };
  }
}

/** An answer: direction 1, opcode, length of `data`, value, data (status included). */
export function encodeAnswer(op: number, value: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const answer = new Uint8Array(HEADER_SIZE + data.length);
  const view = new DataView(answer.buffer);
  answer[0] = 1;
  answer[1] = op;
  view.setUint16(2, data.length, true);
  view.setUint32(4, value, true);
  answer.set(data, HEADER_SIZE);
  return answer;
}
