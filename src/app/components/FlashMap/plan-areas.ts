/** From what a board holds, or what a plan will write, to the areas of the flash map. Pure. */
import {
  AppSubtype,
  DataSubtype,
  type Partition,
  PARTITION_TABLE_SECTOR,
  PartitionType,
} from '#formats/partition-table.ts';
import { countText } from '#messages/units.ts';
import { type BoardState, isLocked, type SlotState } from '#workflows/board-state.ts';
import { type BoardItem, type FlashPlan, type FlashWrite } from '#workflows/flash-plan.ts';
import { type FlashStep } from '#workflows/run-flash-plan.ts';
import { type AreaRole, type FlashArea } from './flash-area.ts';

/** How far a run is: the last `onStep`, and the bytes of the last `onProgress`. */
export interface RunProgress {
  step?: FlashStep | undefined;
  /** Bytes acknowledged of all writes together. */
  done: number;
  /** The run has ended well: everything was compared. */
  finished?: boolean | undefined;
  /** The run has ended before that. */
  stopped?: boolean | undefined;
}

type Place = Pick<FlashArea, 'id' | 'label' | 'role' | 'offset' | 'size' | 'detail'>;

/** The flash as the plan leaves it; with `progress`, as it is at that moment of the run. */
export function areasOfPlan(plan: FlashPlan, progress?: RunProgress): FlashArea[] {
  const places = placesOf(plan);
  const states = writeStates(plan, progress);
  return places.map((place) => {
    const inside = plan.writes
      .map((write, index) => ({ write, state: states[index] ?? PLANNED }))
      .filter(({ write }) => !write.transient && within(write, place));
    if (inside.length > 0) return { ...place, ...written(place, inside, progress?.stopped ? 'stopped' : 'writing') };
    const kept = plan.kept.find((item) => overlaps(item, place));
    if (kept) return { ...place, state: 'kept', detail: place.detail ?? itemDetail(kept) };
    return { ...place, used: 0 };
  });
}

/**
 * The flash as it was read. Without a partition table nothing can be told apart: all of it is free on a blank board, else not known.
 * With a plan, what stays is marked as kept, and what goes away without something of its kind in its place as lost.
 */
export function areasOfBoard(board: BoardState, plan?: Pick<FlashPlan, 'kept' | 'lost'>): FlashArea[] {
  const start = board.identity.chip.bootloaderOffset;
  if (!board.table) {
    const locked = isLocked(board.identity);
    if (!locked && !board.unknown && !board.bootloader) return [];
    const detail = locked ? 'the chip lets nothing be read' : 'no partition table';
    return [{ id: 'unknown', label: 'not known', role: 'other', offset: 0, size: board.flashSize, detail }];
  }
  const { offset, partitions } = board.table;
  const boot = bootPlace(start, offset);
  return [
    board.bootloader ? boot : { ...boot, used: 0, detail: 'none for this chip' },
    tablePlace(offset),
    ...partitions.map((partition) => withFate(boardArea(partition, board), plan)),
  ];
}

function withFate(area: FlashArea, plan: Pick<FlashPlan, 'kept' | 'lost'> | undefined): FlashArea {
  if (plan?.lost.some((item) => item.offset === area.offset && item.why !== 'replaced'))
    return { ...area, state: 'lost' };
  if (plan?.kept.some((item) => item.offset === area.offset)) return { ...area, state: 'kept' };
  return area;
}

type WriteState = Required<Pick<FlashArea, 'state' | 'done'>>;
const PLANNED: WriteState = { state: 'planned', done: 0 };

function writeStates(plan: FlashPlan, progress: RunProgress | undefined): WriteState[] {
  let start = 0;
  let lasting = 0;
  return plan.writes.map(({ data, transient }, index) => {
    const before = start;
    start += data.length;
    // What a later write overwrites is not verified.
    const order = transient ? -1 : lasting++;
    if (progress?.finished) return { state: 'verified', done: 1 };
    const step = progress?.step;
    if (!progress || !step || step.kind === 'compare') return PLANNED;
    if (step.kind === 'verify') return { state: order < step.index ? 'verified' : 'written', done: 1 };
    if (index > step.index) return PLANNED;
    const done = data.length === 0 ? 1 : Math.min(1, Math.max(0, (progress.done - before) / data.length));
    return index < step.index || done === 1 ? { state: 'written', done: 1 } : { state: 'writing', done };
  });
}

/** Several writes into one partition show as one: the bytes of all, the state of the least advanced. */
function written(
  place: Place,
  inside: readonly { write: FlashWrite; state: WriteState }[],
  partial: 'writing' | 'stopped',
): Pick<FlashArea, 'used' | 'state' | 'done' | 'detail'> {
  const bytes = inside.reduce((sum, { write }) => sum + write.data.length, 0);
  const done = inside.reduce((sum, { write, state }) => sum + write.data.length * state.done, 0) / Math.max(1, bytes);
  const states = inside.map(({ state }) => state.state);
  const all = (wanted: FlashArea['state']): boolean => states.every((state) => state === wanted);
  const end = Math.max(...inside.map(({ write }) => write.offset + write.data.length));
  const used = Math.min(place.size, end - place.offset);
  const state = all('planned')
    ? 'planned'
    : all('verified')
      ? 'verified'
      : states.every((one) => one === 'written' || one === 'verified')
        ? 'written'
        : partial;
  return { used, state, ...(state === partial && { done }) };
}

