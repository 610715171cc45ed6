/** JSON inside release files. */
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

function beginsWithBrace(bytes: Uint8Array): boolean {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let offset = start; offset < Math.min(bytes.length, 256); offset++) {
    const byte = bytes[offset] ?? 0;
    if (byte === 0x7b) return true;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return false;
  }
  return false;
}
