/**
 * The plan of a first provisioning or a re-flash: pure, decided from the release, the board as it was read, and the wishes of the user.
 */
import { isNativeUsb } from '#device/reset.ts';
import { type Chip } from '#formats/chips.ts';
import { DATA_HEADER_SIZE, isDataImage, packDataImage, SPI_MODE_BYTE } from '#formats/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import {
  AppSubtype,
  DataSubtype,
  encodePartitionTable,
  findPartition,
  type Partition,
  PartitionType,
} from '#formats/partition-table.ts';
import { buildsFor, type Release, type ReleaseBuild, type ReleasePart } from '#formats/release/release.ts';
import { type BoardState, isLocked } from './board-state.ts';
import { type HeaderWish, planBootloader } from './bootloader-plan.ts';
import { type BootCheck, type FlashPlan, type FlashWrite, type PlannedRoles, writtenRange } from './flash-plan.ts';
import { imageObjections } from './image-objections.ts';
import { keptAndLost } from './kept-and-lost.ts';
import { planNvs, type WifiWish } from './nvs-plan.ts';
import { type Objection, objection, type Warning, warning } from './plan-notices.ts';
import { chooseRoles, type Orientation, planOtadata } from './roles.ts';
import { type ChosenTable, chooseTable, type TableWish } from './table-choice.ts';
import { slotSizeForData } from './two-slot-table.ts';

export interface ProvisionOptions {
  /** Payload of the data slot, not packed (a packed one is taken as it is). */
  data?: { name: string; bytes: Uint8Array };
  table?: TableWish;
  wifi?: WifiWish;
  orientation?: Orientation;
  header?: HeaderWish;
}

/** Seconds without panic or reset after which a board is taken to be running (the boot loader may be silent). */
const QUIET_SECONDS = 5;

/**
 * What would be written, kept and lost, and every objection. Nothing is touched.
 *
 * @throws {FormatError} when a partition CSV is wrong; with file, line and column.
 */
export function planProvision(release: Release, board: BoardState, options: ProvisionOptions = {}): FlashPlan {
  const { chip } = board.identity;
  const build = buildFor(release, board);
  const plan = emptyPlan(board, build);
  plan.objections.push(...securityObjections(board));
  if (!build) {
    const has = release.builds.map((candidate) => candidate.chip.title).join(', ');
    plan.objections.push(objection('wrong-chip', 'release', { has, chip: chip.title }));
    return plan;
  }
  for (const { code, message } of [...release.notes, ...build.notes]) {
    plan.warnings.push(warning('note', 'release', { rule: code, message }));
  }
  // Nothing was read from a secured board, so nothing more can be said of it.
  if (isLocked(board.identity)) return plan;
  if (options.wifi && options.wifi.store.kind !== 'none') plan.wifi = { ssid: options.wifi.ssid };

  const dataSize = options.data?.bytes.length ?? 0;
  const choice = chooseTable(build, board, { wish: options.table ?? { kind: 'auto' }, dataSize });
  collect(plan, choice);
  if (!choice.table) return plan;
  plan.table = { offset: choice.table.offset, partitions: choice.table.partitions };
  planWrites(plan, { build, table: choice.table, board, options });
  return plan;
}

function emptyPlan(board: BoardState, build: ReleaseBuild | undefined): FlashPlan {
  const bootCheck: BootCheck = build?.bootCheck ?? { timeoutSeconds: QUIET_SECONDS };
  return {
    chip: board.identity.chip,
    flashSize: board.flashSize,
    writes: [],
    kept: [],
    lost: [],
    objections: [],
    warnings: [],
    bootCheck,
  };
}

/** Of several builds for the chip the one for this kind of port, else the one for any. */
function buildFor(release: Release, { identity }: BoardState): ReleaseBuild | undefined {
  const builds = buildsFor(release, identity.chip);
  const serialType = isNativeUsb(identity.usb) ? 'cdc' : 'uart';
  return (
    builds.find((build) => build.serialType === serialType) ?? builds.find((build) => build.serialType === undefined)
  );
}

const collect = (plan: FlashPlan, part: { objections: Objection[]; warnings?: Warning[] }): void => {
  plan.objections.push(...part.objections);
  plan.warnings.push(...(part.warnings ?? []));
};

