/** The commands, their options and what the exit code says. */
import { DeviceError } from '#device/device-error.ts';
import { errorMessage, isAbort } from '#messages/error-message.ts';
import { Command, CommanderError, Option } from 'commander';
import { createRequire } from 'node:module';
import { type Readable } from 'node:stream';
import { backupCommand, type BackupOptions, parseRange } from './backup-command.ts';
import { type CommandContext } from './context.ts';
import { addFileCommands } from './files/file-commands.ts';
import { Refused } from './files/file-command.ts';
import { flashCommand, type FlashOptions, isRefusal } from './flash-command.ts';
import { identifyCommand } from './identify-command.ts';
import { InputError } from './input-error.ts';
import { EFUSE_NAMES } from './efuse-option.ts';
import { createOutput, type OutputStreams } from './output.ts';
import { PORT_FORMS } from './ports/port-name.ts';
import { probeCommand } from './probe-command.ts';
import { restoreCommand, type RestoreOptions } from './restore-command.ts';
import { readSecretLine } from './secret-line.ts';
import { type BoardOptions } from './with-board.ts';
import { virtualCommand, type VirtualOptions } from './virtual-command.ts';

const VERSION = (createRequire(import.meta.url)('../../package.json') as { version: string }).version;

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
  const context: CommandContext = {
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
  }
}

const STATES: Record<CommandContext['changed'], string> = {
  nothing: 'Nothing on the board was changed.',
  part: 'The flash is half-written; running the same command again finishes it.',
  all: 'Everything is written.',
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
    output.error({ what: `${error.message}.`, state: STATES.nothing, code: error.code, ...todo });
    return EXIT.refused;
  }
  const message = errorMessage(error);
  // What the error's own text can only guess is known here.
  output.error(error instanceof DeviceError && error.code !== 'restart-failed' ? { ...message, state } : message);
  return isRefusal(error) ? EXIT.refused : EXIT.failed;
}

