/** The commands, their options and what the exit code says. */
import { DeviceError } from '#device/device-error.ts';
import { errorMessage, isAbort } from '#messages/error-message.ts';
import { Command, CommanderError } from 'commander';
import { type Readable } from 'node:stream';
import { addBackupCommand } from './backup-command.ts';
import { type CommandContext } from './context.ts';
import { addFileCommands } from './files/file-commands.ts';
import { Refused } from './files/file-command.ts';
import { addFlashCommand, isRefusal } from './flash-command.ts';
import { addIdentifyCommand } from './identify-command.ts';
import { InputError } from './input-error.ts';
import { createOutput, type OutputStreams } from './output.ts';
import { addProbeCommand } from './probe-command.ts';
import { Prompt } from './prompt.ts';
import { addRestoreCommand } from './restore-command.ts';
import { addServeCommand } from './serve-command.ts';
import { addUpdateCommand } from './update/update-command.ts';
import { readSecretLine } from './secret-line.ts';
import { VERSION } from './version.ts';
import { addVirtualCommand } from './virtual-command.ts';

export const EXIT = { done: 0, failed: 1, refused: 2, aborted: 130 } as const;

export interface CommandLine {
  streams: OutputStreams;
  stdin: Readable;
  /** Registers what happens on Ctrl-C. */
  onInterrupt: (callback: () => void) => void;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs one command.
 *
 * @returns the exit code: 0 done, 1 the job failed, 2 the input was refused, 130 aborted.
 */
export async function runCommandLine(args: string[], line: CommandLine): Promise<number> {
  const abort = new AbortController();
  line.onInterrupt(() => abort.abort());
  const json = args.includes('--json');
  const prompt = new Prompt({ ...line, signal: abort.signal });
  const context: CommandContext = {
    prompt,
    output: createOutput(line.streams, { json }),
    changed: 'nothing',
    signal: abort.signal,
    env: Object.fromEntries(
      Object.entries(line.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    readPassword: () => readSecretLine({ ...line, signal: abort.signal }),
  };
  try {
    await createProgram(line.streams, context).parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return sayError(error, context, json);
  } finally {
    prompt.close();
  }
}

const STATES: Record<CommandContext['changed'], string> = {
  nothing: 'Nothing on the board was changed.',
  part: 'The flash is half-written; running the same command again finishes it.',
  all: 'Everything is written.',
  boards: 'What each board holds stands above.',
  station: 'The station goes on with what was begun.',
};

/** @returns the exit code that goes with it. */
function sayError(error: unknown, { output, changed }: CommandContext, json: boolean): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done;
    // Commander has said it in words already.
    if (json) output.error({ what: error.message, state: STATES.nothing, code: error.code });
    return EXIT.refused;
  }
  if (error instanceof Refused) return EXIT.refused;
  const state = STATES[changed];
  if (isAbort(error)) {
    output.error({ what: 'Aborted.', state, code: 'aborted' });
    return EXIT.aborted;
  }
  if (error instanceof InputError) {
    const todo = error.todo === undefined ? {} : { todo: error.todo };
    output.error({ what: `${error.message}.`, state, code: error.code, ...todo });
    return changed === 'nothing' ? EXIT.refused : EXIT.failed;
  }
  const message = errorMessage(error);
  // What the error's own text can only guess is known here.
  output.error(error instanceof DeviceError && error.code !== 'restart-failed' ? { ...message, state } : message);
  return isRefusal(error) ? EXIT.refused : EXIT.failed;
}

function createProgram(streams: OutputStreams, context: CommandContext): Command {
  const program = new Command('twostep')
    .description('Provision two-slot ESP32 boards over a serial port, and update them over the network')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
    })
    .showHelpAfterError('(see --help)');

  addFlashCommand(program, context);
  addIdentifyCommand(program, context);
  addProbeCommand(program, context);
  addBackupCommand(program, context);
  addRestoreCommand(program, context);
  addServeCommand(program, context);
  addUpdateCommand(program, context);
  addVirtualCommand(program, context);
  addFileCommands(program, context);
  return program;
}
