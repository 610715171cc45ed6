/**
 * A backup of flash in one file, made so that it can be written as it is read, broken off at any byte, and gone on with:
 *
 * ```
 * head     "TWOSTEP\x1A" | version u32 = 1 | length u32 of the manifest | manifest, JSON in UTF-8 | CRC-32 of all before
 * stretch  "DATA" | flash offset u32 | length u32 | MD5 of the flash there | CRC-32 of these 28 bytes | so many bytes
 * stretch  "BLNK" | the same; nothing follows, as all of it is FF
 * end      "DONE" | number of stretches u32 | bytes of flash u32 | MD5 of all stretches' 32 bytes | CRC-32 of these 28 bytes
 * ```
 *
 * Numbers are little-endian. Stretches are in the order of their offsets, do not overlap, lie on whole sectors, and together are the
 * ranges that the manifest names. The head's `\x1A` ends the output of tools that print the file as text. CRC as in `crc32.ts`.
 */
import * as v from 'valibot';
import { CHIPS, type ChipName } from '../chips.ts';
import { type Partition } from '../partition-table.ts';

export const BACKUP_MAGIC: Uint8Array = new TextEncoder().encode('TWOSTEP\x1a');
export const BACKUP_VERSION = 1;
/** Bytes before the manifest. */
export const HEAD_START_SIZE = 16;
/** Bytes of the CRC behind the manifest. */
export const CRC_SIZE = 4;
/** Bytes of a stretch besides its data, and of the end. */
export const RECORD_SIZE = 32;
/** Most bytes of a manifest (1 MiB): more is damage. */
export const MAX_MANIFEST = 0x10_0000;
/** What flash is erased in: stretches begin and end there, because only so can they be put back. */
export const SECTOR = 0x1000;

/** First four bytes of a record. */
export const RecordKind = { Data: 'DATA', Blank: 'BLNK', End: 'DONE' } as const;

export interface BackupRange {
  /** Flash offset in bytes. */
  offset: number;
  length: number;
}

/** What was backed up, and of which board. */
export interface BackupManifest {
  /** When it was begun, as `2026-07-31T12:00:00.000Z`. */
  created: string;
  chip: ChipName;
  /** The chip as its loader describes it: `ESP32-C3 (QFN32) (revision v0.4)`. */
  description: string;
  revision?: { major: number; minor: number } | undefined;
  /** `24:0a:c4:12:34:56`; without it where the chip does not tell. */
  mac?: string | undefined;
  /** JEDEC id: manufacturer in bits 0 to 7, device in 8 to 15, size code in 16 to 23. */
  flashId?: number | undefined;
  /** Bytes of the whole flash. */
  flashSize: number;
  /** Unless `off`, the bytes are as the chip encrypted them, and rubbish to every other chip. */
  flashEncryption: 'off' | 'development' | 'release';
  /** Lines that somebody wanted to be kept with it. */
  notes: string[];
  /** The partition table that was found; it names what the ranges hold. */
  table?: { offset: number; partitions: Partition[] } | undefined;
  /** What the backup holds when it is complete, in order, each on whole sectors. */
  ranges: BackupRange[];
}

/** A part of the flash as the backup has it. */
export interface BackupStretch extends BackupRange {
  /** MD5 of the flash there, 32 lower-case hex digits. */
  md5: string;
  /** All of it is FF. */
  blank: boolean;
}

export interface StoredStretch extends BackupStretch {
  /** Its bytes; none of a blank one. */
  data: Uint8Array;
}

export interface Backup {
  manifest: BackupManifest;
  stretches: StoredStretch[];
}

const U32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));
const Byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff));
const Sectors = v.pipe(U32, v.multipleOf(SECTOR));
const CHIP_NAMES = CHIPS.map(({ name }) => name);

export const ManifestSchema = v.object({
  created: v.pipe(v.string(), v.isoTimestamp()),
  chip: v.picklist(CHIP_NAMES),
  description: v.string(),
  revision: v.optional(v.object({ major: Byte, minor: Byte })),
  mac: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/))),
  flashId: v.optional(U32),
  flashSize: v.pipe(Sectors, v.minValue(SECTOR)),
  flashEncryption: v.picklist(['off', 'development', 'release']),
  notes: v.array(v.string()),
  table: v.optional(
    v.object({
      offset: U32,
      partitions: v.array(
        v.object({ name: v.string(), type: Byte, subtype: Byte, offset: U32, size: U32, flags: U32 }),
      ),
    }),
  ),
  ranges: v.pipe(v.array(v.object({ offset: Sectors, length: v.pipe(Sectors, v.minValue(SECTOR)) })), v.minLength(1)),
});

/** Whether ranges are in order, apart, and inside the flash. */
export function areRangesSound({ ranges, flashSize }: Pick<BackupManifest, 'ranges' | 'flashSize'>): boolean {
  let end = 0;
  return ranges.every(({ offset, length }) => {
    const follows = offset >= end;
    end = offset + length;
    return follows && end <= flashSize;
  });
}

/** The first flash offset of `ranges` that no stretch holds. Both are in order. */
export function firstMissing(ranges: readonly BackupRange[], stretches: readonly BackupRange[]): number | undefined {
  for (const { offset, length } of ranges) {
    let at = offset;
    for (const stretch of stretches) {
      if (stretch.offset <= at && at < stretch.offset + stretch.length) at = stretch.offset + stretch.length;
    }
    if (at < offset + length) return at;
  }
  return undefined;
}
