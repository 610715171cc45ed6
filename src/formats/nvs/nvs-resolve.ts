/**
 * From the items of all pages to entries: which copy counts, which chunks make a blob, which namespace has which name.
 * The rules are the firmware's (nvs_page.cpp, nvs_pagemanager.cpp, nvs_storage.cpp):
 * a look-up takes the first match in the order of pages; in the page being written to the later copy counts;
 * the very last item replaces any earlier copy.
 */
import { hexAddress, readU32 } from '../bytes.ts';
import { type FormatIssue } from '../format-error.ts';
import { integerOf, type NvsItem } from './nvs-items.ts';
import { INTEGER_TYPES, ITEM_TYPE, NVS_MAX_NAMESPACES, type NvsEntry } from './nvs.ts';

export interface NvsNamespace {
  /** 1 to 254. */
  index: number;
  name: string;
}

export interface ResolvedItems {
  entries: NvsEntry[];
  namespaces: NvsNamespace[];
  issues: FormatIssue[];
}

/** Copies of one thing, best first. */
type Copies = NvsItem[];

/** A value, and the item that stands for it. */
interface Found {
  item: NvsItem;
  value: NvsEntry['value'];
}

/**
 * Puts together what the items say.
 *
 * @param items in the order of pages, then of entries.
 * @param copying while a page is being freed, the last page repeats some of its items: not worth an issue.
 */
export function resolveItems(items: readonly NvsItem[], { copying }: { copying: boolean }): ResolvedItems {
  const issues: FormatIssue[] = [];
  const { namespaces, names } = readNamespaces(items, issues);
  const groups = groupCopies(items.filter((item) => item.namespaceIndex !== 0));
  if (!copying) reportDuplicates(groups, issues);

  const found = [...findPlainValues(groups, issues), ...findBlobs(groups, issues)];
  const order = new Map(items.map((item, index) => [item, index]));
  found.sort((a, b) => (order.get(a.item) ?? 0) - (order.get(b.item) ?? 0));
  const entries = found.flatMap(({ item, value }) => {
    const owners = names.get(item.namespaceIndex) ?? [];
    if (owners.length === 0) {
      issues.push(
        issueAt('nvs-unknown-namespace', item, `${item.key} is in namespace ${item.namespaceIndex}, which has no name`),
      );
    }
    return owners.map((namespace) => ({ namespace, key: item.key, type: typeName(item), value }) as NvsEntry);
  });
  return { entries, namespaces, issues };
}

function typeName(item: NvsItem): NvsEntry['type'] {
  return INTEGER_TYPES.get(item.type) ?? (item.type === ITEM_TYPE.string ? 'string' : 'blob');
}

const issueAt = (code: string, item: NvsItem, message: string): FormatIssue => ({
  code,
  message: `${message} (at ${hexAddress(item.offset)})`,
  place: { offset: item.offset },
});

/** Two names may share a number: the partition generator does it to a u8 that stands before the first namespace. */
function readNamespaces(
  items: readonly NvsItem[],
  issues: FormatIssue[],
): { namespaces: NvsNamespace[]; names: Map<number, string[]> } {
  const numbers = new Map<string, number>();
  const names = new Map<number, string[]>();
  for (const item of items) {
    if (item.namespaceIndex !== 0) continue;
    const index = Number(integerOf(item) ?? 0);
    const known = numbers.get(item.key);
    if (known === index) {
      issues.push(issueAt('nvs-duplicate', item, `Namespace ${item.key} is there twice`));
    } else if (
      known !== undefined ||
      item.type !== ITEM_TYPE.u8 ||
      index < 1 ||
      index > NVS_MAX_NAMESPACES ||
      item.key === ''
    ) {
      issues.push(issueAt('nvs-bad-namespace', item, `Not the definition of a namespace: ${item.key}`));
    } else {
      const owners = names.get(index) ?? [];
      const [first] = owners;
      if (first !== undefined)
        issues.push(issueAt('nvs-shared-namespace', item, `Namespace ${item.key} has the number of ${first}`));
      owners.push(item.key);
      names.set(index, owners);
      numbers.set(item.key, index);
    }
  }
  return { namespaces: [...numbers].map(([name, index]) => ({ index, name })), names };
}

/** What makes two items copies of one thing. */
const identity = (item: NvsItem, { type = item.type, chunkIndex = item.chunkIndex } = {}): string =>
  `${item.namespaceIndex} ${type} ${chunkIndex} ${item.key}`;

