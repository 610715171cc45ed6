/** Runs a case: boards in one process, each host in another, in turns. */
import { alignUp } from '#formats/bytes.ts';
import { join } from 'node:path';
import { median } from '../measure.ts';
import { type Bound, boundOf } from './bounds.ts';
import { type FlashCase } from './cases.ts';
import { type ClientName } from './clients/clients.ts';
import { EXCHANGES } from './floor-program.ts';
import { KIB, MIB } from './images.ts';
import { bytesOf, flashSizeOf, type Job } from './jobs.ts';
import { type Line } from './lines.ts';
import { type BoardAddress, type BoardsOrder, type Round, type RoundOrder } from './orders.ts';
import { Helper } from './requests.ts';

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

/** Milliseconds of the wire that the floor is measured with, and how often. */
const FLOOR_MS = 3000;
const FLOOR_ROUNDS = 3;
/** Milliseconds, and times the bound, after which a client is not waited for any more. */
const CONNECT_LIMIT_MS = 60_000;
const SLOWEST = 20;

export class CaseRunner {
  /** CPU milliseconds of the channel for a MiB on the wire, by line and direction. */
  readonly #floors = new Map<string, Promise<number>>();
  readonly #floorMs: number;

  /** `floorMs`: how long the wire is busy with one measurement of the channel. */
  constructor(floorMs = FLOOR_MS) {
    this.#floorMs = floorMs;
  }

  /** Whatever goes wrong with a client is a failure of its; the others go on. */
  async run(flashCase: FlashCase, clients = flashCase.clients, rounds?: number): Promise<CaseOutcome> {
    const { job, line, boards: count } = flashCase;
    const bound = await boundOf(job, line);
    const floor = await this.#floor(job, line);
    const stand = await TestStand.start({ line, count, flashSize: flashSizeOf(job) });
    try {
      const outcome: CaseOutcome = { results: [], failures: [] };
      for (const client of clients) {
        const times = rounds ?? (client === 'twostep' ? flashCase.rounds.ours : flashCase.rounds.peers);
        try {
          const measured = await stand.measure(client, { job, line, rounds: times });
          outcome.results.push(resultOf(flashCase, { client, bound, floor, ...measured }));
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

  async #floor(job: Job, line: Line): Promise<number> {
    if (job.kind === 'open') return 0;
    const kind = job.kind === 'read' ? 'read' : 'write';
    const name = `${line.name} ${kind}`;
    const known = this.#floors.get(name) ?? measureFloor(kind, line, this.#floorMs);
    this.#floors.set(name, known);
    return known;
  }
}

async function measureFloor(kind: 'read' | 'write', line: Line, ms: number): Promise<number> {
  const length = alignUp(line.rate * ms, 16 * KIB);
  const job: Job = { kind, image: { kind: 'noise', length } };
  const stand = await TestStand.start({ line, count: 1, flashSize: MIB, floor: EXCHANGES[kind] });
  try {
    const { rounds } = await stand.measure('floor', { job, line, rounds: FLOOR_ROUNDS });
    return (median(rounds.map(({ cpuMs }) => cpuMs)) * MIB) / length;
  } finally {
    stand.end();
  }
}

/** Boards that stay, and hosts that come and go. */
class TestStand {
  readonly #boardProcess: Helper;
  readonly #addresses: BoardAddress[];
  readonly #isFloor: boolean;

  private constructor(boardProcess: Helper, addresses: BoardAddress[], isFloor: boolean) {
    this.#boardProcess = boardProcess;
    this.#addresses = addresses;
    this.#isFloor = isFloor;
  }

  static async start(order: BoardsOrder): Promise<TestStand> {
    const boardProcess = new Helper(join(import.meta.dirname, 'board-process.ts'));
    const addresses = await boardProcess.request<BoardAddress[]>('start', order);
    return new TestStand(boardProcess, addresses, order.floor !== undefined);
  }

  /** A fresh process for the client; what its rounds took, and the CPU milliseconds of compressing alone. */
  async measure(
    client: ClientName,
    { job, line, rounds: count }: { job: Job; line: Line; rounds: number },
  ): Promise<{ rounds: Round[]; compressMs: number }> {
    const host = new Helper(join(import.meta.dirname, 'client-process.ts'), ['--expose-gc']);
    try {
      await host.request('load', client);
      const rounds: Round[] = [];
      const order: RoundOrder = { job, line, boards: this.#addresses };
      const limitMs = CONNECT_LIMIT_MS + SLOWEST * (await boundOf(job, line)).totalMs;
      while (rounds.length < count) {
        if (!this.#isFloor) await this.#boardProcess.request('prepare', job);
        rounds.push(await host.request<Round>('run', order, limitMs));
        const isRight = this.#isFloor || (await this.#boardProcess.request<boolean>('check', job));
        if (!isRight) throw new Error(`${client} left something else in the flash than it should`);
      }
      return { rounds, compressMs: await host.request<number>('compress', job) };
    } finally {
      host.end();
    }
  }

  end(): void {
    this.#boardProcess.end();
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
