/** How long the command line takes to say its first word, against a Node that does nothing. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { type Benchmark, figure, inTurns, wallMs } from './measure.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

function runNode(...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}: ${stderr}`);
}

export const start: Benchmark = {
  name: 'start',
  run: async ({ rounds }) => [
    figure('start', {
      ...(await inTurns(
        rounds,
        () => wallMs(() => runNode(MAIN, '--help')),
        () => wallMs(() => runNode('-e', '0')),
      )),
      against: 'node -e 0',
      unit: 'ms',
    }),
  ],
};
