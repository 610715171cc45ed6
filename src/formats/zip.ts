/** ZIP archives: all files at once, each held to its declared size and its CRC; and back, with the same bytes every time. */
import { Inflate, zipSync } from 'fflate';
import { concatBytes } from './bytes.ts';
import { zlibCrc32 } from './crc32.ts';
import { FormatError } from './format-error.ts';
import { readZipDirectory, type ZipDirectoryEntry } from './zip-directory.ts';

export interface ZipFile {
  /** With forward slashes, relative. */
  path: string;
  bytes: Uint8Array;
}

/** Bytes that are inflated before the size is looked at again. */
const INFLATE_STEP = 0x1000;
/** What the archivers of macOS add to every archive. */
const LITTER = /(^|\/)(__MACOSX\/|\.DS_Store$)/;

/**
 * The files of an archive. It is refused whole: nothing of it is given when anything in it is wrong.
 *
 * @throws {FormatError} as `readZipDirectory`; `zip-bomb` when a file is larger than declared, `zip-damaged` when it is smaller or its
 *   CRC is wrong.
 */
export function decodeZip(archive: Uint8Array): ZipFile[] {
  return readZipDirectory(archive)
    .map((entry) => ({ path: entry.path, bytes: unpack(entry) }))
    .filter(({ path }) => !LITTER.test(path));
}

function unpack({ path, method, packed, size, crc }: ZipDirectoryEntry): Uint8Array {
  const bytes = method === 'stored' ? packed : inflate(packed, path, size);
  if (bytes.length === size && zlibCrc32(bytes) === crc) return bytes;
  throw new FormatError('zip-damaged', `${path} is damaged: its CRC is wrong`, { place: { file: path } });
}

/** Inflates step by step, so that a stream that goes on behind its declared size is left there. */
function inflate(packed: Uint8Array, path: string, size: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stream = new Inflate((chunk) => {
    chunks.push(chunk);
    length += chunk.length;
  });
  try {
    for (let at = 0; at < packed.length && length <= size; at += INFLATE_STEP) {
      stream.push(packed.subarray(at, at + INFLATE_STEP), at + INFLATE_STEP >= packed.length);
    }
  } catch (cause) {
    throw new FormatError('zip-damaged', `${path} is damaged: it cannot be inflated`, { place: { file: path }, cause });
  }
  if (length <= size) return concatBytes(...chunks);
  throw new FormatError('zip-bomb', `${path} goes on behind the ${size} bytes that it declares`, {
    place: { file: path },
  });
}

/** A date for all files, so that the same files make the same archive; the first that ZIP can say, at noon in any time zone. */
const FIXED_TIME = '1980-01-01T12:00:00';

/** An archive of these files, sorted by their paths; the same bytes for the same files. `level` 0 (stored) to 9. */
export function encodeZip(files: readonly ZipFile[], { level = 9 }: { level?: 0 | 9 } = {}): Uint8Array<ArrayBuffer> {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return zipSync(Object.fromEntries(sorted.map(({ path, bytes }) => [path, bytes])), { level, mtime: FIXED_TIME });
}
