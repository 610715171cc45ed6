/** `twostep otadata`: which app slot starts next and why, and how to change that, as otatool.py and an app itself do. */
import { padBytes, toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import {
  type BootTarget,
  chooseBootSlot,
  decodeOtadata,
  OTA_STATE_NAMES,
  OTADATA_SECTOR,
  OTADATA_SIZE,
  type OtaState,
  type RawSelectEntry,
  readSelectEntry,
} from '#formats/otadata.ts';
import { rollBack, selectSlot } from '#formats/otadata-changes.ts';
import { AppSubtype, DataSubtype, findPartition, otaSlots, PartitionType } from '#formats/partition-table.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type CommandContext } from '../context.ts';
import { fileAction, inFile, readInput, writeOutputs } from './file-command.ts';
import { showText, stateName } from './otadata-text.ts';
import { readTableFile } from './table-file.ts';

const MAX_SLOTS = 16;
/** A two-slot product, unless the user says otherwise. */
const USUAL_SLOTS = 2;

interface TableOptions {
  partitions?: string;
  slots?: number;
  factory?: boolean;
}

interface ShowOptions extends TableOptions {
  rollback?: boolean;
  json?: boolean;
}

interface RollbackOptions extends TableOptions {
  output: string;
}

interface SetOptions extends RollbackOptions {
  state?: OtaState;
  idf: '5.5' | '6.0';
}

export function addOtadataCommands(program: Command, context: CommandContext): void {
  const otadata = program.command('otadata').description('which app slot starts next, as otatool.py sets it');

  withTable(otadata.command('show').description('both entries, and the app that they start'))
    .argument('<otadata.bin>')
    .option('--factory', 'without a table: there is a factory app')
    .option('--rollback', 'the boot loader was built with app rollback')
    .option('--json', 'one JSON document')
    .action(fileAction(context, (path: string, options: ShowOptions) => show(path, options, context)));

  addChangeCommands(otadata, context);
}

const withTable = (command: Command): Command =>
  command
    .option('--partitions <table>', 'the partition table, binary or CSV: says which slots there are')
    .option('--slots <number>', `number of OTA slots without a table (${USUAL_SLOTS} unless given)`, parseSlotCount);

function addChangeCommands(otadata: Command, context: CommandContext): void {
  withTable(otadata.command('set').description('select the app that starts next; without a file, from blank otadata'))
    .argument('<slot>', 'ota_0 to ota_15, its number, or factory', parseTarget)
    .argument('[otadata.bin]', 'what is on the board now')
    .requiredOption('-o, --output <file>', 'the otadata to write, both sectors')
    .option('--state <state>', 'state of the new entry: a name such as VALID, or a number', parseState)
    .addOption(
      new Option('--idf <version>', 'whose way, when that slot is selected already: otatool and ESP-IDF to 5.5, or 6.0')
        .choices(['5.5', '6.0'])
        .default('5.5'),
    )
    .action(
      fileAction(context, (target: BootTarget, path: string | undefined, options: SetOptions) =>
        set({ target, path }, options, context),
      ),
    );

  withTable(otadata.command('rollback').description('mark the selected app invalid, so that the other starts'))
    .argument('<otadata.bin>')
    .requiredOption('-o, --output <file>', 'the otadata to write, both sectors')
    .option('--factory', 'without a table: there is a factory app to go back to')
    .action(fileAction(context, (path: string, options: RollbackOptions) => rollback(path, options, context)));

  otadata
    .command('blank')
    .description('otadata that selects nothing, as a new board has it')
    .requiredOption('-o, --output <file>', 'the otadata to write, both sectors')
    .action(
      fileAction(context, ({ output }: { output: string }) =>
        writeOutputs([{ path: output, content: blankOtadata() }]),
      ),
    );
}

const blankOtadata = (): Uint8Array => padBytes(new Uint8Array(0), OTADATA_SIZE);

function parseSlotCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MAX_SLOTS) throw new InvalidArgumentError('Give 1 to 16.');
  return count;
}

function parseTarget(text: string): BootTarget {
  if (text === 'factory') return text;
  const match = /^(?:ota_)?(\d{1,2})$/.exec(text);
  if (!match || Number(match[1]) >= MAX_SLOTS) throw new InvalidArgumentError('Give ota_0 to ota_15, or factory.');
  return Number(match[1]);
}

