/** Little helpers for little-endian byte arrays. Everything in ESP flash is little-endian. */

export const readU16 = (bytes: Uint8Array, offset: number): number => viewOf(bytes).getUint16(offset, true);
export const readU32 = (bytes: Uint8Array, offset: number): number => viewOf(bytes).getUint32(offset, true);

export const writeU16 = (bytes: Uint8Array, offset: number, value: number): void =>
  viewOf(bytes).setUint16(offset, value, true);
export const writeU32 = (bytes: Uint8Array, offset: number, value: number): void =>
  viewOf(bytes).setUint32(offset, value, true);

/** A `DataView` of exactly these bytes. */
export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The smallest multiple of `unit` that is not below `value`. */
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** The largest multiple of `unit` that is not above `value`. */
export const alignDown = (value: number, unit: number): number => Math.floor(value / unit) * unit;

/** All parts one after the other. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

/** `bytes` followed by `fill` up to `length`; `bytes` itself is never cut and never changed. */
export function padBytes(bytes: Uint8Array, length: number, fill = 0xff): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(Math.max(length, bytes.length)).fill(fill);
  result.set(bytes);
  return result;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Whether every byte is FF, as NOR flash is after an erase. */
export function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0xff) return false;
  return true;
}

/** Two lower-case digits a byte, nothing between. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/**
 * The bytes of a string of hex digits; blanks between are allowed.
 *
 * @throws {RangeError} on an odd number of digits or anything that is not a hex digit.
 */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const digits = text.replaceAll(/\s+/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) throw new RangeError('Not a string of hex bytes');
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

/** An address or size as people read it: `0x9000`. */
export const hexAddress = (value: number): string => `0x${value.toString(16)}`;

const UTF8 = new TextDecoder('utf-8');

/** UTF-8 text up to the first NUL, or all of it. Bad sequences become U+FFFD. */
export function textUntilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** All bytes XORed. Words first, which is six times faster, then the bytes of the result. */
export function xorBytes(bytes: Uint8Array): number {
  let value = 0;
  const head = Math.min(bytes.length, -bytes.byteOffset & 3);
  const count = (bytes.length - head) >>> 2;
  if (count > 0) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + head, count);
    // An index loop: `for … of` over a typed array costs several times as much.
    for (let index = 0; index < words.length; index++) value ^= words[index] ?? 0;
    value ^= value >>> 16;
    value ^= value >>> 8;
  }
  for (let index = 0; index < head; index++) value ^= bytes[index] ?? 0;
  for (let index = head + 4 * count; index < bytes.length; index++) value ^= bytes[index] ?? 0;
  return value & 0xff;
}
