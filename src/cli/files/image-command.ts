/** `twostep image`: what an image is and whether it would start, and whole-flash images made of parts and cut into them. */
import { chipByImageId, type Chip } from '#formats/chips.ts';
import { decodeImageHeader } from '#formats/app-image.ts';
import { type FlashPart, mergeFlash, patchBootloader } from '#formats/flash-merge.ts';
import { FormatError } from '#formats/format-error.ts';
import { patchFlashHeader } from '#formats/image-header-patch.ts';
import { inspectImage } from '#formats/image-inspection.ts';
import { splitFlash } from '#formats/release/split-flash.ts';
import { printable } from '#messages/printable.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';
import {
  flashHeaderChange,
  type FlashHeaderOptions,
  parseChip,
  parseRevision,
  withFlashHeaderOptions,
} from './chip-options.ts';
import { fileAction, inFile, readInput, warn, writeOutputs } from './file-command.ts';
import { infoDocument, infoText } from './image-info.ts';
import { parseAddress, parseFlashSizeOption } from './number-option.ts';

export function addImageCommands(program: Command, context: CommandContext): void {
  const image = program.command('image').description('app and boot loader images, and whole-flash images');

  image
    .command('info')
    .description('what is in an image, and whether the boot loader would start it (exit code 0) or not (2)')
    .argument('<image.bin>')
    .option('--chip <chip>', 'the chip that is to start it; the one of the header unless given', parseChip)
    .option('--revision <revision>', "the chip's revision, such as v3.1 or 301", parseRevision)
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string, options: InfoOptions) => info(path, options, context)));

  withFlashHeaderOptions(
    image.command('patch').description('other flash settings in the header, and the SHA-256 that covers them'),
  )
    .argument('<image.bin>')
    .requiredOption('-o, --output <file>', 'the patched image')
    .option('--chip <chip>', 'refuse an image for another chip', parseChip)
    .action(fileAction(context, patch));

  addFlashImageCommands(image, context);
}

function addFlashImageCommands(image: Command, context: CommandContext): void {
  withFlashHeaderOptions(image.command('merge').description('one image of several parts, as merge-bin of esptool'))
    .argument('<parts...>', 'ADDRESS=FILE, or ADDRESS FILE: what lies where in flash')
    .requiredOption('-o, --output <file>', 'the merged image')
    .requiredOption(
      '--chip <chip>',
      'says where the boot loader lies, whose header the flash options change',
      parseChip,
    )
    .option('--target-offset <address>', "flash offset of the image's first byte", parseAddress, 0)
    .option('--pad-to-size <size>', 'fill with FF up to this flash size, such as 4MB', parseFlashSizeOption)
    .addOption(
      new Option('--fill-flash-size <size>', 'the same, as older versions of esptool call it')
        .argParser(parseFlashSizeOption)
        .conflicts('padToSize'),
    )
    .action(fileAction(context, (parts: string[], options: MergeOptions) => merge(parts, options, context)));

  image
    .command('split')
    .description('a merged image or a flash dump as a file for each part, and the list that makes a release of them')
    .argument('<flash.bin>')
    .requiredOption('-o, --output <folder>', 'where the files go')
    .option('--offset <address>', "flash offset of the image's first byte; found out unless given", parseAddress)
    .option('--chip <chip>', 'the chip that it is from', parseChip)
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string, options: SplitOptions) => split(path, options, context)));
}

interface InfoOptions {
  chip?: Chip;
  revision?: number;
  json?: boolean;
}

const nativeSha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

async function info(path: string, { chip, revision }: InfoOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  const inspection = inspectImage(bytes, {
    sha256: nativeSha256,
    ...(chip && { chip }),
    ...(revision !== undefined && { chipRevision: revision }),
  });
  context.output.document(infoDocument(inspection), infoText(inspection, bytes.length));
  const { verdict, segments } = inspection;
  if (!verdict.ok) throw new FormatError(verdict.code, verdict.message, { place: { file: path } });
  if (segments.length > 0) return;
  // The fake header of a data image, when its byte 31 happens to be 0xEF.
  const message = 'It has no segment, yet the boot loader takes it for an app and jumps to its entry point';
  warn([{ code: 'image-without-segments', message }], path, context);
}

interface PatchOptions extends FlashHeaderOptions {
  output: string;
  chip?: Chip;
}

async function patch(path: string, options: PatchOptions): Promise<void> {
  const bytes = await readInput(path);
  const patched = inFile(path, () =>
    patchFlashHeader(bytes, options.chip ?? chipOf(bytes), flashHeaderChange(options)),
  );
  await writeOutputs([{ path: options.output, content: patched }]);
}

function chipOf(bytes: Uint8Array): Chip {
  const { chipId } = decodeImageHeader(bytes);
  const chip = chipByImageId(chipId);
  if (chip) return chip;
  throw new FormatError('image-unknown-chip', `Made for a chip that is not known here (id ${chipId})`, {
    place: { offset: 12 },
  });
}

interface MergeOptions extends FlashHeaderOptions {
  output: string;
  chip: Chip;
  targetOffset: number;
  padToSize?: number;
  fillFlashSize?: number;
}

async function merge(words: string[], options: MergeOptions, context: CommandContext): Promise<void> {
  const named: FlashPart[] = [];
  for (const { offset, file } of readParts(words)) named.push({ name: file, offset, data: await readInput(file) });
  const { parts, issues } = patchBootloader(named, options.chip, flashHeaderChange(options));
  const padTo = options.padToSize ?? options.fillFlashSize;
  const merged = mergeFlash(parts, { targetOffset: options.targetOffset, ...(padTo !== undefined && { padTo }) });
  warn(issues, options.output, context);
  await writeOutputs([{ path: options.output, content: merged }]);
}

/** `ADDRESS=FILE` in one word, or in two as esptool has it. */
function readParts(words: readonly string[]): { offset: number; file: string }[] {
  const parts: { offset: number; file: string }[] = [];
  for (let index = 0; index < words.length; index++) {
    const [, address, joined] = /^([^=]+)=(.+)$/s.exec(words[index] ?? '') ?? [];
    const file = joined ?? words[++index];
    const offset = parseOffset(address ?? words[index - 1] ?? '');
    if (file === undefined) throw new InputError('image-merge-no-file', `There is no file for ${addressText(offset)}`);
    parts.push({ offset, file });
  }
  return parts;
}

function parseOffset(text: string): number {
  try {
    return parseAddress(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InputError('image-merge-bad-address', `${text} is no address; give ADDRESS=FILE, or ADDRESS FILE`);
  }
}

interface SplitOptions {
  output: string;
  offset?: number;
  chip?: Chip;
}

async function split(path: string, { output, offset, chip }: SplitOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  const { start, files, blank, flasherArgs, ...found } = inFile(path, () =>
    splitFlash(bytes, { file: path, ...(offset !== undefined && { start: offset }), ...(chip && { chip }) }),
  );
  await writeOutputs([
    ...files.map(({ name, data }) => ({ path: join(output, name), content: data })),
    { path: join(output, 'flasher_args.json'), content: flasherArgs },
  ]);
  const list = files.map((part) => ({ file: part.name, offset: part.offset, length: part.data.length }));
  const lines = list.map((part) => `${addressText(part.offset).padEnd(10)}  ${part.file} (${bytesText(part.length)})`);
  context.output.document(
    { start, length: bytes.length, chip: found.chip?.name ?? null, files: list, blank },
    [...lines, ...(blank.length > 0 ? [`Blank, and left out: ${blank.map(printable).join(', ')}`] : [])].join('\n'),
  );
}
