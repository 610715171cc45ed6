/** What a board holds that a plan does not touch. */
import { alignDown, alignUp } from '#formats/bytes.ts';
import { SECTOR_SIZE } from '#device/flash-memory.ts';
import { DataSubtype, type Partition, PARTITION_TABLE_SECTOR, PartitionType } from '#formats/partition-table.ts';
import { isNvsRow } from './board-nvs.ts';
import { type BoardState } from './board-state.ts';
import { type FlashWrite, writtenRange } from './flash-plan.ts';
import { type KeptPart } from './kept-guard.ts';

export type HeldByBoard = Pick<
  BoardState,
  'identity' | 'flashSize' | 'bootloader' | 'table' | 'slots' | 'nvs' | 'moreNvs' | 'filled'
>;

/**
 * All parts that none of the writes touches: partitions, boot loader and table.
 *
 * @param plan.table - the rows in force afterwards, where they change: what is not among them is given up
 */
export function untouchedParts(
  board: HeldByBoard,
  { writes, table }: { writes: readonly FlashWrite[]; table?: { partitions: readonly Partition[] } | undefined },
): KeptPart[] {
  const stays = ({ offset, size }: Partition): boolean =>
    !table || table.partitions.some((row) => row.offset === offset && row.size === size);
  const parts = [
    ...loaderParts(board),
    ...rowsOf(board)
      .filter(stays)
      .map((row) => partOf(row, board)),
  ];
  return parts.filter(({ offset, length }) => {
    const isTouched = writes.some((write) => {
      const [from, to] = writtenRange(write);
      return from < offset + length && offset < to;
    });
    return !isTouched && offset + length <= board.flashSize;
  });
}

function loaderParts({ identity, bootloader, table }: HeldByBoard): KeptPart[] {
  const { bootloaderOffset: offset } = identity.chip;
  const end = table?.offset ?? offset + SECTOR_SIZE;
  return [
    ...(bootloader ? [{ label: 'boot loader', offset, length: end - offset }] : []),
    ...(table ? [{ label: 'partition table', offset: table.offset, length: PARTITION_TABLE_SECTOR }] : []),
  ];
}

/** Without a table settings may have been found all the same. */
const rowsOf = ({ table, nvs, moreNvs }: HeldByBoard): readonly Partition[] =>
  table?.partitions ?? [...(nvs ? [nvs] : []), ...moreNvs].map(({ partition }) => partition);

function partOf(row: Partition, { slots, filled }: HeldByBoard): KeptPart {
  const { name: label, type, subtype, size } = row;
  const offset = alignDown(row.offset, SECTOR_SIZE);
  const slot = slots.find(({ partition }) => partition === row);
  const isLookedAt = type === PartitionType.Data && !isNvsRow(row) && subtype !== DataSubtype.Ota;
  const blank = slot ? slot.content === 'blank' : isLookedAt && !filled.includes(row);
  return { label, offset, length: alignUp(row.offset + size, SECTOR_SIZE) - offset, ...(blank && { blank }) };
}
