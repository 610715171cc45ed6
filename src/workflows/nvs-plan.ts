/** NVS of a plan: what the board has stays, what is new is merged into it, to a new place where the table moves it. */
import { equalBytes, isBlank, padBytes } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { encodeNvsCopy, type NvsImage, nvsCopySize } from '#formats/nvs/nvs-copy.ts';
import { carryOver, mergeNvs } from '#formats/nvs/nvs-merge.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import { wifiEntries, type WifiStore } from '#formats/nvs/wifi-credentials.ts';
import { DataSubtype, type Partition, PartitionType } from '#formats/partition-table.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { isNvsRow, type NvsState, primaryNvsRow } from './board-nvs.ts';
import { type BoardState } from './board-state.ts';
import { type BoardItem, type FlashWrite, flashWrite, type PlannedRoles, type PlanPart } from './flash-plan.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { type ChosenTable } from './table-choice.ts';

export interface WifiWish {
  /** Unless given, where the release says. */
  store?: WifiStore;
  ssid: string;
  password: string;
}

export interface NvsPlan extends PlanPart {
  writes: FlashWrite[];
  warnings: Warning[];
  /** What becomes of the settings on the board. */
  items: BoardItem[];
}

/** With the store that was given, or the release's. */
export type WifiChange = Required<WifiWish>;

interface NvsInputs {
  build: ReleaseBuild;
  table: ChosenTable;
  wifi?: WifiChange | undefined;
}

/** One NVS partition of the new table and what the board has for it. */
interface Pair {
  target: Partition;
  source: NvsState | undefined;
}

export function planNvs({ build, table, wifi }: NvsInputs, board: BoardState): NvsPlan {
  const plan: NvsPlan = { writes: [], objections: [], warnings: [], items: [] };
  const wished = wifi ? wifiChanges(wifi, build, plan) : [];
  const primary = primaryNvsRow(table.partitions);
  if (!primary && wished.length > 0) plan.objections.push(objection('no-nvs-partition', 'nvs'));

  const sources = [board.nvs, ...board.moreNvs].filter((state) => state !== undefined);
  const pairs = pairUp(table.partitions.filter(isNvsRow), sources, primary);
  for (const pair of pairs) {
    const defaults = releaseEntries(build, pair.target, plan);
    const own = pair.source?.decoded.entries ?? [];
    const isNew = ({ namespace, key }: NvsEntry): boolean =>
      !own.some((entry) => entry.namespace === namespace && entry.key === key);
    const adds = [...defaults.filter(isNew), ...(pair.target === primary ? wished : [])];
    planOne(plan, pair, { adds, board });
  }
  for (const source of sources) {
    if (pairs.some((pair) => pair.source === source) || !holdsSettings(source)) continue;
    plan.objections.push(
      objection('nvs-would-be-lost', 'nvs', { label: source.partition.name, count: source.decoded.entries.length }),
    );
    plan.items.push(item(source, 'not-in-new-table'));
  }
  plan.objections.push(...keyObjections(sources, table, board));
  return plan;
}

/** By label; what is left over on both sides is the same thing under another name when it is the one that most firmware uses. */
function pairUp(targets: readonly Partition[], sources: readonly NvsState[], primary: Partition | undefined): Pair[] {
  const pairs = targets.map((target): Pair => ({
    target,
    source: sources.find(({ partition }) => partition.name === target.name),
  }));
  const main = pairs.find(({ target }) => target === primary);
  const [first] = sources;
  if (main && !main.source && first && !pairs.some(({ source }) => source === first)) main.source = first;
  return pairs;
}

function planOne(
  plan: NvsPlan,
  { target, source }: Pair,
  { adds, board }: { adds: readonly NvsEntry[]; board: BoardState },
): void {
  if (!source && adds.length === 0) {
    if (holdsForeignBytes(target, board)) plan.writes.push(nvsWrite(target, blank(target.size), 'nvs-new'));
    return;
  }
  const moved = !source || source.partition.offset !== target.offset || source.partition.size !== target.size;
  if (source && adds.length === 0 && !moved && !source.rescued) {
    if (holdsSettings(source)) plan.items.push(item(source, 'untouched'));
    return;
  }
  const merged = merge(source?.bytes ?? blank(target.size), { target, adds });
  if ('code' in merged) {
    plan.objections.push(merged);
    if (source) plan.items.push(item(source, 'untouched'));
    return;
  }
  const stays = source && !moved && !source.rescued && equalBytes(merged.bytes, source.bytes);
  if (source && holdsSettings(source)) plan.items.push(item(source, stays ? 'untouched' : 'carried-over'));
  if (stays) return;
  const why = !source || !holdsSettings(source) ? 'nvs-new' : moved || source.rescued ? 'nvs-moved' : 'nvs-merged';
  plan.writes.push(nvsWrite(target, merged.bytes, why));
}

const nvsWrite = (target: Partition, data: Uint8Array, why: FlashWrite['why']): FlashWrite =>
  flashWrite({ role: 'nvs', label: target.name, offset: target.offset, data, why });

const blank = (size: number): Uint8Array => padBytes(new Uint8Array(), size);

const holdsSettings = ({ decoded }: NvsState): boolean =>
  decoded.entries.length > 0 || !['ok', 'blank'].includes(decoded.verdict);

const holdsForeignBytes = (target: Partition, board: BoardState): boolean =>
  board.foreignNvs.some(({ offset, size }) => offset < target.offset + target.size && target.offset < offset + size);

