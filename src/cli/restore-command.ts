/** `twostep restore`: a backup, or some partitions of it, back onto a board. */
import { type Bootloader } from '#device/bootloader.ts';
import { rangesLength } from '#device/flash-ranges.ts';
import { type Backup, type BackupManifest, type BackupStretch } from '#formats/backup/backup.ts';
import { decodeBackup, type ReadBackup, readBackup } from '#formats/backup/backup-reader.ts';
import { flashSizeName } from '#formats/chips.ts';
import { restoreNoticeMessage } from '#messages/restore-messages.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { layoutOf } from '#workflows/backup.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { EVERYTHING, type FlashComparison } from '#workflows/flash-comparison.ts';
import { type FlashWrite, plannedBytes } from '#workflows/flash-plan.ts';
import { commonRanges, flashRegions } from '#workflows/flash-regions.ts';
import { missingInBackup, planRestore, type RestorePlan } from '#workflows/restore.ts';
import { type FlashStep, runFlashPlan } from '#workflows/run-flash-plan.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { comparePlan } from './compare-plan.ts';
import { type CommandContext } from './context.ts';
import { inFile, readInput, refusalLine } from './files/file-command.ts';
import { identityText } from './identity-text.ts';
import { InputError } from './input-error.ts';
import { type BoardOptions, leaveLoader, withBoard } from './with-board.ts';
import { type Command } from 'commander';
import { addLineOptions, afterOption, jsonOption } from './board-options.ts';
import { PORT_FORMS } from './ports/port-name.ts';

export interface RestoreOptions extends Omit<BoardOptions, 'port'> {
  port?: string;
  partition?: string[];
  list?: boolean;
  plan?: boolean;
  full?: boolean;
  after: 'reset' | 'none';
}

/**
 * @throws {InputError} or {FormatError} when the backup is refused; the port is not opened.
 * @throws everything that `planRestore` and `runFlashPlan` throw.
 */
async function restoreCommand(path: string, options: RestoreOptions, context: CommandContext): Promise<void> {
  const bytes = await readInput(path);
  if (options.list)
    return sayContents(
      inFile(path, () => readBackup(bytes)),
      context,
    );
  const backup = readWanted(path, bytes, options);
  const { port } = options;
  if (port === undefined) throw new InputError('port-name', 'No port is given', { todo: 'Name it with --port.' });
  context.output.say('backup', manifestRecord(backup.manifest), manifestLine(backup.manifest));
  const boardOptions = { ...options, port };
  await withBoard(boardOptions, context, async (board) => {
    await restore(board, backup, { options, context });
    if (options.after === 'reset') await leaveLoader(board, boardOptions, context);
  });
}

/** All of it has to be whole; of single partitions only these. */
function readWanted(path: string, bytes: Uint8Array, { partition }: RestoreOptions): Backup {
  const backup = inFile(path, () => (partition ? readBackup(bytes) : decodeBackup(bytes)));
  const [missing] = missingInBackup(backup, { partitions: partition });
  if (!missing) return backup;
  const { what, todo } = restoreNoticeMessage(missing);
  throw new InputError(missing.code, `${path}: ${what.replace(/\.$/, '')}`, {
    place: { file: path },
    ...(todo === undefined ? {} : { todo }),
  });
}

interface RunContext {
  options: RestoreOptions;
  context: CommandContext;
}

async function restore(board: Bootloader, backup: Backup, { options, context }: RunContext): Promise<void> {
  const { output, signal } = context;
  const { line, record } = identityText(board.identity);
  output.say('board', record, line);
  const state = await readBoardState(board, board.identity, { signal });
  const plan = planRestore(backup, state, { partitions: options.partition });
  output.say('plan', planRecord(plan), planText(plan));
  const refused = plan.objections.length > 0;
  const comparison = refused ? EVERYTHING : await comparePlan(board, plan, { full: options.full, context });
  if (refused) throw new WorkflowError('plan-refused', 'There are objections to this plan');
  if (options.plan) return;
  await runPlan(board, plan, { comparison, context });
  output.say('done', { mac: board.identity.mac, written: plannedBytes(plan) }, 'Restored and verified');
}

async function runPlan(
  board: Bootloader,
  plan: RestorePlan,
  { comparison, context }: { comparison: FlashComparison; context: CommandContext },
): Promise<void> {
  const { output, signal } = context;
  let label: string | undefined;
  const onStep = (step: FlashStep): void => {
    if (step.kind === 'compare') return;
    const { offset, data } = step.write;
    const fields = { label: step.write.label, offset, size: data.length, index: step.index, count: step.count };
    if (step.kind === 'verify') {
      context.changed = 'all';
      output.say('verify', fields, step.index === 0 ? 'Verifying' : undefined);
    } else if (step.toSend > 0) {
      context.changed = 'part';
      output.say(
        'write',
        { ...fields, toSend: step.toSend },
        step.write.label === label ? undefined : `Writing ${step.write.label}`,
      );
      ({ label } = step.write);
    }
  };
  await runFlashPlan(board, plan, {
    signal,
    comparison,
    onStep,
    onProgress: ({ sent, toSend }) => output.progress('write', sent, toSend),
  });
}

