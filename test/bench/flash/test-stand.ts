/** Boards in a process of their own, and hosts that come and go. */
import { join } from 'node:path';
import { boundOf } from './bounds.ts';
import { type ClientName } from './clients/clients.ts';
import { type Job } from './jobs.ts';
import { type Line } from './lines.ts';
import { type BoardAddress, type BoardsOrder, type Round, type RoundOrder } from './orders.ts';
import { Helper } from './requests.ts';

/** Milliseconds, and times the bound, after which a client is not waited for any more. */
const CONNECT_LIMIT_MS = 60_000;
const SLOWEST = 20;

/** How often a job is done: so often, unless that takes more than so many milliseconds. */
export interface Rounds {
  count: number;
  ms: number;
}

export class TestStand {
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
    { job, line, most }: { job: Job; line: Line; most: Rounds },
  ): Promise<{ rounds: Round[]; compressMs: number }> {
    const host = new Helper(join(import.meta.dirname, 'client-process.ts'), ['--expose-gc']);
    try {
      await host.request('load', client);
      const rounds: Round[] = [];
      const order: RoundOrder = { job, line, boards: this.#addresses };
      const limitMs = CONNECT_LIMIT_MS + SLOWEST * (await boundOf(job, line)).totalMs;
      for (let spentMs = 0; rounds.length < most.count && spentMs < most.ms; spentMs += rounds.at(-1)!.elapsedMs) {
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