/** Code that is not signed does not run, plain data are rubbish to a decrypting chip, and what cannot be read back cannot be verified. */
function securityObjections({ identity }: BoardState): Objection[] {
  const { secureBoot, flashEncryption, secureDownload } = identity.security;
  const objections: Objection[] = [];
  if (secureDownload) objections.push(objection('secure-download-mode', 'chip'));
  if (secureBoot !== 'off') objections.push(objection('secure-boot', 'chip', { version: secureBoot }));
  if (flashEncryption !== 'off') objections.push(objection('flash-encryption', 'chip', { mode: flashEncryption }));
  return objections;
}

interface Parts {
  build: ReleaseBuild;
  table: ChosenTable;
  board: BoardState;
  options: ProvisionOptions;
}

/**
 * Order of the writes: settings that move come first and the table right after them, so that an interrupted run leaves them
 * where the next run finds them; app and data, the long ones, come last.
 */
function planWrites(plan: FlashPlan, { build, table, board, options }: Parts): void {
  const choice = chooseRoles({ table, build }, board, options.orientation ?? 'keep');
  collect(plan, choice);
  const { roles } = choice;
  const nvs = planNvs({ build, table, wifi: options.wifi }, board);
  const bootloader = planBootloader({ build, table, wish: options.header ?? {} }, board);
  collect(plan, nvs);
  collect(plan, bootloader);

  add(plan, nvs.write);
  if (table.source !== 'board') add(plan, tableWrite(table));
  if (roles) {
    plan.roles = roles;
    const otadata = planOtadata(table, roles);
    collect(plan, otadata);
    add(plan, otadata.write);
  }
  add(plan, bootloader.write);
  if (roles) {
    addApp(plan, { build, roles, board });
    addData(plan, { build, roles, data: options.data });
  }
  addExtras(plan, { build, table });
  plan.objections.push(...overlaps(plan));
  Object.assign(plan, keptAndLost(board, { table, writes: plan.writes, nvs: nvs.item }));
}

const add = (plan: FlashPlan, write: FlashWrite | undefined): void => {
  if (write) plan.writes.push(write);
};

function tableWrite(table: ChosenTable): FlashWrite {
  const why = {
    release: 'table-from-release',
    csv: 'table-from-csv',
    proposed: 'table-proposed',
    board: 'from-release',
  } as const;
  return {
    role: 'partition-table',
    label: 'partition table',
    offset: table.offset,
    data: encodePartitionTable(table.partitions),
    why: why[table.source],
  };
}

function addApp(
  plan: FlashPlan,
  { build, roles, board }: { build: ReleaseBuild; roles: PlannedRoles; board: BoardState },
): void {
  const { chip } = build;
  const { data } = build.app;
  const verdict = imageObjections(data, {
    subject: 'app',
    chip,
    revision: board.identity.revision,
    slotSize: roles.app.size,
  });
  if ('objections' in verdict) {
    plan.objections.push(...verdict.objections);
  } else {
    const { flashSize } = verdict.image.header;
    if (flashSize !== undefined && flashSize > board.flashSize) {
      plan.warnings.push(
        warning('app-header-flash-size', 'app', { headerSize: flashSize, flashSize: board.flashSize }),
      );
    }
  }
  if (
    data.length > roles.app.size &&
    !plan.objections.some(({ code, subject }) => code === 'too-large' && subject === 'app')
  ) {
    plan.objections.push(
      objection('too-large', 'app', { size: data.length, room: roles.app.size, slot: roles.app.name }),
    );
  }
  add(plan, { role: 'app', label: roles.app.name, offset: roles.app.offset, data, why: 'from-release' });
}

function addData(
  plan: FlashPlan,
  { build, roles, data }: { build: ReleaseBuild; roles: PlannedRoles; data: ProvisionOptions['data'] },
): void {
  if (roles.data && build.chip.dataMapLimit !== undefined && roles.data.size >= build.chip.dataMapLimit) {
    plan.warnings.push(
      warning('data-slot-too-large-to-map', 'data', { size: roles.data.size, limit: build.chip.dataMapLimit }),
    );
  }
  if (!data) return;
  const slot = roles.data;
  if (!slot) {
    plan.objections.push(objection('no-data-slot', 'data', { file: data.name }));
    return;
  }
  const packed = packData(data, { chip: build.chip, slotSize: slot.size, build });
  if (packed instanceof FormatError) {
    const tooLarge = packed.code === 'data-too-large';
    const values = {
      rule: packed.code,
      message: packed.message,
      file: data.name,
      size: data.bytes.length,
      room: slot.size,
    };
    plan.objections.push(objection(tooLarge ? 'too-large' : 'data-refused', 'data', values));
    return;
  }
  add(plan, { role: 'data', label: slot.name, offset: slot.offset, data: packed, why: 'data-packed' });
  const fitsOther = build.app.data.length <= slot.size && slotSizeForData(data.bytes.length) <= roles.app.size;
  if (!fitsOther) {
    plan.warnings.push(
      warning('next-update-would-not-fit', 'data', {
        app: build.app.data.length,
        data: data.bytes.length,
        appSlot: roles.app.size,
        dataSlot: slot.size,
      }),
    );
  }
}

