/** The commands that only work on files, one file each. */
import { type Command } from 'commander';
import { type CommandContext } from '../context.ts';
import { addDataCommands } from './data-command.ts';
import { addImageCommands } from './image-command.ts';
import { addNvsCommands } from './nvs-command.ts';
import { addOtadataCommands } from './otadata-command.ts';
import { addPartitionsCommands } from './partitions-command.ts';
import { addReleaseCommands } from './release-command.ts';

export function addFileCommands(program: Command, context: CommandContext): void {
  addPartitionsCommands(program, context);
  addNvsCommands(program, context);
  addOtadataCommands(program, context);
  addImageCommands(program, context);
  addDataCommands(program, context);
  addReleaseCommands(program, context);
}
