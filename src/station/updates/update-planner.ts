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
    const firmware = await this.#firmware(slots, running, seen?.shown);
    const oldData = await this.#oldData(slots, running, firmware);
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

  /**
   * The release whose app runs: the one with that digest, else one whose app calls itself so. Of several, which differ in their data, one with
   * the data that the board shows.
   */
  async #firmware(
    slots: readonly SlotView[],
    running: RunningSlot | undefined,
    shown: string | undefined,
  ): Promise<Firmware | undefined> {
    const { library } = this.#options;
    const app = running === 'factory' ? undefined : slotOf(slots, running);
    if (!app) return undefined;
    const byDigest = app.sha256 === undefined ? [] : library.byDigest(app.sha256, 'app');
    const { project, version } = app;
    const byName = project === undefined || version === undefined ? [] : library.byVersion(project, version);
    let first: Firmware | undefined;
    for (const found of byDigest.length > 0 ? byDigest : byName) {
      const release = await library.load(found.releaseId);
      const build = release.builds[found.build];
      if (!build) continue;
      if (shown === undefined || (build.data && shownOf(build.data.data) === shown)) return { release, build };
      first ??= { release, build };
    }
    return first;
  }

  /** The data with the digest that was written, else those of the release whose app runs. The plan compares them with what the board shows. */
  async #oldData(
    slots: readonly SlotView[],
    running: RunningSlot | undefined,
    firmware: Firmware | undefined,
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
    // Other data were written than those of the release.
    if (held.sha256 !== undefined || !firmware?.build.data) return undefined;
    const { name, version } = firmware.release;
    return { name: [name, version].join(' ').trim(), image: firmware.build.data.data };
  }
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
