/** NVS of a plan: what the board has stays, what is new is merged into it, to a new place where the table moves it. */
import { FormatError } from '#formats/format-error.ts';
import { isBlank } from '#formats/bytes.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import { carryOver } from '#formats/nvs/nvs-merge.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { wifiEntries, type WifiStore } from '#formats/nvs/wifi-credentials.ts';
import { DataSubtype, findPartition, type Partition, PartitionType } from '#formats/partition-table.ts';
import { type ReleaseBuild } from '#formats/release/release.ts';
import { type BoardState } from './board-state.ts';
import { type BoardItem, flashWrite, type PlanPart } from './flash-plan.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { type ChosenTable } from './table-choice.ts';

export interface WifiWish {
  store: WifiStore;
  ssid: string;
  password: string;
}

export interface NvsPlan extends PlanPart {
  /** What becomes of the settings on the board; `undefined` when there are none. */
  item?: BoardItem;
}

interface NvsInputs {
  build: ReleaseBuild;
  table: ChosenTable;
  wifi?: WifiWish | undefined;
}

export function planNvs({ build, table, wifi }: NvsInputs, board: BoardState): NvsPlan {
  const target = findPartition(table.partitions, PartitionType.Data, DataSubtype.Nvs);
  const wished = wifi ? wifiChanges(wifi, build) : { entries: [] as NvsEntry[], objections: [], warnings: [] };
  const { objections, warnings } = wished;
  if (!target) {
    if (wished.entries.length > 0) objections.push(objection('no-nvs-partition', 'nvs'));
    return { objections, warnings, ...boardItem(board, 'not-in-new-table') };
  }
  const moves = !board.nvs || board.nvs.partition.offset !== target.offset || board.nvs.partition.size !== target.size;
  const fromRelease = releaseEntries(build, target);
  const adds = wished.entries.length > 0 || fromRelease.length > 0;
  if (!adds && !moves) return { objections, warnings, ...boardItem(board, 'untouched') };
  if (!adds && !board.nvs) return { objections, warnings };

  const merged = merge(board, { target, adds: [...unless(fromRelease, board), ...wished.entries] });
  if ('objection' in merged)
    return { objections: [...objections, merged.objection], warnings, ...boardItem(board, 'untouched') };
  const write = flashWrite({
    role: 'nvs',
    label: target.name,
    offset: target.offset,
    data: merged.bytes,
    why: !board.nvs || isBlank(board.nvs.bytes) ? 'nvs-new' : moves ? 'nvs-moved' : 'nvs-merged',
    // A half-written NVS would lose settings that only the board has.
    whole: true,
  });
  return { writes: [write], objections, warnings, ...boardItem(board, 'carried-over') };
}

function wifiChanges(
  wifi: WifiWish,
  build: ReleaseBuild,
): { entries: NvsEntry[]; objections: Objection[]; warnings: Warning[] } {
  if (wifi.store.kind === 'none') return { entries: [], objections: [], warnings: [] };
  try {
    const idfVersion = build.app.image.description?.idfVersion;
    const { ssid, password } = wifi;
    const entries = wifiEntries(wifi.store, { ssid, password }, idfVersion ? { idfVersion } : {});
    const warnings = build.ignoresNvs ? [warning('wifi-ignored-by-firmware', 'wifi')] : [];
    return { entries, objections: [], warnings };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return {
      entries: [],
      objections: [objection('wifi-refused', 'wifi', { rule: error.code, message: error.message })],
      warnings: [],
    };
  }
}

/** Settings that the release itself brings as an NVS image for this partition. */
function releaseEntries(build: ReleaseBuild, target: Partition): NvsEntry[] {
  const image = build.extra.find(({ name, offset }) => name === target.name || offset === target.offset);
  return image ? decodeNvs(image.data).entries : [];
}

/** What the board has already wins over the release's defaults. */
const unless = (entries: NvsEntry[], board: BoardState): NvsEntry[] =>
  entries.filter(
    ({ namespace, key }) =>
      !board.nvs?.decoded.entries.some((entry) => entry.namespace === namespace && entry.key === key),
  );

function merge(
  board: BoardState,
  { target, adds }: { target: Partition; adds: NvsEntry[] },
): { bytes: Uint8Array } | { objection: Objection } {
  const existing = board.nvs?.bytes ?? new Uint8Array(target.size).fill(0xff);
  try {
    return { bytes: carryOver(existing, { set: adds }, target.size) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const values = {
      rule: error.code,
      message: error.message,
      label: board.nvs?.partition.name ?? target.name,
      size: target.size,
    };
    if (error.code === 'nvs-encrypted') return { objection: objection('nvs-encrypted', 'nvs', values) };
    if (error.code === 'nvs-no-room') return { objection: objection('nvs-no-room', 'nvs', values) };
    return { objection: objection('nvs-unreadable', 'nvs', values) };
  }
}

function boardItem(board: BoardState, why: BoardItem['why']): { item?: BoardItem } {
  if (!board.nvs || isBlank(board.nvs.bytes)) return {};
  const { partition, decoded } = board.nvs;
  return {
    item: {
      label: partition.name,
      offset: partition.offset,
      size: partition.size,
      content: 'settings',
      values: { count: decoded.entries.length, namespaces: decoded.namespaces.length, state: decoded.verdict },
      why,
    },
  };
}
