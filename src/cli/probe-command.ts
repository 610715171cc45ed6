/** `twostep probe`: what a board, its adapter and its flash really do, as a report to attach to an issue. */
import { notPutBack, probeReportText } from '#messages/probe-report.ts';
import { probeBoard, probedBoard, probeRates, type ProbeStep } from '#workflows/probe.ts';
import { hearRestart } from '#workflows/probe-restart.ts';
import { findScratch, Scratch } from '#workflows/probe-scratch.ts';
import process from 'node:process';
import { type CommandContext } from './context.ts';
import { type BoardOptions, withBoard } from './with-board.ts';
import { type Command } from 'commander';
import { addLineOptions, jsonOption, portOption } from './board-options.ts';
import { VERSION } from './version.ts';

const STEPS: Record<ProbeStep, string> = {
  latency: 'Asking for answers',
  save: 'Saving what is there',
  erase: 'Erasing',
  write: 'Writing',
  read: 'Reading',
  md5: 'Hashing',
  ladder: 'Trying higher rates',
  restore: 'Putting back what was there',
};

async function probeCommand(options: BoardOptions, version: string, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  await withBoard(options, context, async (board, clock) => {
    output.say('step', { step: 'find' }, 'Looking for a place to measure in');
    const scratch = new Scratch(await findScratch(board, signal));
    try {
      const report = await probeBoard(board, scratch, {
        clock,
        rates: probeRates(board, options.before),
        signal,
        onStep: (step) => output.say('step', { step }, STEPS[step]),
      });
      output.say('step', { step: 'reset' }, 'Restarting');
      const reset = await hearRestart(board, { clock, signal });
      const system = `${process.platform} ${process.arch}`;
      const record = { version, system, board: probedBoard(board), ...report, reset };
      output.say('report', record, probeReportText(record));
    } finally {
      const { what, state } = notPutBack(scratch.place, scratch.wasBlank);
      if (scratch.touched) output.complain([what, state].join(' '));
    }
  });
}

export function addProbeCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('probe')
    .description('measure what board, adapter and flash really do, for a report; puts back what it writes to')
    .addOption(portOption());
  addLineOptions(command, 'rate to begin with, or auto')
    .addOption(jsonOption())
    .action((options: BoardOptions) => probeCommand(options, VERSION, context));
}
