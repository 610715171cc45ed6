/** Which partition table a plan uses, and whether that table can work on this board. */
import { flashSizeName } from '#formats/chips.ts';
import { FormatError } from '#formats/format-error.ts';
import {
  AppSubtype,
  DEFAULT_TABLE_OFFSET,
  DataSubtype,
  otaSlots,
  type Partition,
  PartitionType,
} from '#formats/partition-table.ts';
import { verifyPartitions } from '#formats/partition-checks.ts';
import { parsePartitionCsv, type PartitionCsvOptions } from '#formats/partition-csv.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { primaryNvsRow } from './board-nvs.ts';
import { type BoardState } from './board-state.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { proposeTwoSlotTable, slotSizeForData } from './two-slot-table.ts';

/** What the user asked for. `auto`: the release's table if it has two OTA slots, otherwise a proposed one. */
export type TableWish =
  { kind: 'auto' } | { kind: 'release' } | { kind: 'two-slot' } | { kind: 'csv'; name: string; bytes: Uint8Array };

export interface ChosenTable {
  offset: number;
  partitions: Partition[];
  /** `board`: the one that is there stays and is not written. */
  source: 'release' | 'csv' | 'proposed' | 'board';
}

export interface TableChoice {
  table?: ChosenTable;
  objections: Objection[];
  warnings: Warning[];
}

const HARMFUL_RULES: ReadonlySet<string> = new Set([
  'partition-overlap',
  'partition-misaligned',
  'partition-size-misaligned',
  'partition-below-table',
]);

export const hasTwoSlots = (partitions: readonly Partition[]): boolean =>
  [AppSubtype.Ota0, AppSubtype.Ota1].every((subtype) => otaSlots(partitions).some((slot) => slot.subtype === subtype));

/**
 * Decides the table and checks it against the rules of ESP-IDF and the real flash.
 *
 * @throws {FormatError} `partition-…` with line and column when a given CSV is wrong.
 */
export function chooseTable(
  build: ReleaseBuild,
  board: BoardState,
  { wish, dataSize }: { wish: TableWish; dataSize: number },
): TableChoice {
  const choice = pickTable(build, board, { wish, dataSize });
  const { table } = choice;
  if (!table) return choice;
  // What overlaps or lies beside the sectors would be destroyed by what is written next to it, on a board's own table too.
  const relevant = table.source === 'board' ? HARMFUL_RULES : undefined;

  const objections = [...choice.objections];
  const warnings = [...choice.warnings];
  // The end of the flash is checked on its own below, with the size that the user knows.
  const verdict = verifyPartitions(table.partitions, { tableOffset: table.offset });
  for (const { code, message } of verdict.errors) {
    if (relevant && !relevant.has(code)) continue;
    objections.push(objection('table-invalid', 'partition-table', { rule: code, message }));
  }
  for (const { code, message } of relevant ? [] : verdict.warnings) {
    warnings.push(warning('note', 'partition-table', { rule: code, message }));
  }
  if (!build.bootloader && board.table && table.source !== 'board' && table.offset !== board.table.offset) {
    const values = { board: board.table.offset, release: table.offset };
    objections.push(objection('table-offset-differs', 'partition-table', values));
  }
  const end = tableEnd(table.partitions);
  if (end > board.flashSize) {
    objections.push(
      objection('table-beyond-flash', 'partition-table', {
        end,
        flashSize: board.flashSize,
        size: flashSizeName(board.flashSize),
      }),
    );
  }
  if (!table.partitions.some(({ type }) => type === PartitionType.App)) {
    objections.push(objection('no-app-partition', 'partition-table'));
  }
  return { table, objections, warnings };
}

/** First byte behind the last partition. */
export const tableEnd = (partitions: readonly Partition[]): number =>
  Math.max(0, ...partitions.map(({ offset, size }) => offset + size));

