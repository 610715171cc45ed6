/**
 * What a board, its adapter and its flash really do: measured in a scratch block that is restored, for people who have hardware that nobody
 * else can look at.
 */
import { type Clock } from '#clock.ts';
import { BAUD_LADDER } from '#device/baud-rates.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';
import { type FlashCosts, writeCost } from '#device/flash-costs.ts';
import { type BoardIdentity } from '#device/identify.ts';
import { type EntryMode, isNativeUsb } from '#device/reset.ts';
import { ROM_TOP_BAUD, romChangesBaud } from '#device/rom-baud.ts';
import { type LoaderMode } from '#device/session.ts';
import { type ReachableFlash, type Scratch, type ScratchPlace } from './probe-scratch.ts';

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

/** Milliseconds that measuring takes, without a restart; some rate is taken to fail. */
export function probeTime(
  { offset, size, isBlank }: ScratchPlace,
  costs: FlashCosts,
  rates: readonly number[],
): number {
  const read = size * costs.wire + (costs.overlaps ? 0 : (size / ROM_READ_BYTES) * costs.roundTrip);
  const write = writeCost({ offset, length: size }, costs);
  const rounds = rates.length > 0 ? 2 : 1;
  const restore = isBlank ? costs.eraseBlock : read + write;
  const ladder = rates.length > 0 ? FAILED_RUNG_MS + (rates.length - 1) * RUNG_MS : 0;
  const hashed = (MD5_BYTES + 4 * size) * costs.md5;
  return LATENCY_SAMPLES * costs.roundTrip + hashed + costs.eraseBlock + rounds * (read + write) + ladder + restore;
}

/**
 * Measures. Works in the scratch block and puts back what was there, after a failure and an abort as well.
 *
 * @throws {DeviceError} when the board or the cable fails; whether the block could be put back, `scratch` tells.
 * @throws {DOMException} `AbortError`.
 */
export async function probeBoard(
  board: ProbeBoard,
  scratch: Scratch,
  { clock, rates, signal, onStep }: ProbeOptions,
): Promise<ProbeReport> {
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    signal?.throwIfAborted();
    const started = clock.now();
    await work();
    return clock.now() - started;
  };
  const { offset, size } = scratch.place;
  onStep?.('latency');
  const samples: number[] = [];
  for (let count = 0; count < LATENCY_SAMPLES; count++) samples.push(await timed(() => board.md5(0, 4, { signal })));
  onStep?.('save');
  await scratch.save(board, signal);
  signal?.throwIfAborted();
  try {
    onStep?.('erase');
    scratch.touched = true;
    const erased = await timed(() => board.erase(offset, size, { signal }));
    onStep?.('md5');
    const md5Ms = await timed(() => board.md5(0, Math.min(MD5_BYTES, board.size), { signal }));
    const md5 = perSecond(Math.min(MD5_BYTES, board.size), md5Ms);
    const measure = async (): Promise<LineSpeed> => lineSpeed(board, { offset, size, timed, signal, onStep });
    const speeds = [await measure()];
    onStep?.('ladder');
    const tried = await climb(board, rates, signal);
    if (board.baud !== speeds[0]?.baud) speeds.push(await measure());
    return {
      latency: spread(samples),
      scratch: { offset, size, wasBlank: scratch.wasBlank },
      // An erase is verified by a digest, which is not part of it.
      eraseBlock: Math.max(0, erased - (size * md5Ms) / MD5_BYTES),
      md5,
      speeds,
      rates: tried,
    };
  } finally {
    onStep?.('restore');
    // Not with the user's signal: what was there is put back after an abort, too.
    await scratch.putBack(board);
  }
}

interface Measuring {
  offset: number;
  size: number;
  timed: (work: () => Promise<unknown>) => Promise<number>;
  signal: AbortSignal | undefined;
  onStep: ProbeOptions['onStep'];
}

async function lineSpeed(board: ProbeBoard, { offset, size, timed, signal, onStep }: Measuring): Promise<LineSpeed> {
  const data = incompressible(size);
  onStep?.('write');
  const writeMs = await timed(() => board.write(offset, data, { signal, verify: false }));
  onStep?.('read');
  const readMs = await timed(() => board.read(offset, data.length, { signal }));
  return { baud: board.baud, write: perSecond(data.length, writeMs), read: perSecond(data.length, readMs) };
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

/** The same at every run; its entropy is that of a linear congruential generator's upper byte. */
function incompressible(length: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
