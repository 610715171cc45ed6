/** `twostep partitions`: partition tables as CSV and as the binary that lies in flash, as gen_esp32part.py has them. */
import { FormatError, type FormatIssue } from '#formats/format-error.ts';
import { formatPartitionCsv } from '#formats/partition-csv.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { verifyFlashSize, verifyPartitions } from '#formats/partition-checks.ts';
import { type Command, Option } from 'commander';
import { type CommandContext } from '../context.ts';
import { fileAction, inFile, readInput, warn, writeOutputs } from './file-command.ts';
import { parseAddress, parseFlashSizeOption } from './number-option.ts';
import { readTableFile } from './table-file.ts';

interface TableOptions {
  output?: string;
  offset: number;
  flashSize?: number;
  secure?: 'v1' | 'v2';
  verify: boolean;
  disableMd5sum?: boolean;
  primaryBootloaderOffset?: number;
  recoveryBootloaderOffset?: number;
  extraPartitionSubtypes?: string[];
  json?: boolean;
}

interface EncodeOptions extends TableOptions {
  output: string;
}

export function addPartitionsCommands(program: Command, context: CommandContext): void {
  const partitions = program
    .command('partitions')
    .description('partition tables: CSV to binary and back, as gen_esp32part.py does');

  const withTableOptions = (command: Command): Command =>
    command
      .option('--offset <address>', 'flash offset of the table', parseAddress, 0x8000)
      .option('--flash-size <size>', 'the table must fit into a flash of this size, such as 4MB', parseFlashSizeOption)
      .addOption(new Option('--secure <version>', 'sizes as secure boot needs them').choices(['v1', 'v2']))
      .option('--no-verify', 'accept a table that makes no sense')
      .option('--disable-md5sum', 'without the MD5 row; an app of ESP-IDF will see no partition at all')
      .option('--primary-bootloader-offset <address>', 'for rows of type bootloader', parseAddress)
      .option('--recovery-bootloader-offset <address>', 'for a row bootloader, recovery', parseAddress)
      .option('--extra-partition-subtypes <line...>', 'subtypes of the project: "data, name, 0x91"');

  withTableOptions(partitions.command('encode').description('CSV to binary'))
    .argument('<table.csv>')
    .requiredOption('-o, --output <file>', 'the binary')
    .action(fileAction(context, (path: string, options: EncodeOptions) => encode(path, options, context)));

  withTableOptions(partitions.command('decode').description('binary to CSV'))
    .argument('<table.bin>')
    .option('-o, --output <file>', 'the CSV; to standard output unless given')
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string, options: TableOptions) => decode(path, options, context)));
}

async function encode(path: string, options: EncodeOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  const table = inFile(path, () => readTable(bytes, options, context));
  warn(table.warnings, path, context);
  const binary = inFile(path, () => encodePartitionTable(table.partitions, { md5: !options.disableMd5sum }));
  await writeOutputs([{ path: options.output, content: binary }]);
}

/** A CSV is checked as it is read, a binary afterwards. */
function readTable(
  bytes: Uint8Array,
  options: TableOptions,
  { env }: CommandContext,
): { partitions: Partition[]; md5Ok: boolean; warnings: FormatIssue[] } {
  const checks = {
    tableOffset: options.offset,
    primaryBootloaderOffset: options.primaryBootloaderOffset,
    recoveryBootloaderOffset: options.recoveryBootloaderOffset,
    secure: options.secure,
    flashSize: options.flashSize,
  };
  const { verify, extraPartitionSubtypes: extraSubtypes } = options;
  const table = readTableFile(bytes, { ...checks, env, verify, extraSubtypes });
  if (table.kind === 'csv') return { ...table, md5Ok: true };
  const { partitions, issues, md5 } = table;
  const verdict = verifyPartitions(partitions, checks);
  const [error] = verify ? verdict.errors : verifyFlashSize(partitions, checks);
  if (error) throw new FormatError(error.code, error.message);
  const noted = options.disableMd5sum ? issues.filter(({ code }) => code !== 'partition-md5-missing') : issues;
  return { partitions, md5Ok: md5 === 'right', warnings: [...noted, ...verdict.warnings] };
}

async function decode(path: string, options: TableOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  const { partitions, md5Ok, warnings } = inFile(path, () => readTable(bytes, options, context));
  const csv = inFile(path, () => formatPartitionCsv(partitions, { extraSubtypes: options.extraPartitionSubtypes }));
  warn(warnings, path, context);
  if (options.output !== undefined) await writeOutputs([{ path: options.output, content: csv }]);
  const entries = partitions.map(({ name: label, ...rest }) => ({ label, ...rest }));
  if (options.output === undefined || options.json) context.output.document({ entries, md5Ok }, csv);
}
