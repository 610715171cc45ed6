/** What a board holds after it was provisioned, as the station is told it. Pure. */
import { sha256 } from '@noble/hashes/sha2.js';
import { type ProvisionedBoard } from '#api.ts';
import { decodeAppDescription } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage } from '#formats/data/data-image.ts';
import { decodeTag } from '#formats/data/data-tag.ts';
import { type SlotName } from '#formats/ota-slots.ts';
import { type Partition } from '#formats/partition-table.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';

export interface ProvisionedRun {
  board: BoardState;
  /** As it was carried out. */
  plan: FlashPlan;
  /** Of the release, for its data. */
  release: string | undefined;
  /** Where the board said that it is. */
  address: string | undefined;
}

type Slot = ProvisionedBoard['slots'][number];

/** Nothing for a board without two slots, or whose chip tells no MAC: such a one cannot be updated in two steps, or not be told apart. */
export function provisionedBoard({ board, plan, release, address }: ProvisionedRun): ProvisionedBoard | undefined {
  const { roles, chip } = plan;
  const mac = board.identity.mac?.toLowerCase();
  if (mac === undefined || !roles?.pa || !roles.pb) return undefined;
  const slotOf = (slot: SlotName, { offset, size }: Partition): Slot => {
    const write = plan.writes.findLast((one) => one.offset === offset && !one.transient);
    if (offset === roles.app.offset) return { slot, size, ...(write ? appFacts(write.data) : { role: 'app' }) };
    if (write) return { slot, size, ...dataFacts(write.data, release) };
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

type Facts = Omit<Slot, 'slot' | 'size'>;

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
