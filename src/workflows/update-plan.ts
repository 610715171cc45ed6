/**
 * The plan of a two-step update: everything is decided and checked here, before the board is asked for anything. Pure.
 */
import { type BoardPage } from '#device/board-page.ts';
import { type Chip } from '#formats/chips.ts';
import { appHazard, checkFits, isDataImage } from '#formats/data/data-image.ts';
import { shownOf } from '#formats/data/shown-data.ts';
import { FormatError } from '#formats/format-error.ts';
import { type RunningSlot, type SlotName, updateSlot } from '#formats/ota-slots.ts';
import { otaSlots } from '#formats/partition-table.ts';
import { type FirmwareProfile, SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { buildsFor, type Release, type ReleaseBuild } from '#formats/release/release.ts';
import { dataHeaderOf, packForFirmware } from '#formats/release/release-data.ts';
import { type DataFile } from './app-and-data.ts';
import { imageObjections } from './image-objections.ts';
import { type RunFacts, type Transfer } from './update-state.ts';
import {
  type UpdateConsentCode,
  type UpdateNotice,
  updateNotice,
  type UpdateObjectionCode,
  type UpdateWarningCode,
} from './update-notices.ts';

/** What is known of a board besides, from its provisioning or from the user. */
export interface KnownBoard {
  mac?: string;
  chip?: Chip;
  /** Bytes. */
  slotSizes?: Readonly<Record<SlotName, number>>;
  /** Of the firmware that runs now. */
  firmwareProfile?: FirmwareProfile;
  /** ESP-IDF of the running app, such as `v5.1.2`. */
  idfVersion?: string;
}

/** The data that the board has now, to be put back if step 1 fails. */
export interface OldData {
  /** The release or backup that they come from. */
  name: string;
  /** As it lies in the slot. */
  image: Uint8Array;
}

export interface UpdateWish {
  release: Release;
  /** In place of the data of the release: a payload. */
  data?: DataFile;
  address: string;
  /** What `GET /` gave: `silent` for no answer, `unknown` for another one. */
  page: BoardPage | 'silent' | 'unknown';
  known: KnownBoard;
  oldData?: OldData;
  /** One of the steps alone. */
  only?: 'app' | 'data';
  /** Characters of the URL that the board will be told. Not known: not checked. */
  urlLength?: number;
  /** Another run of this board is not over. */
  inProgress?: boolean;
}

export interface UpdateFile {
  name: string;
  image: Uint8Array;
}

export interface UpdatePlan {
  address: string;
  release: { name: string; version?: string };
  chip?: Chip;
  /** How a run of this plan is carried out; absent when there are objections. */
  facts?: RunFacts;
  files: Partial<Record<Transfer, UpdateFile>>;
  /** What the board says of itself now. */
  seen?: BoardPage;
  /** What the new app calls itself. */
  next: { project?: string; version?: string };
  objections: UpdateNotice<UpdateObjectionCode>[];
  warnings: UpdateNotice<UpdateWarningCode>[];
  /** What must be said yes to. */
  consents: UpdateNotice<UpdateConsentCode>[];
}

/** Decides what an update would do. Never throws for what is wrong with board or release: that is in `objections`. */
export function planUpdate(wish: UpdateWish): UpdatePlan {
  return new Planner(wish).plan();
}

/** ESP-IDF versions that erase one sector too many (components/app_update/esp_ota_ops.c before the mends of 4.4.7, 5.0.6 and 5.1.3). */
export function erasesOneTooMany(idfVersion: string | undefined): boolean {
  const found = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(idfVersion ?? '');
  if (!found) return true;
  const [major, minor, patch = 0] = found.slice(1).map((part) => Number(part || 0)) as [number, number, number?];
  if (major === 4) return minor === 4 && patch < 7;
  if (major === 5) return (minor === 0 && patch < 6) || (minor === 1 && patch < 3);
  return false;
}

class Planner {
  readonly #wish: UpdateWish;
  readonly #objections: UpdatePlan['objections'] = [];
  readonly #warnings: UpdatePlan['warnings'] = [];
  readonly #consents: UpdatePlan['consents'] = [];

  constructor(wish: UpdateWish) {
    this.#wish = wish;
  }

  plan(): UpdatePlan {
    const { address, release, page, inProgress } = this.#wish;
    const seen = typeof page === 'string' ? undefined : page;
    const build = this.#build();
    const from = this.#runningSlot();
    const files = build ? this.#files(build, from) : {};
    if (inProgress) this.#object('update-in-progress', 'board');
    if (build && seen) this.#compare(build, seen, files);
    const description = build?.app.image.description;
    const { version } = release;
    return {
      address,
      release: { name: release.name, ...(version !== undefined && { version }) },
      ...(build && { chip: build.chip }),
      ...(build && from && this.#objections.length === 0 && { facts: this.#facts(files, from, seen) }),
      files,
      ...(seen && { seen }),
      next: { ...(description && { project: description.projectName, version: description.version }) },
      objections: this.#objections,
      warnings: this.#warnings,
      consents: this.#consents,
    };
  }

  #object(code: UpdateObjectionCode, subject: UpdateNotice['subject'], values: UpdateNotice['values'] = {}): void {
    this.#objections.push(updateNotice(code, subject, values));
  }

  #warn(code: UpdateWarningCode, subject: UpdateNotice['subject'], values: UpdateNotice['values'] = {}): void {
    this.#warnings.push(updateNotice(code, subject, values));
  }

  /** What the firmware of the release takes, once it runs. */
  get #nextProfile(): FirmwareProfile {
    return this.#wish.release.firmwareProfile ?? SEED_FIRMWARE;
  }

  #build(): ReleaseBuild | undefined {
    const { release, known } = this.#wish;
    if (known.chip) {
      const [build] = buildsFor(release, known.chip);
      if (!build) {
        const has = release.builds.map(({ chip }) => chip.title).join(', ');
        this.#object('wrong-chip', 'chip', { has, chip: known.chip.title });
      }
      return build;
    }
    const chips = new Set(release.builds.map(({ chip }) => chip.title));
    if (chips.size > 1) this.#object('chip-unknown', 'chip', { has: [...chips].join(', ') });
    return chips.size === 1 ? release.builds[0] : undefined;
  }

  #runningSlot(): RunningSlot | undefined {
    const { page, address } = this.#wish;
    if (this.#nextProfile.indexPage === 'none') this.#object('no-index-page', 'board');
    if (page === 'silent') this.#object('board-silent', 'board', { address });
    else if (page === 'unknown') this.#object('board-page-unknown', 'board', { address });
    else if (page.running === undefined) this.#object('running-slot-unknown', 'board', { address });
    else return page.running;
    return undefined;
  }

  /** Each file that may be downloaded, checked for the slot where it goes. */
  #files(build: ReleaseBuild, from: RunningSlot | undefined): UpdatePlan['files'] {
    const { only, known, oldData } = this.#wish;
    const files: UpdatePlan['files'] = {};
    const sizes = this.#slotSizes(build);
    const appSlot = from && updateSlot(from);
    const dataSlot = appSlot && (only === 'data' ? appSlot : updateSlot(appSlot));
    if (only !== 'data') {
      files.app = { name: build.app.name, image: build.app.data };
      this.#checkApp(build, appSlot && sizes?.[appSlot]);
    }
    if (only !== 'app') {
      const data = this.#data(build, dataSlot && sizes?.[dataSlot]);
      if (data) files.data = data;
    }
    if (!known.firmwareProfile) this.#warn('running-firmware-unknown', 'board');
    this.#checkUrl(known.firmwareProfile ?? SEED_FIRMWARE);
    this.#wayBack(files, oldData);
    return files;
  }

  #slotSizes(build: ReleaseBuild): Readonly<Record<SlotName, number>> | undefined {
    const { slotSizes } = this.#wish.known;
    if (slotSizes) return slotSizes;
    if (!build.table) {
      this.#warn('slot-sizes-unknown', 'board');
      return undefined;
    }
    const [pa, pb] = otaSlots(build.table.partitions);
    if (!pa || !pb) {
      this.#object('no-two-slots', 'release');
      return undefined;
    }
    this.#warn('slot-sizes-assumed', 'board', { PA: pa.size, PB: pb.size });
    return { PA: pa.size, PB: pb.size };
  }

  #checkApp(build: ReleaseBuild, slotSize: number | undefined): void {
    const { data } = build.app;
    const verdict = imageObjections(data, {
      subject: 'app',
      chip: build.chip,
      revision: undefined,
      ...(slotSize !== undefined && { slotSize }),
    });
    for (const { code, values } of 'objections' in verdict ? verdict.objections : []) {
      this.#object(code as UpdateObjectionCode, 'app', values);
    }
    if (slotSize === undefined) return;
    if (data.length > slotSize && !this.#objections.some(({ code }) => code === 'too-large')) {
      this.#object('too-large', 'app', { size: data.length, room: slotSize });
    }
    if (data.length === slotSize && erasesOneTooMany(this.#wish.known.idfVersion)) {
      this.#object('app-fills-slot', 'app', { size: slotSize });
    }
  }

  #data(build: ReleaseBuild, slotSize: number | undefined): UpdateFile | undefined {
    const { data, only, release } = this.#wish;
    if (!data && !build.data) {
      if (only === 'data') this.#object('no-data', 'data');
      else this.#warn('no-data-in-release', 'data');
      return undefined;
    }
    const header = dataHeaderOf(release);
    const name = data?.name ?? build.data?.name ?? '';
    try {
      const room = slotSize ?? Number.MAX_SAFE_INTEGER;
      const image = data ? packForFirmware(data.bytes, { header, build, slotSize: room }) : build.data?.data;
      if (!image) return undefined;
      if (slotSize !== undefined) checkFits(image.length, slotSize, header);
      if ((header === 'two-step') !== isDataImage(image)) this.#object('data-wrong-form', 'data', { header, name });
      const hazard = appHazard(image);
      if (hazard) this.#object('data-could-boot', 'data', { message: hazard.message, name });
      return { name, image };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const code = error.code === 'data-too-large' ? 'too-large' : 'data-refused';
      const size = data?.bytes.length ?? build.data?.data.length ?? 0;
      const values = { message: error.message, file: name, label: name, size, room: slotSize ?? 0 };
      this.#object(code, 'data', values);
      return undefined;
    }
  }

  /** Both firmwares are told such a URL: the running one for the app, the next one for the data. */
  #checkUrl(running: FirmwareProfile): void {
    const { urlLength } = this.#wish;
    const limit = Math.min(running.urlLimit, this.#nextProfile.urlLimit);
    if (urlLength !== undefined && urlLength > limit) {
      this.#object('url-too-long', 'other', { length: urlLength, limit });
    }
  }

  #wayBack(files: UpdatePlan['files'], oldData: OldData | undefined): void {
    const { page } = this.#wish;
    const shown = typeof page === 'string' ? undefined : page.shown;
    // What is put back must be what the board shows now, or it is not the old data.
    if (oldData && (shown === undefined || shownOf(oldData.image) === shown)) {
      files.restore = { name: oldData.name, image: oldData.image };
    } else if (shown === undefined || !/^(ff)*$/.test(shown)) {
      this.#consents.push(updateNotice('no-way-back', 'way-back', { step: this.#wish.only ?? 'app' }));
    }
  }

  #compare(build: ReleaseBuild, seen: BoardPage, { data }: UpdatePlan['files']): void {
    const { description } = build.app.image;
    if (description && seen.project && description.projectName !== seen.project) {
      const values = { runs: seen.project, release: description.projectName };
      this.#consents.push(updateNotice('other-project', 'board', values));
    } else if (description && seen.version === description.version && this.#wish.only !== 'data') {
      this.#warn('same-version', 'app', { version: description.version });
    }
    if (data && seen.shown !== undefined && shownOf(data.image) === seen.shown) this.#warn('data-look-alike', 'data');
  }

  #facts(files: UpdatePlan['files'], from: RunningSlot, seen: BoardPage | undefined): RunFacts {
    const sizes: Partial<Record<Transfer, number>> = {};
    for (const [transfer, file] of Object.entries(files)) sizes[transfer as Transfer] = file.image.length;
    return {
      steps: (['app', 'data'] as const).filter((step) => files[step]),
      from,
      sizes,
      shown: {
        ...(seen?.shown !== undefined && { before: seen.shown }),
        ...(files.data && { data: shownOf(files.data.image) }),
        ...(files.restore && { restore: shownOf(files.restore.image) }),
      },
      trialMs: this.#nextProfile.trialSeconds * 1000,
    };
  }
}
