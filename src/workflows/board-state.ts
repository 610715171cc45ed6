/**
 * What a board holds before anything is changed: boot loader, table, otadata, slots, settings.
 * Reading is lenient; what cannot be understood is reported as such, not thrown.
 */
import { type BoardIdentity } from '#device/identify.ts';
import { type FlashMemory, type JobOptions, SECTOR_SIZE } from '#device/flash-memory.ts';
import {
  type AppDescription,
  decodeAppDescription,
  decodeImageHeader,
  type ImageHeader,
  looksLikeImage,
} from '#formats/app-image.ts';
import { isBlank, textUntilNul } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage } from '#formats/data-image.ts';
import { decodeNvs, type DecodedNvs } from '#formats/nvs/nvs-reader.ts';
import { type BootTarget, chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '#formats/otadata.ts';
import {
  AppSubtype,
  DataSubtype,
  findPartition,
  findPartitionTable,
  otaSlots,
  type Partition,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '#formats/partition-table.ts';

/** ESP-IDF's default; looked at first because nearly every board has it there. */
const USUAL_TABLE_OFFSET = 0x8000;
/** A table is looked for in each sector of this range: CONFIG_PARTITION_TABLE_OFFSET moves it up for large boot loaders. */
const TABLE_SEARCH = { from: 0x1000, to: 0x2_0000 };
/** Header, first segment header and application description lie in the first bytes of an image. */
const HEAD_SIZE = 0x400;
/** The first bytes of the data that the demo firmware of two-step OTA shows on its page. */
const TAG_SIZE = 10;

export interface SlotState {
  partition: Partition;
  /** By its first bytes only; whether an app is sound is not looked at here. */
  content: 'app' | 'data' | 'blank' | 'unknown';
  description?: AppDescription;
  /** First bytes of the data as text, where they are printable. */
  tag?: string;
}

export interface NvsState {
  partition: Partition;
  bytes: Uint8Array;
  decoded: DecodedNvs;
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
  nvs?: NvsState;
  /** Partitions other than app, otadata and NVS that hold anything in their first sector. */
  filled: Partition[];
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
  { signal }: JobOptions = {},
): Promise<BoardState> {
  if (isLocked(identity))
    return { identity, flashSize: identity.flashSize ?? 0, slots: [], filled: [], swapped: false };
  const read = async (offset: number, length: number): Promise<Uint8Array> =>
    flash.read(offset, Math.min(length, flash.size - offset), { signal });

  const bootloader = imageHeader(await read(identity.chip.bootloaderOffset, HEAD_SIZE), identity.chip.imageChipId);
  const table = await readTable(read);
  const state: BoardState = { identity, flashSize: flash.size, slots: [], filled: [], swapped: false };
  if (bootloader) state.bootloader = bootloader;
  if (!table) return state;

  // Rows beyond the real flash belong to another board's table; they hold nothing here.
  const partitions = table.partitions.filter(({ offset, size }) => offset + size <= flash.size);
  state.table = table;
  for (const partition of partitions) {
    const { type, subtype, offset, size } = partition;
    if (type === PartitionType.App) {
      state.slots.push(slotState(partition, await read(offset, Math.min(HEAD_SIZE, size))));
    } else if (type === PartitionType.Data && subtype === DataSubtype.Nvs && !state.nvs) {
      const bytes = await read(offset, size);
      state.nvs = { partition, bytes, decoded: decodeNvs(bytes) };
    } else if (!(type === PartitionType.Data && subtype === DataSubtype.Ota)) {
      if (!isBlank(await read(offset, Math.min(SECTOR_SIZE, size)))) state.filled.push(partition);
    }
  }
  const runs = await runningApp(state, partitions, read);
  if (runs !== undefined) state.runs = runs;
  state.swapped = isSwapped(state);
  return state;
}

/** What is in the flash of a secured chip is encrypted, cannot be read, or must not be changed from here anyway. */
export const isLocked = ({ security }: Pick<BoardIdentity, 'security'>): boolean =>
  security.secureDownload || security.secureBoot !== 'off' || security.flashEncryption !== 'off';

async function readTable(
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<BoardState['table'] | undefined> {
  const usual = findPartitionTable(await read(USUAL_TABLE_OFFSET, PARTITION_TABLE_SIZE), { from: 0, to: SECTOR_SIZE });
  if (usual?.table.md5 === 'right') return { offset: USUAL_TABLE_OFFSET, partitions: usual.table.partitions };
  const found = findPartitionTable(await read(0, TABLE_SEARCH.to), TABLE_SEARCH);
  return found && { offset: found.offset, partitions: found.table.partitions };
}

function imageHeader(bytes: Uint8Array, chipId: number): ImageHeader | undefined {
  if (!looksLikeImage(bytes)) return undefined;
  const header = decodeImageHeader(bytes);
  return header.chipId === chipId ? header : undefined;
}

function slotState(partition: Partition, bytes: Uint8Array): SlotState {
  if (isBlank(bytes)) return { partition, content: 'blank' };
  if (isDataImage(bytes)) {
    const tag = textUntilNul(bytes.subarray(DATA_HEADER_SIZE, DATA_HEADER_SIZE + TAG_SIZE));
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
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<BootTarget | undefined> {
  const row = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  const otaRows = otaSlots(partitions);
  const choice = chooseBootSlot(row ? decodeOtadata(await read(row.offset, OTADATA_SIZE)) : undefined, {
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
