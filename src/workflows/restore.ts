/** Putting a backup, or parts of it, back onto a board: a pure plan, which `runFlashPlan` carries out. */
import { type FlashRange } from '#device/flash-memory.ts';
import { splitRange } from '#device/flash-ranges.ts';
import { type Backup, type BackupManifest, firstMissing } from '#formats/backup/backup.ts';
import { isBlank } from '#formats/bytes.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { DataSubtype, type Partition, PARTITION_TABLE_SECTOR, PartitionType } from '#formats/partition-table.ts';
import { layoutOf } from './backup.ts';
import { isNvsRow } from './board-nvs.ts';
import { bytesOf, type FlashWrite, flashWrite } from './flash-plan.ts';
import { commonRanges, flashRegions, rangesOfPartitions, soundRanges } from './flash-regions.ts';
import { type KeptPart } from './kept-guard.ts';
import { type Notice, type Objection } from './plan-notices.ts';
import { securityObjections } from './security-plan.ts';
import { type HeldByBoard, untouchedParts } from './untouched.ts';

/** Why a backup must not be put onto this board, besides what speaks against any write. */
export type RestoreObjectionCode =
  /** It is of another kind of chip. */
  | 'backup-wrong-chip'
  /** It reaches beyond the end of this flash. */
  | 'backup-beyond-flash'
  /** Its bytes are encrypted with the key of the chip that it is of. */
  | 'backup-encrypted'
  /** A part that is wanted is not in it, or not whole. */
  | 'backup-part-missing'
  /** The table of this board has the partition elsewhere, or not at all. */
  | 'backup-partition-elsewhere';

/** What belongs to the board that the backup is of, and would be on this one afterwards. */
export type RestoreWarningCode =
  /** It is of another board. */
  | 'backup-other-mac'
  /** The board, or the backup, does not tell whose it is. */
  | 'backup-mac-unknown'
  /** Settings, and with them whatever tells one device from another. */
  | 'backup-has-settings'
  /** Calibration data of the radio. */
  | 'backup-has-calibration'
  /** Settings that are encrypted, with a key that is not in the backup: in the eFuses, or left out. */
  | 'backup-has-encrypted-settings'
  /** Settings that are encrypted, and their key: both boards have the same one then. */
  | 'backup-has-settings-key';

export interface RestorePlan {
  manifest: BackupManifest;
  /** In the order of their offsets; none of them crosses from one partition into the next. Blank parts are writes of FF. */
  writes: FlashWrite[];
  objections: (Notice<RestoreObjectionCode> | Objection)[];
  warnings: Notice<RestoreWarningCode>[];
  /** What of the board stays as it is. */
  untouched: KeptPart[];
}

export interface RestoreOptions {
  /** Labels as in `planBackup`; everything that the backup holds unless given. */
  partitions?: readonly string[] | undefined;
}

/** Most bytes of one write: so much FF is held for those that are blank. */
const PIECE = 0x4_0000;

/**
 * What would be written to put the backup back, and what speaks against it. Nothing is touched.
 *
 * @throws {WorkflowError} `partition-not-found`.
 */
export function planRestore(backup: Backup, board: HeldByBoard, { partitions }: RestoreOptions = {}): RestorePlan {
  const { manifest } = backup;
  const wanted = wantedRanges(manifest, partitions);
  const writes = writesOf(backup, wanted);
  return {
    manifest,
    writes,
    objections: [
      ...securityObjections(board.identity),
      ...chipObjections(manifest, board, writes),
      ...missingParts(manifest, wanted, backup.stretches),
      ...elsewhere(manifest, board, { partitions, wanted }),
    ],
    warnings: boundToOther(manifest, board, writes),
    untouched: untouchedParts(board, { writes }),
  };
}

/**
 * Which part of what is wanted the backup does not hold; known before there is a board.
 *
 * @throws {WorkflowError} `partition-not-found`.
 */
export function missingInBackup(backup: Backup, { partitions }: RestoreOptions = {}): Notice<RestoreObjectionCode>[] {
  const wanted = wantedRanges(backup.manifest, partitions);
  return missingParts(backup.manifest, wanted, backup.stretches);
}

const wantedRanges = (manifest: BackupManifest, partitions: readonly string[] | undefined): FlashRange[] =>
  partitions ? soundRanges(rangesOfPartitions(layoutOf(manifest), partitions), manifest.flashSize) : manifest.ranges;

function writesOf({ manifest, stretches }: Backup, wanted: readonly FlashRange[]): FlashWrite[] {
  const blank = new Uint8Array(PIECE).fill(0xff);
  return flashRegions(layoutOf(manifest)).flatMap(({ label, role, ...region }) => {
    const inRegion = commonRanges([region], wanted);
    return stretches.flatMap((stretch) =>
      commonRanges([stretch], inRegion)
        .flatMap((range) => splitRange(range, PIECE))
        .map(({ offset, length }) =>
          flashWrite({
            role,
            label,
            offset,
            data: stretch.blank ? blank.subarray(0, length) : bytesOf(stretch, { offset, length }),
            why: stretch.blank ? 'blank-in-backup' : 'from-backup',
          }),
        ),
    );
  });
}

