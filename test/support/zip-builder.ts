/** Archives byte by byte, also such as no honest program writes. Layout: PKWARE APPNOTE.TXT, 4.3.7, 4.3.12, 4.3.16. */
import { deflateSync } from 'fflate';
import { concatBytes, writeU16, writeU32 } from '#formats/bytes.ts';
import { zlibCrc32 } from '#formats/crc32.ts';

export interface ZipBuilderEntry {
  name: string;
  data?: Uint8Array | string;
  /** Stored unless told. */
  deflate?: boolean;
  /** What the headers say in place of the truth. */
  size?: number;
  packedSize?: number;
  crc?: number;
  flags?: number;
  method?: number;
  /** Unix mode, as in `0o120777` for a link. */
  mode?: number;
  /** Name in the local header. */
  localName?: string;
  /** Where a local header is already, in place of one of its own. */
  at?: number;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Local {
  offset: number;
  bytes: Uint8Array;
}

/** The archive; `count` and `comment` go into its end record. */
export function buildZip(
  entries: readonly ZipBuilderEntry[],
  { count = entries.length, comment = '' }: { count?: number; comment?: string } = {},
): Uint8Array {
  const locals: Local[] = [];
  let offset = 0;
  for (const entry of entries) {
    const bytes = entry.at === undefined ? localRecord(entry) : new Uint8Array(0);
    locals.push({ offset: entry.at ?? offset, bytes });
    offset += bytes.length;
  }
  const central = concatBytes(...entries.map((entry, index) => centralRow(entry, locals[index]!.offset)));
  const end = new Uint8Array(22);
  writeU32(end, 0, 0x0605_4b50);
  writeU16(end, 8, count);
  writeU16(end, 10, count);
  writeU32(end, 12, central.length);
  writeU32(end, 16, offset);
  writeU16(end, 20, comment.length);
  return concatBytes(...locals.map(({ bytes }) => bytes), central, end, utf8(comment));
}

const contentOf = ({ data = '' }: ZipBuilderEntry): Uint8Array => (typeof data === 'string' ? utf8(data) : data);
const packedOf = (entry: ZipBuilderEntry): Uint8Array =>
  entry.deflate ? deflateSync(contentOf(entry)) : contentOf(entry);

/** The fields that both headers have: from `flags` on, 20 bytes. */
function commonFields(entry: ZipBuilderEntry): Uint8Array {
  const content = contentOf(entry);
  const fields = new Uint8Array(20);
  writeU16(fields, 0, entry.flags ?? 0);
  writeU16(fields, 2, entry.method ?? (entry.deflate ? 8 : 0));
  writeU32(fields, 8, entry.crc ?? zlibCrc32(content));
  writeU32(fields, 12, entry.packedSize ?? packedOf(entry).length);
  writeU32(fields, 16, entry.size ?? content.length);
  return fields;
}

function localRecord(entry: ZipBuilderEntry): Uint8Array {
  const name = utf8(entry.localName ?? entry.name);
  const header = new Uint8Array(30);
  writeU32(header, 0, 0x0403_4b50);
  writeU16(header, 4, 20);
  header.set(commonFields(entry), 6);
  writeU16(header, 26, name.length);
  return concatBytes(header, name, packedOf(entry));
}

function centralRow(entry: ZipBuilderEntry, offset: number): Uint8Array {
  const name = utf8(entry.name);
  const header = new Uint8Array(46);
  writeU32(header, 0, 0x0201_4b50);
  writeU16(header, 4, 0x0314);
  writeU16(header, 6, 20);
  header.set(commonFields(entry), 8);
  writeU16(header, 28, name.length);
  writeU32(header, 38, ((entry.mode ?? 0) << 16) >>> 0);
  writeU32(header, 42, offset);
  return concatBytes(header, name);
}
