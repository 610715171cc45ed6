/**
 * What a board, its adapter and its flash really do: measured in a scratch block that is restored, for people who have hardware that nobody
 * else can look at.
 */
import { type Clock } from '#clock.ts';
import { BAUD_LADDER } from '#device/baud-rates.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { DeviceError, isDeviceError } from '#device/device-error.ts';
import { writeCost } from '#device/flash-costs.ts';
import { type BoardIdentity } from '#device/identify.ts';
import { type EntryMode, isNativeUsb } from '#device/reset.ts';
import { ROM_TOP_BAUD, romChangesBaud } from '#device/rom-baud.ts';
import { type LoaderMode } from '#device/session.ts';
import { hexAddress } from '#formats/bytes.ts';
import { type BoardState } from './board-state.ts';
import { KeptGuard, stillAnswers } from './kept-guard.ts';
import { areTestBytes, type BlockKeeper, putBlockBack, readBlock, type SavedBlock, testBytes } from './probe-block.ts';
import { partsAround, type ReachableFlash, type ScratchPlace } from './probe-scratch.ts';
import { WorkflowError } from './workflow-error.ts';

/** What is measured: a flash whose line can be set to another rate. */
export interface ProbeBoard extends ReachableFlash {
  /** Bits a second now. */
  readonly baud: number;
  /** Sets the line to that rate. False when it does not work: the session goes on at the rate before. */
  tryBaud(baud: number): Promise<boolean>;
}

export interface ProbeOptions {
  clock: Clock;
  /** Rates to try, from low to high. */
  rates: readonly number[];
  signal?: AbortSignal | undefined;
  onStep?: ((step: ProbeStep) => void) | undefined;
  /** Whose board it is, and what the parts around the block are called. */
  state: Pick<BoardState, 'identity' | 'flashSize' | 'table'>;
  /** Nobody unless given: what was in the block is lost with this session then. */
  keeper?: BlockKeeper | undefined;
}

export type ProbeStep = 'latency' | 'save' | 'erase' | 'write' | 'read' | 'md5' | 'ladder' | 'restore';

/** Bytes a second at one rate. */
export interface LineSpeed {
  baud: number;
  write: number;
  read: number;
}

export interface ProbeReport {
  /** Milliseconds of a command that does next to nothing. */
  latency: { least: number; median: number; most: number };
  /** Where was measured, and whether it was blank before. */
  scratch: { offset: number; size: number; wasBlank: boolean };
  /** Milliseconds to erase 64 KiB. */
  eraseBlock: number;
  /** Bytes a second. */
  md5: number;
  /** At the rate of the session, then at the highest that works. */
  speeds: LineSpeed[];
  rates: { baud: number; works: boolean }[];
}

/** Who was measured, as everybody may know it: of the MAC no more than the maker's part. */
export type ProbedBoard = Omit<BoardIdentity, 'chip' | 'chipName' | 'features'> & { chip: string; loader: LoaderMode };

const LATENCY_SAMPLES = 20;
/** Bytes that are hashed to measure how fast. */
const MD5_BYTES = 0x4_0000;

/** Without the part of the MAC that tells this board from its brothers: a report is for everybody to read. */
export function probedBoard({ identity, mode }: Pick<Bootloader, 'identity' | 'mode'>): ProbedBoard {
  const { chip, description, revision, mac, flashId, flashSize, crystalMhz, security, usb } = identity;
  const makersPart = mac === undefined ? undefined : `${mac.slice(0, 8)}:…`;
  const board = { chip: chip.name, description, revision, mac: makersPart, flashId, flashSize, crystalMhz };
  return { ...board, security, usb, loader: mode };
}

/**
 * The rates above the session's own that can be tried there, from low to high. After one that fails the board has to be brought back by a
 * reset: without one (`before` is `none`) none is tried.
 */
export function probeRates(
  { identity, mode, baud }: Pick<Bootloader, 'identity' | 'mode' | 'baud'>,
  before?: EntryMode,
): number[] {
  if (isNativeUsb(identity.usb) || before === 'none') return [];
  const higher = BAUD_LADDER.toReversed().filter((rate) => rate > baud);
  if (mode === 'stub') return higher;
  return romChangesBaud(identity.chip.name) ? higher.filter((rate) => rate <= ROM_TOP_BAUD) : [];
}

/** Milliseconds of a rate that works, and of one that does not. */
const RUNG_MS = 400;
const FAILED_RUNG_MS = 2500;
/** Bytes that the ROM gives with one command. */
const ROM_READ_BYTES = 64;

/** Most milliseconds that measuring takes, without a restart; some rate is taken to fail. */
export function probeTime(
  { offset, size, isBlank }: ScratchPlace,
  { costs, reach }: Pick<ReachableFlash, 'costs' | 'reach'>,
  rates: readonly number[],
): number {
  const read = size * costs.wire + (costs.overlaps ? 0 : (size / ROM_READ_BYTES) * costs.roundTrip);
  const write = writeCost({ offset, length: size }, costs);
  const rounds = rates.length > 0 ? 2 : 1;
  const restore = isBlank ? costs.eraseBlock : read + write;
  const ladder = rates.length > 0 ? FAILED_RUNG_MS + (rates.length - 1) * RUNG_MS : 0;
  // What is looked after around the block is hashed as far as it is blank, in stretches that grow (kept-guard.ts).
  const hashed = (MD5_BYTES + 4 * size + 1.3 * reach) * costs.md5;
  return LATENCY_SAMPLES * costs.roundTrip + hashed + costs.eraseBlock + rounds * (read + write) + ladder + restore;
}

