/**
 * Whether an image carries a signature for secure boot, and of which scheme. Whose it is, and whether it is right, is not looked at: that
 * takes the key.
 *
 * v2: a sector behind the image, at the next border of 4 KiB, with up to three blocks (ESP-IDF `esp_secure_boot.h`, `ets_secure_boot_sig_block`).
 * v1: a version word of 0 and an ECDSA signature of 64 bytes right behind the image (ESP-IDF `esp_secure_boot_sig_block_t`).
 */
import { parseImage } from './app-image.ts';
import { alignUp, isBlank, readU32 } from './bytes.ts';
import { zlibCrc32 } from './crc32.ts';

const SECTOR = 0x1000;
const V2_MAGIC = 0xe7;
/** RSA-PSS, and ECDSA. */
const V2_VERSIONS: readonly (number | undefined)[] = [2, 3];
/** Bytes of a block in front of their CRC. */
const V2_CHECKED = 1196;
const V1_SIZE = 68;

/**
 * @returns `undefined` when there is none
 * @throws {FormatError} as `parseImage` when it is no image.
 */
export function signatureScheme(bytes: Uint8Array): 'v1' | 'v2' | undefined {
  const { length } = parseImage(bytes);
  if (isV2Block(bytes.subarray(alignUp(length, SECTOR)))) return 'v2';
  const behind = bytes.subarray(length, length + V1_SIZE);
  if (behind.length < V1_SIZE || readU32(behind, 0) !== 0) return undefined;
  const signature = behind.subarray(4);
  return isBlank(signature) || signature.every((byte) => byte === 0) ? undefined : 'v1';
}

function isV2Block(block: Uint8Array): boolean {
  return (
    block.length >= V2_CHECKED + 4 &&
    block[0] === V2_MAGIC &&
    V2_VERSIONS.includes(block[1]) &&
    readU32(block, V2_CHECKED) === zlibCrc32(block.subarray(0, V2_CHECKED))
  );
}
