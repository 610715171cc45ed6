/**
 * The directory of a ZIP archive, with everything checked that can be checked before a byte is inflated. Strict: archives come from
 * anywhere, and two readers that understand one differently are how things get past a check.
 *
 * Layout: PKWARE APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end). Little-endian.
 */
import { readU16, readU32 } from './bytes.ts';
import { FormatError } from './format-error.ts';

/** What an archive may contain. A release is smaller than any flash; whole build folders with their objects fit as well. */
export const ZIP_LIMITS = {
  entries: 10_000,
  /** Bytes of one file, and of all of them. */
  entrySize: 0x800_0000,
  totalSize: 0x1000_0000,
  /** Up to so many bytes in all, blank images may shrink as they like; beyond, `ratio` times the archive is the limit. */
  freeSize: 0x200_0000,
  ratio: 100,
} as const;

/** One byte of deflated data stands for at most so many (258 bytes for two bits). */
const DEFLATE_BEST = 1032;

const LOCAL_MAGIC = 0x0403_4b50;
const CENTRAL_MAGIC = 0x0201_4b50;
const END_MAGIC = 0x0605_4b50;
const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;
const END_SIZE = 22;
/** The end record may be followed by a comment of so many bytes. */
const MAX_COMMENT = 0xffff;

const FLAG_ENCRYPTED = 0x0001 | 0x0040 | 0x2000;
/** Sizes and CRC stand behind the data, not in the local header. */
const FLAG_DESCRIPTOR = 0x0008;

/** Upper half of the external attributes: the mode of a Unix file, 0 where the writer had none. */
const MODE_TYPE = 0xf000;
const MODE_REGULAR = 0x8000;
const MODE_FOLDER = 0x4000;
const MODE_SYMLINK = 0xa000;

export interface ZipDirectoryEntry {
  /** With forward slashes; never absolute, never with `..`. */
  path: string;
  method: 'stored' | 'deflated';
  /** Bytes in the archive. */
  packed: Uint8Array;
  /** Bytes of the file, as declared. */
  size: number;
  crc: number;
}

/** Whether the bytes begin as a ZIP archive does, also an empty one. */
export const isZip = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && (readU32(bytes, 0) === LOCAL_MAGIC || readU32(bytes, 0) === END_MAGIC);

/**
 * The files of an archive, without its folders, in its order.
 *
 * @throws {FormatError} `zip-damaged`, `zip-unsupported` (ZIP64, several disks, a method other than stored and deflate),
 *   `zip-encrypted`, `zip-symlink`, `zip-bad-path` (absolute, or out of the archive), `zip-duplicate-name`, `zip-overlap`,
 *   `zip-too-many-entries`, `zip-too-large` or `zip-bomb`.
 */
export function readZipDirectory(archive: Uint8Array): ZipDirectoryEntry[] {
  const end = findEnd(archive);
  if (end.count > ZIP_LIMITS.entries) {
    throw new FormatError(
      'zip-too-many-entries',
      `The archive has ${end.count} files, at most ${ZIP_LIMITS.entries} are read`,
    );
  }
  const rows: CentralRow[] = [];
  let offset = end.directory;
  for (let index = 0; index < end.count; index++) {
    const row = readRow(archive, offset, end.position);
    rows.push(row);
    offset = row.next;
  }
  if (offset !== end.position) throw damaged('Its directory has not the length that it says', offset);
  checkSizes(rows, archive.length);
  const placed = rows.map((row) => ({ row, ...locate(archive, row, end.directory) }));
  checkOverlaps(placed);
  const files = placed.filter(({ row }) => !row.folder);
  checkNames(files.map(({ row }) => row));
  return files.map(({ row: { path, method, size, crc }, from, to }) => ({
    path,
    method,
    packed: archive.subarray(from, to),
    size,
    crc,
  }));
}

