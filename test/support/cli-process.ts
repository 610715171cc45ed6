/** A command of ours as a process of its own that goes on until it is stopped, told of by its `--json` lines. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Readable } from 'node:stream';

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

export type CliEvent = Record<string, unknown> & { event: string };

export class CliProcess {
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #lines: AsyncIterator<string, undefined>;

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, [PROGRAM, ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Its next line with that event; those between are passed over. */
  async next(event: string): Promise<CliEvent> {
    for (;;) {
      const { value } = await this.#lines.next();
      if (value === undefined) throw new Error(`It ended without ${event}`);
      const line = JSON.parse(value) as CliEvent;
      if (line.event === event) return line;
    }
  }

  /** Ends it: as Ctrl-C does, or at once and unprepared. Again for one that has ended: nothing. */
  async stop(signal: 'SIGINT' | 'SIGKILL' = 'SIGINT'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}
