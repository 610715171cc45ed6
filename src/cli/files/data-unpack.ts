/** `twostep data unpack`, `info` and `verify`. */
import { type DataContent, readDataImage } from '#formats/data/data-reader.ts';
import { checkFits, dataImageWarnings } from '#formats/data/data-image.ts';
import { FormatError, type FormatIssue } from '#formats/format-error.ts';
import { type CommandContext } from '../context.ts';
import { placeAssetFiles } from './asset-files.ts';
import { dataDocument, type DataFacts, dataText, issueList } from './data-document.ts';
import { type ReadOptions } from './data-options.ts';
import { inFile, type OutputFile, readInput, warn, writeOutputs } from './file-command.ts';

export interface UnpackOptions extends ReadOptions {
  output: string;
  lenient?: boolean;
}

export interface VerifyOptions extends ReadOptions {
  slotSize?: number;
}

export async function unpackData(path: string, options: UnpackOptions, context: CommandContext): Promise<void> {
  const { content, facts } = await read(path, options);
  const { issues } = content;
  if (!options.lenient) refuse(issues, path);
  const outputs = await outputsOf(content, options.output);
  if (outputs.length === 0) refuse(issues, path);
  await writeOutputs(outputs);
  warn(issues, path, context);
  const written = outputs.map((output) => output.path);
  const document = { ...dataDocument(facts), issues: issueList(issues), written };
  context.output.document(document, `${dataText(facts)}\nwritten: ${options.output}`);
}

async function outputsOf({ assets, payload }: DataContent, output: string): Promise<OutputFile[]> {
  if (assets) return placeAssetFiles(output, assets.entries);
  return payload.length === 0 ? [] : [{ path: output, content: payload }];
}

/** Shows also what is damaged; that it is packed data is all that is asked. */
export async function dataInfo(path: string, options: ReadOptions, context: CommandContext): Promise<void> {
  const { content, facts } = await read(path, options);
  const { issues } = content;
  refuse(
    issues.filter(({ code }) => code === 'data-not-packed'),
    path,
  );
  warn([...issues, ...facts.warnings], path, context);
  context.output.document({ ...dataDocument(facts), issues: issueList(issues) }, dataText(facts));
}

export async function verifyData(path: string, options: VerifyOptions, context: CommandContext): Promise<void> {
  const { content, facts } = await read(path, options);
  refuse(content.issues, path);
  const { slotSize } = options;
  if (slotSize !== undefined) inFile(path, () => checkFits(facts.image.length, slotSize, content.header));
  warn(facts.warnings, path, context);
  context.output.document({ ...dataDocument(facts), issues: [] }, `${dataText(facts)}\nsound`);
}

/** @throws {FormatError} the first issue. */
function refuse([issue]: readonly FormatIssue[], file: string): void {
  if (issue) throw new FormatError(issue.code, issue.message, { place: { ...issue.place, file } });
}

async function read(path: string, options: VerifyOptions): Promise<{ content: DataContent; facts: DataFacts }> {
  const image = await readInput(path);
  const content = readDataImage(image, options);
  const { header, chip, chipId, tag, layout, payload, payloadOffset } = content;
  const assets = content.assets && {
    nameLength: content.assets.nameLength,
    checksum: content.assets.checksum.stored,
    checksumOk: content.assets.checksum.stored === content.assets.checksum.computed,
    entries: content.assets.entries,
  };
  const warnings = dataImageWarnings(image.subarray(0, payloadOffset + payload.length), {
    chip: chip ?? options.chip,
    slotSize: options.slotSize,
  });
  return { content, facts: { image, header, chip, chipId, tag, layout, payload, payloadOffset, assets, warnings } };
}
