/**
 * What a plan may do with a chip whose eFuses secure it, decided before anything is erased.
 *
 * | state                         | what is refused                             | what is left                            |
 * | ----------------------------- | ------------------------------------------- | --------------------------------------- |
 * | flash encryption, either mode | everything: plain bytes are rubbish to it   | its own updates, over the network       |
 * | secure download mode          | everything: nothing could be verified       | its own updates                         |
 * | secure boot that revokes keys | everything: one wrong signature costs a key | its own updates                         |
 * | secure boot v1, v2            | boot loader and table, and an unsigned app  | signed app, data and settings, if the   |
 * |                               |                                             | user vouches for the signature          |
 * | no download mode              | the chip does not answer at all             | its own updates                         |
 *
 * esptool lets some of these through, e.g. plain writes to a chip whose encryption is in development: that board does not start again.
 */
import { type BoardIdentity } from '#device/identify.ts';
import { type ChipSecurity } from '#formats/chip-security.ts';
import { FormatError } from '#formats/format-error.ts';
import { signatureScheme } from '#formats/image-signature.ts';
import { type Partition, PartitionType } from '#formats/partition-table.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { type HeaderWish } from './bootloader-plan.ts';
import { type FlashWrite } from './flash-plan.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { type TableWish } from './table-choice.ts';

export interface SecurityWishes {
  /** The user vouches for it that the release is signed with the key of this board. */
  signed?: boolean;
  table?: TableWish;
  header?: HeaderWish;
}

type Secured = Pick<BoardIdentity, 'security'>;

/** The chip starts nothing but signed boot loaders, and those only signed apps. */
export const needsSignature = ({ security }: Secured): boolean => security.secureBoot !== 'off';

/** Why such a chip is not to be written at all; with any of these nothing more can be said of a plan. */
export function securityObjections({ security }: Secured, wishes: SecurityWishes = {}): Objection[] {
  const { flashEncryption, secureDownload } = security;
  const objections: Objection[] = [];
  if (secureDownload) objections.push(objection('secure-download-mode', 'chip'));
  if (flashEncryption !== 'off') objections.push(objection('flash-encryption', 'chip', { mode: flashEncryption }));
  if (needsSignature({ security })) objections.push(...secureBootObjections(security, wishes));
  return objections;
}

function secureBootObjections(
  { secureBoot, aggressiveRevoke }: ChipSecurity,
  { signed, table, header }: SecurityWishes,
): Objection[] {
  if (aggressiveRevoke) return [objection('secure-boot-revokes', 'chip', { version: secureBoot })];
  if (!signed) return [objection('secure-boot', 'chip', { version: secureBoot })];
  const keeps = (subject: 'partition-table' | 'bootloader'): Objection => objection('secure-boot-keeps', subject);
  return [
    ...(table && table.kind !== 'auto' ? [keeps('partition-table')] : []),
    ...(header && Object.keys(header).length > 0 ? [keeps('bootloader')] : []),
  ];
}

export const securityWarnings = (identity: Secured): Warning[] =>
  needsSignature(identity) ? [warning('secure-boot-app-only', 'chip', { version: identity.security.secureBoot })] : [];

/**
 * The release without what has to stay as it is on such a board. A boot loader that the ROM does not accept can make it unusable for good;
 * in v1 the table is signed too.
 */
export function withoutLoader(build: ReleaseBuild): ReleaseBuild {
  const rest = { ...build };
  delete rest.bootloader;
  delete rest.headerRepair;
  delete rest.table;
  return rest;
}

/** What goes into an app slot without any signature of the scheme is surely the wrong file, whatever the user vouches for. */
export function signatureObjections(
  writes: readonly FlashWrite[],
  partitions: readonly Partition[],
  identity: Secured,
): Objection[] {
  const { secureBoot } = identity.security;
  const isApp = ({ role, offset, transient }: FlashWrite): boolean =>
    role !== 'data' && !transient && partitions.some((row) => row.type === PartitionType.App && row.offset === offset);
  return writes
    .filter((write) => needsSignature(identity) && isApp(write) && schemeOf(write.data) !== secureBoot)
    .map(({ label }) => objection('not-signed', 'app', { label, version: secureBoot }));
}

function schemeOf(bytes: Uint8Array): ReturnType<typeof signatureScheme> {
  try {
    return signatureScheme(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    // Not an image that can be read, let alone one that is signed.
    return undefined;
  }
}
