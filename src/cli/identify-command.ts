/** `twostep identify`: what the board is and what lies in its flash. Changes nothing. */
import { Bootloader } from '#device/bootloader.ts';
import { type BoardIdentity } from '#device/identify.ts';
import { type EntryMode } from '#device/reset.ts';
import { describePartition } from '#formats/partition-table.ts';
import { addressText, bytesText } from '#messages/units.ts';
import { type BoardState, readBoardState, type SlotState } from '#workflows/board-state.ts';
import { type CommandContext } from './context.ts';
import { baudAndSize } from './flash-command.ts';
import { identityText } from './identity-text.ts';
import { openBoardPort } from './ports/board-port.ts';

export interface IdentifyOptions {
  port: string;
  baud?: string;
  flashSize?: string;
  before: EntryMode;
}

export async function identifyCommand(options: IdentifyOptions, context: CommandContext): Promise<void> {
  const { output, signal } = context;
  const place = await openBoardPort(options.port);
  try {
    await place.run(async () => {
      const board = await Bootloader.connect(place.port, {
        clock: place.clock,
        ports: place.source,
        before: options.before,
        signal,
        ...(place.fixedBaud === undefined ? {} : { baud: place.fixedBaud }),
        ...baudAndSize(options),
      });
      try {
        const { identity } = board;
        output.say('board', identityText(identity).record, identityLines(identity).join('\n'));
        if (identity.flashSize === undefined) return;
        const state = await readBoardState(board, identity, { signal });
        output.say('flash', stateRecord(state), stateLines(state).join('\n'));
        // A board that was brought into download mode by hand stays there; the others go on with what they did.
        if (options.before !== 'none') await (await board.restart({ signal })).close();
      } finally {
        await board.close();
      }
    });
  } finally {
    await place.dispose();
  }
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
      const nvs = state.nvs?.partition === partition ? nvsText(state) : undefined;
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

function nvsText({ nvs }: BoardState): string {
  if (!nvs) return '';
  return nvs.decoded.verdict === 'ok' ? `${nvs.decoded.entries.length} settings` : nvs.decoded.verdict;
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
