/** Plans the update of one board: looks at it, finds out what it has, and asks the workflow what would be done. */
import { type SlotView } from '#api.ts';
import { shownOf } from '#formats/data/shown-data.ts';
import { chipByName } from '#formats/chips.ts';
import { type RunningSlot, updateSlot } from '#formats/ota-slots.ts';
import { otaSlots } from '#formats/partition-table.ts';
import { type Release, type ReleaseBuild } from '#formats/release/release.ts';
import { SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { type KnownBoard, type OldData, planUpdate, type UpdatePlan } from '#workflows/update-plan.ts';
import { type BoardFiles } from '../board-files/board-files.ts';
import { type Boards } from '../boards/boards.ts';
import { currentSlots, slotOf } from '../boards/current-slots.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { newId } from '../new-id.ts';
import { appNames, sha256Hex } from '../releases/release-view.ts';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { hostOf } from '../boards/board-address.ts';
import { type BoardRecord } from '../store/board-store.ts';
import { type Carried } from '../store/update-store.ts';

export interface PlannerOptions {
  boards: Boards;
  library: ReleaseLibrary;
  network: BoardNetwork;
  files: BoardFiles;
}

export interface PlanWish {
  board: string;
  release: Release;
  only?: 'app' | 'data' | undefined;
}

/** A plan with what the station needs to carry it out. */
export interface BoardPlan {
  board: BoardRecord;
  plan: UpdatePlan;
  carried: Carried;
}

/** The release that a board has, and of it what is for the board. */
interface Firmware {
  release: Release;
  build: ReleaseBuild;
}

export class UpdatePlanner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** @throws {Refusal} `not-found`. */
  async plan({ board: id, release, only }: PlanWish, signal?: AbortSignal): Promise<BoardPlan> {
    const { boards } = this.#options;
    const page = await boards.look(id, signal);
    const board = boards.record(id);
    const seen = typeof page === 'string' ? undefined : page;
    const { running, slots } = currentSlots(board, seen);
    const shown = seen?.shown;
    const firmwares = await this.#running(slots, running);
    // Of several, which differ in their data, one with those that the board shows.
    const firmware = firmwares.find(({ build }) => build.data && shownOf(build.data.data) === shown) ?? firmwares[0];
    const oldData = await this.#oldData(slots, running, { firmwares, shown, next: release });
    const { address } = board;
    const url = address && this.#options.files.urlFor(newId(), hostOf(address));
    const plan = planUpdate({
      release,
      address: address ?? '',
      page,
      known: knownBoard(board, slots, firmware),
      ...(oldData && { oldData }),
      ...(only && { only }),
      ...(url && { urlLength: url.length }),
      inProgress: boards.runOf(id) !== undefined,
    });
    if (seen && !url) refuseWithoutWay(plan);
    return { board, plan, carried: carriedOf(plan, { release, slots, firmware }) };
  }

  /** The releases whose app runs: those with that digest, else those whose app calls itself so. */
  async #running(slots: readonly SlotView[], running: RunningSlot | undefined): Promise<Firmware[]> {
    const { library } = this.#options;
    const app = running === 'factory' ? undefined : slotOf(slots, running);
    if (!app) return [];
    const byDigest = app.sha256 === undefined ? [] : library.byDigest(app.sha256, 'app');
    const { project, version } = app;
    const byName = project === undefined || version === undefined ? [] : library.byVersion(project, version);
    const found: Firmware[] = [];
    for (const { releaseId, build: index } of byDigest.length > 0 ? byDigest : byName) {
      const release = await library.load(releaseId);
      const build = release.builds[index];
      if (build) found.push({ release, build });
    }
    return found;
  }

  /** The data with the digest that was written, else those that can be no others. The plan compares them with what the board shows. */
  async #oldData(
    slots: readonly SlotView[],
    running: RunningSlot | undefined,
    likely: LikelyData,
  ): Promise<OldData | undefined> {
    const { library } = this.#options;
    const held = running === undefined ? undefined : slotOf(slots, updateSlot(running));
    if (held?.role !== 'data') return undefined;
    const [found] = held.sha256 === undefined ? [] : library.byDigest(held.sha256, 'data');
    if (found) {
      const { name, version, builds } = await library.load(found.releaseId);
      const image = builds[found.build]?.data?.data;
      if (image) return { name: [name, version].join(' ').trim(), image };
    }
    // Other data were written than those of any release.
    return held.sha256 === undefined ? likelyData(likely) : undefined;
  }
}