/** Places of the table that is in force afterwards; without one, what is written stands for itself. */
function placesOf(plan: FlashPlan): Place[] {
  const { table } = plan;
  if (!table) {
    return plan.writes.map((write) => ({
      id: `${write.label}-${write.offset}`,
      label: write.label,
      role: roleOfWrite(write),
      offset: write.offset,
      size: write.data.length,
    }));
  }
  const places = [
    bootPlace(plan.chip.bootloaderOffset, table.offset),
    tablePlace(table.offset),
    ...table.partitions.map((partition) => planPlace(partition, plan)),
  ];
  const outside = plan.writes.filter((write) => !write.transient && !places.some((place) => within(write, place)));
  return [...places, ...outside.map((write) => ({ ...writePlace(write), id: `write-${write.offset}` }))];
}

const writePlace = (write: FlashWrite): Place => ({
  id: write.label,
  label: write.label,
  role: roleOfWrite(write),
  offset: write.offset,
  size: write.data.length,
});

function planPlace(partition: Partition, { roles }: FlashPlan): Place {
  const place = partitionPlace(partition);
  const is = (other: Partition | undefined): boolean => other?.offset === partition.offset;
  if (is(roles?.app)) return { ...place, role: 'app', label: slotLabel(partition, 'app') };
  if (is(roles?.data)) return { ...place, role: 'data', label: slotLabel(partition, 'data') };
  return place;
}

function boardArea(partition: Partition, board: BoardState): FlashArea {
  const place = partitionPlace(partition);
  const slot = board.slots.find((state) => state.partition === partition);
  if (slot) return { ...place, ...slotContent(slot) };
  const nvs = [board.nvs, ...board.moreNvs].find((state) => state?.partition === partition);
  if (nvs) {
    const count = nvs.decoded.entries.length;
    return { ...place, detail: count === 0 ? 'no settings' : countText(count, 'setting') };
  }
  if (isOtadata(partition) || board.filled.includes(partition)) return place;
  return { ...place, used: 0 };
}

function slotContent({ partition, content, description, tag }: SlotState): Partial<FlashArea> {
  switch (content) {
    case 'app':
      return { role: 'app', label: slotLabel(partition, 'app'), ...appDetail(description) };
    case 'data':
      return { role: 'data', label: slotLabel(partition, 'data'), ...(tag && { detail: `data ${tag}` }) };
    case 'blank':
      return { used: 0, label: slotLabel(partition, '') };
    case 'unknown':
      return { role: 'other', label: slotLabel(partition, ''), detail: 'not recognised' };
  }
}

const appDetail = (description: SlotState['description']): Pick<FlashArea, 'detail'> =>
  description ? { detail: `${description.projectName} ${description.version}`.trim() } : {};

function itemDetail({ content, values }: BoardItem): string | undefined {
  const text = (name: string): string => String(values[name] ?? '');
  if (content === 'app') return `${text('project')} ${text('version')}`.trim() || undefined;
  if (content === 'data' && text('tag')) return `data ${text('tag')}`;
  if (content === 'settings') return countText(Number(values['count'] ?? 0), 'setting');
  return undefined;
}

function partitionPlace(partition: Partition): Place {
  const { name, type, offset, size } = partition;
  const label = type === PartitionType.App ? slotLabel(partition, '') : name;
  return { id: `${name}-${offset}`, label, role: roleOfPartition(partition), offset, size };
}

/** `PA app`: the slot by its subtype, then what lies in it. Partitions that are no slot keep their name. */
function slotLabel({ name, subtype }: Partition, content: string): string {
  const slot = subtype === AppSubtype.Ota0 ? 'PA' : subtype === AppSubtype.Ota1 ? 'PB' : name;
  return `${slot} ${content}`.trim();
}

function roleOfPartition({ type, subtype }: Partition): AreaRole {
  if (type === PartitionType.App) return 'app';
  if (type === PartitionType.Bootloader) return 'boot';
  if (type === PartitionType.PartitionTable) return 'table';
  const settings: readonly number[] = [DataSubtype.Ota, DataSubtype.Phy, DataSubtype.Nvs, DataSubtype.NvsKeys];
  return type === PartitionType.Data && settings.includes(subtype) ? 'settings' : 'other';
}

const WRITE_ROLES: Readonly<Record<FlashWrite['role'], AreaRole>> = {
  bootloader: 'boot',
  'partition-table': 'table',
  otadata: 'settings',
  nvs: 'settings',
  app: 'app',
  data: 'data',
  other: 'other',
};
const roleOfWrite = ({ role }: FlashWrite): AreaRole => WRITE_ROLES[role];

const bootPlace = (start: number, end: number): Place => ({
  id: 'boot',
  label: 'boot loader',
  role: 'boot',
  offset: start,
  size: end - start,
});

const tablePlace = (offset: number): Place => ({
  id: 'table',
  label: 'partition table',
  role: 'table',
  offset,
  size: PARTITION_TABLE_SECTOR,
});

const isOtadata = ({ type, subtype }: Partition): boolean => type === PartitionType.Data && subtype === DataSubtype.Ota;

const within = ({ offset }: FlashWrite, place: Place): boolean =>
  offset >= place.offset && offset < place.offset + place.size;

const overlaps = (item: BoardItem, place: Place): boolean =>
  item.offset < place.offset + place.size && place.offset < item.offset + item.size;
