/**
 * `npm run bench -- [--all] [--only NAME] [--client NAME] [--rounds N] [--modelled] [--json]`: first what the costly things cost, as ratios
 * against a peer or a limit in the same run (less is better, 1 is as good as the other side); then writing and reading flash,
 * Twostep and its peers side by side on virtual boards, with the targets.
 *
 * `--only` takes a benchmark, or the beginning of the names of flash cases (`noise`, `noise-usb`). `--modelled` shows in moments
 * what the protocol alone costs Twostep in the flash cases, command by command.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BENCHMARKS } from './benchmarks.ts';
import { type FlashCase, flashCases } from './flash/cases.ts';
import { CLIENTS } from './flash/clients/clients.ts';
import { type Floor } from './flash/floors.ts';
import { type ModelledResult, modelledTable, runModelled } from './flash/modelled.ts';
import { flashTable, floorLine, targetTable } from './flash/report.ts';
import { type CaseOutcome, CaseRunner } from './flash/run-case.ts';
import { heldAgainstTargets } from './flash/targets.ts';
import { type Effort, type Figure } from './measure.ts';
import { formatTable, number } from './table.ts';

const FULL: Effort = { share: 1, rounds: 3 };

const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    only: { type: 'string' },
    client: { type: 'string' },
    rounds: { type: 'string' },
    modelled: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const { only } = values;

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, ours, other, against, unit, ratio, most }) => [
    name,
    `${number(ratio)}${most !== undefined && ratio > most ? ` (at most ${most})` : ''}`,
    number(ours),
    number(other),
    unit,
    against,
  ]);
  const heading = ['benchmark', 'ratio', 'ours', 'other', 'unit', 'against'];
  return formatTable(heading, rows, ['benchmark', 'unit', 'against']);
}

/** The one that is called `--only`, or those whose names begin so. */
function chooseCases(all: readonly FlashCase[]): readonly FlashCase[] {
  const exact = all.filter(({ name }) => name === only);
  return exact.length > 0 ? exact : all.filter(({ name }) => only === undefined || name.startsWith(`${only}-`));
}

async function runFlashCases(): Promise<CaseOutcome & { floors: readonly Floor[] }> {
  const client = CLIENTS.find((name) => name === values.client);
  if (values.client !== undefined && !client) refuse(`No client is called ${values.client}: ${CLIENTS.join(', ')}`);
  const rounds = values.rounds === undefined ? undefined : { count: Number(values.rounds), ms: Infinity };
  if (rounds && !(rounds.count >= 1)) refuse(`${values.rounds} is no number of rounds`);
  const runner = new CaseRunner();
  const outcome: CaseOutcome = { results: [], failures: [] };
  for (const flashCase of cases) {
    // Progress, since a run takes minutes; apart from the results.
    console.error(flashCase.name);
    const { results, failures } = await runner.run(flashCase, client ? [client] : undefined, rounds);
    outcome.results.push(...results);
    outcome.failures.push(...failures);
  }
  return { ...outcome, floors: runner.floors };
}

const benchmarks = BENCHMARKS.filter(({ name }) => only === undefined || name === only);
const cases = chooseCases(flashCases(values.all));
if (benchmarks.length + cases.length === 0) {
  const names = [...BENCHMARKS, ...flashCases(values.all)].map(({ name }) => name);
  refuse(`No benchmark is called ${only}: ${names.join(', ')}`);
}
if (values.modelled) await modelledRun();
else await measuredRun();

async function modelledRun(): Promise<void> {
  const results: ModelledResult[] = [];
  // Several boards do not get in each other's way there.
  for (const flashCase of cases.filter(({ boards }) => boards === 1)) results.push(await runModelled(flashCase));
  console.log(values.json ? JSON.stringify(results, null, 2) : modelledTable(results));
}

async function measuredRun(): Promise<void> {
  const figures: Figure[] = [];
  for (const benchmark of benchmarks) figures.push(...(await benchmark.run(FULL)));
  const { results: flash, failures, floors } = await runFlashCases();
  const targets = heldAgainstTargets(flash);
  if (failures.some(({ client }) => client === 'twostep')) process.exitCode = 1;
  if (figures.some(({ ratio, most }) => most !== undefined && ratio > most)) process.exitCode = 1;
  if (values.json) {
    console.log(JSON.stringify({ figures, flash, floors, failures, targets }, null, 2));
    return;
  }
  const shown = only === undefined ? targets : targets.filter(({ isMet }) => isMet !== undefined);
  const blocks = [
    ...(figures.length > 0 ? [figureTable(figures)] : []),
    ...(flash.length > 0
      ? [flashTable(flash), ...(floors.length > 0 ? [floorLine(floors)] : []), targetTable(shown)]
      : []),
    ...failures.map(({ case: name, client, message }) => `${client} failed in ${name}: ${message.split('\n', 1)[0]}`),
  ];
  console.log(blocks.join('\n\n'));
}
