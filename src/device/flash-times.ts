/** How long the slowest flash and the slowest chip may take, in milliseconds: what a command's time-out is made of. */

/** Any command, besides its work. */
export const BASE_MS = 3000;
/**
 * Slowest flash by its data sheet (W25Q class, maxima), milliseconds a byte: 400 ms to erase a sector, 2 s to erase
 * 64 KiB, 3 ms to write 256 bytes. The first 64 KiB may go by sectors.
 */
const SECTOR_ERASE_MS_PER_BYTE = 400 / 0x1000;
const BLOCK_ERASE_MS_PER_BYTE = 2000 / 0x1_0000;
const PROGRAM_MS_PER_BYTE = 3 / 256;
/** ESP32 at its slowest, as esptool assumes. */
export const MD5_MS_PER_BYTE = 0.008;

/** Longest time in which so many bytes are erased. */
export function eraseMs(bytes: number): number {
  const bySectors = Math.min(bytes, 0x1_0000);
  return SECTOR_ERASE_MS_PER_BYTE * bySectors + BLOCK_ERASE_MS_PER_BYTE * (bytes - bySectors);
}

/** Longest time in which so many bytes are written. */
export const programMs = (bytes: number): number => PROGRAM_MS_PER_BYTE * bytes;
