/** Changes the settings of a board: in place, or on their way into an image of another size. */
import { equalBytes } from '../bytes.ts';
import { FormatError } from '../format-error.ts';
import { ExistingPages } from './nvs-existing-pages.ts';
import { type NvsItem } from './nvs-items.ts';
import { NvsPacker } from './nvs-packer.ts';
import { decodeNvs, isNvsLoss, type DecodedNvs } from './nvs-reader.ts';
import { ItemReplacer } from './nvs-replace.ts';
import { checkNvsEntry } from './nvs-values.ts';
import { encodeNvs, usablePages } from './nvs-writer.ts';
import { NVS_PAGE_SIZE, type NvsEntry, type NvsVersion } from './nvs.ts';

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

export interface MergedNvs {
  bytes: Uint8Array;
  /** Pages that differ from the existing image. */
  changedPages: number;
}

/**
 * The existing image with the changes, of the same size, with as few other pages as can be: a value that takes no more
 * entries goes where the old one was, all else to free entries, to pages that are changed anyway first. Only what does
 * not fit that way, or an image with issues (traces of a power failure, say), is written anew as a whole.
 *
 * What is not changed keeps its type, value and namespace. Changes that change nothing leave every byte as it is. The
 * version of the format stays: in an image of version 1 blobs stay one item.
 *
 * @throws {FormatError} `nvs-encrypted`, `nvs-newer-version`, `nvs-damaged` (the issues are its `cause`),
 *   `nvs-no-room`, and what `encodeNvs` throws. Nothing is changed then.
 */
export function mergeNvs(existing: Uint8Array, changes: NvsChanges): MergedNvs {
  const spare = existing.length / NVS_PAGE_SIZE - usablePages(existing.length, changes.readOnly);
  const decoded = decodeNvs(existing);
  refuseUnreadable(decoded, changes.acceptLoss ?? false);
  const version: NvsVersion = decoded.pages.every((page) => page.version < 2) && decoded.verdict !== 'blank' ? 1 : 2;
  const work = effectiveChanges(decoded, changes, version);
  if (work.set.length === 0 && work.delete.length === 0) return { bytes: existing.slice(), changedPages: 0 };
  const bytes =
    changeInPlace(existing, decoded, { ...work, spare, version }) ??
    rewrite(decoded, changes, { size: existing.length, version });
  return { bytes, changedPages: countChangedPages(existing, bytes) };
}

/** What is not as it shall be already. */
function effectiveChanges(
  { entries }: DecodedNvs,
  { set = [], delete: gone = [] }: NvsChanges,
  version: NvsVersion,
): { set: NvsEntry[]; delete: NvsKey[] } {
  const present = Map.groupBy(entries, nameOf);
  const named = new Set<string>();
  for (const entry of set) {
    checkNvsEntry(entry, version);
    if (named.has(nameOf(entry))) {
      throw new FormatError('nvs-duplicate-key', `${entry.namespace}:${entry.key} is set twice`);
    }
    named.add(nameOf(entry));
  }
  const isThere = (entry: NvsEntry): boolean => {
    const [first, ...others] = present.get(nameOf(entry)) ?? [];
    return first !== undefined && others.length === 0 && isSameValue(first, entry);
  };
  return {
    set: set.filter((entry) => !isThere(entry)),
    delete: gone.filter((key) => present.has(nameOf(key)) && !named.has(nameOf(key))),
  };
}

function isSameValue(a: NvsEntry, b: NvsEntry): boolean {
  if (a.type !== b.type) return false;
  if (typeof a.value === 'object' && typeof b.value === 'object') return equalBytes(a.value, b.value);
  return a.value === b.value;
}

interface Work {
  set: readonly NvsEntry[];
  delete: readonly NvsKey[];
  spare: number;
  version: NvsVersion;
}

/** The changed image, or `undefined` where it takes a new one. */
function changeInPlace(
  existing: Uint8Array,
  { pages, namespaces, issues, verdict }: DecodedNvs,
  work: Work,
): Uint8Array | undefined {
  if (verdict !== 'ok' || issues.length > 0) return undefined;
  const place = new ExistingPages(existing, pages, work);
  const numbers = new Map(namespaces.map(({ name, index }) => [name, index]));
  const items = Map.groupBy(place.items, ({ namespaceIndex, key }) => `${namespaceIndex}:${key}`);
  const itemsOf = ({ namespace, key }: NvsKey): NvsItem[] => items.get(`${numbers.get(namespace) ?? ''}:${key}`) ?? [];
  const replacer = new ItemReplacer(place, work.version);

  for (const key of work.delete) replacer.erase(itemsOf(key));
  const added = work.set.filter((entry) => !replacer.replace(itemsOf(entry), entry));
  const packer = new NvsPacker(place, work.version, numbers);
  try {
    for (const entry of added) {
      packer.define(entry.namespace);
      packer.add(entry);
    }
  } catch (error) {
    if (error instanceof FormatError && error.code === 'nvs-no-room') return undefined;
    throw error;
  }
  return place.finish();
}

function countChangedPages(before: Uint8Array, after: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < before.length; at += NVS_PAGE_SIZE) {
    if (!equalBytes(before.subarray(at, at + NVS_PAGE_SIZE), after.subarray(at, at + NVS_PAGE_SIZE))) count++;
  }
  return count;
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
  return rewrite(decoded, changes, { size, version: 2 });
}

function rewrite(
  decoded: DecodedNvs,
  changes: NvsChanges,
  { size, version }: { size: number; version: NvsVersion },
): Uint8Array {
  const gone = new Set([...(changes.delete ?? []), ...(changes.set ?? [])].map(nameOf));
  const kept = decoded.entries.filter((entry) => !gone.has(nameOf(entry)));
  return encodeNvs([...kept, ...(changes.set ?? [])], size, {
    version,
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