/** Writes of one partition, as one line. */
interface Part {
  label: string;
  offset: number;
  length: number;
  blank: number;
}

function partsOf(writes: readonly FlashWrite[]): Part[] {
  const parts: Part[] = [];
  for (const { label, offset, data, why } of writes) {
    const last = parts.at(-1);
    const blank = why === 'blank-in-backup' ? data.length : 0;
    if (last && last.label === label && last.offset + last.length === offset) {
      last.length += data.length;
      last.blank += blank;
    } else parts.push({ label, offset, length: data.length, blank });
  }
  return parts;
}

const partLine = ({ label, offset, length, blank }: Part): string => {
  const state = blank === 0 ? '' : blank === length ? 'blank' : `${bytesText(blank)} blank`;
  return `  ${addressText(offset).padStart(8)}  ${bytesText(length).padStart(9)}  ${label.padEnd(24)} ${state}`.trimEnd();
};

function planText(plan: RestorePlan): string {
  const lines = [`Restores ${bytesText(plannedBytes(plan))}`, ...partsOf(plan.writes).map(partLine)];
  for (const [title, notices] of [
    ['Note', plan.warnings],
    ['Objection', plan.objections],
  ] as const) {
    for (const notice of notices) {
      const { what, todo } = restoreNoticeMessage(notice);
      lines.push(`${title}: ${what}${todo === undefined ? '' : ` ${todo}`}`);
    }
  }
  return lines.join('\n');
}

const planRecord = ({ writes, objections, warnings }: RestorePlan): Record<string, unknown> => ({
  parts: partsOf(writes),
  objections: objections.map((notice) => ({ ...notice, ...restoreNoticeMessage(notice) })),
  warnings: warnings.map((notice) => ({ ...notice, ...restoreNoticeMessage(notice) })),
});

const manifestLine = ({ description, mac, flashSize, created }: BackupManifest): string =>
  `Backup of ${description}, ${mac ?? 'MAC unknown'}, ${flashSizeName(flashSize)} flash, begun ${created}`;

const manifestRecord = ({ revision, ...manifest }: BackupManifest): Record<string, unknown> => ({
  ...manifest,
  ...(revision && { revision: `${revision.major}.${revision.minor}` }),
});

/** What is in the file, also when it is damaged or was broken off. */
function sayContents({ manifest, stretches, complete, issues }: ReadBackup, { output }: CommandContext): void {
  const parts = flashRegions(layoutOf(manifest)).flatMap((region) => contentOf(region, manifest, stretches));
  const lines = [
    manifestLine(manifest),
    ...manifest.notes.map((note) => `  note: ${note}`),
    ...parts.map((part) => `${partLine(part)}${part.missing > 0 ? `  ${bytesText(part.missing)} missing` : ''}`),
    ...issues.map(({ code, message, place = {} }) => refusalLine(code, message, place)),
    complete ? 'Complete' : 'Not complete',
  ];
  output.document({ ...manifestRecord(manifest), parts, complete, issues }, lines.join('\n'));
}

function contentOf(
  { label, ...region }: { label: string; offset: number; length: number },
  { ranges }: BackupManifest,
  stretches: readonly BackupStretch[],
): (Part & { missing: number })[] {
  const inside = (parts: readonly BackupStretch[]): number => rangesLength(commonRanges([region], parts));
  return commonRanges([region], ranges).map(({ offset, length }) => ({
    label,
    offset,
    length,
    blank: inside(stretches.filter(({ blank }) => blank)),
    missing: length - inside(stretches),
  }));
}

export function addRestoreCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('restore')
    .description('write a backup, or partitions of it, back to a board: only what differs, and verified')
    .argument('<backup>', 'a file of backup')
    .option('--port <port>', PORT_FORMS)
    .option('--partition <name...>', 'only these partitions; bootloader and partition-table as well')
    .option('--list', 'only show what is in the backup; needs no board')
    .option('--plan', 'only show what would be written')
    .option('--full', 'send everything, also what the flash holds already')
    .addOption(afterOption());
  addLineOptions(command)
    .addOption(jsonOption())
    .action((path: string, options: RestoreOptions) => restoreCommand(path, options, context));
}