function createProgram(streams: OutputStreams, context: CommandContext): Command {
  const program = new Command('twostep')
    .description('Provision two-slot ESP32 boards over a serial port')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
    })
    .showHelpAfterError('(see --help)');

  const before = (): Option =>
    new Option('--before <how>', 'how the board is brought into download mode')
      .choices(['auto', 'classic', 'tight', 'usb', 'none'])
      .default('auto');

  const noStub = (): Option =>
    new Option('--no-stub', 'leave all work to the loader in ROM, slowly, as is done when the stub does not start');

  program
    .command('flash')
    .description('write a release, data and Wi-Fi credentials, and watch the board come up')
    .argument(
      '<release...>',
      'a release file, a build folder of ESP-IDF, Arduino or PlatformIO, a .zip of one, a merged image, or an app image',
    )
    .requiredOption('--port <port>', PORT_FORMS)
    .option('--data <file>', 'data for the second slot')
    .option('--partitions <table>', 'a CSV file, two-slot (proposed for this flash) or release (as it is)')
    .option('--wifi-ssid <name>', 'network that the board should join')
    .option('--wifi-password-stdin', 'read its password from standard input')
    .option(
      '--wifi-store <store>',
      'where the firmware looks: none, idf or NAMESPACE:SSIDKEY:PASSKEY; else as the release says',
    )
    .addOption(
      new Option('--orientation <which>', 'keep a swapped board swapped, or put app and data back')
        .choices(['keep', 'normal'])
        .default('keep'),
    )
    .option('--flash-header <change>', 'boot loader header: keep, repair, or mode=dio,freq=40m,size=detect')
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', 'rate for the work, or auto', 'auto')
    .addOption(before())
    .addOption(noStub())
    .addOption(new Option('--after <what>', 'what the board does then').choices(['reset', 'none']).default('reset'))
    .option('--full', 'send everything, also what the flash holds already')
    .option('--signed', 'the release is signed with the key of this board, which has secure boot')
    .option('--plan', 'only show what would be written, kept and lost')
    .option('--json', 'one JSON object a line')
    .action((paths: string[], options: FlashOptions) => flashCommand(paths, options, context));

  program
    .command('identify')
    .description('what the board is and what lies in its flash; changes nothing')
    .requiredOption('--port <port>', PORT_FORMS)
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', 'rate for the work, or auto', 'auto')
    .addOption(before())
    .addOption(noStub())
    .option('--json', 'one JSON object a line')
    .action((options: BoardOptions) => identifyCommand(options, context));

  program
    .command('probe')
    .description('measure what board, adapter and flash really do, for a report; puts back what it writes to')
    .requiredOption('--port <port>', PORT_FORMS)
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', 'rate to begin with, or auto', 'auto')
    .addOption(before())
    .addOption(noStub())
    .option('--json', 'one JSON object a line')
    .action((options: BoardOptions) => probeCommand(options, VERSION, context));

  program
    .command('backup')
    .description('read the flash of a board, or parts of it, into a file; changes nothing on the board')
    .requiredOption('--port <port>', PORT_FORMS)
    .requiredOption('-o, --output <file>', 'the backup; until it is complete it is called FILE.part')
    .option('--partition <name...>', 'only these partitions; bootloader and partition-table as well')
    .option('--range <offset:length...>', 'only these ranges, widened to whole sectors: 0x9000:16K', parseRange)
    .option('--note <text...>', 'lines to be kept with it')
    .option('--resume', 'go on with one that was broken off')
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', 'rate for the work, or auto', 'auto')
    .addOption(before())
    .addOption(noStub())
    .option('--json', 'one JSON object a line')
    .action((options: BackupOptions) => backupCommand(options, context));

  program
    .command('restore')
    .description('write a backup, or partitions of it, back to a board: only what differs, and verified')
    .argument('<backup>', 'a file of backup')
    .option('--port <port>', PORT_FORMS)
    .option('--partition <name...>', 'only these partitions; bootloader and partition-table as well')
    .option('--list', 'only show what is in the backup; needs no board')
    .option('--plan', 'only show what would be written')
    .option('--full', 'send everything, also what the flash holds already')
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', 'rate for the work, or auto', 'auto')
    .addOption(before())
    .addOption(noStub())
    .addOption(new Option('--after <what>', 'what the board does then').choices(['reset', 'none']).default('reset'))
    .option('--json', 'one JSON object a line')
    .action((path: string, options: RestoreOptions) => restoreCommand(path, options, context));

  program
    .command('virtual')
    .description('a virtual board as a process, with its UART, modem lines and baud rate on TCP ports')
    .requiredOption('--chip <chip>', 'esp32, esp32s3 or esp32c3')
    .option('--flash <file>', 'keep the flash in this file; made when it does not exist')
    .option('--flash-size <size>', 'size of the flash', '4MB')
    .option('--listen <address>', 'HOST:PORT of the UART (127.0.0.1:5555 unless --rfc2217 is given)')
    .option('--control <address>', 'HOST:PORT of modem lines and baud rate, as JSON lines')
    .option('--rfc2217 <address>', 'HOST:PORT of UART, modem lines and baud rate by RFC 2217, for pyserial and esptool')
    .addOption(
      new Option('--boot <how>', 'whether the boot button is held at power-on')
        .choices(['download', 'normal'])
        .default('normal'),
    )
    .option('--wifi <ssid:password>', 'the network that the board finds')
    .addOption(
      new Option(
        '--wiring <how>',
        'a USB bridge, or the USB of the chip itself, which leaves and returns at each reset',
      )
        .choices(['uart', 'usb-serial-jtag'])
        .default('uart'),
    )
    .option('--efuse <names>', `eFuses that are burnt, with commas between: ${EFUSE_NAMES.join(', ')}`)
    .option('--json', 'one JSON object a line')
    .action((options: VirtualOptions) => virtualCommand(options, context));

  addFileCommands(program, context);
  return program;
}
