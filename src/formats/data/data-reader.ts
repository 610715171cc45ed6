/**
 * Reads a packed data image: what it is made of, its payload or files, and everything that is wrong with it.
 *
 * The header tells itself, and so do asset files, with or without a tag before them. Nothing in an image of one raw file says whether
 * there is a tag, or how long the payload was where the packer filled up to 1024 bytes: there a tag taken from the payload's digest
 * tells both, and for the rest the caller has to.
 */
import { readU16 } from '../bytes.ts';
import { type Chip, chipByImageId } from '../chips.ts';
import { type FormatIssue } from '../format-error.ts';
import { DEFAULT_NAME_LENGTH } from './assets.ts';
import { type Assets, decodeAssets, findNameLength } from './assets-reader.ts';
import { appHazard, DATA_HEADER_SIZE, type DataHeader, isDataImage, MIN_DATA_IMAGE } from './data-image.ts';
import { AUTO_TAG, decodeTag, digestTag, TAG_SIZE } from './data-tag.ts';

export const DATA_LAYOUTS = ['raw', 'assets'] as const;
export type DataLayout = (typeof DATA_LAYOUTS)[number];

/** What is known of an image beforehand; everything else is found out as far as it can be. */
export interface ReadDataOptions {
  header?: DataHeader;
  layout?: DataLayout;
  /** There is a tag. */
  tagged?: boolean;
  /** There is a tag, and this is its text; `auto`: what the digest of the payload gives. */
  tag?: string;
  /** Bytes of the name fields of assets. */
  nameLength?: number;
  /** Bytes of the raw payload. */
  size?: number;
  /** The bytes are a whole slot: what is erased at its end is not payload (and with it any FF that the payload ended with). */
  slot?: boolean;
  /** The chip that the header must name. */
  chip?: Chip;
}

export interface DataContent {
  header: DataHeader;
  /** `chip_id` of the header, and the chip where it is known. */
  chipId?: number;
  chip?: Chip;
  tag?: string;
  layout: DataLayout;
  /** Where the payload starts. */
  payloadOffset: number;
  /** View of the payload; of assets from the count to the last file. */
  payload: Uint8Array;
  /** Of the layout `assets`. */
  assets?: Assets;
  /** Places count from the start of the image. */
  issues: FormatIssue[];
}

/**
 * Reads an image, a file or the content of a whole slot. Never throws: what is wrong stands in `issues`.
 *
 * Issues: those of `appHazard` and of `decodeAssets`, `data-not-packed` (no header, and nothing else tells that this is packed data),
 * `data-unknown-chip`, `data-wrong-chip`, `data-empty`, `data-truncated`, `data-bad-tag`, `data-wrong-tag`.
 */
export function readDataImage(image: Uint8Array, options: ReadDataOptions = {}): DataContent {
  const bytes = options.slot ? withoutErasedEnd(image) : image;
  const found = isDataImage(bytes);
  const header = options.header ?? (found ? 'two-step' : 'none');
  const issues: FormatIssue[] = [];
  const start = header === 'two-step' ? DATA_HEADER_SIZE : 0;
  const body = readBody(bytes.subarray(start), { ...options, mayBePadded: bytes.length === MIN_DATA_IMAGE });
  const chipId = header === 'two-step' && bytes.length >= DATA_HEADER_SIZE ? readU16(bytes, 12) : undefined;
  const chip = chipId === undefined ? undefined : chipByImageId(chipId);

  const told = options.header === 'none' || body.certain;
  if (header === 'two-step' ? !found : !told) {
    const message = 'This does not start with the 32-byte header of a data image';
    issues.push({ code: 'data-not-packed', message, place: { offset: 0 } });
  }
  const hazard = appHazard(bytes);
  if (hazard) issues.push(hazard);
  if (found && header === 'two-step') issues.push(...chipIssues(chipId, options.chip));
  issues.push(...body.issues.map((issue) => shifted(issue, start)));
  const { tag, layout, assets, payload, offset } = body;
  return {
    header,
    ...(chipId !== undefined && { chipId }),
    ...(chip && { chip }),
    ...(tag !== undefined && { tag }),
    layout,
    payloadOffset: start + offset,
    payload,
    ...(assets && { assets }),
    issues,
  };
}

function withoutErasedEnd(slot: Uint8Array): Uint8Array {
  let end = slot.length;
  while (end > 0 && slot[end - 1] === 0xff) end--;
  return slot.subarray(0, end);
}

function chipIssues(chipId = -1, expected?: Chip): FormatIssue[] {
  const chip = chipByImageId(chipId);
  const place = { offset: 12 };
  if (!chip) {
    return [{ code: 'data-unknown-chip', message: `The header names a chip with the unknown id ${chipId}`, place }];
  }
  if (!expected || expected === chip) return [];
  return [{ code: 'data-wrong-chip', message: `Packed for ${chip.title}, the chip is ${expected.title}`, place }];
}

