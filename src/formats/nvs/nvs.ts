/**
 * Non-volatile storage (NVS) of ESP-IDF: keys with typed values in named namespaces.
 *
 * Layout: ESP-IDF components/nvs_flash/src/{nvs_types.hpp, nvs_page.hpp, nvs_page.cpp, nvs_storage.cpp}.
 * A partition is a row of 4096-byte pages; a page is a 32-byte header, a 32-byte bitmap of entry states
 * and 126 entries of 32 bytes. Values longer than 8 bytes go on in the entries that follow.
 */

/** Bytes of one page, which is one flash sector. */
export const NVS_PAGE_SIZE = 0x1000;
/** Bytes of one entry. */
export const NVS_ENTRY_SIZE = 32;
/** Entries of one page. */
export const NVS_ENTRIES_PER_PAGE = 126;
/** Most bytes of a namespace name or a key, without the closing NUL. */
export const NVS_KEY_MAX_LENGTH = 15;
/** Namespaces are numbered 1 to 254; 0 is the list of namespaces itself and 255 is reserved. */
export const NVS_MAX_NAMESPACES = 254;
/** Most bytes of a string with its NUL, and of one chunk of a blob. */
export const NVS_ITEM_MAX_SIZE = 4000;
/** The same in the first version of the format, where a blob is one item too (NVS partition generator: 1984). */
export const NVS_V1_ITEM_MAX_SIZE = 1984;
/** Most bytes of a blob: 127 chunks (ESP-IDF API reference of nvs_flash). */
export const NVS_BLOB_MAX_SIZE = 508_000;

/** Integers that fit a JavaScript number. */
export type NvsNumberType = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32';
export type NvsBigIntType = 'u64' | 'i64';
export type NvsType = NvsNumberType | NvsBigIntType | 'string' | 'blob';

interface NvsName {
  /** 1 to 15 bytes. */
  namespace: string;
  /** 1 to 15 bytes. */
  key: string;
}

export type NvsIntegerValue = { type: NvsNumberType; value: number } | { type: NvsBigIntType; value: bigint };

/**
 * A string is kept as its bytes without the closing NUL, because nothing in NVS makes it valid UTF-8;
 * `nvsString` and `nvsText` convert.
 */
export type NvsBytesValue = { type: 'string'; value: Uint8Array } | { type: 'blob'; value: Uint8Array };

export type NvsValue = NvsIntegerValue | NvsBytesValue;
export type NvsIntegerEntry = NvsName & NvsIntegerValue;
export type NvsBytesEntry = NvsName & NvsBytesValue;

/** One value under its key. */
export type NvsEntry = NvsName & NvsValue;

/** 1: blobs are one item of a page. 2 (ESP-IDF 3.2 and later): blobs are chunks and an index. */
export type NvsVersion = 1 | 2;

/** `datatype` of an entry (nvs_types.hpp). */
export const ITEM_TYPE = {
  u8: 0x01,
  u16: 0x02,
  u32: 0x04,
  u64: 0x08,
  i8: 0x11,
  i16: 0x12,
  i32: 0x14,
  i64: 0x18,
  string: 0x21,
  /** A whole blob as version 1 wrote it; version 2 still reads it. */
  oldBlob: 0x41,
  blobChunk: 0x42,
  blobIndex: 0x48,
} as const;

/** `chunkIndex` of everything that is not a chunk of a blob. */
export const NO_CHUNK = 0xff;

/** The integer types by their item type. */
export const INTEGER_TYPES: ReadonlyMap<number, NvsNumberType | NvsBigIntType> = new Map(
  (['u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64'] as const).map((type) => [ITEM_TYPE[type], type]),
);

/** Item types whose value goes on in the entries that follow. */
export const isVariableLength = (type: number): boolean =>
  type === ITEM_TYPE.string || type === ITEM_TYPE.oldBlob || type === ITEM_TYPE.blobChunk;

// A byte order mark is part of the text: nothing may get lost.
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/** A string entry of a text, as UTF-8. */
export function nvsString(namespace: string, key: string, text: string): NvsEntry {
  return { namespace, key, type: 'string', value: new TextEncoder().encode(text) };
}

/** The text of a string entry, or of a blob that holds one, up to a NUL if there is one. Bad UTF-8 becomes U+FFFD. */
export function nvsText(entry: NvsBytesEntry): string {
  const end = entry.value.indexOf(0);
  return TEXT.decode(end < 0 ? entry.value : entry.value.subarray(0, end));
}
