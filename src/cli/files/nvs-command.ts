/** `twostep nvs`: partitions of settings, as nvs_partition_gen.py makes them and as firmware leaves them. */
import { FormatError, type FormatIssue } from '#formats/format-error.ts';
import { type NvsCsvRow, readNvsCsv } from '#formats/nvs/nvs-csv.ts';
import { generateNvs } from '#formats/nvs/nvs-generator.ts';
import { mergeNvs, type NvsKey } from '#formats/nvs/nvs-merge.ts';
import { decodeNvs, type DecodedNvs, isNvsImage } from '#formats/nvs/nvs-reader.ts';
import { NVS_PAGE_SIZE, type NvsVersion } from '#formats/nvs/nvs.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { dirname, isAbsolute, join } from 'node:path';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';
import { fileAction, inFile, readInput, warn, writeOutputs } from './file-command.ts';
import { readNvsChanges } from './nvs-changes.ts';
import { nvsDocument, nvsTable } from './nvs-text.ts';
import { parseAddress } from './number-option.ts';

interface EncodeOptions {
  size: string;
  output: string;
  nvsVersion: '1' | '2';
}

interface SetOptions {
  output: string;
  delete?: string[];
  acceptLoss?: boolean;
}

export function addNvsCommands(program: Command, context: CommandContext): void {
  const nvs = program.command('nvs').description('NVS partitions: from CSV, to text, and changed');

  nvs
    .command('encode')
    .description('CSV to image, byte for byte as nvs_partition_gen.py')
    .argument('<in.csv>', 'rows key,type,encoding,value; files that it names lie beside it or in the working directory')
    .requiredOption('--size <bytes>', 'of the partition, such as 0x6000; below 0x3000 for one that is only read')
    .requiredOption('-o, --output <file>', 'the image')
    .addOption(
      new Option('--nvs-version <version>', '1 for firmware before ESP-IDF 3.2').choices(['1', '2']).default('2'),
    )
    .action(fileAction(context, (path: string, options: EncodeOptions) => encode(path, options, context)));

  nvs
    .command('decode')
    .description('what an image holds, and what is wrong with it')
    .argument('<in.bin>')
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string) => decode(path, context)));

  nvs
    .command('set')
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
  const size = parseSize(options.size);
  const version: NvsVersion = options.nvsVersion === '1' ? 1 : 2;
  const csv = await readInput(path);
  const rows = inFile(path, () => readNvsCsv(csv));
  const files = await readNamedFiles(rows, path);
  const { image, warnings } = inFile(path, () => generateNvs(rows, size, { version, files }));
  warn([...warnings, ...sizeWarnings(size)], path, context);
  await writeImage(options.output, image);
}

/** Not by commander, whose refusal is not one line. */
function parseSize(text: string): number {
  try {
    return parseAddress(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InputError('nvs-size', `"${text}" is not a size. ${error.message}`);
  }
}

const sizeWarnings = (size: number): FormatIssue[] =>
  size < 3 * NVS_PAGE_SIZE
    ? [{ code: 'nvs-read-only', message: 'Below 0x3000 bytes firmware can only read the partition: flag it readonly' }]
    : [];

/** Files are named relative to the working directory, as in the official tool; failing that, to the CSV. */
async function readNamedFiles(rows: readonly NvsCsvRow[], csv: string): Promise<Map<string, Uint8Array>> {
  const names = rows.flatMap(({ type, value }) => (type === 'file' && value ? [value] : []));
  const files = new Map<string, Uint8Array>();
  for (const name of new Set(names)) {
    const candidates = isAbsolute(name) ? [name] : [name, join(dirname(csv), name)];
    const content = await readFirst(candidates);
    if (content) files.set(name, content);
  }
  return files;
}

/** The first file that exists, or nothing: which row names it is known elsewhere. */
async function readFirst(paths: readonly string[]): Promise<Uint8Array | undefined> {
  for (const path of paths) {
    try {
      return await readInput(path);
    } catch (error) {
      if (!(error instanceof InputError && error.code === 'file-missing')) throw error;
    }
  }
  return undefined;
}

async function decode(path: string, { output }: CommandContext): Promise<void> {
  const image = await readImage(path);
  const decoded = decodeNvs(image);
  output.document(nvsDocument(decoded), nvsTable(decoded));
}

async function set(
  path: string,
  { changes: assignments, output, delete: keys = [], acceptLoss = false }: SetOptions & { changes: string[] },
  context: CommandContext,
): Promise<void> {
  const image = await readImage(path);
  const changes = await readNvsChanges(assignments, keys);
  const { bytes, changedPages } = inFile(path, () => mergeNvs(image, { ...changes, acceptLoss }));
  warn(notThere(changes.delete, decodeNvs(image)), path, context);
  await writeImage(output, bytes);
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
 * @throws {FormatError} `nvs-not-nvs`.
 */
async function readImage(path: string): Promise<Uint8Array> {
  const image = await readInput(path);
  if (isNvsImage(image)) return image;
  throw new FormatError('nvs-not-nvs', 'This is no NVS: it has no page of one', { place: { file: path } });
}

const writeImage = (path: string, image: Uint8Array): Promise<void> => writeOutputs([{ path, content: image }]);
