/**
 * What the board of the `floor` runs in place of a loader: it answers so many bytes with so many, without any protocol. With the
 * sizes of a transfer that gives the cost of the channel between the two processes, below which no client can get.
 */
import { type Machine, type Program } from '#sim/machine.ts';

/** Bytes from the host, and the board's answer to them. */
export interface Exchange {
  take: number;
  give: number;
  /** Bytes of content in the larger of the two. */
  data: number;
}

/** A block of a write with its header and its answer; the acknowledge of a read and the frame that follows. */
export const EXCHANGES = {
  write: { take: 0x4000 + 26, give: 12, data: 0x4000 },
  read: { take: 6, give: 0x1000 + 2, data: 0x1000 },
} as const satisfies Record<string, Exchange>;

export class FloorProgram implements Program {
  readonly #machine: Machine;
  readonly #exchange: Exchange;
  #taken = 0;

  constructor(machine: Machine, exchange: Exchange) {
    this.#machine = machine;
    this.#exchange = exchange;
  }

  receive(bytes: Uint8Array): void {
    this.#taken += bytes.length;
    for (; this.#taken >= this.#exchange.take; this.#taken -= this.#exchange.take) {
      this.#machine.send(new Uint8Array(this.#exchange.give));
    }
  }

  stop(): void {
    // It only reacts.
  }
}
