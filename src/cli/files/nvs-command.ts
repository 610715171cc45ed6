/** `twostep nvs`: images of NVS partitions. */
import { type Command } from 'commander';
import { type CommandContext } from '../context.ts';
import { addNvsKeysCommands } from './nvs-keys-command.ts';
import { addNvsUnitsCommand } from './nvs-units-command.ts';

export function addNvsCommands(program: Command, context: CommandContext): void {
  const nvs = program.command('nvs').description('images of NVS partitions');
  addNvsKeysCommands(nvs, context);
  addNvsUnitsCommand(nvs, context);
}
