/** What a board holds after it was provisioned, for a station to keep: what lies where, and digests; no secret. Pure. */
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeAppDescription } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage } from '#formats/data/data-image.ts';
import { decodeTag } from '#formats/data/data-tag.ts';
import { type SlotName } from '#formats/ota-slots.ts';
import { type Partition } from '#formats/partition-table.ts';
import { type BoardState } from './board-state.ts';
import { type FlashPlan } from './flash-plan.ts';

export interface WrittenRun {
  /** As it was read before. */
  board: BoardState;
  /** As it was carried out. */
  plan: FlashPlan;
  /** Of the release, for its data. */
  release: string | undefined;
  /** Where the board said that it is. */
  address: string | undefined;
}

export interface WrittenSlot {
  slot: SlotName;
  /** Bytes. */
  size: number;
  role: 'app' | 'data' | 'unknown';
  /** Project and version of an app; release and tag of data. */
  project?: string;
  version?: string;
  /** Of the image that was written, as a release has it. */
  sha256?: string;
}

export interface WrittenBoard {
  /** Lower case, with colons. */
  mac: string;
  chip: string;
  address?: string;
  /** From where the app starts. */
  running: SlotName;
  slots: WrittenSlot[];
}

/** Nothing for a board without two slots, or whose chip tells no MAC: such a one cannot be updated in two steps, or not be told apart. */
export function writtenBoard({ board, plan, release, address }: WrittenRun): WrittenBoard | undefined {
  const { roles, chip } = plan;
  const mac = board.identity.mac?.toLowerCase();
  if (mac === undefined || !roles?.pa || !roles.pb) return undefined;
  const slotOf = (slot: SlotName, { offset, size }: Partition): WrittenSlot => {
    const write = plan.writes.findLast((one) => one.offset === offset && !one.transient);
    const image = write?.data.subarray(0, write.imageSize);
    if (offset === roles.app.offset) return { slot, size, ...(image ? appFacts(image) : { role: 'app' }) };
    if (image) return { slot, size, ...dataFacts(image, release) };
    const kept = board.slots.find(({ partition }) => partition.offset === offset);
    const tag = kept?.tag;
    return { slot, size, role: kept?.content === 'data' ? 'data' : 'unknown', ...(tag && { version: tag }) };
  };
  return {
    mac,
    chip: chip.name,
    ...(address !== undefined && { address }),
    running: roles.swapped ? 'PB' : 'PA',
    slots: [slotOf('PA', roles.pa), slotOf('PB', roles.pb)],
  };
}

type Facts = Omit<WrittenSlot, 'slot' | 'size'>;

function appFacts(image: Uint8Array): Facts {
  const description = decodeAppDescription(image);
  return {
    role: 'app',
    ...(description && { project: description.projectName, version: description.version }),
    sha256: toHex(sha256(image)),
  };
}

function dataFacts(image: Uint8Array, release: string | undefined): Facts {
  const tag = decodeTag(isDataImage(image) ? image.subarray(DATA_HEADER_SIZE) : image);
  return {
    role: 'data',
    ...(release !== undefined && { project: release.slice(0, 32) }),
    ...(tag !== undefined && { version: tag }),
    sha256: toHex(sha256(image)),
  };
}
