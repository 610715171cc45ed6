/** Measuring two things against each other: interleaved, so that what else the machine does hits both, and by medians. */
import process from 'node:process';

/** How much a benchmark does. */
export interface Effort {
  /** 0 to 1: share of the full sizes. */
  share: number;
  /** How often both sides run. */
  rounds: number;
}

/** One line of the result. `ratio` is what counts; the other two are in `unit` and depend on the machine. */
export interface Figure {
  name: string;
  ours: number;
  /** What ours is held against: a peer's figure, or a limit's. */
  against: string;
  other: number;
  unit: string;
  /** ours / other. */
  ratio: number;
  /** The most that the ratio may be, where that was promised. */
  most?: number;
}

export interface Benchmark {
  name: string;
  run: (effort: Effort) => Promise<Figure[]>;
}

export const figure = (
  name: string,
  { ours, other, against, unit }: Omit<Figure, 'name' | 'ratio' | 'most'>,
): Figure => ({
  name,
  ours,
  against,
  other,
  unit,
  ratio: ours / other,
});

/** CPU milliseconds that the whole process spends until the work is done, threads for compressing included. */
export async function cpuMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Wall-clock milliseconds of work that is not done in this process. */
export async function wallMs(work: () => unknown): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Medians of two measurements, taken in turns. */
export async function inTurns(
  rounds: number,
  measureOurs: () => Promise<number>,
  measureOther: () => Promise<number>,
): Promise<{ ours: number; other: number }> {
  const ours: number[] = [];
  const other: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await measureOurs());
    other.push(await measureOther());
  }
  return { ours: median(ours), other: median(other) };
}

/**
 * CPU milliseconds of two short pieces of work, each repeated until that can be measured.
 *
 * @param ms how long one measurement lasts, about.
 */
export async function shortWork(
  { rounds, ms }: { rounds: number; ms: number },
  ours: () => unknown,
  other: () => unknown,
): Promise<{ ours: number; other: number }> {
  const timesOurs = timesIn(ms, ours);
  const timesOther = timesIn(ms, other);
  return inTurns(rounds, repeated(ours, timesOurs), repeated(other, timesOther));
}

function timesIn(ms: number, work: () => unknown): number {
  let times = 0;
  const end = performance.now() + ms;
  do {
    work();
    times++;
  } while (performance.now() < end);
  return times;
}

const repeated = (work: () => unknown, times: number) => async (): Promise<number> =>
  (await cpuMs(() => {
    for (let count = 0; count < times; count++) work();
  })) / times;
