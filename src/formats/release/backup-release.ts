/**
 * A backup as a release: the app and the data that a board had, so that a network update can put them back. Whatever slot each lay in: in the
 * release the app is that of `ota_0` and the data those of the other slot.
 */
import { imageLength, parseImage } from '../app-image.ts';
import { type Backup, BACKUP_MAGIC, type BackupManifest } from '../backup/backup.ts';
import { decodeBackup } from '../backup/backup-reader.ts';
import { equalBytes } from '../bytes.ts';
import { chipByName } from '../chips.ts';
import { isDataImage } from '../data/data-image.ts';
import { FormatError } from '../format-error.ts';
import { chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '../otadata.ts';
import {
  DataSubtype,
  findPartition,
  otaSlots,
  type Partition,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '../partition-table.ts';
import { isRealImage } from './file-content.ts';
import { SEED_FIRMWARE } from './firmware-profile.ts';
import { type Release, type ReleaseBuild, type ReleaseFile } from './release.ts';

/**
 * @returns `undefined` when the files are no lone backup.
 * @throws {FormatError} `release-backup-unusable` when it is encrypted, has no table with two slots, or not both slots and otadata;
 *   `release-no-app` when the slot that boots holds none; `backup-…` for a damaged one.
 */
export function readBackupRelease(files: readonly ReleaseFile[]): Release | undefined {
  const [file] = files;
  if (!file || files.length > 1 || !isBackup(file.bytes)) return undefined;
  const backup = decodeBackup(file.bytes);
  const { manifest } = backup;
  if (manifest.flashEncryption !== 'off') throw unusable(file, 'The flash was encrypted');
  const { app: appSlot, data: dataSlot } = slotsOf(backup, file);
  const content = (slot: Partition): Uint8Array => contentOf(backup, slot) ?? new Uint8Array();
  const app = content(appSlot);
  if (!isRealImage(app)) {
    throw new FormatError('release-no-app', `The backup has no app in ${appSlot.name}, which boots`, {
      place: { file: file.path },
    });
  }
  const build = buildOf({ manifest, app, data: withoutErased(content(dataSlot)) }, backup);
  const description = build.app.image.description;
  return {
    kind: 'backup',
    name: description?.projectName || 'backup',
    ...(description && { version: description.version }),
    builds: [build],
    firmwareProfile: {
      ...SEED_FIRMWARE,
      dataHeader: build.data && !isDataImage(build.data.data) ? 'none' : 'two-step',
    },
    notes: [],
  };
}

const isBackup = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, BACKUP_MAGIC.length), BACKUP_MAGIC);

const unusable = (file: ReleaseFile, why: string): FormatError =>
  new FormatError('release-backup-unusable', `${why}: the app and the data of this backup cannot be used elsewhere`, {
    place: { file: file.path },
  });

/** The slot that boots, and the other one. */
function slotsOf(backup: Backup, file: ReleaseFile): { app: Partition; data: Partition } {
  const partitions = backup.manifest.table?.partitions ?? [];
  const [pa, pb, ...more] = otaSlots(partitions);
  const otadata = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  if (!pa || !pb || more.length > 0 || !otadata) throw unusable(file, 'There is no table with two slots');
  const selected = contentOf(backup, otadata)?.subarray(0, OTADATA_SIZE);
  if (!selected || !contentOf(backup, pa) || !contentOf(backup, pb))
    throw unusable(file, 'It has only parts of the flash');
  const { order } = chooseBootSlot(decodeOtadata(selected), { slotCount: 2, hasFactory: false });
  return order[0] === 1 ? { app: pb, data: pa } : { app: pa, data: pb };
}

/** The bytes of a partition; `undefined` when not all of them are in the backup. */
function contentOf(
  { stretches }: Backup,
  { offset, size }: Pick<Partition, 'offset' | 'size'>,
): Uint8Array | undefined {
  const bytes = new Uint8Array(size).fill(0xff);
  let found = 0;
  for (const stretch of stretches) {
    const from = Math.max(stretch.offset, offset);
    const to = Math.min(stretch.offset + stretch.length, offset + size);
    if (from >= to) continue;
    found += to - from;
    if (!stretch.blank) bytes.set(stretch.data.subarray(from - stretch.offset, to - stretch.offset), from - offset);
  }
  return found === size ? bytes : undefined;
}

/** Erased flash behind the data is no part of them; bytes FF at their very end are what erased flash reads anyway. */
function withoutErased(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0xff) end--;
  return bytes.subarray(0, end);
}

interface Contents {
  manifest: BackupManifest;
  app: Uint8Array;
  data: Uint8Array;
}

function buildOf({ manifest, app: slot, data }: Contents, backup: Backup): ReleaseBuild {
  const chip = chipByName(manifest.chip);
  const { table } = manifest;
  const [pa, pb] = otaSlots(table?.partitions ?? []);
  if (!chip || !table || !pa || !pb) throw new TypeError('Not looked at before');
  const app = slot.slice(0, imageLength(slot));
  const bytes = contentOf(backup, { offset: table.offset, size: PARTITION_TABLE_SIZE });
  return {
    chip,
    app: { name: `${pa.name}.bin`, data: app, image: parseImage(app), offset: pa.offset },
    ...(bytes && { table: { offset: table.offset, data: bytes, partitions: table.partitions } }),
    ...(data.length > 0 &&
      !isRealImage(data) && { data: { name: `${pb.name}.bin`, data: data.slice(), layout: 'raw', offset: pb.offset } }),
    extra: [],
    notes: [],
  };
}
