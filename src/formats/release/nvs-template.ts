/** The settings that each unit of a product gets: named fields, whose values a user or a factory line fills in later. */
import * as v from 'valibot';
import { FormatError } from '../format-error.ts';
import { NVS_ITEM_MAX_SIZE, type NvsType } from '../nvs/nvs.ts';
import { type ReleaseFile } from './release.ts';

/** Printable ASCII, so that characters are bytes. */
const NvsName = v.pipe(v.string(), v.regex(/^[\x20-\x7e]{1,15}$/));

const FieldSchema = v.strictObject({
  /** What people and columns call it. */
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  namespace: NvsName,
  key: NvsName,
  type: v.picklist(['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'string', 'blob'] satisfies NvsType[]),
  /** No unit without it. */
  required: v.optional(v.boolean(), false),
  /** What it is when nothing is given: text, a number (as text where it may be larger than 2^53), or hex digits of a blob. */
  default: v.optional(v.union([v.string(), v.pipe(v.number(), v.integer())])),
});

export const NvsTemplateSchema = v.pipe(v.array(FieldSchema), v.maxLength(1000));

export type NvsField = v.InferOutput<typeof FieldSchema>;

/**
 * The fields, when their names and places differ and their defaults fit their types.
 *
 * @throws {FormatError} `release-bad-nvs-template`.
 */
export function checkedTemplate(fields: NvsField[], { path }: Pick<ReleaseFile, 'path'>): NvsField[] {
  const names = new Set<string>();
  for (const field of fields) {
    const { name, namespace, key } = field;
    const taken = [name, `\0${namespace}\0${key}`].find((text) => names.has(text));
    const reason = taken === undefined ? defaultFault(field) : 'has the name or the place of another field';
    if (reason !== undefined) {
      throw new FormatError('release-bad-nvs-template', `The field ${JSON.stringify(name)} ${reason}`, {
        place: { file: path },
      });
    }
    names.add(name).add(`\0${namespace}\0${key}`);
  }
  return fields;
}

function defaultFault({ type, default: value }: NvsField): string | undefined {
  if (value === undefined) return undefined;
  const text = String(value);
  if (type === 'string') {
    const { length } = new TextEncoder().encode(text);
    return length < NVS_ITEM_MAX_SIZE && !text.includes('\0') ? undefined : 'has a default that is no NVS string';
  }
  if (type === 'blob')
    return /^([0-9a-f]{2})*$/i.test(text) ? undefined : 'has a default that is no string of hex bytes';
  return fitsInteger(text, type) ? undefined : `has a default that is no ${type}`;
}

/** Of `u8` to `i64`. */
function fitsInteger(text: string, type: string): boolean {
  if (!/^-?\d{1,20}$/.test(text)) return false;
  const bits = BigInt(type.slice(1));
  const least = type.startsWith('u') ? 0n : -(1n << (bits - 1n));
  const value = BigInt(text);
  return value >= least && value < least + (1n << bits);
}
