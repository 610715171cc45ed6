/** What the channel between the processes costs, and what it allows to a host that waits for each answer. */
import { alignUp } from '#formats/bytes.ts';
import { type FlashCase } from './cases.ts';
import { EXCHANGES } from './floor-program.ts';
import { KIB, MIB } from './images.ts';
import { type Job } from './jobs.ts';
import { type Line } from './lines.ts';
import { TestStand } from './test-stand.ts';

export interface Floor {
  line: string;
  kind: 'read' | 'write';
  boards: number;
  /** CPU milliseconds for a MiB on the wire of one board. */
  cpuMs: number;
  /** Share of the wire's time that was used. */
  ofWire: number;
}

/** Milliseconds of the wire that one measurement takes, and how many are made. */
const WIRE_MS = 1500;
const ROUNDS = { count: 2, ms: Infinity };

export class Floors {
  readonly measured: Floor[] = [];
  readonly #wireMs: number;

  constructor(wireMs = WIRE_MS) {
    this.#wireMs = wireMs;
  }

  /** CPU milliseconds of the channel for a MiB on the wire. */
  async cpuFor({ job, line, boards }: FlashCase): Promise<number> {
    if (job.kind === 'open') return 0;
    const kind = job.kind === 'read' ? 'read' : 'write';
    const isIt = (floor: Floor): boolean => floor.line === line.name && floor.kind === kind && floor.boards === boards;
    const known = this.measured.find(isIt);
    if (known) return known.cpuMs;
    const floor = await measureFloor(line, { kind, boards, wireMs: this.#wireMs });
    this.measured.push(floor);
    return floor.cpuMs;
  }
}

async function measureFloor(
  line: Line,
  { kind, boards, wireMs }: Pick<Floor, 'kind' | 'boards'> & { wireMs: number },
): Promise<Floor> {
  const exchange = EXCHANGES[kind];
  const length = alignUp(line.rate * wireMs, 16 * KIB);
  const job: Job = { kind, image: { kind: 'noise', length } };
  const stand = await TestStand.start({ line, count: boards, flashSize: MIB, floor: exchange });
  try {
    const { rounds } = await stand.measure('floor', { job, line, most: ROUNDS });
    // The least of them: the first has the work of the engine's compiler in it.
    const cpuMs = Math.min(...rounds.map((round) => round.cpuMs)) / boards;
    const elapsedMs = Math.min(...rounds.map((round) => round.elapsedMs));
    const bytes = (length / exchange.data) * Math.max(exchange.take, exchange.give);
    return { line: line.name, kind, boards, cpuMs: (cpuMs * MIB) / bytes, ofWire: bytes / line.rate / elapsedMs };
  } finally {
    stand.end();
  }
}
