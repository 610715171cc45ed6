/** JSON inside release files, and the check of its shape. */
import * as v from 'valibot';
import { FormatError } from '../format-error.ts';
import { type ReleaseFile } from './release.ts';

/** Longer files are no description of a release (16 MiB). */
const MAX_JSON = 0x100_0000;

/** The value of a JSON file whose root is an object; `undefined` for anything else. A byte order mark is fine. */
export function readJsonObject({ bytes }: ReleaseFile): Record<string, unknown> | undefined {
  if (bytes.length > MAX_JSON || !beginsWithBrace(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8').decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    // Not JSON: then it is some other file that begins with a brace.
    return undefined;
  }
}

/**
 * The value of a file that has to be JSON.
 *
 * @throws {FormatError} `code`.
 */
export function readJson({ path, bytes }: ReleaseFile, code: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8').decode(bytes)) as unknown;
  } catch (cause) {
    throw new FormatError(code, 'This is no JSON', { place: { file: path }, cause });
  }
}

function beginsWithBrace(bytes: Uint8Array): boolean {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let offset = start; offset < Math.min(bytes.length, 256); offset++) {
    const byte = bytes[offset] ?? 0;
    if (byte === 0x7b) return true;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return false;
}

/**
 * A value as its schema has it.
 *
 * @throws {FormatError} `code`, with the file as its place, and the path inside the value and the reason in the message.
 */
export function checkShape<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  { file, code }: { file: Pick<ReleaseFile, 'path'>; code: string },
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new FormatError(code, `${v.getDotPath(issue) ?? 'The whole'}: ${issue.message}`, {
    place: { file: file.path },
  });
}
