/** What an entry may hold, and the bytes of integers. */
import { viewOf, writeU32 } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import {
  NVS_BLOB_MAX_SIZE,
  NVS_ITEM_MAX_SIZE,
  NVS_KEY_MAX_LENGTH,
  NVS_V1_ITEM_MAX_SIZE,
  type NvsBigIntType,
  type NvsEntry,
  type NvsIntegerEntry,
  type NvsNumberType,
  type NvsVersion,
} from './nvs.ts';

const INTEGER_SIZES: Readonly<Record<NvsNumberType | NvsBigIntType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
};

const UTF8 = new TextEncoder();
/** What nearly all names are: one byte a character, and not too many. */
const PLAIN_NAME = /^[\x20-\x7e]{1,15}$/;

/** The bytes of a namespace name or a key. */
export const nameBytes = (name: string): Uint8Array => UTF8.encode(name);

/**
 * @throws {FormatError} `code` when a namespace name or a key has not 1 to 15 bytes, or holds a NUL.
 */
export function checkName(name: string, code: 'nvs-bad-namespace' | 'nvs-bad-key'): void {
  if (PLAIN_NAME.test(name)) return;
  const { length } = nameBytes(name);
  const what = code === 'nvs-bad-key' ? 'Key' : 'Namespace';
  if (length < 1 || length > NVS_KEY_MAX_LENGTH) {
    throw new FormatError(code, `${what} ${JSON.stringify(name)} has ${length} bytes, not 1 to ${NVS_KEY_MAX_LENGTH}`);
  }
  if (name.includes('\0')) throw new FormatError(code, `${what} ${JSON.stringify(name)} holds a NUL`);
}

/** Most bytes of a value, without the closing NUL of a string. */
function maxSize(type: 'string' | 'blob', version: NvsVersion): number {
  if (type === 'string') return (version === 1 ? NVS_V1_ITEM_MAX_SIZE : NVS_ITEM_MAX_SIZE) - 1;
  return version === 1 ? NVS_V1_ITEM_MAX_SIZE : NVS_BLOB_MAX_SIZE;
}

/**
 * @throws {FormatError} `nvs-bad-namespace` and what `checkNvsValue` throws.
 */
export function checkNvsEntry(entry: NvsEntry, version: NvsVersion): void {
  checkName(entry.namespace, 'nvs-bad-namespace');
  checkNvsValue(entry, version);
}

/**
 * Checks all of an entry but its namespace.
 *
 * @throws {FormatError} `nvs-bad-key`, `nvs-value-range` (not an integer of its type),
 *   `nvs-value-too-long` (string over 3999 bytes or 1983 in version 1, blob over 508000 or 1984).
 */
export function checkNvsValue(entry: NvsEntry, version: NvsVersion): void {
  checkName(entry.key, 'nvs-bad-key');
  const name = `${entry.namespace}:${entry.key}`;
  if (entry.type === 'string' || entry.type === 'blob') {
    const max = maxSize(entry.type, version);
    if (entry.value.length <= max) return;
    const message = `${name}: ${entry.value.length} bytes, a ${entry.type} has at most ${max}`;
    throw new FormatError('nvs-value-too-long', message);
  }
  if (!fitsInteger(entry)) throw new FormatError('nvs-value-range', `${name}: ${entry.value} is no ${entry.type}`);
}

function fitsInteger({ type, value }: NvsIntegerEntry): boolean {
  const bits = INTEGER_SIZES[type] * 8;
  if (typeof value === 'bigint')
    return value === (type === 'u64' ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value));
  const min = type.startsWith('u') ? 0 : -(2 ** (bits - 1));
  return Number.isInteger(value) && value >= min && value < min + 2 ** bits;
}

/** The little-endian bytes of an integer entry that was checked. */
export function integerBytes(entry: NvsIntegerEntry): Uint8Array {
  const bytes = new Uint8Array(8);
  if (typeof entry.value === 'number') writeU32(bytes, 0, entry.value);
  else viewOf(bytes).setBigUint64(0, entry.value, true);
  return bytes.subarray(0, INTEGER_SIZES[entry.type]);
}
