/**
 * The plan of a first provisioning or a re-flash: pure, decided from the release, the board as it was read, and the wishes of the user.
 */
import { isNativeUsb } from '#device/reset.ts';
import { encodePartitionTable, PARTITION_TABLE_SIZE } from '#formats/partition-table.ts';
import { dataHeaderOf } from '#formats/release/release-data.ts';
import { type DataHeader } from '#formats/data/data-image.ts';
import { buildsFor, type Release, type ReleaseBuild } from '#formats/release/release.ts';
import { type DataFile, planApp, planData } from './app-and-data.ts';
import { type BoardState } from './board-state.ts';
import { type HeaderWish, planBootloader } from './bootloader-plan.ts';
import { planExtras } from './extra-parts.ts';
import {
  type BootCheck,
  type FlashPlan,
  type FlashWrite,
  flashWrite,
  type PlanPart,
  writtenRange,
} from './flash-plan.ts';
import { keptAndLost } from './kept-and-lost.ts';
import { onlyClears, planNvs, protectSettings, type WifiChange, type WifiWish } from './nvs-plan.ts';
import { type Objection, objection, warning } from './plan-notices.ts';
import { chooseRoles, type Orientation, planOtadata } from './roles.ts';
import {
  needsSignature,
  securityObjections,
  securityWarnings,
  signatureObjections,
  withoutLoader,
} from './security-plan.ts';
import { type ChosenTable, chooseTable, type TableWish } from './table-choice.ts';
import { untouchedParts } from './untouched.ts';

export interface ProvisionOptions {
  /** Goes into the second slot in place of what the release has for it. */
  data?: DataFile;
  table?: TableWish;
  wifi?: WifiWish;
  orientation?: Orientation;
  header?: HeaderWish;
  /** The user vouches for it that the release is signed with the key of a board that has secure boot. */
  signed?: boolean;
}

/** Seconds without panic or reset after which a board is taken to be running (the boot loader may be silent). */
const QUIET_SECONDS = 5;

/**
 * What would be written, kept and lost, and every objection. Nothing is touched.
 *
 * @throws {FormatError} when a partition CSV is wrong; with file, line and column.
 */
export function planProvision(release: Release, board: BoardState, wishes: ProvisionOptions = {}): FlashPlan {
  const { chip } = board.identity;
  const build = buildFor(release, board);
  const plan = emptyPlan(board, build);
  const secured = securityObjections(board.identity, wishes);
  plan.objections.push(...secured);
  if (!build) {
    const has = release.builds.map((candidate) => candidate.chip.title).join(', ');
    plan.objections.push(objection('wrong-chip', 'release', { has, chip: chip.title }));
    return plan;
  }
  const options = withReleaseDefaults(wishes, release, build);
  for (const { code, message } of [...release.notes, ...build.notes]) {
    plan.warnings.push(warning('note', 'release', { rule: code, message }));
  }
  if (build.serialType !== undefined && build.serialType !== portKind(board.identity)) {
    plan.warnings.push(warning('other-port-kind', 'release'));
  }
  if (secured.length > 0) return plan;
  plan.warnings.push(...securityWarnings(board.identity));
  if (board.unknown) plan.warnings.push(warning('unknown-content', 'partition-table'));
  if (options.wifi && options.wifi.store.kind !== 'none') plan.wifi = { ssid: options.wifi.ssid };
  else if (wishes.wifi && !wishes.wifi.store) plan.warnings.push(warning('wifi-ignored-by-firmware', 'wifi'));

  const dataSize = options.data?.bytes.length ?? 0;
  const loaderBuild = needsSignature(board.identity) ? withoutLoader(build) : build;
  const choice = chooseTable(loaderBuild, board, { wish: options.table ?? { kind: 'auto' }, dataSize });
  collect(plan, choice);
  if (!choice.table) return plan;
  plan.table = { offset: choice.table.offset, partitions: choice.table.partitions };
  planWrites(plan, { build, loaderBuild, table: choice.table, board, options, dataHeader: dataHeaderOf(release) });
  return plan;
}

type SettledOptions = ProvisionOptions & { wifi?: WifiChange };

/** What the user leaves open is as the release has it; credentials without a store go where ESP-IDF keeps its own. */
function withReleaseDefaults(
  { data: given, wifi, ...wishes }: ProvisionOptions,
  { wifiStore = { kind: 'idf' } }: Release,
  build: ReleaseBuild,
): SettledOptions {
  const data = given ?? (build.data && { name: build.data.name, bytes: build.data.data });
  return { ...wishes, ...(data && { data }), ...(wifi && { wifi: { ...wifi, store: wifi.store ?? wifiStore } }) };
}

function emptyPlan(board: BoardState, build: ReleaseBuild | undefined): FlashPlan {
  const bootCheck: BootCheck = build?.bootCheck ?? { timeoutSeconds: QUIET_SECONDS };
  const consoleBaud = build?.consoleBaud === undefined ? {} : { consoleBaud: build.consoleBaud };
  return {
    ...consoleBaud,
    chip: board.identity.chip,
    flashSize: board.flashSize,
    writes: [],
    kept: [],
    lost: [],
    untouched: [],
    objections: [],
    warnings: [],
    bootCheck,
  };
}

