/** Runs a case: boards in one process, each host in another, one after the other. */
import { median } from '../measure.ts';
import { type Bound, boundOf } from './bounds.ts';
import { type FlashCase } from './cases.ts';
import { type ClientName } from './clients/clients.ts';
import { type Floor, Floors } from './floors.ts';
import { MIB } from './images.ts';
import { bytesOf, flashSizeOf } from './jobs.ts';
import { runModelled } from './modelled.ts';
import { type Round } from './orders.ts';
import { type Rounds, TestStand } from './test-stand.ts';

/** One client in one case: medians of its rounds. */
export interface FlashResult {
  case: string;
  title: string;
  line: string;
  client: ClientName;
  boards: number;
  rounds: number;
  /** Bytes of the image, of one board. */
  bytes: number;
  bound: Bound;
  elapsedMs: number;
  /** What it takes in modelled time, where the host takes none; of Twostep only. */
  modelledMs?: number;
  /** CPU milliseconds per MiB of the image, on one board: of the client itself, of its compressing, and of the channel. */
  cpu: { own: number; compress: number; channel: number };
  stallMs: number;
  memoryMib: number;
}

/** A client that did not get through. */
export interface FlashFailure {
  case: string;
  client: ClientName;
  message: string;
}

export interface CaseOutcome {
  results: FlashResult[];
  failures: FlashFailure[];
}

/** Rounds of a case, and milliseconds of measured time after which no further one is begun: on a wire, long runs are alike. */
const ROUNDS = 5;
const BUDGET_MS = { ours: 10_000, peers: 4_000 };

export class CaseRunner {
  readonly #floors: Floors;

  /** `floorMs`: how long the wire is busy with one measurement of the channel. */
  constructor(floorMs?: number) {
    this.#floors = new Floors(floorMs);
  }

  /** What the channel was found to allow, by line. */
  get floors(): readonly Floor[] {
    return this.#floors.measured;
  }

  /** Whatever goes wrong with a client is a failure of its; the others go on. */
  async run(flashCase: FlashCase, clients = flashCase.clients, rounds?: Rounds): Promise<CaseOutcome> {
    const { job, line, boards: count } = flashCase;
    const bound = await boundOf(job, line);
    const floor = await this.#floors.cpuFor(flashCase);
    const stand = await TestStand.start({ line, count, flashSize: flashSizeOf(job) });
    try {
      const outcome: CaseOutcome = { results: [], failures: [] };
      for (const client of clients) {
        const most = rounds ?? { count: ROUNDS, ms: client === 'twostep' ? BUDGET_MS.ours : BUDGET_MS.peers };
        try {
          const measured = await stand.measure(client, { job, line, most });
          const result = resultOf(flashCase, { client, bound, floor, ...measured });
          if (client === 'twostep') result.modelledMs = (await runModelled(flashCase)).elapsedMs;
          outcome.results.push(result);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          outcome.failures.push({ case: flashCase.name, client, message });
        }
      }
      return outcome;
    } finally {
      stand.end();
    }
  }
}

interface Measured {
  client: ClientName;
  bound: Bound;
  floor: number;
  rounds: Round[];
  compressMs: number;
}

function resultOf(flashCase: FlashCase, { client, bound, floor, rounds, compressMs }: Measured): FlashResult {
  const { name, title, line, job, boards } = flashCase;
  const bytes = bytesOf(job);
  const mib = Math.max(bytes, 1) / MIB;
  const middle = (of: (round: Round) => number): number => median(rounds.map(of));
  const compress = compressMs / mib;
  const channel = (floor * bound.wireMs * line.rate) / MIB / mib;
  const total = middle(({ cpuMs }) => cpuMs) / mib / boards;
  return {
    case: name,
    title,
    line: line.name,
    client,
    boards,
    rounds: rounds.length,
    bytes,
    bound,
    elapsedMs: middle(({ elapsedMs }) => elapsedMs),
    cpu: { own: Math.max(0, total - compress - channel), compress, channel },
    stallMs: middle(({ stallMs }) => stallMs),
    // Later rounds find the memory of the first still taken.
    memoryMib: rounds[0]?.memoryMib ?? 0,
  };
}
