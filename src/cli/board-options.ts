/** Options that commands on a board share. */
import { type Command, Option } from 'commander';
import { PORT_FORMS } from './ports/port-name.ts';

/** Where the board is. */
export const portOption = (): Option => new Option('--port <port>', PORT_FORMS).makeOptionMandatory();

/** How it is worked with. */
export const addLineOptions = (command: Command, baudText = 'rate for the work, or auto'): Command =>
  command
    .option('--flash-size <size>', 'such as 4MB, when it cannot be detected')
    .option('--baud <rate>', baudText, 'auto')
    .addOption(
      new Option('--before <how>', 'how the board is brought into download mode')
        .choices(['auto', 'classic', 'tight', 'usb', 'none'])
        .default('auto'),
    )
    .option('--no-stub', 'leave all work to the loader in ROM, slowly, as is done when the stub does not start');

export const afterOption = (): Option =>
  new Option('--after <what>', 'what the board does then').choices(['reset', 'none']).default('reset');

export const jsonOption = (): Option => new Option('--json', 'one JSON object a line');