function groupCopies(items: readonly NvsItem[]): Map<string, Copies> {
  const groups = Map.groupBy(items, (item) => identity(item));
  const last = items.at(-1);
  for (const [name, copies] of groups) {
    if (copies.length === 1) continue;
    const rank = new Map(copies.map((item, index) => [item, rankOf(item, last, index)]));
    groups.set(
      name,
      copies.toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)),
    );
  }
  return groups;
}

/** Lower is better. `index` counts the copies in the order of pages. */
function rankOf(item: NvsItem, last: NvsItem | undefined, index: number): number {
  const whole = item.partial ? 1e6 : 0;
  if (item === last) return whole - 1;
  // The page being written to is the last one: its copies come after all others, the latest of them first.
  return whole + (item.pageActive ? 1e5 - index : index);
}

function reportDuplicates(groups: Map<string, Copies>, issues: FormatIssue[]): void {
  for (const [best, ...others] of groups.values()) {
    for (const item of others) {
      issues.push(issueAt('nvs-duplicate', item, `Another ${best?.key ?? ''} counts`));
    }
  }
}

function findPlainValues(groups: Map<string, Copies>, issues: FormatIssue[]): Found[] {
  const found: Found[] = [];
  for (const [item] of groups.values()) {
    if (!item) continue;
    const integer = integerOf(item);
    if (integer !== undefined) {
      found.push({ item, value: integer });
    } else if (item.type === ITEM_TYPE.string) {
      const terminated = item.payload.at(-1) === 0;
      if (!terminated) issues.push(issueAt('nvs-string-end', item, `String ${item.key} has no closing NUL`));
      const text = terminated ? item.payload.slice(0, -1) : item.payload.slice();
      found.push({ item, value: text });
    }
  }
  return found;
}

/** Blobs of both versions; an index counts before an old blob of the same key (nvs_storage.cpp, readItem). */
function findBlobs(groups: Map<string, Copies>, issues: FormatIssue[]): Found[] {
  const used = new Set<NvsItem>();
  const blobs = new Map<string, Copies>();
  for (const type of [ITEM_TYPE.blobIndex, ITEM_TYPE.oldBlob]) {
    for (const copies of groups.values()) {
      if (copies[0]?.type !== type) continue;
      const name = identity(copies[0], { type: ITEM_TYPE.blobIndex, chunkIndex: 0 });
      blobs.set(name, [...(blobs.get(name) ?? []), ...copies]);
    }
  }
  const found: Found[] = [];
  for (const copies of blobs.values()) {
    const [first] = copies;
    const whole = firstWhole(copies, groups, used);
    if (whole) found.push(whole);
    else if (first) issues.push(issueAt('nvs-blob-incomplete', first, `Blob ${first.key} lacks some of its data`));
  }
  for (const [chunk] of groups.values()) {
    if (chunk?.type !== ITEM_TYPE.blobChunk || used.has(chunk)) continue;
    issues.push(issueAt('nvs-orphan-chunk', chunk, `Chunk ${chunk.chunkIndex} of ${chunk.key} belongs to no blob`));
  }
  return found;
}

function firstWhole(copies: Copies, groups: Map<string, Copies>, used: Set<NvsItem>): Found | undefined {
  for (const item of copies) {
    const value = assembleBlob(item, groups, used);
    if (value) return { item, value };
  }
  return undefined;
}

/** The bytes of a blob, or `undefined` when a chunk is missing or the sizes do not agree. Chunks in use go into `used`. */
function assembleBlob(item: NvsItem, groups: Map<string, Copies>, used: Set<NvsItem>): Uint8Array | undefined {
  if (item.type === ITEM_TYPE.oldBlob) return item.payload.slice();
  const size = readU32(item.data, 0);
  const [count = 0, start = 0] = item.data.subarray(4, 6);
  const chunks: NvsItem[] = [];
  for (let chunkIndex = start; chunkIndex < start + count; chunkIndex++) {
    const chunk = groups.get(identity(item, { type: ITEM_TYPE.blobChunk, chunkIndex }))?.[0];
    if (!chunk) return undefined;
    chunks.push(chunk);
  }
  if (chunks.reduce((sum, { payload }) => sum + payload.length, 0) !== size) return undefined;
  const value = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    value.set(chunk.payload, offset);
    offset += chunk.payload.length;
    used.add(chunk);
  }
  return value;
}