function wifiChanges(wifi: WifiChange, build: ReleaseBuild, plan: NvsPlan): NvsEntry[] {
  if (wifi.store.kind === 'none') return [];
  try {
    const idfVersion = build.app.image.description?.idfVersion;
    const { ssid, password } = wifi;
    const entries = wifiEntries(wifi.store, { ssid, password }, idfVersion ? { idfVersion } : {});
    if (password === '') plan.warnings.push(warning('wifi-open', 'wifi', { ssid }));
    if (build.ignoresNvs) plan.warnings.push(warning('wifi-ignored-by-firmware', 'wifi'));
    return entries;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    plan.objections.push(objection('wifi-refused', 'wifi', { rule: error.code, message: error.message }));
    return [];
  }
}

/** Settings that the release itself brings for this partition, wherever its own table has it. */
function releaseEntries(build: ReleaseBuild, target: Partition, plan: NvsPlan): NvsEntry[] {
  const home = build.table?.partitions.find(
    ({ name, type, subtype }) => name === target.name && isNvsRow({ type, subtype }),
  );
  const image = build.extra.find(({ name, offset }) => name === target.name || offset === (home ?? target).offset);
  if (!image) return [];
  // A merged image may be cut behind its last byte that is not FF.
  const { entries, verdict } = decodeNvs(padBytes(image.data, home?.size ?? target.size));
  if (verdict !== 'ok' && verdict !== 'blank') {
    plan.warnings.push(warning('release-nvs-unusable', 'nvs', { label: image.name, state: verdict }));
  }
  return entries;
}

function merge(
  existing: Uint8Array,
  { target, adds }: { target: Partition; adds: readonly NvsEntry[] },
): { bytes: Uint8Array } | Objection {
  try {
    const isSameSize = existing.length === target.size;
    return {
      bytes: isSameSize ? mergeNvs(existing, { set: adds }).bytes : carryOver(existing, { set: adds }, target.size),
    };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const values = { rule: error.code, message: error.message, label: target.name, size: target.size };
    if (error.code === 'nvs-encrypted' || error.code === 'nvs-no-room') return objection(error.code, 'nvs', values);
    return objection('nvs-unreadable', 'nvs', values);
  }
}

/** Encrypted settings are worth nothing without the partition that holds their keys. */
function keyObjections(sources: readonly NvsState[], table: ChosenTable, board: BoardState): Objection[] {
  const encrypted = sources.find(({ decoded }) => decoded.verdict === 'encrypted');
  const keys = board.table?.partitions.find(
    ({ type, subtype }) => type === PartitionType.Data && subtype === DataSubtype.NvsKeys,
  );
  if (!encrypted || !keys) return [];
  const stays = table.partitions.some(
    ({ type, subtype, offset, size }) =>
      type === keys.type && subtype === keys.subtype && offset === keys.offset && size === keys.size,
  );
  return stays ? [] : [objection('nvs-encrypted', 'nvs', { label: encrypted.partition.name })];
}

function item({ partition, decoded }: NvsState, why: BoardItem['why']): BoardItem {
  return {
    label: partition.name,
    offset: partition.offset,
    size: partition.size,
    content: 'settings',
    values: { count: decoded.entries.length, namespaces: decoded.namespaces.length, state: decoded.verdict },
    why,
  };
}

/**
 * Whether these writes of NVS bring no settings: they make room for the firmware's own. Before the table says that NVS lies there, what they
 * leave when they are cut short is foreign bytes as before, so they need no copy; behind it, it would be damaged settings.
 */
export const onlyClears = (writes: readonly FlashWrite[]): boolean => writes.every(({ data }) => isBlank(data));

/**
 * Before settings are written, a copy of what they become goes to the start of the app slot,
 * which the same plan overwrites last; an interrupted run is picked up from there. The app is padded over it, so that nothing of
 * the copy stays.
 *
 * @returns the writes with the copy in front, or an objection when there is no safe place for it.
 */
export function protectSettings(
  { writes, items }: NvsPlan,
  app: FlashWrite | undefined,
  { roles, board }: { roles: PlannedRoles | undefined; board: BoardState },
): { copy?: FlashWrite; app?: FlashWrite; objections: Objection[] } {
  // New settings too: half of them would be refused as damaged by the next run.
  if (onlyClears(writes)) return { objections: [] };
  const images = writes.map(({ label, offset, data }): NvsImage => ({ name: label, offset, bytes: data }));
  const size = nvsCopySize(images);
  const sources = [board.nvs, ...board.moreNvs].filter((state) => state !== undefined && !state.rescued);
  const start = roles?.app.offset ?? 0;
  const collides = sources.some(
    (state) => state && state.partition.offset < start + size && start < state.partition.offset + state.partition.size,
  );
  if (!app || !roles || size > roles.app.size || collides) {
    const precious = items.some(({ why }) => why === 'carried-over');
    return { objections: precious ? [objection('nvs-move-unsafe', 'nvs', { size })] : [] };
  }
  const data = encodeNvsCopy(images);
  return {
    copy: flashWrite({
      role: 'nvs',
      label: 'copy of the settings',
      offset: start,
      data,
      why: 'nvs-copy',
      transient: true,
    }),
    app:
      app.data.length >= size
        ? app
        : flashWrite({ ...app, data: padBytes(app.data, size), imageSize: app.data.length }),
    objections: [],
  };
}
