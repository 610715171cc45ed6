/** Which slot gets the app and which the data: by type and subtype, never by label. */
import {
  AppSubtype,
  DataSubtype,
  findPartition,
  otaSlots,
  type Partition,
  PartitionType,
} from '#formats/partition-table.ts';
import { encodeOtadata, OTADATA_SIZE, OtaState } from '#formats/otadata.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { type BoardState } from './board-state.ts';
import { flashWrite, type PlannedRoles, type PlanPart } from './flash-plan.ts';
import { objection, type Warning, warning } from './plan-notices.ts';
import { type ChosenTable } from './table-choice.ts';

/** `keep`: a board that runs from PB stays so. `normal`: app to PA, data to PB. */
export type Orientation = 'keep' | 'normal';

export interface RolesChoice extends PlanPart {
  roles?: PlannedRoles;
}

export function chooseRoles(
  { table, build }: { table: ChosenTable; build: ReleaseBuild },
  board: BoardState,
  orientation: Orientation,
): RolesChoice {
  const { partitions } = table;
  const pa = findPartition(partitions, PartitionType.App, AppSubtype.Ota0);
  const pb = findPartition(partitions, PartitionType.App, AppSubtype.Ota1);
  if (!pa || !pb) {
    const app = plainAppPartition(partitions, build, board);
    return app ? { roles: { app, swapped: false }, objections: [], warnings: [] } : { objections: [], warnings: [] };
  }
  const warnings: Warning[] = [];
  const stays = sameSlots(board, pa, pb);
  const swapped = board.swapped && stays && orientation === 'keep';
  if (swapped) warnings.push(warning('orientation-swapped', 'app'));
  else if (board.swapped)
    warnings.push(warning('orientation-normalised', 'app', { asked: orientation === 'normal' ? 1 : 0 }));

  const factory = findPartition(partitions, PartitionType.App, AppSubtype.Factory);
  if (factory) {
    const held = board.slots.find(
      ({ partition }) => partition.offset === factory.offset && partition.subtype === AppSubtype.Factory,
    );
    warnings.push(
      warning('factory-kept', 'partition-table', {
        size: factory.size,
        content: held?.content ?? 'unknown',
        version: held?.description?.version ?? '',
      }),
    );
  }
  const roles: PlannedRoles = { app: swapped ? pb : pa, data: swapped ? pa : pb, pa, pb, swapped };
  return { roles, objections: [], warnings };
}

/** The otadata that makes the app slot boot; both sectors, so that no older entry with a higher sequence wins (bootloader_utility.c). */
export function planOtadata(table: ChosenTable, roles: PlannedRoles): PlanPart {
  const row = findPartition(table.partitions, PartitionType.Data, DataSubtype.Ota);
  const slots = otaSlots(table.partitions);
  const slot = slots.findIndex(({ offset }) => offset === roles.app.offset);
  const hasFactory = findPartition(table.partitions, PartitionType.App, AppSubtype.Factory) !== undefined;
  if (!row) {
    // Without otadata the boot loader starts factory, or with no factory the first slot.
    const startsAlone = slot < 0 || (slot === 0 && !hasFactory);
    return { objections: startsAlone ? [] : [objection('no-otadata', 'otadata', { slot: roles.app.name })] };
  }
  const data =
    slot < 0
      ? new Uint8Array(OTADATA_SIZE).fill(0xff)
      : encodeOtadata({ slot, slotCount: slots.length, state: OtaState.Valid });
  return {
    writes: [flashWrite({ role: 'otadata', label: row.name, offset: row.offset, data, why: 'selects-app-slot' })],
    objections: [],
  };
}

/** A table without two slots: where the release itself puts its app, else what runs, else ota_0, else factory. Never a test app. */
function plainAppPartition(
  partitions: readonly Partition[],
  build: ReleaseBuild,
  board: BoardState,
): Partition | undefined {
  const app = (subtype: number): Partition | undefined => findPartition(partitions, PartitionType.App, subtype);
  const own = partitions.find(
    ({ type, subtype, offset }) =>
      type === PartitionType.App && subtype !== AppSubtype.Test && offset === build.app.offset,
  );
  const running = board.runs === undefined || board.runs === 'factory' ? undefined : app(AppSubtype.Ota0 + board.runs);
  return own ?? running ?? app(AppSubtype.Ota0) ?? app(AppSubtype.Factory);
}

const sameSlots = (board: BoardState, ...slots: Partition[]): boolean =>
  slots.every(({ subtype, offset, size }) =>
    board.slots.some(
      ({ partition }) => partition.subtype === subtype && partition.offset === offset && partition.size === size,
    ),
  );
