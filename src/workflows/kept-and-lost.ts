/** What the board has now and what becomes of it: everything that a plan touches is named. */
import { type Partition, PartitionType, DataSubtype } from '#formats/partition-table.ts';
import { isNvsRow } from './board-nvs.ts';
import { type BoardState } from './board-state.ts';
import { type BoardItem, type FlashWrite, writtenRange } from './flash-plan.ts';
import { type ChosenTable } from './table-choice.ts';

interface Outcome {
  kept: BoardItem[];
  lost: BoardItem[];
}

/**
 * Goes through the partitions of the board as it is. NVS has its own rules and comes in as `nvs`; otadata is rewritten
 * by every plan and holds nothing that is anybody's.
 */
export function keptAndLost(
  board: BoardState,
  { table, writes, nvs }: { table: ChosenTable; writes: readonly FlashWrite[]; nvs: readonly BoardItem[] },
): Outcome {
  const outcome: Outcome = { kept: [], lost: [] };
  const put = (item: BoardItem): void => {
    const stays = item.why === 'untouched' || item.why === 'carried-over';
    outcome[stays ? 'kept' : 'lost'].push(item);
  };
  for (const partition of board.table?.partitions ?? []) {
    const what = contentOf(partition, board);
    if (what) put({ ...place(partition), ...what, why: fate(partition, { table, writes }) });
  }
  for (const settings of nvs) put(settings);
  return outcome;
}

function contentOf(partition: Partition, board: BoardState): Pick<BoardItem, 'content' | 'values'> | undefined {
  if (partition.type === PartitionType.App) {
    const slot = board.slots.find((state) => state.partition === partition);
    if (!slot || slot.content === 'blank') return undefined;
    const values = {
      version: slot.description?.version ?? '',
      project: slot.description?.projectName ?? '',
      tag: slot.tag ?? '',
    };
    return { content: slot.content, values };
  }
  const isOtadata = partition.type === PartitionType.Data && partition.subtype === DataSubtype.Ota;
  if (isOtadata || isNvsRow(partition) || !board.filled.includes(partition)) return undefined;
  return { content: 'unknown', values: {} };
}

function fate(
  partition: Partition,
  { table, writes }: { table: ChosenTable; writes: readonly FlashWrite[] },
): BoardItem['why'] {
  const end = partition.offset + partition.size;
  const hit = writes.find((write) => {
    const [from, to] = writtenRange(write);
    return from < end && partition.offset < to;
  });
  if (hit) return hit.offset === partition.offset ? 'replaced' : 'overwritten';
  const stays = table.partitions.some(
    ({ type, subtype, offset, size }) =>
      type === partition.type &&
      subtype === partition.subtype &&
      offset === partition.offset &&
      size === partition.size,
  );
  return stays ? 'untouched' : 'not-in-new-table';
}

const place = ({ name, offset, size }: Partition): Pick<BoardItem, 'label' | 'offset' | 'size'> => ({
  label: name,
  offset,
  size,
});
