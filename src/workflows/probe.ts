/**
 * What a board, its adapter and its flash really do: measured in a scratch region that is restored, for people who have hardware that nobody
 * else can look at.
 */
import { type Clock } from '#clock.ts';
import { md5OfBlank } from '#device/blank-digest.ts';
import { isDeviceError } from '#device/device-error.ts';
import { BLOCK_SIZE, type FlashMemory, type JobOptions } from '#device/flash-memory.ts';

/** What is measured: a flash whose line can be set to another rate. */
export interface ProbeBoard extends FlashMemory {
  /** Bits a second now. */
  readonly baud: number;
  /** Sets the line to that rate. False when it does not work: the session goes on at the rate before. */
  tryBaud(baud: number, options?: JobOptions): Promise<boolean>;
}

export interface ProbeOptions {
  clock: Clock;
  /** Rates to try, from low to high; none where the line has no rate. */
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

const LATENCY_SAMPLES = 20;
/** Bytes that are hashed to measure how fast. */
const MD5_BYTES = 0x4_0000;

/**
 * Measures. Writes to one block of 64 KiB, a blank one where there is one, and puts back what was there, after a failure and an abort as well.
 *
 * @throws {DeviceError} when the board or the cable fails. A block that was not blank is lost if that happens while it is put back, which is
 *   why a blank one is preferred.
 * @throws {DOMException} `AbortError`.
 */
export async function probeBoard(
  board: ProbeBoard,
  { clock, rates, signal, onStep }: ProbeOptions,
): Promise<ProbeReport> {
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    signal?.throwIfAborted();
    const started = clock.now();
    await work();
    return clock.now() - started;
  };
  onStep?.('latency');
  const samples: number[] = [];
  for (let count = 0; count < LATENCY_SAMPLES; count++) samples.push(await timed(() => board.md5(0, 4, { signal })));
  onStep?.('save');
  const scratch = await chooseScratch(board, signal);
  const before = scratch.wasBlank ? undefined : await board.read(scratch.offset, scratch.size, { signal });
  try {
    onStep?.('erase');
    const erased = await timed(() => board.erase(scratch.offset, scratch.size, { signal }));
    onStep?.('md5');
    const md5Ms = await timed(() => board.md5(0, Math.min(MD5_BYTES, board.size), { signal }));
    const md5 = perSecond(Math.min(MD5_BYTES, board.size), md5Ms);
    const measure = async (): Promise<LineSpeed> => lineSpeed(board, { offset: scratch.offset, timed, signal, onStep });
    const speeds = [await measure()];
    onStep?.('ladder');
    const tried = await climb(board, rates, signal);
    if (board.baud !== speeds[0]?.baud) speeds.push(await measure());
    return {
      latency: spread(samples),
      scratch,
      // An erase is verified by a digest, which is not part of it.
      eraseBlock: Math.max(0, erased - (scratch.size * md5Ms) / MD5_BYTES),
      md5,
      speeds,
      rates: tried,
    };
  } finally {
    onStep?.('restore');
    // Not with the user's signal: what was there is put back after an abort, too.
    if (before) await board.write(scratch.offset, before);
    else await board.erase(scratch.offset, scratch.size);
  }
}

/** The last block that is blank, else the last of all. */
async function chooseScratch(board: FlashMemory, signal: AbortSignal | undefined): Promise<ProbeReport['scratch']> {
  const blank = md5OfBlank(BLOCK_SIZE);
  for (let offset = board.size - BLOCK_SIZE; offset > board.size / 2; offset -= BLOCK_SIZE) {
    if ((await board.md5(offset, BLOCK_SIZE, { signal })) === blank)
      return { offset, size: BLOCK_SIZE, wasBlank: true };
  }
  return { offset: board.size - BLOCK_SIZE, size: BLOCK_SIZE, wasBlank: false };
}

interface Measuring {
  offset: number;
  timed: (work: () => Promise<unknown>) => Promise<number>;
  signal: AbortSignal | undefined;
  onStep: ProbeOptions['onStep'];
}

async function lineSpeed(board: ProbeBoard, { offset, timed, signal, onStep }: Measuring): Promise<LineSpeed> {
  const data = incompressible(BLOCK_SIZE);
  onStep?.('write');
  const writeMs = await timed(() => board.write(offset, data, { signal, verify: false }));
  onStep?.('read');
  const readMs = await timed(() => board.read(offset, data.length, { signal }));
  return { baud: board.baud, write: perSecond(data.length, writeMs), read: perSecond(data.length, readMs) };
}

/** Up the ladder until a rate fails. */
async function climb(
  board: ProbeBoard,
  rates: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ProbeReport['rates']> {
  const tried: ProbeReport['rates'] = [];
  for (const baud of rates.filter((rate) => rate > board.baud)) {
    const works = await board.tryBaud(baud, { signal }).catch((error: unknown) => {
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
