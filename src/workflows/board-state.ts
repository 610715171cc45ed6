/**
 * What a board holds before anything is changed: boot loader, table, otadata, slots, settings.
 * Reading is lenient; what cannot be understood is reported as such, not thrown.
 */
import { isBlankRange, SparseReader } from '#device/blank-digest.ts';
import { type BoardIdentity } from '#device/identify.ts';
import { type FlashMemory, type JobOptions, SECTOR_SIZE } from '#device/flash-memory.ts';
import {
  type AppDescription,
  decodeAppDescription,
  decodeImageHeader,
  IMAGE_HEADER_SIZE,
  type ImageHeader,
  looksLikeImage,
} from '#formats/app-image.ts';
import { isBlank, readU16, textUntilNul } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage } from '#formats/data/data-image.ts';
import { SHOWN_BYTES } from '#formats/data/data-tag.ts';
import { type BootTarget, chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '#formats/otadata.ts';
import {
  AppSubtype,
  DataSubtype,
  decodePartitionTable,
  DEFAULT_TABLE_OFFSET,
  findPartition,
  findPartitionTable,
  otaSlots,
  type Partition,
  PARTITION_MAGIC,
  PARTITION_ROW_SIZE,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '#formats/partition-table.ts';
import { findNvs, isNvsRow, type NvsState, type ReadFlash, USUAL_NVS } from './board-nvs.ts';

/** A table is looked for in each sector of this range: CONFIG_PARTITION_TABLE_OFFSET moves it up for large boot loaders. */
const TABLE_SEARCH = { from: 0x1000, to: 0x2_0000 };
/** Header, first segment header and application description lie in the first bytes of an image. */
const HEAD_SIZE = 0x400;

export interface SlotState {
  partition: Partition;
  /** By its first bytes only; whether an app is sound is not looked at here. */
  content: 'app' | 'data' | 'blank' | 'unknown';
  description?: AppDescription;
  /** First bytes of the data as text, where they are printable. */
  tag?: string;
}

/** What is known of the board's flash before it is read. */
export interface BoardHints {
  /** Where the release has its table: looked at first. */
  tableOffset?: number;
  /** Tables of the release, or of the user: where NVS may be on a board whose own table is gone. */
  tables?: readonly (readonly Partition[])[];
}

export interface BoardState {
  identity: BoardIdentity;
  flashSize: number;
  /** Header of what lies at the boot loader's offset, if it is an image for this chip. */
  bootloader?: ImageHeader;
  table?: { offset: number; partitions: Partition[] };
  /** What the boot loader would start, as far as the first bytes of each slot tell; `undefined` when it would find nothing. */
  runs?: BootTarget;
  /** All app partitions, in table order. */
  slots: SlotState[];
  /** The NVS that Wi-Fi and most firmware use. */
  nvs?: NvsState;
  moreNvs: NvsState[];
  /** Places of NVS to come that hold something else. */
  foreignNvs: Pick<Partition, 'offset' | 'size'>[];
  /** Partitions other than app, otadata and NVS that hold anything. */
  filled: Partition[];
  /** There is no table that can be read, and the flash is not blank. */
  unknown: boolean;
  /** The app runs from PB and the data lies in PA. */
  swapped: boolean;
}

/**
 * Reads what a plan needs to know; writes nothing.
 *
 * @throws {DeviceError} when the board or the cable fails, or the flash size is not known.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function readBoardState(
  flash: FlashMemory,
  identity: BoardIdentity,
  { signal, hints = {} }: JobOptions & { hints?: BoardHints } = {},
): Promise<BoardState> {
  const empty = { identity, slots: [], moreNvs: [], foreignNvs: [], filled: [], unknown: false, swapped: false };
  if (isLocked(identity)) return { ...empty, flashSize: identity.flashSize ?? 0 };
  const reader = new SparseReader(flash, { signal });
  const read: ReadFlash = async (offset, length) =>
    reader.read(offset, Math.max(0, Math.min(length, flash.size - offset)));

  const state: BoardState = { ...empty, flashSize: flash.size };
  // Something has to be seen before the first read, for it to be noticed if that erases everything.
  await flash.md5(identity.chip.bootloaderOffset, SECTOR_SIZE, { signal });
  const bootloader = imageHeader(
    await read(identity.chip.bootloaderOffset, IMAGE_HEADER_SIZE),
    identity.chip.imageChipId,
  );
  if (bootloader) state.bootloader = bootloader;
  const { table, damaged } = await readTable({ read, flash, signal }, hints.tableOffset);
  // Rows beyond the real flash belong to another board's table; they hold nothing here.
  const partitions = table?.partitions.filter(({ offset, size }) => offset + size <= flash.size);
  if (table) state.table = table;

  const nvsHints = [...damaged, ...(hints.tables ?? []).flat()].filter(isNvsRow);
  const usual = { name: 'nvs', type: PartitionType.Data, subtype: DataSubtype.Nvs, flags: 0, ...USUAL_NVS };
  const { found, foreign, filled } = await findNvs(read, {
    flashSize: flash.size,
    partitions,
    hints: [...nvsHints, usual],
  });
  const [nvs, ...moreNvs] = found;
  if (nvs) state.nvs = nvs;
  state.moreNvs = moreNvs;
  state.foreignNvs = foreign;
  state.unknown = !partitions && filled;
  if (!partitions) return state;

  await readPartitions(state, partitions, { read, flash, signal });
  const runs = await runningApp(state, partitions, read);
  if (runs !== undefined) state.runs = runs;
  state.swapped = isSwapped(state);
  return state;
}

async function readPartitions(
  state: BoardState,
  partitions: readonly Partition[],
  { read, flash, signal }: BoardReader,
): Promise<void> {
  for (const partition of partitions) {
    const { type, subtype, offset, size } = partition;
    if (type === PartitionType.App) {
      state.slots.push(slotState(partition, await read(offset, Math.min(HEAD_SIZE, size))));
    } else if (!isNvsRow(partition) && !(type === PartitionType.Data && subtype === DataSubtype.Ota)) {
      const filled = !isBlank(await read(offset, Math.min(SECTOR_SIZE, size)));
      if (filled || !(await isBlankRange(flash, { offset, length: size }, { signal }))) state.filled.push(partition);
    }
  }
}

/** What is in the flash is encrypted, or cannot be read. */
export const isLocked = ({ security }: Pick<BoardIdentity, 'security'>): boolean =>
  security.secureDownload || security.flashEncryption !== 'off';

/** How the flash is read here. */
interface BoardReader {
  read: ReadFlash;
  flash: FlashMemory;
  signal: AbortSignal | undefined;
}

/** The part of the flash where a table may lie, of which only those sectors are read that begin like one; the rest is FF. */
async function readCandidates({ read, flash, signal }: BoardReader, usualIsBlank: boolean): Promise<Uint8Array> {
  const { from, to } = TABLE_SEARCH;
  const bytes = new Uint8Array(to).fill(0xff);
  if (usualIsBlank && (await isBlankRange(flash, { offset: 0, length: to }, { signal }))) return bytes;
  for (let offset = from; offset < to; offset += SECTOR_SIZE) {
    if (readU16(await read(offset, PARTITION_ROW_SIZE), 0) !== PARTITION_MAGIC) continue;
    bytes.set(await read(offset, PARTITION_TABLE_SIZE), offset);
  }
  return bytes;
}

/** The table, looked for at the usual places first; of a damaged one the rows that can still be read, as hints. */
async function readTable(
  { read, flash, signal }: BoardReader,
  expected: number | undefined,
): Promise<{ table?: NonNullable<BoardState['table']>; damaged: Partition[] }> {
  const damaged: Partition[] = [];
  let usualIsBlank = true;
  for (const offset of new Set([expected ?? DEFAULT_TABLE_OFFSET, DEFAULT_TABLE_OFFSET])) {
    const bytes = await read(offset, PARTITION_TABLE_SIZE);
    usualIsBlank &&= isBlank(bytes);
    const { partitions, md5: digest } = decodePartitionTable(bytes, { lenient: true });
    if (digest === 'right' && partitions.length > 0) return { table: { offset, partitions }, damaged };
    damaged.push(...partitions);
  }
  const found = findPartitionTable(await readCandidates({ read, flash, signal }, usualIsBlank), TABLE_SEARCH);
  return found ? { table: { offset: found.offset, partitions: found.table.partitions }, damaged } : { damaged };
}

function imageHeader(bytes: Uint8Array, chipId: number): ImageHeader | undefined {
  if (!looksLikeImage(bytes)) return undefined;
  const header = decodeImageHeader(bytes);
  return header.chipId === chipId ? header : undefined;
}

function slotState(partition: Partition, bytes: Uint8Array): SlotState {
  if (isBlank(bytes)) return { partition, content: 'blank' };
  if (isDataImage(bytes)) {
    const tag = textUntilNul(bytes.subarray(DATA_HEADER_SIZE, DATA_HEADER_SIZE + SHOWN_BYTES));
    return /^[\x20-\x7e]+$/.test(tag) ? { partition, content: 'data', tag } : { partition, content: 'data' };
  }
  if (!looksLikeImage(bytes)) return { partition, content: 'unknown' };
  const description = decodeAppDescription(bytes);
  return description ? { partition, content: 'app', description } : { partition, content: 'app' };
}

/** The boot loader's choice by otadata, then the first slot in its order that looks like an app. */
async function runningApp(
  { slots }: BoardState,
  partitions: readonly Partition[],
  read: ReadFlash,
): Promise<BootTarget | undefined> {
  const row = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  const otaRows = otaSlots(partitions);
  // A row that is too small for otadata is none to the boot loader either.
  const otadata = row && row.size >= OTADATA_SIZE ? decodeOtadata(await read(row.offset, OTADATA_SIZE)) : undefined;
  const choice = chooseBootSlot(otadata, {
    slotCount: otaRows.length,
    hasFactory: findPartition(partitions, PartitionType.App, AppSubtype.Factory) !== undefined,
  });
  const holds = (target: BootTarget): SlotState['content'] | undefined => {
    const subtype = target === 'factory' ? AppSubtype.Factory : AppSubtype.Ota0 + target;
    return slots.find(({ partition }) => partition.subtype === subtype)?.content;
  };
  return choice.order.find((target) => holds(target) === 'app');
}

/**
 * A board is swapped when the app runs from PB: that is how a finished two-step update leaves it, with the data in PA.
 */
const isSwapped = ({ runs }: BoardState): boolean => runs === 1;