const shifted = ({ place, ...issue }: FormatIssue, by: number): FormatIssue =>
  place?.offset === undefined ? issue : { ...issue, place: { ...place, offset: place.offset + by } };

/** What stands behind the header; offsets count from there. */
interface Body extends Pick<DataContent, 'tag' | 'layout' | 'payload' | 'assets' | 'issues'> {
  offset: number;
  /** Its content tells that it is packed data. */
  certain: boolean;
}

type BodyOptions = ReadDataOptions & { mayBePadded: boolean };

function readBody(bytes: Uint8Array, options: BodyOptions): Body {
  const place = options.layout === 'raw' ? undefined : findAssets(bytes, options);
  const body = place ? readAssets(bytes, place) : readRaw(bytes, options);
  if (body.payload.length === 0) {
    body.issues.push({ code: 'data-empty', message: 'There is no payload', place: { offset: body.offset } });
  }
  if (body.offset > 0 && body.tag === undefined) {
    const message = 'There is no tag of printable characters';
    body.issues.push({ code: 'data-bad-tag', message, place: { offset: 0 } });
  } else if (options.tag !== undefined) {
    const expected = options.tag === AUTO_TAG ? digestTag(body.payload) : options.tag;
    if (expected !== body.tag) {
      const message = `The tag is ${body.tag ?? 'missing'}, expected ${expected}`;
      body.issues.push({ code: 'data-wrong-tag', message, place: { offset: 0 } });
    }
  }
  return body;
}

interface AssetsPlace {
  offset: number;
  nameLength: number;
  certain: boolean;
}

/** Where the assets begin: where they make sense, or, when the caller says that there are some, where they should. */
function findAssets(bytes: Uint8Array, options: ReadDataOptions): AssetsPlace | undefined {
  const tagged = options.tagged ?? options.tag !== undefined;
  for (const offset of tagged ? [TAG_SIZE] : [0, TAG_SIZE]) {
    const found = findNameLength(bytes.subarray(offset));
    if (found !== undefined) return { offset, nameLength: options.nameLength ?? found, certain: true };
  }
  if (options.layout !== 'assets') return undefined;
  return { offset: tagged ? TAG_SIZE : 0, nameLength: options.nameLength ?? DEFAULT_NAME_LENGTH, certain: false };
}

function readAssets(bytes: Uint8Array, { offset, nameLength, certain }: AssetsPlace): Body {
  const assets = decodeAssets(bytes.subarray(offset), nameLength);
  const tag = offset > 0 ? decodeTag(bytes) : undefined;
  return {
    layout: 'assets',
    ...(tag !== undefined && { tag }),
    payload: bytes.subarray(offset, offset + assets.length),
    assets,
    issues: assets.issues.map((issue) => shifted(issue, offset)),
    offset,
    certain,
  };
}

function readRaw(bytes: Uint8Array, options: BodyOptions): Body {
  const digested = options.size === undefined ? lengthByDigest(bytes, options) : undefined;
  const tagged = options.tagged ?? (options.tag !== undefined || digested !== undefined);
  const offset = tagged ? Math.min(TAG_SIZE, bytes.length) : 0;
  const rest = bytes.subarray(offset);
  const length = options.size ?? digested ?? (options.mayBePadded ? lengthWithoutZeros(rest) : rest.length);
  const tag = tagged ? decodeTag(bytes) : undefined;
  const issues: FormatIssue[] = [];
  if (length > rest.length) {
    const message = `The payload should have ${length} bytes, ${rest.length} are here`;
    issues.push({ code: 'data-truncated', message, place: { offset: bytes.length } });
  }
  return {
    layout: 'raw',
    ...(tag !== undefined && { tag }),
    payload: rest.subarray(0, length),
    issues,
    offset,
    certain: digested !== undefined,
  };
}

/** Bytes of the payload behind a tag that its digest gave, or `undefined` when there is no such tag. */
function lengthByDigest(bytes: Uint8Array, { mayBePadded }: BodyOptions): number | undefined {
  const tag = decodeTag(bytes);
  if (tag === undefined || !/^[0-9a-f]{16}$/.test(tag)) return undefined;
  const rest = bytes.subarray(TAG_SIZE);
  const shortest = mayBePadded ? lengthWithoutZeros(rest) : rest.length;
  for (let length = rest.length; length >= Math.max(1, shortest); length--) {
    if (digestTag(rest.subarray(0, length)) === tag) return length;
  }
  return undefined;
}

function lengthWithoutZeros(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}
