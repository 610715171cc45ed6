/** `twostep nvs units`: one NVS image for each unit of a production run, as mfg_gen.py makes them. */
import { type FormatIssue } from '#formats/format-error.ts';
import { encryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { encodeNvsKeys, type NvsKeys } from '#formats/nvs/nvs-keys.ts';
import { readUnitConfig } from '#formats/nvs/nvs-unit-config.ts';
import { generateUnits, type NvsUnitImage, type NvsUnits, readUnits } from '#formats/nvs/nvs-units.ts';
import { type Command, Option } from 'commander';
import { join } from 'node:path';
import { type CommandContext } from '../context.ts';
import { fileAction, inFile, type OutputFile, readInput, Refused, refusalLine, writeOutputs } from './file-command.ts';
import { readFileRows } from './nvs-file-rows.ts';
import { type KeyOptions, randomKeys, readKeys, withKeyOptions } from './nvs-keys-command.ts';
import { parseAddress } from './number-option.ts';

interface UnitsOptions extends KeyOptions {
  config: string;
  values: string;
  size: number;
  output: string;
  nvsVersion: '1' | '2';
  id?: string;
  prefix?: string;
  generateKeys?: boolean;
}

/** What was made for one unit. */
interface UnitFiles {
  name: string;
  image: OutputFile;
  /** The keys that only this unit has. */
  keys?: OutputFile;
}

export function addNvsUnitsCommand(nvs: Command, context: CommandContext): void {
  withKeyOptions(nvs.command('units'))
    .description('one image for each unit of a production run, from the two CSV files of mfg_gen.py')
    .requiredOption('--config <config.csv>', 'which keys a unit has: KEY,TYPE,ENCODING[,REPEAT]')
    .requiredOption('--values <values.csv>', 'a line with the keys, then a row for each unit')
    .requiredOption('--size <bytes>', 'size of the partition, such as 0x6000', parseAddress)
    .requiredOption('-o, --output <folder>', 'for the images, NAME.bin each; no file is replaced')
    .addOption(new Option('--nvs-version <version>', 'format of the images').choices(['1', '2']).default('2'))
    .option('--id <column>', 'names the units; unless given, the first column if it is no key, else their number')
    .option('--prefix <text>', 'before each name: TEXT-NAME.bin')
    .addOption(
      new Option('--generate-keys', 'encrypt each image with keys of its own, written to keys/NAME.bin').conflicts([
        'keys',
        'hmacKey',
      ]),
    )
    .option('--json', 'one JSON document')
    .action(fileAction(context, (options: UnitsOptions) => makeUnits(options, context)));
}

async function makeUnits(options: UnitsOptions, context: CommandContext): Promise<void> {
  const keys = await readKeys(options);
  const { units, metadata } = await readTables(options, context);
  const files = await readFileRows(units.flatMap(({ rows }) => rows));
  const version = options.nvsVersion === '1' ? 1 : 2;
  const { images, warnings, issues } = generateUnits(units, options.size, { version, files });
  for (const line of linesOf(warnings, options.values)) context.output.complain(`warning: ${line}`);
  refuse(issues, options.values, context);

  const made = images.map((image) => unitFiles(image, keys, options));
  await writeOutputs(made.flatMap((unit) => (unit.keys ? [unit.image, unit.keys] : [unit.image])));
  const document = {
    units: made.map((unit) => ({ name: unit.name, file: unit.image.path, keys: unit.keys?.path })),
    metadata,
  };
  context.output.document(document, summary(made, metadata));
}

async function readTables({ config, values, id }: UnitsOptions, context: CommandContext): Promise<NvsUnits> {
  const configBytes = await readInput(config);
  const valuesBytes = await readInput(values);
  const { rows, issues } = inFile(config, () => readUnitConfig(configBytes));
  refuse(issues, config, context);
  const units = inFile(values, () => readUnits(valuesBytes, rows, { idColumn: id }));
  refuse(units.issues, values, context);
  return units;
}

/** Says all that is wrong with a file, one line each. */
function refuse(issues: readonly FormatIssue[], file: string, { output }: CommandContext): void {
  for (const line of linesOf(issues, file)) output.complain(line);
  if (issues.length > 0) throw new Refused();
}

const linesOf = (issues: readonly FormatIssue[], file: string): string[] =>
  issues.map(({ code, message, place }) => refusalLine(code, message, { ...place, file }));

function unitFiles({ name, image }: NvsUnitImage, given: NvsKeys | undefined, options: UnitsOptions): UnitFiles {
  const file = options.prefix === undefined ? `${name}.bin` : `${options.prefix}-${name}.bin`;
  const own = options.generateKeys ? randomKeys() : undefined;
  const keys = own ?? given;
  const content = keys ? encryptNvs(image, keys) : image;
  const unit: UnitFiles = { name, image: { path: join(options.output, file), content, fresh: true } };
  if (own) {
    const path = join(options.output, 'keys', file);
    unit.keys = { path, content: encodeNvsKeys(own), secret: true, fresh: true };
  }
  return unit;
}

function summary(made: readonly UnitFiles[], metadata: readonly string[]): string {
  const lines = made.map(({ image }) => image.path);
  if (metadata.length > 0) lines.push(`not in the images: ${metadata.join(', ')}`);
  return lines.join('\n');
}
