/** `twostep data pack`. */
import { type Chip } from '#formats/chips.ts';
import { type AssetEntry, DEFAULT_NAME_LENGTH, encodeAssets } from '#formats/data/assets.ts';
import { formatDataHeader, headerName } from '#formats/data/data-header-file.ts';
import { type DataHeader, dataImageWarnings, packDataImage, payloadOffset } from '#formats/data/data-image.ts';
import { type DataLayout } from '#formats/data/data-reader.ts';
import { AUTO_TAG, digestTag, SHOWN_BYTES } from '#formats/data/data-tag.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { type CommandContext } from '../context.ts';
import { readAssetFiles, readRawFile } from './asset-files.ts';
import { dataDocument, dataText } from './data-document.ts';
import { inFile, type OutputFile, warn, writeOutputs } from './file-command.ts';

export interface PackOptions {
  output: string;
  chip: Chip;
  layout: DataLayout;
  header: DataHeader;
  tag?: string;
  slotSize?: number;
  nameLength?: number;
  cHeader?: string;
  json?: boolean;
}

export async function packData(paths: string[], options: PackOptions, context: CommandContext): Promise<void> {
  const { output, chip, header, layout, slotSize, cHeader } = options;
  const { file, payload, assets } = await readPayload(paths, options);
  const tag = options.tag === AUTO_TAG ? digestTag(payload) : options.tag;
  // What only some versions of the firmware mind is warned of below.
  const image = inFile(file, () => packDataImage(payload, { chip, header, tag, slotSize, allowSpiModeByte: true }));
  const start = payloadOffset({ header, tagged: tag !== undefined });
  const warnings = dataImageWarnings(image, { chip, slotSize });
  // The end of a digest is there to be compared, not to be read.
  if (options.tag !== AUTO_TAG) warnings.push(...cutTag(tag));
  if (layout === 'raw' && options.tag !== AUTO_TAG) warnings.push(...lostLength(image, payload, start));

  const outputs: OutputFile[] = [{ path: output, content: image }];
  if (cHeader !== undefined) {
    const names = { name: headerName(cHeader), payloadOffset: start, payloadLength: payload.length, tag, assets };
    outputs.push({ path: cHeader, content: formatDataHeader(names) });
  }
  await writeOutputs(outputs);

  warn(warnings, output, context);
  const chipOfHeader = header === 'two-step' ? { chip, chipId: chip.imageChipId } : {};
  const facts = { image, header, ...chipOfHeader, tag, layout, payload, payloadOffset: start, assets, warnings };
  context.output.document({ output, c_header: cHeader ?? null, ...dataDocument(facts) }, dataText(facts));
}

interface Payload {
  /** The file to name when the payload is refused. */
  file: string;
  payload: Uint8Array;
  assets?: { nameLength: number; checksum: number; checksumOk: boolean; entries: AssetEntry[] };
}

async function readPayload(
  paths: string[],
  { layout, nameLength = DEFAULT_NAME_LENGTH }: PackOptions,
): Promise<Payload> {
  if (layout === 'raw') {
    const { path: file, bytes: payload } = await readRawFile(paths);
    return { file, payload };
  }
  const files = await readAssetFiles(paths);
  const file = paths[0] ?? '';
  const { payload, entries, checksum } = inFile(file, () => encodeAssets(files, { nameLength }));
  return { file, payload, assets: { nameLength, checksum, checksumOk: true, entries } };
}

/** Two tags that differ only in their ends look the same on the page of the demo firmware. */
function cutTag(tag = ''): FormatIssue[] {
  if (tag.length <= SHOWN_BYTES) return [];
  const message = `The demo firmware shows only the first ${SHOWN_BYTES} characters of the tag: ${tag.slice(0, SHOWN_BYTES)}`;
  return [{ code: 'data-tag-cut', message }];
}

/** A raw payload that ends in zeros, and was filled up with more of them, is not told apart from them. */
function lostLength(image: Uint8Array, payload: Uint8Array, start: number): FormatIssue[] {
  if (image.length === start + payload.length || payload.at(-1) !== 0) return [];
  const message = `The file ends in zeros, and the image is filled up with zeros: unpack needs --size ${payload.length}`;
  return [{ code: 'data-length-lost', message }];
}
