/** `twostep identify`: what the board is and what lies in its flash. Changes nothing. */
import { type BoardIdentity } from '#device/identify.ts';
import { describePartition, type Partition } from '#formats/partition-table.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { isNvsRow } from '#workflows/board-nvs.ts';
import { type BoardState, isLocked, readBoardState, type SlotState } from '#workflows/board-state.ts';
import { type CommandContext } from './context.ts';
import { identityText } from './identity-text.ts';
import { type BoardOptions, leaveLoader, withBoard } from './with-board.ts';
import { type Command } from 'commander';
import { addLineOptions, jsonOption, portOption } from './board-options.ts';

async function identifyCommand(options: BoardOptions, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  await withBoard(options, context, async (board) => {
    const { identity } = board;
    output.say('board', identityText(identity).record, identityLines(identity).join('\n'));
    if (isLocked(identity)) output.say('locked', {}, 'What is in its flash is not looked at: it is secured.');
    else if (identity.flashSize !== undefined) {
      const state = await readBoardState(board, identity, { signal });
      output.say('flash', stateRecord(state), stateLines(state).join('\n'));
    }
    await leaveLoader(board, options, context);
  });
}

function identityLines(identity: BoardIdentity): string[] {
  const { security, features, crystalMhz } = identity;
  return [
    identityText(identity).line,
    `  features        ${features.join(', ') || 'not readable'}`,
    ...(crystalMhz === undefined ? [] : [`  crystal         ${crystalMhz} MHz`]),
    `  secure boot     ${security.secureBoot}`,
    `  encryption      ${security.flashEncryption}`,
    `  download mode   ${security.secureDownload ? 'secure: no reading back' : 'open'}`,
  ];
}

function stateLines(state: BoardState): string[] {
  if (!state.table) return ['No partition table found'];
  const slot = (at: number): SlotState | undefined => state.slots.find(({ partition }) => partition.offset === at);
  return [
    `Partition table at ${addressText(state.table.offset)}`,
    ...state.table.partitions.map((partition) => {
      const held = slot(partition.offset);
      const nvs = nvsText(state, partition);
      const what = held ? slotText(held) : (nvs ?? '');
      const row = `  ${addressText(partition.offset).padStart(8)}  ${bytesText(partition.size).padStart(9)}  ${partition.name.padEnd(16)} ${describePartition(partition).padEnd(14)} ${what}`;
      return row.trimEnd();
    }),
    ...(state.swapped ? ['Swapped: the app runs from PB, the data lies in PA'] : []),
  ];
}

function slotText({ content, description, tag }: SlotState): string {
  if (content === 'app') return ['app', description?.projectName, description?.version].filter(Boolean).join(' ');
  return content === 'data' && tag !== undefined ? `data "${tag}"` : content;
}

function nvsText({ nvs, moreNvs }: BoardState, partition: Partition): string | undefined {
  const held = [nvs, ...moreNvs].find((state) => state?.partition.name === partition.name);
  if (!held || !isNvsRow(partition)) return undefined;
  return held.decoded.verdict === 'ok' ? `${held.decoded.entries.length} settings` : held.decoded.verdict;
}

/** Names and kinds only: values of NVS may be secrets. */
function stateRecord(state: BoardState): Record<string, unknown> {
  return {
    table: state.table,
    slots: state.slots.map(({ partition, content, description, tag }) => ({
      name: partition.name,
      content,
      project: description?.projectName,
      version: description?.version,
      tag,
    })),
    nvs: state.nvs && {
      state: state.nvs.decoded.verdict,
      keys: state.nvs.decoded.entries.map(({ namespace, key, type }) => ({ namespace, key, type })),
    },
    swapped: state.swapped,
  };
}

export function addIdentifyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('identify')
    .description('what the board is and what lies in its flash; changes nothing')
    .addOption(portOption());
  addLineOptions(command)
    .addOption(jsonOption())
    .action((options: BoardOptions) => identifyCommand(options, context));
}
