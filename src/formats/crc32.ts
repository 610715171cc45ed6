/**
 * CRC-32 as ESP-IDF computes it (`esp_rom_crc32_le(0xFFFFFFFF, …)`), used for otadata, NVS and NVS keys.
 *
 * The ROM function inverts its argument on entry and on exit, so its register starts at 0 where the usual
 * zlib CRC starts at FFFFFFFF: reflected polynomial EDB88320, start 0, final XOR FFFFFFFF.
 * Check values over a 4-byte little-endian number: 0 -> FFFFFFFF, 1 -> 4743989A, 2 -> 55F63774.
 */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value >>> 0;
});

/** CRC of all parts, one after the other, as an unsigned 32-bit number. */
export const crc32 = (...parts: Uint8Array[]): number => crcFrom(0, parts);

/** The usual CRC-32 of zlib, ZIP and PNG: the same with a register that starts at FFFFFFFF. Of `123456789` it is CBF43926. */
export const zlibCrc32 = (...parts: Uint8Array[]): number => crcFrom(0xffff_ffff, parts);

function crcFrom(start: number, parts: readonly Uint8Array[]): number {
  let register = start;
  for (const part of parts) {
    // By index: an iterator takes several times as long.
    for (let at = 0; at < part.length; at++) {
      register = (register >>> 8) ^ (TABLE[(register ^ (part[at] ?? 0)) & 0xff] ?? 0);
    }
  }
  return (register ^ 0xffff_ffff) >>> 0;
}
