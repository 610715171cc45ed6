/** Things that go wrong, declared at counts of bytes or flash operations, so that the same run fails the same way. */
import { concatBytes } from '#formats/bytes.ts';
import { type Direction } from '#sim/board/line.ts';

/** Acts on the bytes of one direction; `at` counts from the first byte after the board was made. */
export type LineFault =
  /** One bit of one byte is turned. */
  | { kind: 'flip'; direction: Direction; at: number; bit: number }
  /** Bytes are lost. */
  | { kind: 'drop'; direction: Direction; at: number; count: number }
  /** Bytes come twice. */
  | { kind: 'double'; direction: Direction; at: number; count: number }
  /** Nothing passes in that direction for so many milliseconds; then what waited does. */
  | { kind: 'stall'; direction: Direction; at: number; ms: number }
  /** The cable is pulled when byte `at` would pass; the board loses its power with it. */
  | { kind: 'unplug'; direction: Direction; at: number }
  /** The chip hangs from then on, until it is reset. */
  | { kind: 'hang'; direction: Direction; at: number };

export type FlashFault =
  /** A sector that neither erases nor programs. */
  | { kind: 'bad-sector'; sector: number }
  /** The board's supply fails when `share` (0 to 1) of flash operation number `operation` (from 0) is done. */
  | { kind: 'power-cut'; operation: number; share: number };

export type Fault = LineFault | FlashFault;

/** What becomes of bytes on their way. */
export interface Passed {
  /** What arrives. */
  bytes: Uint8Array;
  event?: 'unplug' | 'hang';
  /** Milliseconds after which it arrives. */
  stallMs?: number;
}

export class FaultInjector {
  readonly #line: LineFault[];
  readonly #flash: FlashFault[];
  /** Bytes that have passed, for those who choose where to hit. */
  readonly passed: Record<Direction, number> = { 'to-device': 0, 'to-host': 0 };
  operations = 0;

  constructor(faults: readonly Fault[] = []) {
    this.#line = faults.filter((fault): fault is LineFault => 'direction' in fault).sort((a, b) => a.at - b.at);
    this.#flash = faults.filter((fault): fault is FlashFault => !('direction' in fault));
  }

  get badSectors(): number[] {
    return this.#flash.flatMap((fault) => (fault.kind === 'bad-sector' ? [fault.sector] : []));
  }

  /** How many faults are still to come. Bad sectors are there from the start. */
  get pending(): number {
    const cuts = this.#flash.filter((fault) => fault.kind === 'power-cut' && fault.operation >= this.operations);
    return this.#line.length + cuts.length;
  }

  /** Goes wrong from now on: its place is counted from what has passed already. */
  add(fault: Fault): void {
    if ('direction' in fault) this.#line.push({ ...fault, at: fault.at + this.passed[fault.direction] });
    else if (fault.kind === 'power-cut') this.#flash.push({ ...fault, operation: fault.operation + this.operations });
    else this.#flash.push(fault);
    this.#line.sort((a, b) => a.at - b.at);
  }

  /** Nothing more goes wrong. Sectors that are bad already stay so. */
  clear(): void {
    this.#line.length = 0;
    this.#flash.length = 0;
  }

  /** What of the bytes arrives, and what happens with the last of them. Each fault happens once. */
  pass(direction: Direction, bytes: Uint8Array): Passed {
    const start = this.passed[direction];
    this.passed[direction] += bytes.length;
    let result = bytes;
    // From the last to the first, so that the places of earlier faults stay right when bytes are cut out.
    let event: 'unplug' | 'hang' | undefined;
    let stallMs = 0;
    for (const fault of this.#takeLine(direction, start + bytes.length)) {
      const at = Math.max(fault.at - start, 0);
      if (fault.kind === 'flip') result = flipped(result, at, fault.bit);
      else if (fault.kind === 'drop') result = cut(result, at, fault.count);
      else if (fault.kind === 'double') result = doubled(result, at, fault.count);
      else if (fault.kind === 'stall') stallMs += fault.ms;
      else {
        event = fault.kind;
        result = result.subarray(0, at);
      }
    }
    return { bytes: result, ...(event && { event }), ...(stallMs > 0 && { stallMs }) };
  }

  /** Counts a flash operation. @returns how much of it happens when the supply fails in it. */
  operation(): number | undefined {
    const number = this.operations++;
    const fault = this.#flash.find((candidate) => candidate.kind === 'power-cut' && candidate.operation === number);
    return fault?.kind === 'power-cut' ? fault.share : undefined;
  }

  #takeLine(direction: Direction, end: number): LineFault[] {
    const due = this.#line.filter((fault) => fault.direction === direction && fault.at < end);
    for (const fault of due) this.#line.splice(this.#line.indexOf(fault), 1);
    return due.reverse();
  }
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

function doubled(bytes: Uint8Array, at: number, count: number): Uint8Array {
  return concatBytes(bytes.subarray(0, at + count), bytes.subarray(at, at + count), bytes.subarray(at + count));
}

function cut(bytes: Uint8Array, at: number, count: number): Uint8Array {
  const copy = new Uint8Array(Math.max(bytes.length - Math.min(count, bytes.length - at), 0));
  copy.set(bytes.subarray(0, at));
  copy.set(bytes.subarray(at + count), at);
  return copy;
}

/** A generator of numbers from 0 (included) to 1 (excluded), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** How much happens in a run without faults: what `FaultInjector` has counted. */
export interface RunLength {
  readonly toDevice: number;
  readonly toHost: number;
  readonly operations: number;
  /** First sector and number of sectors that the run writes. */
  readonly sectors: readonly [first: number, count: number];
}

export const FAULT_KINDS = ['flip', 'drop', 'double', 'stall', 'unplug', 'hang', 'bad-sector', 'power-cut'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** One fault of the given kind at a place that the random numbers choose within the run. */
export function randomFault(kind: FaultKind, run: RunLength, random: () => number): Fault {
  const below = (limit: number): number => Math.floor(random() * Math.max(limit, 1));
  if (kind === 'bad-sector') return { kind, sector: run.sectors[0] + below(run.sectors[1]) };
  if (kind === 'power-cut') return { kind, operation: below(run.operations), share: random() };
  const direction: Direction = random() < 0.7 ? 'to-device' : 'to-host';
  const at = below(direction === 'to-device' ? run.toDevice : run.toHost);
  if (kind === 'flip') return { kind, direction, at, bit: below(8) };
  if (kind === 'drop' || kind === 'double') return { kind, direction, at, count: 1 + below(40) };
  if (kind === 'stall') return { kind, direction, at, ms: below(4000) };
  return { kind, direction, at };
}