function pickTable(
  build: ReleaseBuild,
  board: BoardState,
  { wish, dataSize }: { wish: TableWish; dataSize: number },
): TableChoice {
  const offset = build.table?.offset ?? board.table?.offset ?? DEFAULT_TABLE_OFFSET;
  const fromRelease = build.table && { ...build.table, source: 'release' as const };
  const fine = (table: ChosenTable, warnings: Warning[] = []): TableChoice => ({ table, objections: [], warnings });
  const refuse = (refusal: Objection): TableChoice => ({ objections: [refusal], warnings: [] });

  switch (wish.kind) {
    case 'csv': {
      const { partitions, warnings } = parseWishedCsv(wish, {
        tableOffset: offset,
        primaryBootloaderOffset: build.chip.bootloaderOffset,
      });
      return fine(
        { offset, partitions, source: 'csv' },
        warnings.map(({ code, message }) => warning('note', 'partition-table', { rule: code, message })),
      );
    }
    case 'release': {
      if (!fromRelease) return refuse(objection('release-has-no-table', 'release'));
      return fine(
        fromRelease,
        hasTwoSlots(fromRelease.partitions) ? [] : [warning('plain-release', 'partition-table')],
      );
    }
    case 'two-slot':
      return propose(build, board, { offset, dataSize });
    case 'auto': {
      if (fromRelease && hasTwoSlots(fromRelease.partitions)) return fine(fromRelease);
      if (fromRelease) {
        // A table with two slots that an earlier run proposed stays, and with it what lies in the slots.
        const own = board.table;
        const stays = own !== undefined && own.offset === offset && fits(own.partitions, build, { board, dataSize });
        return stays ? fine({ ...own, source: 'board' }) : propose(build, board, { offset, dataSize });
      }
      if (board.table) return fine({ ...board.table, source: 'board' });
      return refuse(objection('no-table', 'partition-table'));
    }
  }
}

/** Whether a board's own table can take app and data as they are now, in either orientation that the board may have. */
function fits(
  partitions: readonly Partition[],
  build: ReleaseBuild,
  { board, dataSize }: { board: BoardState; dataSize: number },
): boolean {
  if (!hasTwoSlots(partitions) || tableEnd(partitions) > board.flashSize) return false;
  const [pa, pb] = otaSlots(partitions);
  const [app, data] = board.swapped ? [pb, pa] : [pa, pb];
  return (
    app !== undefined &&
    data !== undefined &&
    build.app.data.length <= app.size &&
    slotSizeForData(dataSize) <= data.size
  );
}

/** @throws {FormatError} as the parser, with the file's name. */
export function parseWishedCsv(
  { name, bytes }: { name: string; bytes: Uint8Array },
  options: PartitionCsvOptions,
): ReturnType<typeof parsePartitionCsv> {
  try {
    return parsePartitionCsv(bytes, options);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(error.code, error.message, { place: { file: name, ...error.place }, cause: error });
  }
}

function propose(
  build: ReleaseBuild,
  board: BoardState,
  { offset, dataSize }: { offset: number; dataSize: number },
): TableChoice {
  const { kept, dropped } = rowsToKeep(build, board);
  const partitions = proposeTwoSlotTable({
    flashSize: board.flashSize,
    tableOffset: offset,
    appSize: build.app.data.length,
    dataSize,
    keep: kept,
  });
  if (!partitions) {
    const values = { app: build.app.data.length, data: dataSize, flashSize: board.flashSize };
    return { objections: [objection('no-room-for-two-slots', 'partition-table', values)], warnings: [] };
  }
  return {
    table: { offset, partitions, source: 'proposed' },
    objections: [],
    warnings: [
      warning('two-slot-table-proposed', 'partition-table'),
      ...dropped.map(({ name }) => warning('release-part-left-out', 'partition-table', { label: name })),
    ],
  };
}

/**
 * NVS where it is now, with the keys that an encrypted one needs, and the data rows of the release (or, without one, of the board)
 * that do not collide with it.
 */
function rowsToKeep(build: ReleaseBuild, board: BoardState): { kept: Partition[]; dropped: Partition[] } {
  const kept: Partition[] = [];
  const dropped: Partition[] = [];
  const add = (row: Partition): void => {
    const collides = kept.some(
      ({ name, offset, size }) => name === row.name || (offset < row.offset + row.size && row.offset < offset + size),
    );
    (collides || row.offset + row.size > board.flashSize ? dropped : kept).push(row);
  };
  const own = [board.nvs, ...board.moreNvs].flatMap((state) => (state ? [state.partition] : []));
  const isKeys = ({ type, subtype }: Partition): boolean =>
    type === PartitionType.Data && subtype === DataSubtype.NvsKeys;
  for (const row of [...own, ...(board.table?.partitions ?? []).filter(isKeys)]) add(row);

  const rows = build.table?.partitions ?? board.table?.partitions ?? [];
  for (const row of rows) {
    const isApp = row.type === PartitionType.App;
    const isOtadata = row.type === PartitionType.Data && row.subtype === DataSubtype.Ota;
    const isThere = kept.some(({ name, offset }) => name === row.name && offset === row.offset);
    // The release's NVS is the same thing as the board's, at another place.
    const isNvsAgain = row === primaryNvsRow(rows) && board.nvs !== undefined;
    if (!isApp && !isOtadata && !isThere && !isNvsAgain) add(row);
  }
  return { kept, dropped };
}
