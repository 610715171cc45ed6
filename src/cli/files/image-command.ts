/** `twostep image`: what an image is and whether it would start, and whole-flash images made of parts and cut into them. */
import { chipByImageId, type Chip } from '#formats/chips.ts';
import { decodeImageHeader } from '#formats/app-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { patchFlashHeader } from '#formats/image-header-patch.ts';
import { inspectImage } from '#formats/image-inspection.ts';
import { type Command } from 'commander';
import { createHash } from 'node:crypto';
import { type CommandContext } from '../context.ts';
import {
  flashHeaderChange,
  type FlashHeaderOptions,
  parseChip,
  parseRevision,
  withFlashHeaderOptions,
} from './chip-options.ts';
import { fileAction, inFile, readInput, warn, writeOutputs } from './file-command.ts';
import { infoDocument, infoText } from './image-info.ts';

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