const damaged = (reason: string, offset: number): FormatError =>
  new FormatError('zip-damaged', `The archive is damaged or cut off. ${reason}`, { place: { offset } });

interface End {
  /** Where the end record is, and with it the end of the directory. */
  position: number;
  directory: number;
  count: number;
}

function findEnd(archive: Uint8Array): End {
  const first = Math.max(0, archive.length - END_SIZE - MAX_COMMENT);
  for (let position = archive.length - END_SIZE; position >= first; position--) {
    if (readU32(archive, position) !== END_MAGIC) continue;
    if (position + END_SIZE + readU16(archive, position + 20) !== archive.length) continue;
    const count = readU16(archive, position + 10);
    const size = readU32(archive, position + 12);
    const directory = readU32(archive, position + 16);
    if (count === 0xffff || size === 0xffff_ffff || directory === 0xffff_ffff) throw unsupported('ZIP64 is');
    if (readU32(archive, position + 4) !== 0 || readU16(archive, position + 8) !== count)
      throw unsupported('Several disks are');
    if (directory + size !== position) throw damaged('Its directory is not where it says', position);
    return { position, directory, count };
  }
  throw damaged('It has no directory', archive.length);
}

const unsupported = (what: string): FormatError =>
  new FormatError('zip-unsupported', `${what} not read. Make the archive again with an ordinary ZIP program`);

interface CentralRow {
  path: string;
  folder: boolean;
  methodCode: number;
  method: ZipDirectoryEntry['method'];
  crc: number;
  packedSize: number;
  size: number;
  local: number;
  /** Bytes of the name as written, to be compared with the local header. */
  name: Uint8Array;
  /** Where the next row is. */
  next: number;
}

function readRow(archive: Uint8Array, offset: number, end: number): CentralRow {
  if (offset + CENTRAL_SIZE > end || readU32(archive, offset) !== CENTRAL_MAGIC) {
    throw damaged('A row of its directory is missing', offset);
  }
  const u16 = (at: number): number => readU16(archive, offset + at);
  const u32 = (at: number): number => readU32(archive, offset + at);
  const nameEnd = offset + CENTRAL_SIZE + u16(28);
  const next = nameEnd + u16(30) + u16(32);
  if (next > end) throw damaged('A row of its directory is cut off', offset);
  const name = archive.subarray(offset + CENTRAL_SIZE, nameEnd);
  const written = new TextDecoder('utf-8').decode(name).replaceAll('\\', '/');
  const path = checkedPath(written);
  const [flags, methodCode, packedSize, size, local] = [u16(8), u16(10), u32(20), u32(24), u32(42)];
  if (flags & FLAG_ENCRYPTED) throw new FormatError('zip-encrypted', `${path} is encrypted`, { place: { file: path } });
  if ([packedSize, size, local].includes(0xffff_ffff)) throw unsupported('ZIP64 is');
  if (methodCode !== 0 && methodCode !== 8) throw unsupported(`The compression of ${path} (method ${methodCode}) is`);
  const method = methodCode === 0 ? 'stored' : 'deflated';
  const folder = written.endsWith('/');
  checkMode(path, u32(38) >>> 16, folder);
  return { path, folder, methodCode, method, crc: u32(16), packedSize, size, local, name, next };
}

/** What a path may be: relative, and not out of the archive, whatever system reads it. */
function checkedPath(written: string): string {
  const parts = written.split('/').filter((part) => part !== '' && part !== '.');
  // eslint-disable-next-line no-control-regex -- a NUL ends a name for some readers and not for others
  const strange = /[\u0000-\u001f]/.test(written) || parts.length === 0;
  if (strange || written.startsWith('/') || /^[a-z]:/i.test(written) || parts.includes('..')) {
    // Its name is quoted and is no place: others might follow it.
    throw new FormatError('zip-bad-path', `The path ${JSON.stringify(written)} leads out of the archive`);
  }
  return parts.join('/');
}

