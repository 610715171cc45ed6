/** `twostep nvs`: partitions of settings, as nvs_partition_gen.py makes them and as firmware leaves them. */
import { FormatError, type FormatIssue } from '#formats/format-error.ts';
import { readNvsCsv } from '#formats/nvs/nvs-csv.ts';
import { decryptNvs, encryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { generateNvs } from '#formats/nvs/nvs-generator.ts';
import { type NvsKeys } from '#formats/nvs/nvs-keys.ts';
import { mergeNvs, type NvsKey } from '#formats/nvs/nvs-merge.ts';
import { decodeNvs, type DecodedNvs, isNvsImage } from '#formats/nvs/nvs-reader.ts';
import { NVS_PAGE_SIZE } from '#formats/nvs/nvs.ts';
import { type Command } from 'commander';
import { type CommandContext } from '../context.ts';
import { fileAction, inFile, readInput, warn, writeOutputs } from './file-command.ts';
import { readNvsChanges } from './nvs-changes.ts';
import { type GenerateOptions, readGenerateOptions, readNamedFiles, withGenerateOptions } from './nvs-generate.ts';
import { addNvsKeysCommands, type KeyOptions, readKeys, withKeyOptions } from './nvs-keys-command.ts';
import { nvsDocument, nvsTable } from './nvs-text.ts';
import { addNvsUnitsCommand } from './nvs-units-command.ts';

interface EncodeOptions extends GenerateOptions, KeyOptions {
  output: string;
}

interface SetOptions extends KeyOptions {
  output: string;
  delete?: string[];
  acceptLoss?: boolean;
}

export function addNvsCommands(program: Command, context: CommandContext): void {
  const nvs = program.command('nvs').description('NVS partitions: from CSV, to text, changed, and encrypted');
  addImageCommands(nvs, context);
  addNvsKeysCommands(nvs, context);
  addNvsUnitsCommand(nvs, context);
}

function addImageCommands(nvs: Command, context: CommandContext): void {
  withKeyOptions(withGenerateOptions(nvs.command('encode')))
    .description('CSV to image, byte for byte as nvs_partition_gen.py')
    .argument('<in.csv>', 'rows key,type,encoding,value; files that it names lie beside it or in the working directory')
    .requiredOption('-o, --output <file>', 'the image')
    .action(fileAction(context, (path: string, options: EncodeOptions) => encode(path, options, context)));

  withKeyOptions(nvs.command('decode'))
    .description('what an image holds, and what is wrong with it')
    .argument('<in.bin>')
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string, options: KeyOptions) => decode(path, options, context)));

  withKeyOptions(nvs.command('set'))
    .description('sets and deletes entries of an image; all others stay, most of them where they are')
    .argument('<in.bin>', 'a whole partition; a blank one will do')
    .argument('[changes...]', 'NAMESPACE:KEY:TYPE=VALUE with TYPE u8 to i64, string, hex, base64 or file')
    .requiredOption('-o, --output <file>', 'the changed image; it may be the same file')
    .option('--delete <namespace:key...>', 'entries to delete')
    .option('--accept-loss', 'of a damaged image keep what can be read')
    .action(
      fileAction(context, (path: string, changes: string[], options: SetOptions) =>
        set(path, { changes, ...options }, context),
      ),
    );
}

async function encode(path: string, options: EncodeOptions, context: CommandContext): Promise<void> {
  const { size, version, warnings: sizeWarnings } = readGenerateOptions(options);
  const keys = await readKeys(options);
  const csv = await readInput(path);
  const rows = inFile(path, () => readNvsCsv(csv));
  const files = await readNamedFiles(rows, path);
  const { image, warnings } = inFile(path, () => generateNvs(rows, size, { version, files }));
  warn([...warnings, ...sizeWarnings], path, context);
  await writeImage(options.output, image, keys);
}

async function decode(path: string, options: KeyOptions, { output }: CommandContext): Promise<void> {
  const image = await readImage(path, await readKeys(options));
  const decoded = decodeNvs(image);
  if (decoded.verdict === 'encrypted') {
    throw new FormatError('nvs-encrypted', 'NVS is encrypted: give its keys', { place: { file: path } });
  }
  output.document(nvsDocument(decoded), nvsTable(decoded));
}

async function set(
  path: string,
  {
    changes: assignments,
    output,
    delete: deleted = [],
    acceptLoss = false,
    ...options
  }: SetOptions & { changes: string[] },
  context: CommandContext,
): Promise<void> {
  const keys = await readKeys(options);
  const image = await readImage(path, keys);
  const changes = await readNvsChanges(assignments, deleted);
  const { bytes, changedPages } = inFile(path, () => mergeNvs(image, { ...changes, acceptLoss }));
  warn(notThere(changes.delete, decodeNvs(image)), path, context);
  await writeImage(output, bytes, keys);
  const pages = bytes.length / NVS_PAGE_SIZE;
  context.output.say('nvs-set', { changedPages, pages }, `${changedPages} of ${pages} pages changed`);
}

const notThere = (keys: readonly NvsKey[], { entries }: DecodedNvs): FormatIssue[] =>
  keys
    .filter((key) => !entries.some((entry) => entry.namespace === key.namespace && entry.key === key.key))
    .map((key) => ({ code: 'nvs-not-there', message: `There is no ${key.namespace}:${key.key} to delete` }));

/**
 * A file that holds NVS, as readable as it can be made.
 *
 * @throws {FormatError} `nvs-not-nvs`, `nvs-wrong-key`, `nvs-not-encrypted`.
 */
async function readImage(path: string, keys: NvsKeys | undefined): Promise<Uint8Array> {
  const image = await readInput(path);
  if (isNvsImage(image)) return keys ? inFile(path, () => decryptNvs(image, keys)) : image;
  throw new FormatError('nvs-not-nvs', 'This is no NVS: it has no page of one', { place: { file: path } });
}

const writeImage = (path: string, image: Uint8Array, keys: NvsKeys | undefined): Promise<void> =>
  writeOutputs([{ path, content: keys ? encryptNvs(image, keys) : image }]);
