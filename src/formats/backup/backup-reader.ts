/** Reads a backup: what can be used of it, whatever happened to the file; or all of it, or nothing. The layout stands in backup.ts. */
import * as v from 'valibot';
import { md5 } from '@noble/hashes/legacy.js';
import { equalBytes, hexAddress, readU32, toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import {
  areRangesSound,
  type Backup,
  BACKUP_MAGIC,
  BACKUP_VERSION,
  type BackupManifest,
  CRC_SIZE,
  firstMissing,
  HEAD_START_SIZE,
  ManifestSchema,
  MAX_MANIFEST,
  RECORD_SIZE,
  RecordKind,
  SECTOR,
  type StoredStretch,
} from './backup.ts';
import { digestOfStretches } from './backup-writer.ts';

/** A stretch, and where in the file it ends. */
export interface FoundStretch extends StoredStretch {
  fileEnd: number;
}

export interface ReadBackup {
  manifest: BackupManifest;
  /** Those that are whole: their digests are right. */
  stretches: FoundStretch[];
  /** Bytes of the head. */
  headSize: number;
  /** How many of the stretches follow each other from the head on, with nothing damaged between: behind these can be gone on. */
  unbroken: number;
  /** Everything that the manifest names is there, with the end. */
  complete: boolean;
  /** What is wrong; places are offsets in the file. */
  issues: FormatIssue[];
}

/**
 * Reads whatever is whole; what is damaged or missing is in `issues`: `backup-truncated`, `backup-damaged` (what follows cannot be
 * found any more), `backup-stretch-damaged`, `backup-stretch-misplaced`, `backup-bad-end`, `backup-trailing`, `backup-gap`.
 * The data are views of `bytes`.
 *
 * @throws {FormatError} where not even the manifest can be read: `backup-not-one`, `backup-version`, `backup-bad-manifest`,
 * `backup-truncated`.
 */
export function readBackup(bytes: Uint8Array): ReadBackup {
  const { manifest, headSize } = readHead(bytes);
  return new Reader(bytes, manifest, headSize).read();
}

/**
 * A backup that is complete and undamaged.
 *
 * @throws {FormatError} any code of `readBackup`, also of its issues.
 */
export function decodeBackup(bytes: Uint8Array): Backup {
  const { manifest, stretches, issues } = readBackup(bytes);
  const [issue] = issues;
  if (issue) throw new FormatError(issue.code, issue.message, issue.place ? { place: issue.place } : {});
  return {
    manifest,
    stretches: stretches.map(({ offset, length, md5: digest, blank, data }) => ({
      offset,
      length,
      md5: digest,
      blank,
      data,
    })),
  };
}

function readHead(bytes: Uint8Array): { manifest: BackupManifest; headSize: number } {
  const magic = bytes.subarray(0, BACKUP_MAGIC.length);
  if (magic.length === 0 || !equalBytes(magic, BACKUP_MAGIC.subarray(0, magic.length))) {
    throw new FormatError('backup-not-one', 'This is no backup of Twostep');
  }
  if (bytes.length < HEAD_START_SIZE) throw new FormatError('backup-truncated', 'The backup ends in its head');
  const version = readU32(bytes, 8);
  if (version !== BACKUP_VERSION) {
    throw new FormatError('backup-version', `This backup has version ${version}, known is ${BACKUP_VERSION}`);
  }
  const end = HEAD_START_SIZE + readU32(bytes, 12);
  if (end > HEAD_START_SIZE + MAX_MANIFEST) throw new FormatError('backup-bad-manifest', 'The manifest is too long');
  if (bytes.length < end + CRC_SIZE) throw new FormatError('backup-truncated', 'The backup ends in its manifest');
  if (crc32(bytes.subarray(0, end)) !== readU32(bytes, end)) {
    throw new FormatError('backup-bad-manifest', 'The manifest is damaged');
  }
  return { manifest: parseManifest(bytes.subarray(HEAD_START_SIZE, end)), headSize: end + CRC_SIZE };
}

function parseManifest(bytes: Uint8Array): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError('backup-bad-manifest', 'The manifest is no JSON', { cause });
  }
  const parsed = v.safeParse(ManifestSchema, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new FormatError(
      'backup-bad-manifest',
      `The manifest is wrong, ${v.getDotPath(issue) ?? ''}: ${issue.message}`,
    );
  }
  if (!areRangesSound(parsed.output)) {
    throw new FormatError('backup-bad-manifest', 'The ranges of the manifest overlap or leave the flash');
  }
  return parsed.output;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #found: ReadBackup;
  #at: number;
  /** Flash up to here was read. */
  #flashEnd = 0;

  constructor(bytes: Uint8Array, manifest: BackupManifest, headSize: number) {
    this.#bytes = bytes;
    this.#at = headSize;
    this.#found = { manifest, stretches: [], headSize, unbroken: 0, complete: false, issues: [] };
  }

  read(): ReadBackup {
    const found = this.#found;
    while (this.#readRecord());
    const missing = firstMissing(found.manifest.ranges, found.stretches);
    if (missing !== undefined && found.issues.length === 0) {
      this.#note('backup-gap', `The flash from ${hexAddress(missing)} on is missing in the backup`);
    }
    found.complete = found.issues.length === 0;
    return found;
  }

  /** @returns whether there may be another one. */
  #readRecord(): boolean {
    const record = this.#bytes.subarray(this.#at, this.#at + RECORD_SIZE);
    if (record.length < RECORD_SIZE) return this.#note('backup-truncated', 'The backup was broken off: it has no end');
    const kind = String.fromCharCode(...record.subarray(0, 4));
    if (crc32(record.subarray(0, RECORD_SIZE - CRC_SIZE)) !== readU32(record, RECORD_SIZE - CRC_SIZE))
      return this.#note('backup-damaged', 'The backup is damaged; what follows cannot be found');
    if (kind === RecordKind.End) return this.#readEnd(record);
    if (kind === RecordKind.Data || kind === RecordKind.Blank)
      return this.#readStretch(record, kind === RecordKind.Blank);
    return this.#note('backup-damaged', 'The backup has a part of an unknown kind');
  }

  #readStretch(record: Uint8Array, blank: boolean): boolean {
    const offset = readU32(record, 4);
    const length = readU32(record, 8);
    const start = this.#at + RECORD_SIZE;
    const fileEnd = start + (blank ? 0 : length);
    if (fileEnd > this.#bytes.length) return this.#note('backup-truncated', 'The backup was broken off in a stretch');
    const data = this.#bytes.subarray(start, fileEnd);
    const digest = record.subarray(12, 28);
    if (!this.#isPlaced(offset, length)) {
      this.#note('backup-stretch-misplaced', `The stretch for ${hexAddress(offset)} does not belong there`);
    } else if (!blank && !equalBytes(md5(data), digest)) {
      this.#note('backup-stretch-damaged', `The bytes for ${hexAddress(offset)} are damaged`);
    } else {
      this.#flashEnd = offset + length;
      this.#found.stretches.push({ offset, length, md5: toHex(digest), blank, data, fileEnd });
      if (this.#found.issues.length === 0) this.#found.unbroken++;
    }
    this.#at = fileEnd;
    return true;
  }

  /** On whole sectors, behind what was before, and inside one of the ranges. */
  #isPlaced(offset: number, length: number): boolean {
    const aligned = length > 0 && offset % SECTOR === 0 && length % SECTOR === 0;
    const { ranges } = this.#found.manifest;
    const inside = ranges.some((range) => offset >= range.offset && offset + length <= range.offset + range.length);
    return aligned && inside && offset >= this.#flashEnd;
  }

  #readEnd(record: Uint8Array): false {
    const { stretches, issues } = this.#found;
    const bytes = stretches.reduce((sum, { length }) => sum + length, 0);
    const isRight =
      readU32(record, 4) === stretches.length &&
      readU32(record, 8) === bytes &&
      equalBytes(record.subarray(12, 28), digestOfStretches(stretches));
    // A stretch that was left out is told already.
    if (!isRight && issues.length === 0)
      this.#note('backup-bad-end', 'The end of the backup does not fit its stretches');
    this.#at += RECORD_SIZE;
    const more = this.#bytes.length - this.#at;
    if (more > 0) this.#note('backup-trailing', `Behind the end of the backup are ${more} bytes more`);
    return false;
  }

  #note(code: string, message: string): false {
    this.#found.issues.push({ code, message, place: { offset: this.#at } });
    return false;
  }
}
