/** `twostep nvs units`: one NVS image for each unit of a production run, as mfg_gen.py makes them. */
import { type FormatIssue } from '#formats/format-error.ts';
import { encryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { encodeNvsKeys, type NvsKeys } from '#formats/nvs/nvs-keys.ts';
import { readUnitConfig } from '#formats/nvs/nvs-unit-config.ts';
import { generateUnits, type NvsUnitImage, type NvsUnits, readUnits } from '#formats/nvs/nvs-units.ts';
import { type Command, Option } from 'commander';
import { join } from 'node:path';
import { type CommandContext } from '../context.ts';
import {
  fileAction,
  inFile,
  type OutputFile,
  readInput,
  Refused,
  refusalLine,
  warn,
  writeOutputs,
} from './file-command.ts';
import { type GenerateOptions, readGenerateOptions, readNamedFiles, withGenerateOptions } from './nvs-generate.ts';
import { type KeyOptions, randomKeys, readKeys, withKeyOptions } from './nvs-keys-command.ts';

interface UnitsOptions extends KeyOptions, GenerateOptions {
  config: string;
  values: string;
  output: string;
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
  withKeyOptions(withGenerateOptions(nvs.command('units')))
    .description('one image for each unit of a production run, from the two CSV files of mfg_gen.py')
    .requiredOption('--config <config.csv>', 'which keys a unit has: KEY,TYPE,ENCODING[,REPEAT]')
    .requiredOption('--values <values.csv>', 'a line with the keys, then a row for each unit')
    .requiredOption('-o, --output <folder>', 'for the images, NAME.bin each; no file is replaced')
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
  const { size, version, warnings: sizeWarnings } = readGenerateOptions(options);
  const keys = await readKeys(options);
  const table = await readTables(options, context);
  const rows = table.units.flatMap((unit) => unit.rows);
  const files = await readNamedFiles(rows, options.values);
  const { images, warnings, issues } = generateUnits(table, size, { version, files });
  warn([...warnings, ...sizeWarnings], options.values, context);
  refuse(issues, options.values, context);

  const made = images.map((image) => unitFiles(image, keys, options));
  await writeOutputs(made.flatMap((unit) => (unit.keys ? [unit.image, unit.keys] : [unit.image])));
  const document = {
    units: made.map((unit) => ({ name: unit.name, file: unit.image.path, keys: unit.keys?.path })),
    metadata: table.metadata,
  };
  context.output.document(document, summary(made, table.metadata));
}

async function readTables({ config, values, id }: UnitsOptions, context: CommandContext): Promise<NvsUnits> {
  const configBytes = await readInput(config);
  const valuesBytes = await readInput(values);
  const { rows, issues } = inFile(config, () => readUnitConfig(configBytes));
  refuse(issues, config, context);
  return inFile(values, () => readUnits(valuesBytes, rows, { idColumn: id }));
}

/** Says all that is wrong with a file, one line each. */
function refuse(issues: readonly FormatIssue[], file: string, { output }: CommandContext): void {
  for (const { code, message, place } of issues) output.complain(refusalLine(code, message, { ...place, file }));
  if (issues.length > 0) throw new Refused();
}

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
