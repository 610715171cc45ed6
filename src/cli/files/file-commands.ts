/** The commands that only work on files, one file each. */
import { type Command } from 'commander';
import { type CommandContext } from '../context.ts';
import { addPartitionsCommands } from './partitions-command.ts';
import { addReleaseCommands } from './release-command.ts';

export function addFileCommands(program: Command, context: CommandContext): void {
  addPartitionsCommands(program, context);
  addReleaseCommands(program, context);
}
