/** Takes the settings of a board along: into a changed image, or into one of another size. */
import { FormatError } from '../format-error.ts';
import { decodeNvs, isNvsLoss, type DecodedNvs } from './nvs-reader.ts';
import { encodeNvs } from './nvs-writer.ts';
import { type NvsEntry } from './nvs.ts';

export interface NvsKey {
  namespace: string;
  key: string;
}

export interface NvsChanges {
  /** Entries to add. Each replaces whatever the image has under its key, of any type. */
  set?: readonly NvsEntry[];
  /** Keys to leave out; those that are not there are ignored. */
  delete?: readonly NvsKey[];
  /** Go on with what can be read of a damaged image. Without it a damaged image is refused. */
  acceptLoss?: boolean;
  /** As for `encodeNvs`. */
  readOnly?: boolean;
}

/**
 * All entries and namespaces of an existing image, and the changes, as a new image of `size` bytes.
 * Types and values stay as they are; blobs of the old format become blobs of the new one.
 * What is not changed keeps its place before what is new. A blank image gives a fresh one.
 *
 * @param existing a whole NVS partition.
 * @param size bytes of the new partition, a multiple of 4096.
 * @throws {FormatError} `nvs-encrypted`, `nvs-newer-version`, `nvs-damaged` (the issues are its `cause`),
 *   `nvs-no-room`, and what `encodeNvs` throws.
 */
export function carryOver(existing: Uint8Array, changes: NvsChanges, size: number): Uint8Array {
  const decoded = decodeNvs(existing);
  refuseUnreadable(decoded, changes.acceptLoss ?? false);
  const gone = new Set([...(changes.delete ?? []), ...(changes.set ?? [])].map(nameOf));
  const kept = decoded.entries.filter((entry) => !gone.has(nameOf(entry)));
  return encodeNvs([...kept, ...(changes.set ?? [])], size, {
    namespaces: decoded.namespaces.map(({ name }) => name),
    ...(changes.readOnly === undefined ? {} : { readOnly: changes.readOnly }),
  });
}

const nameOf = ({ namespace, key }: NvsKey): string => `${namespace}\0${key}`;

function refuseUnreadable({ verdict, issues }: DecodedNvs, acceptLoss: boolean): void {
  if (verdict === 'encrypted') {
    throw new FormatError('nvs-encrypted', 'NVS is encrypted: its entries cannot be taken along', { cause: issues });
  }
  if (verdict === 'newer-version') {
    throw new FormatError('nvs-newer-version', 'NVS was written by a newer format', { cause: issues });
  }
  if (verdict === 'damaged' && !acceptLoss) {
    const losses = issues.filter(isNvsLoss);
    const message = `NVS is damaged in ${losses.length} places: ${losses[0]?.message ?? ''}`;
    throw new FormatError('nvs-damaged', message, { cause: issues });
  }
}