interface LikelyData {
  /** Releases whose app runs. */
  firmwares: readonly Firmware[];
  /** What the board shows of its data. */
  shown: string | undefined;
  /** What it is updated with. */
  next: Release;
}

/**
 * The data of the releases whose app runs, as far as they begin with what the board shows: if only one can be it. A few bytes are no proof, so
 * data that are about to be written are not taken for the old ones.
 */
function likelyData({ firmwares, shown, next }: LikelyData): OldData | undefined {
  const coming = new Set(next.builds.flatMap(({ data }) => (data ? [sha256Hex(data.data)] : [])));
  const candidates = new Map<string, OldData>();
  for (const { release, build } of firmwares) {
    const image = build.data?.data;
    if (!image || (shown !== undefined && shownOf(image) !== shown)) continue;
    candidates.set(sha256Hex(image), { name: [release.name, release.version].join(' ').trim(), image });
  }
  for (const digest of coming) candidates.delete(digest);
  const [only, ...others] = candidates.values();
  return others.length > 0 ? undefined : only;
}

/** The board could not reach this computer, or not where it listens. */
function refuseWithoutWay(plan: UpdatePlan): void {
  plan.objections.push(updateNotice('no-address-for-board', 'board', { address: plan.address }));
  delete plan.facts;
}

function knownBoard(
  { mac, chip }: BoardRecord,
  slots: readonly SlotView[],
  firmware: Firmware | undefined,
): KnownBoard {
  const known = chipByName(chip ?? '') ?? firmware?.build.chip;
  const [pa, pb] = [slotOf(slots, 'PA')?.size, slotOf(slots, 'PB')?.size];
  const idfVersion = firmware?.build.app.image.description?.idfVersion;
  return {
    ...(mac !== undefined && { mac }),
    ...(known && { chip: known }),
    ...(pa !== undefined && pb !== undefined && { slotSizes: { PA: pa, PB: pb } }),
    ...(firmware && { firmwareProfile: firmware.release.firmwareProfile ?? SEED_FIRMWARE }),
    ...(idfVersion !== undefined && { idfVersion }),
  };
}

interface CarriedFrom {
  release: Release;
  slots: SlotView[];
  firmware: Firmware | undefined;
}

function carriedOf({ files, chip, seen }: UpdatePlan, { release, slots, firmware }: CarriedFrom): Carried {
  const build = release.builds.find((one) => one.chip.name === chip?.name);
  const names = build && appNames(build.app);
  const { app, data } = files;
  const tag = build?.data?.tag;
  const sizes = slotSizes(slots, build);
  const newLimit = (release.firmwareProfile ?? SEED_FIRMWARE).headerLimit;
  const project = seen?.project ?? names?.project;
  return {
    files: Object.fromEntries(
      Object.entries(files).map(([transfer, { name, image }]) => [
        transfer,
        { name, size: image.length, sha256: sha256Hex(image) },
      ]),
    ),
    before: slots,
    ...(app && { app: { role: 'app', ...names, sha256: sha256Hex(app.image) } }),
    ...(data && {
      data: {
        role: 'data',
        project: release.name,
        ...(tag !== undefined && { version: tag }),
        sha256: sha256Hex(data.image),
      },
    }),
    slotSizes: sizes,
    headerLimits: {
      ...(firmware && { old: (firmware.release.firmwareProfile ?? SEED_FIRMWARE).headerLimit }),
      new: newLimit,
    },
    ...(project !== undefined && { project }),
  };
}

/** Those of the board, else those of the release's table. */
function slotSizes(slots: readonly SlotView[], build: ReleaseBuild | undefined): Carried['slotSizes'] {
  const [pa, pb] = [slotOf(slots, 'PA')?.size, slotOf(slots, 'PB')?.size];
  if (pa !== undefined && pb !== undefined) return { PA: pa, PB: pb };
  const [first, second] = build?.table ? otaSlots(build.table.partitions) : [];
  return first && second ? { PA: first.size, PB: second.size } : {};
}
