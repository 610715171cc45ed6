/** Writes a backup piece by piece: head, stretches in order, end. The layout stands in backup.ts. */
import * as v from 'valibot';
import { md5 } from '@noble/hashes/legacy.js';
import { concatBytes, fromHex, hexAddress, writeU32 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { FormatError } from '../format-error.ts';
import {
  areRangesSound,
  type Backup,
  BACKUP_MAGIC,
  BACKUP_VERSION,
  type BackupManifest,
  type BackupStretch,
  CRC_SIZE,
  firstMissing,
  HEAD_START_SIZE,
  ManifestSchema,
  MAX_MANIFEST,
  RECORD_SIZE,
  RecordKind,
  type StoredStretch,
} from './backup.ts';

/**
 * What the file begins with.
 *
 * @throws {FormatError} `backup-bad-manifest`.
 */
export function encodeBackupHead(manifest: BackupManifest): Uint8Array<ArrayBuffer> {
  const parsed = v.safeParse(ManifestSchema, manifest);
  if (!parsed.success)
    throw new FormatError('backup-bad-manifest', `The manifest is wrong: ${parsed.issues[0].message}`);
  if (!areRangesSound(manifest)) {
    throw new FormatError('backup-bad-manifest', 'The ranges of the manifest overlap or leave the flash');
  }
  const json = new TextEncoder().encode(JSON.stringify(parsed.output, undefined, 1));
  if (json.length > MAX_MANIFEST) throw new FormatError('backup-bad-manifest', 'The manifest is too long');
  const start = new Uint8Array(HEAD_START_SIZE);
  start.set(BACKUP_MAGIC);
  writeU32(start, 8, BACKUP_VERSION);
  writeU32(start, 12, json.length);
  return withCrc(concatBytes(start, json));
}

/**
 * One stretch with its data.
 *
 * @throws {FormatError} `backup-bad-stretch` when its data are not as long as it says.
 */
export function encodeBackupStretch(stretch: StoredStretch): Uint8Array<ArrayBuffer> {
  const { data, length, blank, offset } = stretch;
  if (data.length !== (blank ? 0 : length)) {
    throw new FormatError('backup-bad-stretch', `The stretch of ${length} bytes has ${data.length}`, {
      place: { offset },
    });
  }
  return concatBytes(encodeStretchRecord(stretch), data);
}

/**
 * What the file ends with, once all stretches are in it.
 *
 * @throws {FormatError} `backup-gap` when they are not all that the manifest names.
 */
export function encodeBackupEnd(
  { ranges }: Pick<BackupManifest, 'ranges'>,
  stretches: readonly BackupStretch[],
): Uint8Array<ArrayBuffer> {
  const missing = firstMissing(ranges, stretches);
  if (missing !== undefined) throw new FormatError('backup-gap', `${hexAddress(missing)} is in no stretch`);
  const bytes = stretches.reduce((sum, { length }) => sum + length, 0);
  return encodeRecord(RecordKind.End, [stretches.length, bytes], digestOfStretches(stretches));
}

/** MD5 of the records of all stretches, without their data, for which they have the digests. */
export function digestOfStretches(stretches: readonly BackupStretch[]): Uint8Array {
  const digest = md5.create();
  for (const stretch of stretches) digest.update(encodeStretchRecord(stretch));
  return digest.digest();
}

/**
 * A whole backup at once.
 *
 * @throws {FormatError} `backup-bad-manifest`, `backup-bad-stretch`, `backup-gap`.
 */
export function encodeBackup({ manifest, stretches }: Backup): Uint8Array<ArrayBuffer> {
  return concatBytes(
    encodeBackupHead(manifest),
    ...stretches.map(encodeBackupStretch),
    encodeBackupEnd(manifest, stretches),
  );
}

const encodeStretchRecord = ({ offset, length, md5: digest, blank }: BackupStretch): Uint8Array<ArrayBuffer> =>
  encodeRecord(blank ? RecordKind.Blank : RecordKind.Data, [offset, length], fromHex(digest));

function encodeRecord(kind: string, [first, second]: [number, number], digest: Uint8Array): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(RECORD_SIZE - CRC_SIZE);
  record.set(new TextEncoder().encode(kind));
  writeU32(record, 4, first);
  writeU32(record, 8, second);
  record.set(digest, 12);
  return withCrc(record);
}

function withCrc(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const crc = new Uint8Array(CRC_SIZE);
  writeU32(crc, 0, crc32(bytes));
  return concatBytes(bytes, crc);
}
