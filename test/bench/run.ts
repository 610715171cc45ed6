/**
 * `npm run bench -- [--all] [--only NAME] [--client NAME] [--rounds N] [--json]`: first what the costly things cost, as ratios
 * against a peer or a limit in the same run (less is better, 1 is as good as the other side); then writing and reading flash,
 * Twostep and its peers side by side on virtual boards, with the targets.
 *
 * `--only` takes a benchmark, or the beginning of the names of flash cases (`noise`, `noise-usb`).
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BENCHMARKS } from './benchmarks.ts';
import { type FlashCase, flashCases } from './flash/cases.ts';
import { CLIENTS } from './flash/clients/clients.ts';
import { flashTable, targetTable } from './flash/report.ts';
import { CaseRunner, type FlashResult } from './flash/run-case.ts';
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
    json: { type: 'boolean', default: false },
  },
});

const { only } = values;

function refuse(message: string): never {
  console.error(message);
  process.exit(2);
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, ours, other, against, unit, ratio }) => [
    name,
    number(ratio),
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

async function runFlashCases(cases: readonly FlashCase[]): Promise<FlashResult[]> {
  const client = CLIENTS.find((name) => name === values.client);
  if (values.client !== undefined && !client) refuse(`No client is called ${values.client}: ${CLIENTS.join(', ')}`);
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(rounds >= 1)) refuse(`${values.rounds} is no number of rounds`);
  const runner = new CaseRunner();
  const results: FlashResult[] = [];
  for (const flashCase of cases) {
    // Progress, since a run takes minutes; apart from the results.
    console.error(flashCase.name);
    results.push(...(await runner.run(flashCase, client ? [client] : undefined, rounds)));
  }
  return results;
}

const benchmarks = BENCHMARKS.filter(({ name }) => only === undefined || name === only);
const cases = chooseCases(flashCases(values.all));
if (benchmarks.length + cases.length === 0) {
  const names = [...BENCHMARKS, ...flashCases(values.all)].map(({ name }) => name);
  refuse(`No benchmark is called ${only}: ${names.join(', ')}`);
}
const figures: Figure[] = [];
for (const benchmark of benchmarks) figures.push(...(await benchmark.run(FULL)));
const flash = await runFlashCases(cases);
const targets = heldAgainstTargets(flash);
if (values.json) {
  console.log(JSON.stringify({ figures, flash, targets }, null, 2));
} else {
  if (figures.length > 0) console.log(`${figureTable(figures)}\n`);
  const shown = only === undefined ? targets : targets.filter(({ isMet }) => isMet !== undefined);
  if (flash.length > 0) console.log(`${flashTable(flash)}\n\n${targetTable(shown)}`);
}
