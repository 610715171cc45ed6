/** What a client is to do with a board, and what the board holds before and after. */
import { type Partition } from '#formats/partition-table.ts';
import { type BoardState, readBoardState } from '#workflows/board-state.ts';
import { type FlashPlan, flashWrite, type FlashWrite } from '#workflows/flash-plan.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { noise } from '../../device/support/bench.ts';
import { MemoryFlash } from '../../support/memory-flash.ts';
import { makeRelease, type VirtualChip } from '../../support/releases.ts';
import { identity, NVS_ROW, row } from '../../workflows/boards.ts';
import { type ImageSpec, KIB, makeImage, MIB } from './images.ts';

export type Job =
  /** From a closed port to a stub that runs at the working rate. */
  | { kind: 'open' }
  /** From the start of the flash on, which holds something else, or `before`: then only what differs needs writing. */
  | { kind: 'write'; image: ImageSpec; before?: ImageSpec }
  | { kind: 'read'; image: ImageSpec }
  /** The board is read and the plan made, where a client can do that; then everything is written and verified. */
  | { kind: 'provision'; chip: VirtualChip; app: number; data: number };

export interface Part {
  offset: number;
  data: Uint8Array;
}

export type ProvisionJob = Extract<Job, { kind: 'provision' }>;

/** Content of a board that ran something else. */
const OTHER_SEED = 99;

const SLOT_SIZE = 0x1e_0000;
const TWO_SLOTS: Partition[] = [
  NVS_ROW,
  row('otadata', [1, 0], [0xd000, 0x2000]),
  row('phy_init', [1, 1], [0xf000, 0x1000]),
  row('ota_0', [0, 0x10], [0x1_0000, SLOT_SIZE]),
  row('ota_1', [0, 0x11], [0x1f_0000, SLOT_SIZE]),
];

/** Bytes that the job is about; what its figures are held against. */
export function bytesOf(job: Job): number {
  if (job.kind === 'open') return 0;
  return job.kind === 'provision' ? job.app + job.data : job.image.length;
}

/** Bytes of the flash chip: the usual 4 MB, or more where the job needs it. */
export const flashSizeOf = (job: Job): number => Math.max(4 * MIB, job.kind === 'read' ? job.image.length : 0);

/** The whole flash before the job. */
export function flashBefore(job: Job): Uint8Array<ArrayBuffer> {
  const flash = job.kind === 'open' ? new Uint8Array(flashSizeOf(job)).fill(0xff) : noise(flashSizeOf(job), OTHER_SEED);
  if (job.kind === 'read') flash.set(makeImage(job.image));
  if (job.kind === 'write' && job.before) flash.set(makeImage(job.before));
  return flash;
}

/** What the flash must hold afterwards. */
export async function partsAfter(job: Job): Promise<Part[]> {
  if (job.kind === 'write') return [{ offset: 0, data: makeImage(job.image) }];
  return job.kind === 'provision' ? (await provisionGoods(job)).parts : [];
}

/** An image as the one write of a plan. */
export const updateOf = (image: ImageSpec): FlashWrite =>
  flashWrite({ role: 'app', label: 'app', offset: 0, data: makeImage(image), why: 'from-release' });

/** What a provisioning needs, made ready before it is measured. */
export interface ProvisionGoods {
  /** For a host that plans: from what it has read of the board. */
  plan: (board: BoardState) => FlashPlan;
  /** For one that does not: what lasts of that plan, in its order. */
  parts: Part[];
}

export async function provisionGoods(job: ProvisionJob): Promise<ProvisionGoods> {
  const constants = makeImage({ kind: 'app', length: job.app - 2 * KIB });
  const release = makeRelease({ chip: job.chip, kind: 'idf', partitions: TWO_SLOTS, appSize: job.app, constants });
  const data = { name: 'voices.bin', bytes: noise(job.data) };
  const plan = (board: BoardState): FlashPlan => planProvision(release, board, { data });
  const flash = new MemoryFlash(flashSizeOf(job));
  flash.bytes.set(flashBefore(job));
  const { objections, writes } = plan(await readBoardState(flash, identity({ chip: job.chip })));
  if (objections.length > 0) throw new Error(`The plan is refused: ${objections[0]?.code}`);
  return { plan, parts: writes.filter(({ transient }) => !transient) };
}