const note = <Code extends string>(
  code: Code,
  subject: Notice['subject'],
  values: Notice['values'] = {},
): Notice<Code> => ({ code, subject, values });

function chipObjections(
  manifest: BackupManifest,
  { identity, flashSize }: HeldByBoard,
  writes: readonly FlashWrite[],
): Notice<RestoreObjectionCode>[] {
  const objections: Notice<RestoreObjectionCode>[] = [];
  const { chip } = layoutOf(manifest);
  if (chip.name !== identity.chip.name) {
    objections.push(note('backup-wrong-chip', 'chip', { has: chip.title, chip: identity.chip.title }));
  }
  const end = writes.reduce((most, { offset, data }) => Math.max(most, offset + data.length), 0);
  if (end > flashSize) objections.push(note('backup-beyond-flash', 'chip', { end, flashSize }));
  if (manifest.flashEncryption !== 'off' && whose(manifest, identity) !== 'same') {
    objections.push(note('backup-encrypted', 'chip', { mac: manifest.mac ?? '' }));
  }
  return objections;
}

function missingParts(
  manifest: BackupManifest,
  wanted: readonly FlashRange[],
  there: readonly FlashRange[],
): Notice<RestoreObjectionCode>[] {
  const at = firstMissing(wanted, there);
  if (at === undefined) return [];
  const region = flashRegions(layoutOf(manifest)).find(({ offset, length }) => offset <= at && at < offset + length);
  return [note('backup-part-missing', 'release', { label: region?.label ?? '', at })];
}

/** A partition alone is of use only where the board's table has it too, unless the table comes along. */
function elsewhere(
  { table }: BackupManifest,
  board: HeldByBoard,
  { partitions, wanted }: { partitions: readonly string[] | undefined; wanted: readonly FlashRange[] },
): Notice<RestoreObjectionCode>[] {
  if (!partitions || !table || !board.table) return [];
  const tableRange = { offset: table.offset, length: PARTITION_TABLE_SECTOR };
  if (firstMissing([tableRange], wanted) === undefined) return [];
  const rows = table.partitions.filter(({ name }) => partitions.includes(name));
  return rows
    .filter((row) => !board.table?.partitions.some((other) => isSamePlace(row, other)))
    .map(({ name, offset }) => note('backup-partition-elsewhere', 'partition-table', { label: name, at: offset }));
}

const isSamePlace = (a: Partition, b: Partition): boolean =>
  a.type === b.type && a.subtype === b.subtype && a.offset === b.offset && a.size === b.size;

function whose({ mac }: BackupManifest, identity: HeldByBoard['identity']): 'same' | 'other' | 'unknown' {
  if (mac === undefined || identity.mac === undefined) return 'unknown';
  return mac === identity.mac ? 'same' : 'other';
}

/** Names what belongs to the other board, as far as it can be seen in what would be written. */
function boundToOther(
  manifest: BackupManifest,
  { identity }: HeldByBoard,
  writes: readonly FlashWrite[],
): Notice<RestoreWarningCode>[] {
  const owner = whose(manifest, identity);
  if (owner === 'same') return [];
  const about =
    owner === 'unknown'
      ? note('backup-mac-unknown' as const, 'chip')
      : note('backup-other-mac' as const, 'chip', { backup: manifest.mac ?? '', board: identity.mac ?? '' });
  const rows = (manifest.table?.partitions ?? []).filter(({ offset, size }) => offset + size <= manifest.flashSize);
  const hasKey = rows.some((row) => isKeysRow(row) && !isBlank(contentOf(row, writes)));
  return [about, ...rows.filter(isNvsRow).flatMap((row) => boundSettings(row, contentOf(row, writes), hasKey))];
}

const isKeysRow = ({ type, subtype }: Partition): boolean =>
  type === PartitionType.Data && subtype === DataSubtype.NvsKeys;

function boundSettings({ name: label }: Partition, bytes: Uint8Array, hasKey: boolean): Notice<RestoreWarningCode>[] {
  const { verdict, entries } = decodeNvs(bytes);
  if (verdict === 'encrypted') {
    return [note(hasKey ? 'backup-has-settings-key' : 'backup-has-encrypted-settings', 'nvs', { label })];
  }
  // ESP-IDF keeps the calibration of the radio under this name, with the MAC that it is of (components/esp_phy).
  const calibration = entries.filter(({ namespace }) => namespace === 'phy');
  const count = entries.length - calibration.length;
  return [
    ...(count > 0 ? [note('backup-has-settings' as const, 'nvs', { label, count })] : []),
    ...(calibration.length > 0 ? [note('backup-has-calibration' as const, 'nvs', { label })] : []),
  ];
}

/** What the partition would hold; FF where nothing is written. */
function contentOf({ offset, size }: Partition, writes: readonly FlashWrite[]): Uint8Array {
  const bytes = new Uint8Array(size).fill(0xff);
  for (const write of writes) {
    for (const part of commonRanges(
      [{ offset, length: size }],
      [{ offset: write.offset, length: write.data.length }],
    )) {
      bytes.set(bytesOf(write, part), part.offset - offset);
    }
  }
  return bytes;
}