function parseState(text: string): OtaState {
  const name = text.toUpperCase().replaceAll('-', '_');
  for (const [state, known] of OTA_STATE_NAMES) if (known === name) return state as OtaState;
  const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN;
  if (value <= 0xffff_ffff) return value as OtaState;
  throw new InvalidArgumentError(`Give ${[...OTA_STATE_NAMES.values()].join(', ')}, or a number.`);
}

/** What the boot loader's choice depends on, besides otadata itself. */
export interface TableFacts {
  slotCount: number;
  hasFactory: boolean;
  hasOtadata: boolean;
  /** From a table, not from options or the usual. */
  known: boolean;
}

async function readTable(
  { partitions: path, slots, factory }: TableOptions,
  { env }: CommandContext,
): Promise<TableFacts> {
  if (path === undefined) {
    return { slotCount: slots ?? USUAL_SLOTS, hasFactory: factory ?? false, hasOtadata: true, known: false };
  }
  const bytes = await readInput(path);
  const { partitions: rows } = inFile(path, () => readTableFile(bytes, { env }));
  return {
    slotCount: otaSlots(rows).length,
    hasFactory: findPartition(rows, PartitionType.App, AppSubtype.Factory) !== undefined,
    hasOtadata: findPartition(rows, PartitionType.Data, DataSubtype.Ota) !== undefined,
    known: true,
  };
}

async function show(path: string, options: ShowOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  const table = await readTable(options, context);
  const otadata = inFile(path, () => decodeOtadata(bytes));
  const choice = chooseBootSlot(table.hasOtadata ? otadata : undefined, {
    ...table,
    rollback: options.rollback ?? false,
  });
  const entries = [0, OTADATA_SECTOR].map((sector) => readSelectEntry(bytes.subarray(sector)));
  const order = choice.order.map(targetName);
  const document = {
    entries: entries.map(entryDocument),
    boots: order[0] ?? null,
    reason: choice.reason,
    active: choice.activeSector ?? -1,
    order,
    slots: table.slotCount,
    factory: table.hasFactory,
    log: choice.log?.text ?? null,
  };
  context.output.document(document, showText(entries, choice, { ...table, order }));
}

/** An erased sector reads as it is: FF in all words. */
const entryDocument = ({ sequence, state, label, crc, crcOk }: RawSelectEntry): Record<string, unknown> => ({
  ota_seq: sequence,
  state: stateName(state),
  state_raw: state,
  crc,
  crc_ok: crcOk,
  seq_label: toHex(label),
});

const targetName = (target: BootTarget): string => (target === 'factory' ? target : `ota_${target}`);

async function set(
  { target, path }: { target: BootTarget; path: string | undefined },
  { output, state, idf, ...options }: SetOptions,
  context: CommandContext,
): Promise<void> {
  const table = await readTable(options, context);
  if (target === 'factory' && table.known && !table.hasFactory) {
    throw new FormatError('otadata-no-factory', 'The table has no factory app', {
      place: { file: options.partitions },
    });
  }
  if (target === 'factory' && state !== undefined) {
    throw new FormatError(
      'otadata-no-entry',
      'The factory app is selected by erasing both entries, so there is no state',
    );
  }
  // From blank otadata the number of slots makes no difference.
  const assumed = path === undefined && !table.known && options.slots === undefined;
  const slotCount = assumed ? MAX_SLOTS : table.slotCount;
  const before = path === undefined ? blankOtadata() : await readInput(path);
  const after = inFile(path, () =>
    selectSlot(before, target, {
      slotCount,
      ...(state !== undefined && { state }),
      idf: idf === '6.0' ? '6.0' : 'before-6.0',
    }),
  );
  await writeOutputs([{ path: output, content: after }]);
}

async function rollback(path: string, { output, ...options }: RollbackOptions, context: CommandContext): Promise<void> {
  const before = await readInput(path);
  const { hasFactory } = await readTable(options, context);
  const after = inFile(path, () => rollBack(before, { hasFactory }));
  await writeOutputs([{ path: output, content: after }]);
}
