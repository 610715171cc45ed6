/**
 * Twostep alone in modelled time: what the protocol and the board cost when the host takes no time at all. The same on every
 * machine, over in a moment, and told by command: where it waits beyond the wire there is something to win.
 */
import { Bench } from '../../device/support/bench.ts';
import { formatTable } from '../table.ts';
import { boundOf } from './bounds.ts';
import { type FlashCase } from './cases.ts';
import { doJob, optionsFor } from './clients/twostep.ts';
import { flashBefore } from './jobs.ts';
import { boardOn, type Line } from './lines.ts';

/** Names of the commands, for those that a job sends. */
const COMMANDS: Readonly<Record<number, string>> = {
  0x02: 'FLASH_BEGIN',
  0x03: 'FLASH_DATA',
  0x04: 'FLASH_END',
  0x0a: 'READ_REG',
  0x10: 'DEFL_BEGIN',
  0x11: 'DEFL_DATA',
  0x12: 'DEFL_END',
  0x13: 'MD5',
  0xd1: 'ERASE_REGION',
  0xd2: 'READ_FLASH',
};

/** Borders and header. */
const SHORTEST_COMMAND = 2 + 8;

/** All frames of one command. */
export interface CommandTime {
  command: string;
  count: number;
  /** Milliseconds of their own bytes on the wire. */
  wireMs: number;
  /** Milliseconds from there to the next frame: latencies, answers and what they bring, waiting for the flash. */
  waitMs: number;
}

export interface ModelledResult {
  case: string;
  boundMs: number;
  elapsedMs: number;
  commands: CommandTime[];
}

/** Adds up the time from frame to frame, told by the bytes that go to the board. */
class FrameTimes {
  readonly commands = new Map<string, CommandTime>();
  readonly #line: Line;
  readonly #now: () => number;
  #last: { time: CommandTime; at: number; wireMs: number } | undefined;

  constructor(line: Line, now: () => number) {
    this.#line = line;
    this.#now = now;
  }

  sent(bytes: Uint8Array): void {
    // What fills the time between two frames belongs to the one before it.
    if (bytes[0] === 0) return;
    this.end();
    // An acknowledge is shorter than any command.
    const command = (bytes.length >= SHORTEST_COMMAND && COMMANDS[bytes[2] ?? 0]) || 'other frames';
    const time = this.commands.get(command) ?? { command, count: 0, wireMs: 0, waitMs: 0 };
    this.commands.set(command, time);
    this.#last = { time, at: this.#now(), wireMs: bytes.length / this.#line.rate };
  }

  end(): void {
    if (!this.#last) return;
    const { time, at, wireMs } = this.#last;
    time.count++;
    time.wireMs += wireMs;
    time.waitMs += this.#now() - at - wireMs;
    this.#last = undefined;
  }
}

export async function runModelled({ name, job, line }: FlashCase): Promise<ModelledResult> {
  const nothing = { receive: () => undefined, stop: () => undefined };
  const bench = new Bench({ ...boardOn(line), flash: flashBefore(job), startFirmware: () => nothing });
  const { totalMs: boundMs } = await boundOf(job, line);
  const times = new FrameTimes(line, () => bench.clock.now());
  const elapsedMs = await bench.clock.run(async () => {
    const start = bench.clock.now();
    const board = await bench.connect(optionsFor(line));
    if (job.kind === 'open') return bench.clock.now() - start;
    const write = bench.board.hostWrites.bind(bench.board);
    bench.board.hostWrites = (bytes) => {
      times.sent(bytes);
      write(bytes);
    };
    const before = bench.clock.now();
    await doJob(board, job);
    times.end();
    const spent = bench.clock.now() - before;
    await board.close();
    return spent;
  });
  return { case: name, boundMs, elapsedMs, commands: [...times.commands.values()] };
}

export function modelledTable(results: readonly ModelledResult[]): string {
  const rows = results.flatMap(({ case: name, boundMs, elapsedMs, commands }) => [
    [name, '', '', '', '', elapsedMs.toFixed(0), boundMs > 0 ? `${((100 * boundMs) / elapsedMs).toFixed(1)} %` : ''],
    ...commands.map(({ command, count, wireMs, waitMs }) => {
      return ['', command, `${count}`, wireMs.toFixed(0), waitMs.toFixed(0), (wireMs + waitMs).toFixed(0), ''];
    }),
  ]);
  const heading = ['case', 'command', 'times', 'wire ms', 'wait ms', 'sum ms', 'of bound'];
  return formatTable(heading, rows, ['case', 'command']);
}
