/**
 * `npm run bench -- [--only NAME] [--json]`: what the costly things cost, as ratios against a peer or a limit in the same
 * run. Less is better, 1 is as good as the other side.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { BENCHMARKS } from './benchmarks.ts';
import { type Effort, type Figure } from './measure.ts';

const FULL: Effort = { share: 1, rounds: 3 };

function printTable(figures: readonly Figure[]): void {
  const number = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const rows = figures.map(({ name, ours, other, against, unit, ratio }) => [
    name,
    number(ratio),
    number(ours),
    number(other),
    unit,
    against,
  ]);
  const table = [['benchmark', 'ratio', 'ours', 'other', 'unit', 'against'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const isNumber = (column: number): boolean => column >= 1 && column <= 3;
  for (const row of table) {
    const cells = row.map((cell, column) =>
      isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    );
    console.log(cells.join('  ').trimEnd());
  }
}

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean', default: false } } });
const chosen = BENCHMARKS.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  console.error(`No benchmark is called ${values.only}: ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const figures: Figure[] = [];
for (const benchmark of chosen) figures.push(...(await benchmark.run(FULL)));
if (values.json) console.log(JSON.stringify(figures, null, 2));
else printTable(figures);
