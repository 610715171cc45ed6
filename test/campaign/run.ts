/**
 * `npm run campaign -- [--area provision|flash|formats|ota] [--points N] [--seed S] [--chip C] [--faults K]`: the fault campaign over many seeds.
 * Prints how the runs of each kind of fault ended, and every violation with the command that repeats it; exit 1 then.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { VIRTUAL_CHIPS } from '../support/releases.ts';
import { FLASH_WRITES } from './flash-writes.ts';
import { runFormatPoint } from './formats.ts';
import { PROVISIONING } from './provisioning.ts';
import { runTwoStepPoint, twoStepPoint } from './two-step.ts';
import { POINT_KINDS, type PointKind, pointOf, type PointOptions, runPoint } from './campaign.ts';

const AREAS = [PROVISIONING, FLASH_WRITES];
/** Damaged input to the readers, without a board; and updates over the network, which have faults of their own. */
const OTHERS = { formats: 200_000, ota: 1000 } as const;
type OtherArea = keyof typeof OTHERS;

interface Settings extends PointOptions {
  other: OtherArea | undefined;
  points: number;
  seed: number;
  faults: number;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      points: { type: 'string' },
      seed: { type: 'string', default: '1' },
      faults: { type: 'string', default: '1' },
      chip: { type: 'string' },
      area: { type: 'string', default: PROVISIONING.name },
    },
  });
  const whole = (name: 'points' | 'seed' | 'faults', least: number): number => {
    const number = Number(values[name]);
    if (Number.isSafeInteger(number) && number >= least) return number;
    throw new Error(`--${name} needs a whole number from ${least} on, not "${values[name]}"`);
  };
  const chip = VIRTUAL_CHIPS.find((name) => name === values.chip);
  if (values.chip !== undefined && !chip) throw new Error(`--chip is one of ${VIRTUAL_CHIPS.join(', ')}`);
  const area = AREAS.find(({ name }) => name === values.area);
  const other = values.area in OTHERS ? (values.area as OtherArea) : undefined;
  if (!area && !other) {
    throw new Error(`--area is one of ${[...AREAS.map(({ name }) => name), ...Object.keys(OTHERS)].join(', ')}`);
  }
  return {
    area,
    other,
    points: values.points === undefined ? (other ? OTHERS[other] : 300) : whole('points', 1),
    seed: whole('seed', 0),
    faults: whole('faults', 1),
    chip,
  };
}

/** Number of runs of each kind that ended so. */
type Outcomes = Map<string, Partial<Record<PointKind, number>>>;

function printTable(outcomes: Outcomes): void {
  const width = Math.max(9, ...[...outcomes.keys()].map((outcome) => outcome.length));
  const line = (title: string, cells: readonly (string | number)[]): string =>
    `${title.padEnd(width)}${cells.map((cell) => String(cell).padStart(12)).join('')}`;
  const total = (counts: Partial<Record<PointKind, number>>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rows = [...outcomes].sort(([, one], [, other]) => total(other) - total(one));
  console.log(line('ended in', [...POINT_KINDS, 'all']));
  for (const [outcome, counts] of rows) {
    console.log(line(outcome, [...POINT_KINDS.map((kind) => counts[kind] ?? '.'), total(counts)]));
  }
}

/** The command that runs one point again. */
function repeat(seed: number, { area, chip, faults }: Settings): string {
  const options = [
    ...(area && area !== PROVISIONING ? ['--area', area.name] : []),
    ...(chip ? ['--chip', chip] : []),
    ...(faults > 1 ? ['--faults', faults] : []),
  ];
  return ['npm run campaign -- --points 1 --seed', seed, ...options].join(' ');
}

async function runCampaign(settings: Settings): Promise<number> {
  const outcomes: Outcomes = new Map();
  let violated = 0;
  // A promise that nobody waits for is a violation of the point under way.
  const strays: unknown[] = [];
  process.on('unhandledRejection', (reason) => strays.push(reason));
  for (let seed = settings.seed; seed < settings.seed + settings.points; seed++) {
    const point = await pointOf(seed, settings);
    const { outcome, violations } = await runPoint(point);
    await new Promise((resolve) => setImmediate(resolve));
    violations.push(...strays.splice(0).map((reason) => `left a rejection unhandled: ${String(reason)}`));
    const counts = outcomes.get(outcome) ?? {};
    const kind = point.kinds[0]!;
    outcomes.set(outcome, { ...counts, [kind]: (counts[kind] ?? 0) + 1 });
    if (violations.length === 0) continue;
    violated++;
    console.log(
      `VIOLATION at seed ${seed}, ${point.board.state} ${point.board.chip}, ${point.kinds.join(' + ')}: ${violations.join('; ')}`,
    );
    console.log(`  ${JSON.stringify({ faults: point.faults, abortAt: point.abortAt })}`);
    console.log(`  again: ${repeat(seed, settings)}`);
  }
  printTable(outcomes);
  console.log(`${settings.points} points, ${violated} with violations`);
  return violated;
}

/** @returns the number of violations. */
function runFormats({ points, seed: first }: Pick<Settings, 'points' | 'seed'>): number {
  const outcomes = new Map<string, number>();
  let violated = 0;
  for (let seed = first; seed < first + points; seed++) {
    const { reader, outcome, violation } = runFormatPoint(seed);
    const name = `${reader}: ${outcome}`;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    if (violation === undefined) continue;
    violated++;
    console.log(`VIOLATION at seed ${seed}, ${reader}: ${violation}`);
    console.log(`  again: npm run campaign -- --area formats --points 1 --seed ${seed}`);
  }
  printCounts(outcomes);
  console.log(`${points} damaged inputs, ${violated} with violations`);
  return violated;
}

/** @returns the number of violations. */
async function runUpdates({ points, seed: first, faults }: Settings): Promise<number> {
  const outcomes = new Map<string, number>();
  let violated = 0;
  for (let seed = first; seed < first + points; seed++) {
    const point = twoStepPoint(seed, faults);
    const { outcome, violations } = await runTwoStepPoint(point);
    const name = `${point.kinds[0] ?? ''}: ${outcome}`;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    if (violations.length === 0) continue;
    violated++;
    console.log(`VIOLATION at seed ${seed}, ${point.firmware}, ${point.kinds.join(' + ')}: ${violations.join('; ')}`);
    const count = faults > 1 ? ` --faults ${faults}` : '';
    console.log(`  again: npm run campaign -- --area ota --points 1 --seed ${seed}${count}`);
  }
  printCounts(outcomes);
  console.log(`${points} updates, ${violated} with violations`);
  return violated;
}

function printCounts(outcomes: ReadonlyMap<string, number>): void {
  for (const [name, count] of [...outcomes].toSorted(([one], [other]) => one.localeCompare(other))) {
    console.log(`${String(count).padStart(8)}  ${name}`);
  }
}

const runOther = async (settings: Settings): Promise<number> =>
  settings.other === 'ota' ? runUpdates(settings) : runFormats(settings);

try {
  const settings = readSettings();
  const violated = settings.area ? await runCampaign(settings) : await runOther(settings);
  process.exitCode = violated === 0 ? 0 : 1;
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
