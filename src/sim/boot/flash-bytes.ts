/** Reading flash as the chip sees it. */

/**
 * `length` bytes from `offset`. Address lines above the size of the flash are not connected,
 * so a read past its end goes on at its start.
 */
export function readFlash(flash: Uint8Array, offset: number, length: number): Uint8Array {
  const start = offset % flash.length;
  if (start + length <= flash.length) return flash.subarray(start, start + length);
  return Uint8Array.from({ length }, (_, index) => flash[(start + index) % flash.length] ?? 0xff);
}

/** Whether `needle` occurs in `bytes`. */
export function includesBytes(bytes: Uint8Array, needle: Uint8Array): boolean {
  const first = needle[0];
  if (first === undefined) return true;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (needle.every((byte, index) => bytes[at + index] === byte)) return true;
  }
  return false;
}