function checkMode(path: string, mode: number, folder: boolean): void {
  const type = mode & MODE_TYPE;
  if (type === 0 || type === (folder ? MODE_FOLDER : MODE_REGULAR)) return;
  const what = type === MODE_SYMLINK ? 'a symbolic link' : 'neither a file nor a folder';
  throw new FormatError('zip-symlink', `${path} is ${what}`, { place: { file: path } });
}

function checkSizes(rows: readonly CentralRow[], archiveSize: number): void {
  let total = 0;
  for (const { path, folder, method, packedSize, size } of rows) {
    const place = { file: path };
    total += size;
    if (size > ZIP_LIMITS.entrySize)
      throw new FormatError('zip-too-large', `${path} is larger than any flash`, { place });
    if (folder ? size > 0 : method === 'stored' && size !== packedSize) {
      throw new FormatError('zip-damaged', `${path} has not the size that the archive says`, { place });
    }
    if (size > packedSize * DEFLATE_BEST) {
      throw new FormatError('zip-bomb', `${path} says ${size} bytes, which its ${packedSize} cannot hold`, { place });
    }
  }
  if (total > ZIP_LIMITS.totalSize) {
    const advice = 'Give only the files that belong to the release, or the folder';
    throw new FormatError('zip-too-large', `The files of the archive have ${total} bytes together. ${advice}`);
  }
  if (total > Math.max(ZIP_LIMITS.freeSize, archiveSize * ZIP_LIMITS.ratio)) {
    throw new FormatError('zip-bomb', `${archiveSize} bytes of archive claim to hold ${total} bytes`);
  }
}

interface Range {
  from: number;
  to: number;
}

interface Placed extends Range {
  row: CentralRow;
}

/** Where the data of a row are. Its local header has to say the same as the directory. */
function locate(
  archive: Uint8Array,
  { path, local, name, methodCode, packedSize, size, crc }: CentralRow,
  limit: number,
): Range {
  const bad = (reason: string): FormatError => damaged(`${path} ${reason}`, local);
  if (local + LOCAL_SIZE > limit || readU32(archive, local) !== LOCAL_MAGIC)
    throw bad('is not where the directory says');
  const u16 = (at: number): number => readU16(archive, local + at);
  const nameAt = local + LOCAL_SIZE;
  const from = nameAt + u16(26) + u16(28);
  const to = from + packedSize;
  if (to > limit) throw bad('is cut off');
  const sameName = u16(26) === name.length && name.every((byte, index) => archive[nameAt + index] === byte);
  const [localCrc, localPacked, localSize] = [14, 18, 22].map((at) => readU32(archive, local + at));
  // Streaming writers put the sizes behind the data, and some leave them to a ZIP64 field that nobody needs.
  const elsewhere = (u16(6) & FLAG_DESCRIPTOR) !== 0 || localSize === 0xffff_ffff;
  const sameSizes = elsewhere || (localCrc === crc && localPacked === packedSize && localSize === size);
  if (!sameName || !sameSizes || u16(8) !== methodCode || u16(6) & FLAG_ENCRYPTED) {
    throw bad('is described in two ways that differ');
  }
  return { from, to };
}

/** Shared bytes are how a small archive pretends to be a large one. */
function checkOverlaps(placed: readonly Placed[]): void {
  const sorted = placed.toSorted((a, b) => a.row.local - b.row.local);
  sorted.forEach(({ row, to }, index) => {
    const next = sorted[index + 1]?.row;
    if (!next || to <= next.local) return;
    throw new FormatError('zip-overlap', `${row.path} and ${next.path} share bytes of the archive`, {
      place: { file: next.path },
    });
  });
}

function checkNames(rows: readonly CentralRow[]): void {
  const seen = new Set<string>();
  for (const { path } of rows) {
    if (seen.has(path)) {
      throw new FormatError('zip-duplicate-name', `The archive has two files ${path}`, { place: { file: path } });
    }
    seen.add(path);
  }
}
