/** `twostep probe`: what a board, its adapter and its flash really do, as a report to attach to an issue. */
import { type Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';
import { blockBackText, blockLeftText, notPutBack, probeReportText } from '#messages/probe-report.ts';
import { isLocked, readBoardState } from '#workflows/board-state.ts';
import { probeBoard, probedBoard, probeRates, type ProbeStep } from '#workflows/probe.ts';
import { type BlockKeeper, lookAround, lookAtBlock, putBlockBack, type SavedBlock } from '#workflows/probe-block.ts';
import { hearRestart } from '#workflows/probe-restart.ts';
import { findScratch } from '#workflows/probe-scratch.ts';
import { join } from 'node:path';
import process from 'node:process';
import { BlockFiles, stateFolder } from './block-files.ts';
import { type CommandContext } from './context.ts';
import { type Output } from './output.ts';
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
  const { output, signal, env } = context;
  const files = new BlockFiles(join(stateFolder(env), 'measured'));
  await withBoard(options, context, async (board, clock) => {
    await settle(board, files, context);
    output.say('step', { step: 'find' }, 'Looking for a place to measure in');
    const place = await findScratch(board, signal);
    const keeper = new ToldKeeper(files, output);
    try {
      const report = await probeBoard(board, place, {
        clock,
        rates: probeRates(board, options.before),
        state: await readBoardState(board, board.identity, { signal }),
        signal,
        keeper,
        onStep: (step) => output.say('step', { step }, STEPS[step]),
      });
      output.say('step', { step: 'reset' }, 'Restarting');
      const reset = await hearRestart(board, { clock, signal });
      const system = `${process.platform} ${process.arch}`;
      const record = { version, system, board: probedBoard(board), ...report, reset };
      output.say('report', record, probeReportText(record));
    } finally {
      keeper.tell();
    }
  });
}

/** Keeps the block in its file, and tells when it is not back. */
class ToldKeeper implements BlockKeeper {
  readonly #files: BlockFiles;
  readonly #output: Output;
  #held: SavedBlock | undefined;
  #isKept = false;

  constructor(files: BlockFiles, output: Output) {
    this.#files = files;
    this.#output = output;
  }

  async hold(block: SavedBlock): Promise<boolean> {
    this.#held = block;
    this.#isKept = await this.#files.hold(block);
    if (!this.#isKept) this.#output.complain('What is there cannot be kept in a file: do not end this by force.');
    return this.#isKept;
  }

  async release(block: SavedBlock): Promise<void> {
    this.#held = undefined;
    await this.#files.release(block);
  }

  tell(): void {
    if (!this.#held) return;
    const { what, state } = notPutBack(this.#held, this.#held.before === undefined);
    const todo = this.#isKept ? 'The next twostep probe of this board puts them back.' : '';
    this.#output.complain([what, state, todo].filter(Boolean).join(' '));
  }
}

/**
 * Puts back what an earlier probe of this board had to leave.
 *
 * @throws {WorkflowError} `kept-in-doubt` when it may have hit more than its block; nothing is measured then, but the next time.
 */
async function settle(board: Bootloader, files: BlockFiles, { output, signal }: CommandContext): Promise<void> {
  const { mac } = board.identity;
  if (isLocked(board.identity) || mac === undefined) return;
  const block = await files.load(mac);
  if (!block) return;
  const found = await lookAtBlock(board, block, { signal });
  const { offset, size } = block;
  const leave = async (): Promise<void> => {
    const file = await files.setAside(block);
    output.say('block-left', { offset, size, file }, blockLeftText(block, file));
  };
  if (found === 'other') {
    await leave();
    return;
  }
  const damage = await lookAround(board, block, { signal });
  if (found === 'test-bytes') {
    output.say('step', { step: 'put-back' }, 'Putting back what an earlier probe of this board had to leave');
    try {
      await putBlockBack(board, block);
    } catch (error) {
      // Nor would it succeed the next time.
      if (isDeviceError(error, 'verify-failed', 'flash-failed')) await leave();
      throw error;
    }
    output.say('put-back', { offset, size }, blockBackText(block));
  }
  await files.release(block);
  if (damage) throw damage;
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
