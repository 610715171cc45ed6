/**
 * The wire between host and chip: bytes take their time, come in pieces, and are garbage where the rates differ.
 * A native USB line has no rate.
 */
import { type Clock } from '#clock.ts';

export type Direction = 'to-device' | 'to-host';

export interface LineOptions {
  readonly clock: Clock;
  /** `uart`: ten bits a byte at the baud rate. `usb`: full-speed USB. `instant`: no time passes. */
  readonly kind: 'uart' | 'usb' | 'instant';
  /** Rates above it give garbage. */
  readonly maxBaud?: number;
  /** Milliseconds that every byte spends in the adapter and the host's driver, either way; 1 unless told otherwise. */
  readonly latency?: number;
  /** Bytes a millisecond of a native USB line. */
  readonly usbRate?: number;
  readonly deliver: (direction: Direction, bytes: Uint8Array) => void;
}

/** Bytes a millisecond of a full-speed USB serial function. */
const USB_RATE = 800;
/** One frame of full-speed USB. */
const USB_LATENCY_MS = 1;
/** How long bytes are collected before they are passed on: one frame of native USB; an adapter and its driver are slower. */
const SLICE_MS = { usb: 1, uart: 4, instant: 1 };
/** Rates that differ by more than this share of the receiver's give garbage. */
const TOLERANCE = 0.035;

interface Piece {
  bytes: Uint8Array;
  baud: number;
  /** When its first byte goes on the wire. */
  at: number;
}

export class SerialLine {
  hostBaud = 115_200;
  /** The host has no rate of its own (bytes over a network): whatever the device has is right. */
  hostFollows = false;
  deviceBaud = 115_200;
  readonly #options: LineOptions;
  readonly #pipes: Record<Direction, Pipe>;

  constructor(options: LineOptions) {
    this.#options = options;
    const pipe = (direction: Direction): Pipe =>
      new Pipe(options, (bytes, baud) => options.deliver(direction, this.#received(direction, bytes, baud)));
    this.#pipes = { 'to-device': pipe('to-device'), 'to-host': pipe('to-host') };
  }

  /** Queues a copy of the bytes at the sender's present rate. */
  send(direction: Direction, bytes: Uint8Array): void {
    const baud = direction === 'to-device' && !this.hostFollows ? this.hostBaud : this.deviceBaud;
    this.#pipes[direction].push(bytes.slice(), baud);
  }

  /** Bytes that have not arrived yet. */
  queued(direction: Direction): number {
    return this.#pipes[direction].queued;
  }

  /** Milliseconds until no more than `limit` bytes wait in the sender; those that are on their way do not count. */
  unsentMs(direction: Direction, limit: number): number {
    return this.#pipes[direction].unsentMs(limit);
  }

  /** Resolves when no more than `limit` bytes are under way, or when they are thrown away. */
  whenBelow(direction: Direction, limit: number): Promise<void> {
    return this.#pipes[direction].whenBelow(limit);
  }

  /** Throws away what has not arrived. */
  discard(direction: Direction): void {
    this.#pipes[direction].discard();
  }

  #received(direction: Direction, bytes: Uint8Array, baud: number): Uint8Array {
    const receiver = direction === 'to-device' ? this.deviceBaud : this.hostBaud;
    const { kind, maxBaud = Infinity } = this.#options;
    if (kind !== 'uart' || this.hostFollows || (Math.abs(baud - receiver) <= receiver * TOLERANCE && baud <= maxBaud))
      return bytes;
    return garble(bytes, receiver / baud);
  }
}

/** One direction: a wire that sends one byte after the other, and behind it a delay that is the same for all. */
class Pipe {
  queued = 0;
  readonly #options: LineOptions;
  readonly #latency: number;
  readonly #deliver: (bytes: Uint8Array, baud: number) => void;
  #pieces: Piece[] = [];
  /** When the wire will have sent all that is queued, and the rate of the last of it. */
  #free = 0;
  #lastRate = Infinity;
  #cancel: (() => void) | undefined;
  #waiters: { limit: number; resolve: () => void }[] = [];

  constructor(options: LineOptions, deliver: (bytes: Uint8Array, baud: number) => void) {
    this.#options = options;
    this.#latency = options.kind === 'instant' ? 0 : (options.latency ?? USB_LATENCY_MS);
    this.#deliver = deliver;
  }

  push(bytes: Uint8Array, baud: number): void {
    if (bytes.length === 0) return;
    const at = Math.max(this.#free, this.#options.clock.now());
    this.#lastRate = this.#rate(baud);
    this.#free = at + bytes.length / this.#lastRate;
    this.#pieces.push({ bytes, baud, at });
    this.queued += bytes.length;
    if (!this.#cancel) this.#pump();
  }

  unsentMs(limit: number): number {
    return Math.max(0, this.#free - limit / this.#lastRate - this.#options.clock.now());
  }

  whenBelow(limit: number): Promise<void> {
    if (this.queued <= limit) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ limit, resolve }));
  }

  discard(): void {
    this.#pieces = [];
    this.queued = 0;
    this.#free = 0;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#wake();
  }

  #pump(): void {
    const next = this.#pieces[0];
    if (!next) {
      this.#cancel = undefined;
      return;
    }
    const rate = this.#rate(next.baud);
    const length = Math.max(1, Math.min(next.bytes.length, Math.ceil(rate * SLICE_MS[this.#options.kind])));
    const slice = next.bytes.subarray(0, length);
    next.bytes = next.bytes.subarray(length);
    next.at += length / rate;
    if (next.bytes.length === 0) this.#pieces.shift();
    const arrivesIn = next.at + this.#latency - this.#options.clock.now();
    this.#cancel = this.#options.clock.after(Math.max(arrivesIn, 0), () => {
      this.queued -= length;
      this.#pump();
      this.#deliver(slice, next.baud);
      this.#wake();
    });
  }

  /** Bytes a millisecond. */
  #rate(baud: number): number {
    if (this.#options.kind === 'instant') return Infinity;
    return this.#options.kind === 'usb' ? (this.#options.usbRate ?? USB_RATE) : baud / 10_000;
  }

  #wake(): void {
    const ready = this.#waiters.filter(({ limit }) => this.queued <= limit);
    this.#waiters = this.#waiters.filter(({ limit }) => this.queued > limit);
    for (const { resolve } of ready) resolve();
  }
}

/** What a receiver at another rate makes of bytes: fewer or more of them, none right; the same for the same bytes. */
function garble(bytes: Uint8Array, ratio: number): Uint8Array {
  const length = Math.max(1, Math.round(bytes.length * Math.min(ratio, 4)));
  let state = 0x9e37_79b9 ^ bytes.length;
  return Uint8Array.from({ length }, (_, index) => {
    state = (Math.imul(state ^ (bytes[index % bytes.length] ?? 0), 0x0100_0193) + index) >>> 0;
    // Framing errors leave bytes with the upper bits set; a C0 or DB in there is as likely as elsewhere.
    return 0x80 | ((state >>> 16) & 0xff);
  });
}
