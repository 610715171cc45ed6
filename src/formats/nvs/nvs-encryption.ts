/**
 * Encryption of an NVS partition (ESP-IDF nvs_encrypted_partition.cpp): XTS-AES-256, each 32-byte entry a data unit of its own
 * whose number is the entry's byte offset in the partition. Page headers and bitmaps stay as they are, so do entries that were
 * never written; an erased entry is only marked so and keeps its ciphertext. CRCs are inside the ciphertext.
 */
import { isBlank, writeU32 } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { type NvsKeys } from './nvs-keys.ts';
import { entryOffset, entryState } from './nvs-page.ts';
import { decodeNvs } from './nvs-reader.ts';
import { NVS_ENTRIES_PER_PAGE, NVS_ENTRY_SIZE, NVS_PAGE_SIZE } from './nvs.ts';
import { xtsDecrypt, xtsEncrypt, type XtsKeys, type XtsUnits } from './xts-aes.ts';

const TWEAK_SIZE = 16;

/**
 * The image as firmware with these keys reads it.
 *
 * @param image a whole partition in plain.
 * @throws {FormatError} `nvs-size` when it is not whole pages.
 */
export function encryptNvs(image: Uint8Array, keys: NvsKeys): Uint8Array {
  if (image.length % NVS_PAGE_SIZE !== 0) {
    throw new FormatError('nvs-size', `NVS of ${image.length} bytes: not a multiple of ${NVS_PAGE_SIZE}`);
  }
  // A written entry may well hold nothing but FF. So may an erased one, and one that was never written looks the same:
  // that one is then encrypted too, which nobody reads.
  const offsets = entriesWhere(image, (entry, state) => state !== 'empty' || !isBlank(entry));
  return replaceEntries(image, offsets, (units) => xtsEncrypt(xtsKeys(keys), units));
}

/**
 * The image in plain. Damaged entries come out as noise, which the reader reports; a blank image stays blank.
 *
 * @param image a whole partition, of any length; what is behind the last whole page is kept as it is.
 * @throws {FormatError} `nvs-wrong-key` when no entry can be read with these keys, `nvs-not-encrypted` when entries can be read without.
 */
export function decryptNvs(image: Uint8Array, keys: NvsKeys): Uint8Array {
  const offsets = entriesWhere(image, (entry) => !isBlank(entry));
  const plain = replaceEntries(image, offsets, (units) => xtsDecrypt(xtsKeys(keys), units));
  if (decodeNvs(plain).verdict !== 'encrypted') return plain;
  if (decodeNvs(image).verdict === 'encrypted') {
    throw new FormatError('nvs-wrong-key', 'No entry of NVS can be read with this key: it was encrypted with another');
  }
  throw new FormatError('nvs-not-encrypted', 'NVS is not encrypted: its entries can be read without a key');
}

const xtsKeys = ({ eky, tky }: NvsKeys): XtsKeys => ({ dataKey: eky, tweakKey: tky });

/** Offsets of the entries of all whole pages that are chosen. */
function entriesWhere(
  image: Uint8Array,
  choose: (entry: Uint8Array, state: ReturnType<typeof entryState>) => boolean,
): number[] {
  const offsets: number[] = [];
  for (let start = 0; start + NVS_PAGE_SIZE <= image.length; start += NVS_PAGE_SIZE) {
    const page = image.subarray(start, start + NVS_PAGE_SIZE);
    for (let index = 0; index < NVS_ENTRIES_PER_PAGE; index++) {
      const offset = entryOffset(index);
      if (choose(page.subarray(offset, offset + NVS_ENTRY_SIZE), entryState(page, index))) offsets.push(start + offset);
    }
  }
  return offsets;
}

function replaceEntries(
  image: Uint8Array,
  offsets: readonly number[],
  cipher: (units: XtsUnits) => Uint8Array,
): Uint8Array {
  const tweaks = new Uint8Array(offsets.length * TWEAK_SIZE);
  const data = new Uint8Array(offsets.length * NVS_ENTRY_SIZE);
  for (const [index, offset] of offsets.entries()) {
    writeU32(tweaks, index * TWEAK_SIZE, offset);
    data.set(image.subarray(offset, offset + NVS_ENTRY_SIZE), index * NVS_ENTRY_SIZE);
  }
  const entries = cipher({ data, tweaks });
  const result = image.slice();
  for (const [index, offset] of offsets.entries()) {
    result.set(entries.subarray(index * NVS_ENTRY_SIZE, (index + 1) * NVS_ENTRY_SIZE), offset);
  }
  return result;
}
