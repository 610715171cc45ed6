/**
 * XTS-AES (IEEE 1619): each data unit is encrypted under its own tweak, so equal units at different places look different.
 * Units of whole blocks only, which is all that NVS needs; ciphertext stealing is for the others.
 */
import { ecb } from '@noble/ciphers/aes.js';

export interface XtsKeys {
  /** Key of the data, 16 or 32 bytes. */
  dataKey: Uint8Array;
  /** Key of the tweaks, as long. */
  tweakKey: Uint8Array;
}

/** Data units, one after the other. */
export interface XtsUnits {
  /** The same number of whole 16-byte blocks for each unit. */
  data: Uint8Array;
  /** 16 bytes for each unit, in the same order: the number of the unit, little-endian. */
  tweaks: Uint8Array;
}

const BLOCK_SIZE = 16;
/** x^128 = x^7 + x^2 + x + 1 in the field of the tweaks. */
const FIELD_REMAINDER = 0x87;
const WHOLE_BLOCKS = { disablePadding: true };

export const xtsEncrypt = (keys: XtsKeys, units: XtsUnits): Uint8Array =>
  whiten(keys, units, (blocks) => ecb(keys.dataKey, WHOLE_BLOCKS).encrypt(blocks));

export const xtsDecrypt = (keys: XtsKeys, units: XtsUnits): Uint8Array =>
  whiten(keys, units, (blocks) => ecb(keys.dataKey, WHOLE_BLOCKS).decrypt(blocks));

/** All blocks of all units at once: setting up a cipher for each unit would cost more than its blocks. */
function whiten(
  { tweakKey }: XtsKeys,
  { data, tweaks }: XtsUnits,
  cipher: (blocks: Uint8Array) => Uint8Array,
): Uint8Array {
  if (data.length === 0) return new Uint8Array();
  const mask = maskOf(ecb(tweakKey, WHOLE_BLOCKS).encrypt(tweaks), data.length);
  return xor(cipher(xor(data, mask)), mask);
}

/** What each block is combined with: the encrypted tweak of its unit, multiplied by x once for each block before it. */
function maskOf(tweaks: Uint8Array, length: number): Uint8Array {
  const unitSize = (length / tweaks.length) * BLOCK_SIZE;
  const mask = new Uint8Array(length);
  for (let unit = 0; unit < length; unit += unitSize) {
    const tweak = (unit / unitSize) * BLOCK_SIZE;
    mask.set(tweaks.subarray(tweak, tweak + BLOCK_SIZE), unit);
    for (let block = unit + BLOCK_SIZE; block < unit + unitSize; block += BLOCK_SIZE) {
      multiplyByX(mask.subarray(block - BLOCK_SIZE, block), mask.subarray(block, block + BLOCK_SIZE));
    }
  }
  return mask;
}

function multiplyByX(from: Uint8Array, to: Uint8Array): void {
  let carry = 0;
  for (const [index, byte] of from.entries()) {
    to[index] = (byte << 1) | carry;
    carry = byte >> 7;
  }
  if (carry === 1) to[0] = (to[0] ?? 0) ^ FIELD_REMAINDER;
}

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, index) => byte ^ (b[index] ?? 0));