/** A file that is packed already (for this chip) goes in as it is, when it fits. */
function packData(
  data: NonNullable<ProvisionOptions['data']>,
  { chip, slotSize, build }: { chip: Chip; slotSize: number; build: ReleaseBuild },
): Uint8Array | FormatError {
  try {
    const payload = isDataImage(data.bytes) ? data.bytes.subarray(DATA_HEADER_SIZE) : data.bytes;
    return packDataImage(payload, { chip, slotSize, allowSpiModeByte: modeByteIsHarmless(build, payload) });
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/**
 * ESP-IDF 6.1 and later refuse a network update whose byte 213 is neither zero nor the running app's flash mode (formats.md 4.3).
 * A data file whose byte there is something else is fine with an older firmware.
 */
function modeByteIsHarmless(build: ReleaseBuild, payload: Uint8Array): boolean {
  const { description } = build.app.image;
  const version = /^v?(\d+)\.(\d+)/.exec(description?.idfVersion ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 6 || (major === 6 && minor < 1)) return true;
  return (
    description?.spiFlashMode !== undefined && description.spiFlashMode === payload[SPI_MODE_BYTE - DATA_HEADER_SIZE]
  );
}

/** Images that the release brings for partitions of their own (file systems and the like), wherever their partition is now. */
function addExtras(plan: FlashPlan, { build, table }: { build: ReleaseBuild; table: ChosenTable }): void {
  for (const part of build.extra) {
    const home = build.table?.partitions.find(
      ({ offset, size }) => part.offset >= offset && part.offset < offset + size,
    );
    const row = rowForExtra(part, { home, table, plan });
    // What it brings for NVS went into the merge, or the board's own settings stay.
    if (row && row === nvsRow(table)) continue;
    if (!row) {
      plan.warnings.push(warning('release-part-left-out', 'release', { label: part.name }));
      continue;
    }
    // Some images begin behind the start of their partition (FAT behind its wear-levelling sector).
    const shift = home ? part.offset - home.offset : 0;
    if (shift + part.data.length > row.size) {
      const values = { label: part.name, size: part.data.length, room: row.size - shift };
      plan.objections.push(objection('too-large', 'other', values));
    }
    const role = row === plan.roles?.data ? 'data' : 'other';
    add(plan, { role, label: row.name, offset: row.offset + shift, data: part.data, why: 'from-release' });
  }
}

/**
 * Where an extra image goes. In an app slot only two things have a place: a packed data image, in the data slot when no
 * other data were given, and the app of a factory row.
 */
function rowForExtra(
  part: ReleasePart,
  { home, table, plan }: { home: Partition | undefined; table: ChosenTable; plan: FlashPlan },
): Partition | undefined {
  if (home?.type === PartitionType.App) {
    const taken = plan.writes.some(({ role }) => role === 'data');
    if (isDataImage(part.data)) return taken ? undefined : plan.roles?.data;
    return table.partitions.find(
      ({ type, subtype, offset }) =>
        type === PartitionType.App &&
        subtype === AppSubtype.Factory &&
        subtype === home.subtype &&
        offset !== plan.roles?.app.offset,
    );
  }
  return table.partitions.find(({ name, type }) => name === (home?.name ?? part.name) && (!home || type === home.type));
}

const nvsRow = (table: ChosenTable): Partition | undefined =>
  findPartition(table.partitions, PartitionType.Data, DataSubtype.Nvs);

function overlaps(plan: FlashPlan): Objection[] {
  const ranges = plan.writes
    .map((write) => ({ label: write.label, range: writtenRange(write) }))
    .sort((a, b) => a.range[0] - b.range[0]);
  return ranges.flatMap((later, index) => {
    const earlier = ranges[index - 1];
    return earlier && later.range[0] < earlier.range[1]
      ? [objection('overlap', 'other', { first: earlier.label, second: later.label, at: later.range[0] })]
      : [];
  });
}
