/** `twostep backup`: the flash of a board, or parts of it, into a file. Changes nothing on the board. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { type FlashRange } from '#device/flash-memory.ts';
import { rangesLength } from '#device/flash-ranges.ts';
import { type BackupManifest, type BackupStretch } from '#formats/backup/backup.ts';
import { type FoundStretch } from '#formats/backup/backup-reader.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { backupTime, planBackup, resumableStretches, runBackup } from '#workflows/backup.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { BackupFile, type BegunBackup } from './backup-file.ts';
import { type CommandContext } from './context.ts';
import { parseAddress } from './files/number-option.ts';
import { identityText } from './identity-text.ts';
import { type BoardOptions, leaveLoader, withBoard } from './with-board.ts';
import { type Command, InvalidArgumentError } from 'commander';
import { addLineOptions, jsonOption, portOption } from './board-options.ts';

export interface BackupOptions extends BoardOptions {
  output: string;
  partition?: string[];
  range?: FlashRange[];
  note?: string[];
  resume?: boolean;
}

/** `0x9000:16K`, one more for those before. */
export function parseRange(text: string, before: FlashRange[] = []): FlashRange[] {
  const [offset = '', length = '', ...more] = text.split(':');
  if (more.length > 0 || length === '') throw new InvalidArgumentError('Give OFFSET:LENGTH, such as 0x9000:16K.');
  const range = { offset: parseAddress(offset), length: parseAddress(length) };
  if (range.length === 0) throw new InvalidArgumentError('A range of nothing.');
  return [...before, range];
}

/**
 * @throws {InputError} when the file cannot be written; {FormatError} when there is nothing to go on with.
 * @throws everything that `planBackup`, `resumableStretches` and `runBackup` throw.
 */
async function backupCommand(options: BackupOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const file = await BackupFile.open(options.output);
  try {
    const begun = options.resume ? await file.begun() : undefined;
    await withBoard(options, context, async (board, clock) => {
      await backUp(board, { options, context, file, begun, clock });
      await leaveLoader(board, options, context);
    });
  } finally {
    if (await file.close()) {
      const text = `What was read is kept in ${file.partPath}; the same command with --resume goes on with it`;
      output.say('kept', { file: file.partPath }, text);
    }
  }
}

interface Work {
  options: BackupOptions;
  context: CommandContext;
  file: BackupFile;
  begun: BegunBackup | undefined;
  clock: Clock;
}

async function backUp(board: Bootloader, { options, context, file, begun, clock }: Work): Promise<void> {
  const { output, signal } = context;
  const { line, record } = identityText(board.identity);
  output.say('board', record, line);
  const state = await readBoardState(board, board.identity, { signal });
  // The manifest of one that is gone on with stays: it says when it was begun.
  const asked = begun && !options.partition && !options.range ? { ranges: begun.manifest.ranges } : wishOf(options);
  const plan = planBackup(state, { ...asked, created: new Date().toISOString(), notes: options.note });
  const done = begun && (await resume(board, plan, { begun, file, context, clock }));
  const manifest = begun?.manifest ?? plan;
  sayPlan(board, manifest, { done, context });
  if (!begun) await clock.outside(file.beginWith(new Uint8Array(0)));
  const stretches = await runBackup(board, manifest, {
    sink: { append: (bytes) => clock.outside(file.append(bytes)) },
    done,
    signal,
    onStretch: () => file.keep(),
    onProgress: ({ done: bytes, total }) => output.progress('read', bytes, total),
  });
  await clock.outside(file.finish());
  sayDone(file.path, stretches, context);
}

const wishOf = ({
  partition,
  range,
}: BackupOptions): { partitions?: string[] | undefined; ranges?: FlashRange[] | undefined } => ({
  partitions: partition,
  ranges: range,
});

async function resume(
  board: Bootloader,
  plan: BackupManifest,
  { begun, file, context, clock }: Pick<Work, 'file' | 'context' | 'clock'> & { begun: BegunBackup },
): Promise<FoundStretch[]> {
  const { output, signal } = context;
  const done = await resumableStretches(board, begun, {
    plan,
    signal,
    onProgress: (progress) => output.progress('compare', progress.done, progress.total),
  });
  await clock.outside(file.beginWith(begun.bytes.subarray(0, done.at(-1)?.fileEnd ?? begun.headSize)));
  if (done.length > 0) file.keep();
  return done;
}

function sayPlan(
  { costs }: Bootloader,
  manifest: BackupManifest,
  { done = [], context: { output } }: { done: readonly BackupStretch[] | undefined; context: CommandContext },
): void {
  const { ranges } = manifest;
  const there = rangesLength(done);
  const total = rangesLength(ranges);
  const seconds = Math.ceil(backupTime(total - there, costs) / 1000);
  const whole = total === manifest.flashSize;
  const what = whole
    ? 'the whole flash'
    : ranges.map(({ offset, length }) => `${addressText(offset)}+${addressText(length)}`).join(', ');
  const rest = there > 0 ? `; ${bytesText(there)} are in the file already` : '';
  const text = `Backs up ${bytesText(total)} (${what})${rest}. It takes at most about ${seconds} s`;
  output.say('plan', { ranges, total, done: there, seconds, partitions: manifest.table?.partitions }, text);
}

function sayDone(file: string, stretches: readonly BackupStretch[], { output }: CommandContext): void {
  const total = rangesLength(stretches);
  const blank = rangesLength(stretches.filter((stretch) => stretch.blank));
  const text = `Backed up to ${file}: ${bytesText(total)}, every stretch with the board's own digest; ${bytesText(blank)} are blank`;
  output.say('done', { file, total, blank, stretches: stretches.length }, text);
}

export function addBackupCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('backup')
    .description('read the flash of a board, or parts of it, into a file; changes nothing on the board')
    .addOption(portOption())
    .requiredOption('-o, --output <file>', 'the backup; until it is complete it is called FILE.part')
    .option('--partition <name...>', 'only these partitions; bootloader and partition-table as well')
    .option('--range <offset:length...>', 'only these ranges, widened to whole sectors: 0x9000:16K', parseRange)
    .option('--note <text...>', 'lines to be kept with it')
    .option('--resume', 'go on with one that was broken off');
  addLineOptions(command)
    .addOption(jsonOption())
    .action((options: BackupOptions) => backupCommand(options, context));
}