/** Of several builds for the chip the one for this kind of port, else the one for any, else the first. */
function buildFor(release: Release, { identity }: BoardState): ReleaseBuild | undefined {
  const builds = buildsFor(release, identity.chip);
  const serialType = portKind(identity);
  return (
    builds.find((build) => build.serialType === serialType) ??
    builds.find((build) => build.serialType === undefined) ??
    builds[0]
  );
}

const portKind = ({ usb }: BoardState['identity']): 'cdc' | 'uart' => (isNativeUsb(usb) ? 'cdc' : 'uart');

/** Takes a part of the plan in; its writes come after those that are there. */
function collect(plan: FlashPlan, { writes = [], objections, warnings = [] }: PlanPart): void {
  plan.writes.push(...writes);
  plan.objections.push(...objections);
  plan.warnings.push(...warnings);
}

interface Parts {
  build: ReleaseBuild;
  /** The build with what it may bring of a boot loader and a table. */
  loaderBuild: ReleaseBuild;
  table: ChosenTable;
  board: BoardState;
  options: SettledOptions;
  dataHeader: DataHeader;
}

/**
 * Order of the writes: a copy of the settings, then table and settings, so that at every moment the board has them whole in one of
 * the two places; where there are none, room for them is made before the table names it. App and data, the long ones, come last.
 */
function planWrites(plan: FlashPlan, { build, loaderBuild, table, board, options, dataHeader }: Parts): void {
  const choice = chooseRoles({ table, build }, board, options.orientation ?? 'keep');
  const { roles } = choice;
  collect(plan, choice);
  const nvs = planNvs({ build, table, wifi: options.wifi }, board);
  const appPart = roles ? planApp(build, roles, board) : undefined;
  const safe = protectSettings(nvs, appPart?.writes?.[0], { roles, board });
  if (safe.copy) plan.writes.push(safe.copy);
  collect(plan, safe);
  const parts = [{ writes: tableWrites(table), objections: [] }, nvs];
  for (const part of onlyClears(nvs.writes) ? parts.toReversed() : parts) collect(plan, part);
  if (roles) {
    plan.roles = roles;
    collect(plan, planOtadata(table, roles));
  }
  collect(plan, planBootloader({ build: loaderBuild, table, wish: options.header ?? {} }, board));
  if (appPart) collect(plan, safe.app ? { ...appPart, writes: [safe.app] } : appPart);
  if (roles) collect(plan, planData({ build, roles, data: options.data, header: dataHeader }));
  const dataGiven = options.data !== undefined;
  collect(plan, planExtras({ build, table, roles, dataGiven }));
  plan.objections.push(...overlaps(plan), ...lostData(plan, board));
  plan.objections.push(...signatureObjections(plan.writes, table.partitions, board.identity));
  plan.writes.push(...oldTableErased(plan, board));
  Object.assign(plan, keptAndLost(board, { table, writes: plan.writes, nvs: nvs.items }));
  plan.untouched = untouchedParts(board, plan);
}

/** Data that lie where the app goes, on a board whose orientation changes, can only be had again from the user. */
function lostData({ roles, writes }: FlashPlan, board: BoardState): Objection[] {
  if (!board.swapped || !roles || roles.swapped || writes.some(({ role }) => role === 'data')) return [];
  const held = board.slots.find(({ content }) => content === 'data');
  return held ? [objection('data-would-be-lost', 'data', { label: held.partition.name, tag: held.tag ?? '' })] : [];
}

/** A table that stays valid at its old place would be taken for the board's by the next one who looks. */
function oldTableErased({ table, writes }: FlashPlan, board: BoardState): FlashWrite[] {
  const old = board.table?.offset;
  if (old === undefined || !table || old === table.offset) return [];
  const taken = writes.some((write) => {
    const [from, to] = writtenRange(write);
    return from <= old && old < to;
  });
  if (taken) return [];
  const data = new Uint8Array(PARTITION_TABLE_SIZE).fill(0xff);
  return [
    flashWrite({ role: 'partition-table', label: 'old partition table', offset: old, data, why: 'old-table-erased' }),
  ];
}

const TABLE_REASONS = {
  release: 'table-from-release',
  csv: 'table-from-csv',
  proposed: 'table-proposed',
  // It is there already.
  board: undefined,
} as const;

function tableWrites({ source, offset, partitions }: ChosenTable): FlashWrite[] {
  const why = TABLE_REASONS[source];
  if (!why) return [];
  const data = encodePartitionTable(partitions);
  return [flashWrite({ role: 'partition-table', label: 'partition table', offset, data, why })];
}

function overlaps(plan: FlashPlan): Objection[] {
  const ranges = plan.writes
    .filter(({ transient }) => !transient)
    .map((write) => ({ label: write.label, range: writtenRange(write) }))
    .sort((a, b) => a.range[0] - b.range[0]);
  return ranges.flatMap((later, index) => {
    const earlier = ranges[index - 1];
    return earlier && later.range[0] < earlier.range[1]
      ? [objection('overlap', 'other', { first: earlier.label, second: later.label, at: later.range[0] })]
      : [];
  });
}
