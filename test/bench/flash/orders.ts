/** What the processes of a benchmark tell each other. */
import { type Exchange } from './floor-program.ts';
import { type Job } from './jobs.ts';
import { type Line } from './lines.ts';

export interface BoardsOrder {
  line: Line;
  count: number;
  flashSize: number;
  /** They run this in place of anything else. */
  floor?: Exchange;
}

interface Address {
  host: string;
  port: number;
}

export interface BoardAddress {
  uart: Address;
  control: Address;
}

export interface RoundOrder {
  job: Job;
  line: Line;
  boards: BoardAddress[];
}

/** One run of a job on all boards at once. */
export interface Round {
  elapsedMs: number;
  /** Of the whole process, with all its threads. */
  cpuMs: number;
  /** Longest time in which the event loop did not turn. */
  stallMs: number;
  /** Growth of the process over what it had before the job, at its peak; the result of a read counts. */
  memoryMib: number;
}
