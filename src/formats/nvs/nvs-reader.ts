/** Reads an NVS partition. Lenient: whatever the bytes are, it answers with what can be read and what is wrong. */
import { alignDown, hexAddress, isBlank } from '../bytes.ts';
import { type FormatIssue } from '../format-error.ts';
import { readPageItems, type PageItems } from './nvs-items.ts';
import { decodePageHeader, looksLikePage, type NvsPageState } from './nvs-page.ts';
import { resolveItems, type NvsNamespace } from './nvs-resolve.ts';
import { NVS_PAGE_SIZE, type NvsEntry } from './nvs.ts';

export interface NvsPageInfo {
  /** Byte offset in the partition. */
  offset: number;
  state: NvsPageState;
  /** Order among the pages; 0 of a blank or corrupt page. */
  sequence: number;
  /** 1, 2, or higher than this code knows; 0 of a blank or corrupt page. */
  version: number;
  /** How many of the 126 entries are in use, given up, and free; all 0 when the page was not read. */
  written: number;
  erased: number;
  empty: number;
}

export type NvsVerdict =
  /** All that the pages hold was read. There may still be issues, such as traces of an interrupted write. */
  | 'ok'
  /** Erased flash. The firmware begins a new one. */
  | 'blank'
  /** Something is lost: see `isNvsLoss`. */
  | 'damaged'
  /** The pages are right and no entry is: NVS encryption. */
  | 'encrypted'
  /** Written by a later ESP-IDF than this code knows. */
  | 'newer-version';

export interface DecodedNvs {
  /** In the order of pages, then of entries. */
  entries: NvsEntry[];
  /** In the order of their definition, those without entries too. */
  namespaces: NvsNamespace[];
  /** In the order of the partition. */
  pages: NvsPageInfo[];
  issues: FormatIssue[];
  verdict: NvsVerdict;
}

const LATEST_VERSION = 2;

const LOSSES: ReadonlySet<string> = new Set([
  'nvs-size',
  'nvs-page-corrupt',
  'nvs-entry-crc',
  'nvs-data-crc',
  'nvs-unknown-type',
  'nvs-bad-key',
  'nvs-bad-span',
  'nvs-blob-incomplete',
  'nvs-unknown-namespace',
]);

/** Whether an issue of `decodeNvs` means that something which was stored could not be read. */
export const isNvsLoss = (issue: FormatIssue): boolean => LOSSES.has(issue.code);

/** Reads a whole partition, of any length. Never throws; entries that cannot be trusted are left out and reported. */
export function decodeNvs(bytes: Uint8Array): DecodedNvs {
  const issues: FormatIssue[] = [];
  const pages = readPageHeaders(bytes, issues);
  const result: DecodedNvs = { entries: [], namespaces: [], pages, issues, verdict: 'blank' };
  if (isBlank(bytes)) return result;
  reportPages(pages, issues);

  const live = pages.filter(
    ({ state, version }) => state !== 'blank' && state !== 'corrupt' && version <= LATEST_VERSION,
  );
  live.sort((a, b) => a.sequence - b.sequence);
  const contents = live.map((page) => {
    const items = readPageItems({ image: bytes, offset: page.offset, active: page.state === 'active' });
    Object.assign(page, { written: items.written, erased: items.erased, empty: items.empty });
    return items;
  });
  const newer = pages.some(({ version }) => version > LATEST_VERSION);
  if (isEncrypted(contents)) {
    issues.push({
      code: 'nvs-encrypted',
      message: 'No entry can be read, although the pages are right: NVS is encrypted',
    });
    return { ...result, verdict: newer ? 'newer-version' : 'encrypted' };
  }
  // Not by push: of a whole flash these are more than a call may have arguments.
  const known = issues.concat(...contents.map((content) => content.issues));
  const resolved = resolveItems(
    contents.flatMap((content) => content.items),
    { copying: live.some(({ state }) => state === 'freeing') },
  );
  const all = known.concat(resolved.issues);
  const verdict = newer ? 'newer-version' : all.some(isNvsLoss) ? 'damaged' : 'ok';
  return { ...result, entries: resolved.entries, namespaces: resolved.namespaces, issues: all, verdict };
}

/** Whether this may be an NVS partition: whole pages, of which at least one was written as a page, or all are blank. */
export function isNvsImage(bytes: Uint8Array): boolean {
  const offsets = Array.from({ length: Math.floor(bytes.length / NVS_PAGE_SIZE) }, (_, index) => index * NVS_PAGE_SIZE);
  if (offsets.length === 0) return false;
  return isBlank(bytes) || offsets.some((offset) => looksLikePage(bytes.subarray(offset, offset + NVS_PAGE_SIZE)));
}

/** Pages that hold entries, of which none can be read anywhere. */
function isEncrypted(contents: readonly PageItems[]): boolean {
  const filled = contents.filter(({ written }) => written > 0);
  return filled.length > 0 && filled.every(({ unreadable }) => unreadable);
}

function readPageHeaders(bytes: Uint8Array, issues: FormatIssue[]): NvsPageInfo[] {
  const end = alignDown(bytes.length, NVS_PAGE_SIZE);
  if (!isBlank(bytes.subarray(end))) {
    issues.push({
      code: 'nvs-size',
      message: `${bytes.length - end} bytes after the last whole page`,
      place: { offset: end },
    });
  }
  return Array.from({ length: end / NVS_PAGE_SIZE }, (_, index) => {
    const offset = index * NVS_PAGE_SIZE;
    const header = decodePageHeader(bytes.subarray(offset, offset + NVS_PAGE_SIZE));
    return { offset, ...header, written: 0, erased: 0, empty: 0 };
  });
}

function reportPages(pages: readonly NvsPageInfo[], issues: FormatIssue[]): void {
  for (const { offset, state, version } of pages) {
    const place = { offset };
    const page = `Page at ${hexAddress(offset)}`;
    if (state === 'corrupt') issues.push({ code: 'nvs-page-corrupt', message: `${page} has no valid header`, place });
    if (state === 'freeing') issues.push({ code: 'nvs-page-freeing', message: `${page} was being emptied`, place });
    if (version > LATEST_VERSION) {
      issues.push({ code: 'nvs-newer-version', message: `${page} has format version ${version}`, place });
    }
  }
  reportOrder(pages, issues);
  // Smaller partitions are read-only and have no page to spare (facts of the partition generator).
  if (pages.length >= 3 && pages.every(({ state }) => state === 'active' || state === 'full')) {
    issues.push({ code: 'nvs-no-free-page', message: 'No page is blank, as a partition that is written to needs' });
  }
}

/** Pages are numbered in the order in which they were begun, and only the last is written to (nvs_pagemanager.cpp). */
function reportOrder(pages: readonly NvsPageInfo[], issues: FormatIssue[]): void {
  const live = pages.filter(({ state }) => state !== 'blank' && state !== 'corrupt');
  const ordered = live.toSorted((a, b) => a.sequence - b.sequence);
  for (const [index, { offset, state, sequence }] of ordered.entries()) {
    const next = ordered[index + 1];
    if (!next || (state !== 'active' && sequence !== next.sequence)) continue;
    const why = sequence === next.sequence ? 'has the number of another' : 'is written to, but is not the last';
    issues.push({ code: 'nvs-page-order', message: `Page at ${hexAddress(offset)} ${why}`, place: { offset } });
  }
}