/**
 * Measures. Works in the scratch block and puts back what was there, after a failure and an abort as well. What was there is with the keeper
 * from before the first write until then.
 *
 * @throws {WorkflowError} `kept-damaged`, `kept-in-doubt`: a damaged command has hit something beside the block.
 * @throws {DeviceError} when the board or the cable fails; the block may not be back then, which the keeper knows.
 * @throws {DOMException} `AbortError`.
 */
export async function probeBoard(board: ProbeBoard, place: ScratchPlace, options: ProbeOptions): Promise<ProbeReport> {
  const { clock, signal, onStep, keeper, state } = options;
  const { chip, mac } = state.identity;
  onStep?.('latency');
  const samples: number[] = [];
  const timed = stopwatch(clock, signal);
  for (let count = 0; count < LATENCY_SAMPLES; count++) samples.push(await timed(() => board.md5(0, 4, { signal })));
  onStep?.('save');
  const before = await readBlock(board, place, { signal });
  const guard = await KeptGuard.set(board, partsAround({ ...state, chip }, place, board.reach), { signal });
  const { offset, size } = place;
  const block = { mac, offset, size, before, watched: guard.watched };
  signal?.throwIfAborted();
  await keeper?.hold(block);
  const report = await measureIn(board, place, options).catch((error: unknown) => ({ error }));
  onStep?.('restore');
  // Not with the user's signal: what was there is put back after an abort, too.
  await restore(board, block, { guard, keeper, cause: 'error' in report ? report.error : undefined });
  if ('error' in report) throw report.error;
  return { latency: spread(samples), scratch: { offset, size, wasBlank: before === undefined }, ...report };
}

async function restore(
  board: ProbeBoard,
  block: SavedBlock,
  { guard, keeper, cause }: { guard: KeptGuard; keeper: BlockKeeper | undefined; cause: unknown },
): Promise<void> {
  try {
    await putBlockBack(board, block);
  } catch (error) {
    if (stillAnswers(error)) await guard.check({}, error);
    throw error;
  }
  const damage = await guard.check({}, cause).catch((error: unknown) => {
    if (error instanceof WorkflowError) return error;
    throw error;
  });
  await keeper?.release(block);
  if (damage) throw damage;
}

type Stopwatch = (work: () => Promise<unknown>) => Promise<number>;

const stopwatch =
  (clock: Clock, signal: AbortSignal | undefined): Stopwatch =>
  async (work) => {
    signal?.throwIfAborted();
    const started = clock.now();
    await work();
    return clock.now() - started;
  };

async function measureIn(
  board: ProbeBoard,
  { offset, size }: ScratchPlace,
  { clock, rates, signal, onStep }: ProbeOptions,
): Promise<Omit<ProbeReport, 'latency' | 'scratch'>> {
  const timed = stopwatch(clock, signal);
  const measure = (): Promise<LineSpeed> => lineSpeed(board, { offset, size, timed, signal, onStep });
  const hashed = Math.min(MD5_BYTES, board.size);
  const speeds = [await measure()];
  onStep?.('md5');
  const md5Ms = await timed(() => board.md5(0, hashed, { signal }));
  // Not before the block is full: an erase of what is blank would not show that it went elsewhere.
  onStep?.('erase');
  const erased = await timed(() => board.erase(offset, size, { signal }));
  onStep?.('ladder');
  const tried = await climb(board, rates, signal);
  if (board.baud !== speeds[0]?.baud) speeds.push(await measure());
  return {
    // An erase is verified by a digest, which is not part of it.
    eraseBlock: Math.max(0, erased - (size * md5Ms) / hashed),
    md5: perSecond(hashed, md5Ms),
    speeds,
    rates: tried,
  };
}

interface Measuring {
  offset: number;
  size: number;
  timed: Stopwatch;
  signal: AbortSignal | undefined;
  onStep: ProbeOptions['onStep'];
}

async function lineSpeed(board: ProbeBoard, { offset, size, timed, signal, onStep }: Measuring): Promise<LineSpeed> {
  const data = testBytes(size);
  onStep?.('write');
  const writeMs = await timed(() => board.write(offset, data, { signal, verify: false }));
  onStep?.('read');
  let read: Uint8Array | undefined;
  const readMs = await timed(async () => (read = await board.read(offset, size, { signal })));
  if (read && !areTestBytes(read)) {
    await board.noteMissing({ offset, length: size }, { signal });
    throw new DeviceError('verify-failed', `The flash at ${hexAddress(offset)} does not hold what was written`, {
      details: { offset, length: size },
    });
  }
  return { baud: board.baud, write: perSecond(size, writeMs), read: perSecond(size, readMs) };
}

/** Up the ladder until a rate fails; stopped between two rungs. */
async function climb(
  board: ProbeBoard,
  rates: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ProbeReport['rates']> {
  const tried: ProbeReport['rates'] = [];
  for (const baud of rates) {
    signal?.throwIfAborted();
    const works = await board.tryBaud(baud).catch((error: unknown) => {
      if (isDeviceError(error, 'port-open-failed')) return false;
      throw error;
    });
    tried.push({ baud, works });
    if (!works) break;
  }
  return tried;
}

const perSecond = (bytes: number, ms: number): number => Math.round((bytes * 1000) / Math.max(ms, 0.001));

function spread(samples: readonly number[]): ProbeReport['latency'] {
  const sorted = samples.toSorted((a, b) => a - b);
  return { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}
