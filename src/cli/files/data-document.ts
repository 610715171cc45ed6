/** How packed data are shown: one document for `--json`, a few lines for people. */
import { toHex } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { type AssetEntry } from '#formats/data/assets.ts';
import { type DataHeader } from '#formats/data/data-image.ts';
import { type DataLayout } from '#formats/data/data-reader.ts';
import { SHOWN_BYTES } from '#formats/data/data-tag.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { addressText } from '#messages/units.ts';
import { sha256 } from '@noble/hashes/sha2.js';

export interface DataFacts {
  image: Uint8Array;
  header: DataHeader;
  chip?: Chip;
  chipId?: number;
  tag?: string;
  layout: DataLayout;
  payload: Uint8Array;
  payloadOffset: number;
  assets?: { nameLength: number; checksum: number; checksumOk: boolean; entries: readonly AssetEntry[] };
  warnings: readonly FormatIssue[];
}

/** The document of `--json`; the names are those of the formats. */
export function dataDocument(facts: DataFacts): Record<string, unknown> {
  const { image, header, chip, chipId, tag, layout, payload, payloadOffset, assets, warnings } = facts;
  return {
    header,
    chip: chip?.name ?? null,
    chip_id: chipId ?? null,
    layout,
    tag: tag ?? null,
    shown: shownText(payload, tag),
    image_length: image.length,
    sha256: toHex(sha256(image)),
    payload_offset: payloadOffset,
    payload_length: payload.length,
    payload_sha256: toHex(sha256(payload)),
    ...(assets && {
      name_length: assets.nameLength,
      checksum: assets.checksum,
      checksum_ok: assets.checksumOk,
      files: assets.entries.map(({ name, bytes, offset, width, height }) => ({
        name,
        size: bytes.length,
        offset,
        width,
        height,
      })),
    }),
    warnings: issueList(warnings),
  };
}

export const issueList = (issues: readonly FormatIssue[]): Record<string, unknown>[] =>
  issues.map(({ code, message, place }) => ({ code, message, ...(place?.offset !== undefined && place) }));

/** What the demo firmware shows of these data; what does not print as `\xNN`. */
function shownText(payload: Uint8Array, tag?: string): string {
  if (tag !== undefined) return tag.slice(0, SHOWN_BYTES);
  const start = payload.subarray(0, SHOWN_BYTES);
  const end = start.indexOf(0);
  return Array.from(end < 0 ? start : start.subarray(0, end), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

/** The same for people. */
export function dataText(facts: DataFacts): string {
  const { image, header, chip, chipId, tag, layout, payload, payloadOffset, assets } = facts;
  const made = header === 'none' ? 'no header' : `header for ${chip?.title ?? `a chip with the unknown id ${chipId}`}`;
  const label = tag === undefined ? 'no tag' : `tag ${tag}`;
  const lines = [
    `${image.length} bytes: ${made}, ${label}, layout ${layout}`,
    `payload of ${payload.length} bytes at ${addressText(payloadOffset)}, shown by the demo firmware as: ${shownText(payload, tag)}`,
  ];
  for (const { name, bytes, width, height } of assets?.entries ?? []) {
    lines.push(`  ${name}  ${bytes.length} bytes${width > 0 ? `, ${width} x ${height}` : ''}`);
  }
  return lines.join('\n');
}
