/**
 * What goes wrong on a network, declared at counts of bytes, so that the same run fails the same way. Bytes are counted that answer
 * requests: those that come in on connections which the host opened (a board's downloads), those that go out on connections which it
 * accepted (the files of a server).
 */
import { type Clock } from '#clock.ts';

/** Which connections of a host a place is counted on: the ones that it opened, or the ones that it accepted. */
export type ConnectionSide = 'opened' | 'accepted';

interface Place {
  /** `opened` unless told otherwise. */
  side?: ConnectionSide;
  /** The fault happens when this byte would pass, counted from the first of the host. */
  at: number;
}

/** Acts on all connections of the host. */
export type LanFault =
  /** Nothing passes for so long, in either direction and on no connection; then all that waited. */
  | ({ kind: 'stall'; ms: number } & Place)
  /** For so long no more than that rate passes, in each direction of each connection. */
  | ({ kind: 'slow'; ms: number; bytesPerMs: number } & Place)
  /** The connection breaks on which that byte would pass. */
  | ({ kind: 'cut' } & Place)
  /** That connection is dead from then on, and neither side is told. */
  | ({ kind: 'drop' } & Place)
  /** For so long new connections are refused, to and from the host. */
  | ({ kind: 'refuse'; ms: number } & Place)
  /** For so long new connections find nobody, to and from the host, and on the old ones nothing passes. */
  | ({ kind: 'unreachable'; ms: number } & Place);

/** Acts on a board, or on its access point. */
export type BoardFault =
  /** The access point is away for so long. */
  | ({ kind: 'wifi-gone'; ms: number } & Place)
  /** The chip restarts, as after a crash. */
  | ({ kind: 'restart' } & Place)
  /** The supply fails for a moment. */
  | ({ kind: 'power-cut' } & Place)
  /** From its next start on the access point gives the board this address. */
  | ({ kind: 'new-address'; address: string } & Place);

export type NetworkFault = LanFault | BoardFault;

/** What is still to be done about a fault, after so many of the bytes that were handed in. */
export interface DueFault {
  readonly after: number;
  readonly fault: NetworkFault;
}

/** Counts and remembers; it outlives the interfaces of its host, which has a new one after each start. */
export class NetworkFaults {
  /** Bytes that have passed, for those who choose where to hit. */
  readonly passed: Record<ConnectionSide, number> = { opened: 0, accepted: 0 };
  readonly #clock: Clock;
  readonly #pending: NetworkFault[];
  #silentUntil = 0;
  #refusedUntil = 0;
  #unreachableUntil = 0;
  #slow = { until: 0, bytesPerMs: Number.POSITIVE_INFINITY };

  constructor(clock: Clock, faults: readonly NetworkFault[] = []) {
    this.#clock = clock;
    this.#pending = [...faults];
  }

  /** How many are still to come. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Goes wrong from now on: its place is counted from what has passed already. */
  add(fault: NetworkFault): void {
    this.#pending.push({ ...fault, at: fault.at + this.passed[fault.side ?? 'opened'] });
  }

  /** Nothing more goes wrong. What has begun goes on. */
  clear(): void {
    this.#pending.length = 0;
  }

  /** Counts bytes that are about to pass. @returns the faults that happen among them, in order; each happens once. */
  pass(side: ConnectionSide, length: number): DueFault[] {
    const start = this.passed[side];
    this.passed[side] += length;
    const due = this.#pending.filter((fault) => (fault.side ?? 'opened') === side && fault.at < start + length);
    for (const fault of due) this.#pending.splice(this.#pending.indexOf(fault), 1);
    return due
      .sort((a, b) => a.at - b.at)
      .map((fault) => ({ after: Math.min(length, Math.max(0, fault.at - start)), fault }));
  }

  /** Nothing passes for so long from now on. */
  silence(ms: number): void {
    this.#silentUntil = Math.max(this.#silentUntil, this.#clock.now() + ms);
  }

  refuse(ms: number): void {
    this.#refusedUntil = Math.max(this.#refusedUntil, this.#clock.now() + ms);
  }

  /** Nothing passes and nobody is found for so long from now on. */
  hide(ms: number): void {
    this.#unreachableUntil = Math.max(this.#unreachableUntil, this.#clock.now() + ms);
    this.silence(ms);
  }

  slowDown(ms: number, bytesPerMs: number): void {
    this.#slow = { until: this.#clock.now() + ms, bytesPerMs };
  }

  /** What becomes of a new connection. */
  get newConnections(): 'allowed' | 'refused' | 'unreachable' {
    const now = this.#clock.now();
    if (now < this.#unreachableUntil) return 'unreachable';
    return now < this.#refusedUntil ? 'refused' : 'allowed';
  }

  /** The time before which nothing passes. */
  get silentUntil(): number {
    return this.#silentUntil;
  }

  /** Milliseconds that so many bytes take now on top of the wire's own. */
  delay(length: number): number {
    return this.#clock.now() < this.#slow.until ? length / this.#slow.bytesPerMs : 0;
  }
}

/** How much happens in a run without faults: `NetworkFaults.passed.opened` of the board at its end. */
export interface NetworkRun {
  /** Bytes of answers that the board downloads, heads included. */
  readonly downloaded: number;
}

export const NETWORK_FAULT_KINDS = [
  ...['stall', 'slow', 'cut', 'drop', 'refuse', 'unreachable'],
  ...['wifi-gone', 'restart', 'power-cut', 'new-address'],
] as const as readonly NetworkFault['kind'][];

const LONGEST_MS = 60_000;

/** One fault of the given kind at a place that the random numbers choose within the downloads of the run. */
export function randomNetworkFault(kind: NetworkFault['kind'], run: NetworkRun, random: () => number): NetworkFault {
  const below = (limit: number): number => Math.floor(random() * Math.max(limit, 1));
  const at = below(run.downloaded);
  switch (kind) {
    case 'cut':
    case 'drop':
    case 'restart':
    case 'power-cut':
      return { kind, at };
    case 'slow':
      return { kind, at, ms: below(LONGEST_MS), bytesPerMs: 0.5 + random() * 10 };
    case 'new-address':
      return { kind, at, address: `192.168.1.${100 + below(100)}` };
    default:
      return { kind, at, ms: below(LONGEST_MS) };
  }
}
