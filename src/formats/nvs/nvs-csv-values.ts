/** What the encodings of an NVS CSV make of a value. They are those of nvs_partition_gen.py 0.2.0. */
import { concatBytes, fromHex, padBytes, writeU32 } from '../bytes.ts';
import { FormatError, type FormatErrorPlace } from '../format-error.ts';
import { INTEGER_TYPES, NVS_BLOB_MAX_SIZE, type NvsIntegerValue, type NvsValue } from './nvs.ts';

/** The text of a cell, the bytes of a file, or nothing where the row ends before its value. */
export type CsvContent = string | Uint8Array | undefined;

export interface CsvValueContext {
  /** Where the two stand, for what is refused. */
  place: (cell: 'encoding' | 'value') => FormatErrorPlace;
  /** Told of what the tool does without a word. */
  warn: (code: string, message: string) => void;
}

const UTF8 = new TextEncoder();
const INTEGERS: ReadonlySet<string> = new Set(INTEGER_TYPES.values());
const BLOBS: ReadonlySet<string> = new Set(['hex2bin', 'base64', 'binary']);

/**
 * The value of a `data` or `file` row. Sizes and ranges are not checked here (`checkNvsValue`).
 *
 * Encodings may be in capitals, as in the tool: those of blobs then take the content as it stands, with a warning.
 *
 * @throws {FormatError} `nvs-csv-encoding`, `nvs-csv-fill`, `nvs-csv-short-row`, `nvs-csv-integer`, `nvs-csv-hex`,
 *   `nvs-csv-base64`, `nvs-csv-not-utf8`.
 */
export function readCsvValue(encoding: string, content: CsvContent, context: CsvValueContext): NvsValue {
  if (/^blob_(sz_)?fill/.test(encoding)) return { type: 'blob', value: filledBlob(encoding, content, context) };
  const name = encoding.toLowerCase();
  if (!INTEGERS.has(name) && !BLOBS.has(name) && name !== 'string') {
    throw new FormatError('nvs-csv-encoding', `"${encoding}" is not an encoding`, { place: context.place('encoding') });
  }
  if (content === undefined) {
    throw new FormatError('nvs-csv-short-row', 'The value is missing', { place: context.place('value') });
  }
  if (name === 'string') return { type: 'string', value: stringBytes(content, context) };
  if (BLOBS.has(name)) return { type: 'blob', value: blobBytes(encoding, content, context) };
  return readInteger(name as NvsIntegerValue['type'], content, context);
}

/** Decimal, as Python's int(): blanks around it, a sign, leading zeros and `_` between digits are fine. */
function readInteger(
  type: NvsIntegerValue['type'],
  content: string | Uint8Array,
  { place }: CsvValueContext,
): NvsValue {
  const text = (typeof content === 'string' ? content : new TextDecoder().decode(content)).trim();
  // No 64-bit number has more digits; and to read one of millions would take long.
  if (!/^[+-]?[0-9](_?[0-9])*$/.test(text) || text.length > 1000) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    throw new FormatError('nvs-csv-integer', `"${shown}" is not a decimal integer`, { place: place('value') });
  }
  const value = BigInt(text.replaceAll('_', ''));
  return type === 'u64' || type === 'i64' ? { type, value } : { type, value: Number(value) };
}

function stringBytes(content: string | Uint8Array, { place }: CsvValueContext): Uint8Array {
  if (typeof content === 'string') return UTF8.encode(content);
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (cause) {
    throw new FormatError('nvs-csv-not-utf8', 'The file is not UTF-8', { place: place('value'), cause });
  }
  return content;
}

function blobBytes(encoding: string, content: string | Uint8Array, context: CsvValueContext): Uint8Array {
  switch (encoding) {
    case 'hex2bin':
      return hexBytes(asText(content), context);
    case 'base64':
      return base64Bytes(asText(content), context);
  }
  if (encoding.toLowerCase() !== 'binary') {
    context.warn('nvs-csv-encoding-case', `${encoding} in capitals takes the value as it stands`);
  }
  return typeof content === 'string' ? UTF8.encode(content) : content;
}

/** Bytes as characters of the same code, so that what is not ASCII stays recognisable. */
function asText(content: string | Uint8Array): string {
  if (typeof content === 'string') return content;
  return new TextDecoder('latin1').decode(content);
}

function hexBytes(text: string, { place }: CsvValueContext): Uint8Array {
  const digits = text.trim();
  if (/^(?:[0-9a-f]{2})*$/i.test(digits)) return fromHex(digits);
  const what = /^[0-9a-f]*$/i.test(digits) ? 'The number of hex digits is odd' : 'The value holds what is no hex digit';
  throw new FormatError('nvs-csv-hex', what, { place: place('value') });
}

/**
 * As Python's binascii.a2b_base64: what is no base64 is left out (here with a warning, unless it is white space), the
 * first complete padding ends the value, and it must be there.
 */
function base64Bytes(text: string, { place, warn }: CsvValueContext): Uint8Array {
  let digits = '';
  let padding = 0;
  let ignored = 0;
  for (const char of text) {
    const isEnded = (digits.length % 4) + padding >= 4;
    if (isEnded || !/[A-Za-z0-9+/=]/.test(char)) {
      if (char.trim() !== '') ignored++;
    } else if (char !== '=') {
      digits += char;
      padding = 0;
    } else if (digits.length % 4 >= 2) {
      padding++;
    }
  }
  const unfinished = digits.length % 4;
  if (unfinished > 0 && unfinished + padding < 4) {
    throw new FormatError('nvs-csv-base64', 'The base64 is cut short', { place: place('value') });
  }
  if (ignored > 0) warn('nvs-csv-base64-ignored', `${ignored} characters that are no base64 are left out`);
  return Uint8Array.from(atob(digits), (char) => char.charCodeAt(0));
}

const FILL = /^(blob_fill|blob_sz_fill)\((\d+);0x([0-9a-fA-F]{2})\)/;

/** `blob_fill(N;0xPP)`: the value and PP up to N bytes. `blob_sz_fill(N;0xPP)`: the value's length (u32) before that. */
function filledBlob(encoding: string, content: CsvContent, { place }: CsvValueContext): Uint8Array {
  const [, kind, digits, fill = ''] = FILL.exec(encoding) ?? [];
  const length = Number(digits);
  if (kind === undefined || length > NVS_BLOB_MAX_SIZE) {
    const message = `"${encoding}" is not blob_fill(N;0xPP) or blob_sz_fill(N;0xPP) with at most ${NVS_BLOB_MAX_SIZE} bytes`;
    throw new FormatError('nvs-csv-fill', message, { place: place('encoding') });
  }
  const bytes = typeof content === 'object' ? content : UTF8.encode(content);
  if (bytes.length > length) {
    const message = `The value has ${bytes.length} bytes, more than the ${length} of its encoding`;
    throw new FormatError('nvs-csv-fill', message, { place: place('value') });
  }
  const field = padBytes(bytes, length, Number.parseInt(fill, 16));
  if (kind === 'blob_fill') return field;
  const size = new Uint8Array(4);
  writeU32(size, 0, bytes.length);
  return concatBytes(size, field);
}
