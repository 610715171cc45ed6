/** Finds the settings of a board: where its table says, in the copy that an interrupted run left, or where they usually are. */
import { isBlank } from '#formats/bytes.ts';
import { type DecodedNvs, decodeNvs } from '#formats/nvs/nvs-reader.ts';
import {
  beginsNvsCopy,
  decodeNvsCopy,
  isWholeCopy,
  NVS_COPY_HEAD_SIZE,
  NVS_COPY_MAGIC_SIZE,
} from '#formats/nvs/nvs-copy.ts';
import { decodePageHeader, PAGE_HEADER_SIZE } from '#formats/nvs/nvs-page.ts';
import { NVS_PAGE_SIZE } from '#formats/nvs/nvs.ts';
import { DataSubtype, type Partition, PartitionType } from '#formats/partition-table.ts';

export interface NvsState {
  partition: Partition;
  bytes: Uint8Array;
  decoded: DecodedNvs;
  /** It comes from the copy that an interrupted run left, and has to be put back to its place. */
  rescued?: boolean;
}

export type ReadFlash = (offset: number, length: number) => Promise<Uint8Array>;

/** ESP-IDF's own NVS, where neither table nor release tells. */
export const USUAL_NVS: Pick<Partition, 'offset' | 'size'> = { offset: 0x9000, size: 0x6000 };
/** App slots start at multiples of this, and copies at the start of an app slot. */
const COPY_ALIGNMENT = 0x1_0000;
const NVS_LABEL = 'nvs';

export const isNvsRow = ({ type, subtype }: Pick<Partition, 'type' | 'subtype'>): boolean =>
  type === PartitionType.Data && subtype === DataSubtype.Nvs;

/** The NVS that Wi-Fi and most firmware use: the one labelled `nvs`, else the first. */
export const primaryNvsRow = (partitions: readonly Partition[]): Partition | undefined => {
  const rows = partitions.filter(isNvsRow);
  return rows.find(({ name }) => name === NVS_LABEL) ?? rows[0];
};

interface Inputs {
  flashSize: number;
  /** Rows of the board's table that lie inside the flash; `undefined` without a valid table. */
  partitions: readonly Partition[] | undefined;
  /** Places where the release or the user's table has NVS, and rows of a table that is damaged. */
  hints: readonly Partition[];
}

export interface FoundNvs {
  /** The primary one first. */
  found: NvsState[];
  /** Places of NVS to come that hold something else: the firmware would stumble over it. */
  foreign: Pick<Partition, 'offset' | 'size'>[];
  /** Something lies at one of the places where an app could start. */
  filled: boolean;
}

export async function findNvs(read: ReadFlash, { flashSize, partitions, hints }: Inputs): Promise<FoundNvs> {
  const starts = partitions
    ? partitions.filter(({ type }) => type === PartitionType.App).map(({ offset }) => offset)
    : Array.from({ length: Math.floor(flashSize / COPY_ALIGNMENT) }, (_, index) => index * COPY_ALIGNMENT);
  const rows = (partitions ?? []).filter(isNvsRow);
  const primary = primaryNvsRow(rows);
  const { states: found, filled } = await findCopy(read, starts, flashSize);
  for (const partition of primary ? [primary, ...rows.filter((row) => row !== primary)] : []) {
    if (found.some((state) => state.partition.name === partition.name)) continue;
    found.push(nvsState(partition, await read(partition.offset, partition.size)));
  }
  const foreign: FoundNvs['foreign'] = [];
  for (const hint of distinctPlaces(hints, flashSize)) {
    if (rows.some(({ offset, size }) => offset < hint.offset + hint.size && hint.offset < offset + size)) continue;
    const state = await readHint(read, hint);
    if (state === 'foreign') foreign.push({ offset: hint.offset, size: hint.size });
    else if (!partitions && state !== 'blank' && !found.some((other) => other.partition.name === hint.name))
      found.push(state);
  }
  return { found, foreign, filled };
}

/** What lies at a place where NVS may be. Of foreign bytes no more is read than shows that no page of NVS is among them. */
async function readHint(read: ReadFlash, hint: Partition): Promise<NvsState | 'foreign' | 'blank'> {
  const hasHead = async (at: number): Promise<boolean> => {
    const head = await read(hint.offset + at, PAGE_HEADER_SIZE);
    return isBlank(head) ? at === 0 : decodePageHeader(head).version > 0;
  };
  let maybe = false;
  for (let at = 0; at < hint.size && !maybe; at += NVS_PAGE_SIZE) maybe = await hasHead(at);
  if (!maybe) return 'foreign';
  const state = nvsState(hint, await read(hint.offset, hint.size));
  if (isBlank(state.bytes)) return 'blank';
  return looksLikeNvs(state.decoded) ? state : 'foreign';
}

/** The copy at the first of these places that holds a whole one. */
async function findCopy(
  read: ReadFlash,
  starts: readonly number[],
  flashSize: number,
): Promise<{ states: NvsState[]; filled: boolean }> {
  let filled = false;
  for (const start of starts) {
    const magic = await read(start, NVS_COPY_MAGIC_SIZE);
    filled ||= !isBlank(magic);
    const entries = beginsNvsCopy(magic) && decodeNvsCopy(await read(start, NVS_COPY_HEAD_SIZE));
    if (!entries) continue;
    const states: NvsState[] = [];
    for (const entry of entries) {
      const { name, offset, size, at } = entry;
      if (start + at + size > flashSize) break;
      const bytes = await read(start + at, size);
      if (!isWholeCopy(entry, bytes)) break;
      const partition = { name, type: PartitionType.Data, subtype: DataSubtype.Nvs, offset, size, flags: 0 };
      states.push({ ...nvsState(partition, bytes), rescued: true });
    }
    if (states.length === entries.length) return { states, filled };
  }
  return { states: [], filled };
}

const nvsState = (partition: Partition, bytes: Uint8Array): NvsState => ({
  partition,
  bytes,
  decoded: decodeNvs(bytes),
});

/** At least one page with a right header: encrypted or damaged NVS too, but not just any bytes. */
const looksLikeNvs = ({ pages }: DecodedNvs): boolean => pages.some(({ version }) => version > 0);

function distinctPlaces(hints: readonly Partition[], flashSize: number): Partition[] {
  const places: Partition[] = [];
  for (const hint of hints) {
    const overlaps = places.some(({ offset, size }) => offset < hint.offset + hint.size && hint.offset < offset + size);
    if (!overlaps && hint.offset + hint.size <= flashSize && hint.size % 0x1000 === 0) places.push(hint);
  }
  return places;
}
