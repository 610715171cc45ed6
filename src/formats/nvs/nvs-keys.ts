/**
 * The two keys of NVS encryption, and where they come from: a partition of type data, nvs_keys, or the HMAC key in an eFuse block.
 *
 * Layout of the partition (ESP-IDF nvs_flash, `nvs_flash_read_security_cfg`): 32 bytes data key, 32 bytes tweak key, CRC-32 of both,
 * FF to the end. The HMAC scheme (ESP-IDF nvs_sec_provider) needs no partition: the chip derives both keys.
 *
 * No message here holds a key or a part of one.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, isBlank, padBytes, readU32, writeU32 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { FormatError } from '../format-error.ts';

/** `nvs_sec_cfg_t`. */
export interface NvsKeys {
  /** Key of the data, 32 bytes. */
  eky: Uint8Array;
  /** Key of the tweaks, 32 bytes. */
  tky: Uint8Array;
}

/** Bytes of the smallest keys partition, which is what is written. */
export const NVS_KEYS_SIZE = 0x1000;
/** Random bytes that a pair of keys takes. */
export const NVS_KEY_BYTES = 64;
/** Bytes of the HMAC key in an eFuse block. */
export const NVS_HMAC_KEY_BYTES = 32;

const KEY_SIZE = 32;
const CRC_END = NVS_KEY_BYTES + 4;
/** What the chip's HMAC peripheral is given, as it lies in memory (nvs_sec_provider: EKEY_SEED, TKEY_SEED). */
const EKY_SEED = repeat(0x5a, 0x5a, 0xbe, 0xae);
const TKY_SEED = repeat(0xa5, 0xa5, 0xde, 0xce);

function repeat(...word: number[]): Uint8Array {
  return Uint8Array.from({ length: KEY_SIZE }, (_, index) => word[index % word.length] ?? 0);
}

/**
 * 64 random bytes, of a source fit for keys, as keys.
 *
 * @throws {FormatError} `nvs-keys-size`.
 */
export function nvsKeysOf(random: Uint8Array): NvsKeys {
  if (random.length !== NVS_KEY_BYTES) {
    throw new FormatError('nvs-keys-size', `NVS keys have ${NVS_KEY_BYTES} bytes, not ${random.length}`);
  }
  return { eky: random.slice(0, KEY_SIZE), tky: random.slice(KEY_SIZE) };
}

/**
 * The keys that a chip derives from the HMAC key in its eFuse block (purpose HMAC_UP).
 *
 * @throws {FormatError} `nvs-hmac-key-size` unless it has 32 bytes.
 */
export function nvsKeysFromHmacKey(hmacKey: Uint8Array): NvsKeys {
  if (hmacKey.length !== NVS_HMAC_KEY_BYTES) {
    const message = `An HMAC key of an eFuse block has ${NVS_HMAC_KEY_BYTES} bytes, not ${hmacKey.length}`;
    throw new FormatError('nvs-hmac-key-size', message);
  }
  return { eky: hmac(sha256, hmacKey, EKY_SEED), tky: hmac(sha256, hmacKey, TKY_SEED) };
}

/**
 * Reads a keys partition, or a file that `nvs_partition_gen.py generate-key` made.
 *
 * @throws {FormatError} `nvs-keys-size` (not whole flash sectors), `nvs-keys-blank` (the firmware makes keys when it first starts),
 *   `nvs-keys-damaged` (wrong CRC; so is what was read from a chip with flash encryption without decrypting it).
 */
export function decodeNvsKeys(bytes: Uint8Array): NvsKeys {
  if (bytes.length === 0 || bytes.length % NVS_KEYS_SIZE !== 0) {
    const message = `A keys partition has ${NVS_KEYS_SIZE} bytes or a multiple, not ${bytes.length}`;
    throw new FormatError('nvs-keys-size', message);
  }
  if (isBlank(bytes.subarray(0, CRC_END))) throw new FormatError('nvs-keys-blank', 'The keys partition holds no keys');
  const keys = bytes.subarray(0, NVS_KEY_BYTES);
  if (crc32(keys) !== readU32(bytes, NVS_KEY_BYTES)) {
    const message = 'The keys have a wrong CRC: damaged, not a keys partition, or itself encrypted';
    throw new FormatError('nvs-keys-damaged', message, { place: { offset: NVS_KEY_BYTES } });
  }
  return nvsKeysOf(keys);
}

/** The keys partition, 4096 bytes. */
export function encodeNvsKeys({ eky, tky }: NvsKeys): Uint8Array {
  const partition = padBytes(concatBytes(eky, tky), NVS_KEYS_SIZE);
  writeU32(partition, NVS_KEY_BYTES, crc32(eky, tky));
  return partition;
}
