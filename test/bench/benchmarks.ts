/** All benchmarks, in the order of their table. */
import { read, wire, write } from './flash-benchmarks.ts';
import { formats, plan } from './format-benchmarks.ts';
import { type Benchmark } from './measure.ts';
import { start } from './start-benchmark.ts';

export const BENCHMARKS: readonly Benchmark[] = [write, read, wire, formats, plan, start];
