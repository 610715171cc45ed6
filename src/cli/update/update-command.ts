/** `twostep update`: a new app and then new data to boards on the network, by a station. */
import {
  type BoardView,
  type PlanView,
  type ReleaseView,
  type StartRequest,
  type StationInfo,
  type UpdateView,
} from '#api.ts';
import { WorkflowError } from '#workflows/workflow-error.ts';
import { type Command } from 'commander';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';
import { type StationClient } from '../station-client.ts';
import { openStation, type OpenStation } from './open-station.ts';
import { UpdateWatch } from './watch-updates.ts';
import { addUpdateOptions, boardAddresses, campaignOf, checkAnswerable, type UpdateOptions } from './update-options.ts';
import { readUpload } from './update-release.ts';
import { planLines, updateLine } from './update-text.ts';

/**
 * @throws {InputError} or {FormatError} when what was given is refused; no board was asked to change anything.
 * @throws {WorkflowError} `plan-refused`, `update-incomplete`.
 */
async function updateCommand(paths: string[], options: UpdateOptions, context: CommandContext): Promise<void> {
  checkAnswerable(options, context.prompt.isAnswered);
  const addresses = boardAddresses(options);
  const uploads = [
    ...(options.oldRelease === undefined ? [] : [await readUpload([options.oldRelease], options.oldData)]),
    await readUpload(paths, options.data),
  ];
  const station = await openStation(options, context);
  try {
    const { client } = station;
    const releases: string[] = [];
    for (const { name, bytes } of uploads) {
      releases.push((await client.upload<ReleaseView>(`releases?name=${encodeURIComponent(name)}`, bytes)).id);
    }
    const boards: string[] = [];
    for (const address of addresses) boards.push((await client.post<BoardView>('boards', { address })).id);
    const request = { release: releases.at(-1) ?? '', boards, ...(options.only && { only: options.only }) };
    const plans = await client.post<PlanView[]>('updates/plan', request);
    const consents = await agreed(plans, options, context);
    if (options.plan) return;
    await openListener(client, options, context);
    const start: StartRequest = { ...request, ...campaignOf(options), consents };
    const updates = await client.post<UpdateView[]>('updates', start);
    await carriedOut(station, updates, context);
  } finally {
    await station.close();
  }
}

/**
 * Shows the plans.
 *
 * @returns the codes that were agreed to.
 * @throws {WorkflowError} `plan-refused`.
 * @throws {InputError} `not-agreed`.
 */
async function agreed(
  plans: PlanView[],
  options: UpdateOptions,
  { output, prompt }: CommandContext,
): Promise<string[]> {
  for (const plan of plans) output.say('plan', { ...plan }, planLines(plan).join('\n'));
  if (plans.some(({ objections }) => objections.length > 0)) {
    throw new WorkflowError('plan-refused', 'There are objections to this update');
  }
  const needed = [...new Set(plans.flatMap(({ consents }) => consents.map(({ code }) => code)))];
  const missing = needed.filter((code) => !options.agree.includes(code));
  if (options.plan) return needed;
  for (const code of missing) {
    const yes = prompt.isAnswered && /^y(es)?$/i.test((await prompt.ask(`Agree to ${code}? [y/N] `)) ?? '');
    if (!yes) {
      throw new InputError('not-agreed', `The plan asks for a yes to ${missing.join(' and ')}`, {
        todo: [
          ...(missing.includes('no-way-back')
            ? ['Give the release that the boards have, or a backup, with --old-release.']
            : []),
          `If it is right as it is, give --agree ${missing.join(' ')}.`,
        ].join(' '),
      });
    }
  }
  if (!options.yes && !/^y(es)?$/i.test((await prompt.ask('Begin? [y/N] ')) ?? '')) {
    throw new InputError('not-agreed', 'The update was not agreed to');
  }
  return needed;
}

/** Boards fetch their files from a listener of its own, which is open only when somebody agreed. */
async function openListener(client: StationClient, options: UpdateOptions, { prompt, output }: CommandContext) {
  const { boardsListener } = await client.get<StationInfo>('station');
  if (boardsListener.state === 'open') return;
  const { address, port } = boardsListener;
  if (!options.yes) {
    const at = [
      ...(address === '0.0.0.0' ? ['at any of its addresses'] : [`at ${address}`]),
      ...(port === 0 ? [] : [`port ${port}`]),
    ].join(', ');
    const answer = await prompt.ask(
      `Boards will fetch their files from the station, ${at}, over plain http. Open it? [y/N] `,
    );
    if (!/^y(es)?$/i.test(answer ?? ''))
      throw new InputError('not-agreed', 'Without the listener no board can be updated');
  }
  const { boardsListener: opened } = await client.post<StationInfo>('boards-listener', { open: true });
  output.say('listening', { ...opened }, `Boards fetch from ${opened.address}:${opened.port}`);
}

/**
 * Follows the runs to their end. Those of a station of the command's own are stopped and left when that fails: nobody would be there to
 * decide. Another station goes on.
 */
async function carriedOut(
  { client, isOwn }: OpenStation,
  started: readonly UpdateView[],
  context: CommandContext,
): Promise<void> {
  context.changed = isOwn ? 'boards' : 'station';
  const watch = new UpdateWatch(client, started, { context, isOwn });
  try {
    await watch.toEnd();
  } catch (error) {
    if (isOwn) {
      await watch.stopAll();
      sayOutcomes(watch.updates, context);
    }
    throw error;
  }
  report(watch.updates, context);
}

function sayOutcomes(updates: readonly UpdateView[], { output }: CommandContext): void {
  output.rest();
  for (const update of updates) {
    const { position } = update.state;
    const outcome = position.at === 'ended' ? position.outcome : (update.queued ?? position.at);
    output.say('outcome', { board: update.board, outcome, slots: update.slots }, updateLine(update));
  }
}

/** @throws {WorkflowError} `update-incomplete` unless every board has everything. */
function report(updates: readonly UpdateView[], context: CommandContext): void {
  const complete = updates.filter(
    ({ state }) => state.position.at === 'ended' && state.position.outcome === 'complete',
  );
  const { output } = context;
  sayOutcomes(updates, context);
  if (complete.length === updates.length) {
    context.changed = 'all';
    output.say('done', { boards: updates.length }, `${updates.length} of ${updates.length} boards are up to date`);
    return;
  }
  const values = { complete: complete.length, boards: updates.length };
  throw new WorkflowError('update-incomplete', `${complete.length} of ${updates.length} boards were updated`, {
    values,
  });
}

export function addUpdateCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('update')
    .description('give boards on the network a new app, then new data, and tell what each of them holds')
    .argument('<release...>', 'as for flash: a release file, a build folder, a .zip of one, an app image');
  addUpdateOptions(command).action((paths: string[], options: UpdateOptions) => updateCommand(paths, options, context));
}
