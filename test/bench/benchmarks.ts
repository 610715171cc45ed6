/** What is measured against something else of the same run, in the order of its table. Flash is a subject of its own: flash/. */
import { boardFiles } from './board-files.ts';
import { formats, plan } from './format-benchmarks.ts';
import { type Benchmark } from './measure.ts';
import { start } from './start-benchmark.ts';

export const BENCHMARKS: readonly Benchmark[] = [formats, plan, start, boardFiles];
