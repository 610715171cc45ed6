/**
 * Writes an NVS partition from nothing.
 *
 * Order and filling are those of Espressif's NVS partition generator 0.2.0, so that the same input gives the same bytes.
 * What would not fit that way is packed more closely before it is refused.
 */
import { FormatError } from '../format-error.ts';
import { DensePages, ToolOrderPages } from './nvs-page-pools.ts';
import { NvsPacker, type PagePool } from './nvs-packer.ts';
import { spanOf } from './nvs-page.ts';
import { checkName, checkNvsEntry } from './nvs-values.ts';
import { NVS_PAGE_SIZE, type NvsEntry, type NvsVersion } from './nvs.ts';

export interface NvsImageOptions {
  /** 2 unless told. Version 1 is for firmware before ESP-IDF 3.2, which cannot read 2. */
  version?: NvsVersion;
  /**
   * The partition is only ever read, so no page is kept blank. Unless told, that is so below three pages,
   * because the firmware does not write to so few.
   */
  readOnly?: boolean;
  /** Namespaces that shall be there even without entries. They are defined in this order. */
  namespaces?: readonly string[];
}

/** Pages below which a partition can only be read (nvs_pagemanager.cpp: one must stay blank). */
const MIN_WRITABLE_PAGES = 3;

/**
 * An image of exactly `size` bytes, the rest blank.
 *
 * @param entries in the order in which they shall lie, where there is room to choose. The same key may occur once of each type.
 * @param size bytes of the partition, a multiple of 4096.
 * @throws {FormatError} `nvs-size`, `nvs-bad-namespace`, `nvs-bad-key`, `nvs-value-range`, `nvs-value-too-long`,
 *   `nvs-duplicate-key`, `nvs-too-many-namespaces`, `nvs-no-room`.
 */
export function encodeNvs(entries: readonly NvsEntry[], size: number, options: NvsImageOptions = {}): Uint8Array {
  const { version = 2, namespaces = [] } = options;
  for (const name of namespaces) checkName(name, 'nvs-bad-namespace');
  for (const entry of entries) checkNvsEntry(entry, version);
  checkDuplicates(entries);

  const pages = usablePages(size, options.readOnly);
  const input = { entries, namespaces, version };
  const attempts = [
    () => pack(input, new ToolOrderPages(pages, { typesApart: true })).finish(size, version),
    () => pack(input, new DensePages(pages)).finish(size, version),
    () => pack({ ...input, entries: hardestFirst(entries, version) }, new DensePages(pages)).finish(size, version),
  ];
  return firstThatFits(attempts);
}

function firstThatFits(attempts: readonly (() => Uint8Array)[]): Uint8Array {
  let refusal: unknown;
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof FormatError && error.code === 'nvs-no-room')) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/**
 * How many pages of a partition of `size` bytes may be filled: all but one, or all of one that is only read.
 *
 * @throws {FormatError} `nvs-size`.
 */
export function usablePages(size: number, readOnly: boolean | undefined): number {
  const pages = size / NVS_PAGE_SIZE;
  if (!Number.isInteger(pages) || pages < 1) {
    throw new FormatError('nvs-size', `NVS of ${size} bytes: not a multiple of ${NVS_PAGE_SIZE}`);
  }
  if (readOnly === false && pages < MIN_WRITABLE_PAGES) {
    throw new FormatError(
      'nvs-size',
      `NVS of ${size} bytes cannot be written to: that takes ${MIN_WRITABLE_PAGES} pages`,
    );
  }
  return (readOnly ?? pages < MIN_WRITABLE_PAGES) ? pages : pages - 1;
}

function checkDuplicates(entries: readonly NvsEntry[]): void {
  const seen = new Set<string>();
  for (const { namespace, key, type } of entries) {
    const name = [namespace, key, type].join('\0');
    if (seen.has(name)) throw new FormatError('nvs-duplicate-key', `${namespace}:${key} is there twice`);
    seen.add(name);
  }
}

interface PackInput {
  entries: readonly NvsEntry[];
  namespaces: readonly string[];
  version: NvsVersion;
}

/** Each namespace is defined before its first entry, and what comes before it in `namespaces` before that. */
function pack<Pool extends PagePool>({ entries, namespaces, version }: PackInput, pool: Pool): Pool {
  const packer = new NvsPacker(pool, version);
  for (const entry of entries) {
    if (!packer.hasNamespace(entry.namespace)) {
      const names = namespaces.slice(0, namespaces.indexOf(entry.namespace) + 1);
      for (const name of [...names, entry.namespace]) packer.define(name);
    }
    packer.add(entry);
  }
  for (const name of namespaces) packer.define(name);
  return pool;
}

/** The hardest to place first: what cannot be split by size, then blobs, then single entries for the gaps. */
function hardestFirst(entries: readonly NvsEntry[], version: NvsVersion): NvsEntry[] {
  const weight = (entry: NvsEntry): number => {
    if (entry.type !== 'string' && entry.type !== 'blob') return 0;
    const canSplit = entry.type === 'blob' && version === 2;
    return spanOf(entry.value.length) + (canSplit ? 0 : 1e6);
  };
  return entries.toSorted((a, b) => weight(b) - weight(a));
}
