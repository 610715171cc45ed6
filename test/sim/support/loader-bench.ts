/** A board in its loader, with requests in and answers out, in modelled time. */
import { concatBytes, writeU32 } from '#formats/bytes.ts';
import { ModelClock } from '#model-clock.ts';
import { encodeSlip } from '#sim/loader/slip.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type Answer, decodeAnswers } from './frames.ts';
import { request, stubSegments } from './stub-images.ts';

export const SYNC = request(0x08, concatBytes(Uint8Array.of(7, 7, 0x12, 0x20), new Uint8Array(32).fill(0x55)));

export class LoaderBench {
  readonly clock = new ModelClock();
  readonly board: VirtualEsp32;
  #received: Uint8Array[] = [];

  constructor(options: Partial<VirtualEsp32Options> = {}) {
    this.board = new VirtualEsp32({
      chip: 'esp32',
      boot: 'download',
      instantLine: true,
      ...options,
      clock: this.clock,
    });
    this.board.attach({ receive: (bytes) => this.#received.push(bytes), lost: () => undefined });
  }

  /** Brings the board into the ROM loader, or into a stub. */
  async start(stub?: 'esptool-js' | 'tasmota-webserial-esptool'): Promise<this> {
    await this.clock.advance(50);
    await this.ask(SYNC);
    if (stub) for (const segment of stubSegments(this.board.chip.name, stub)) await this.ask(segment);
    this.take();
    return this;
  }

  /** Sends requests in one write and waits; what has come by then is decoded. */
  async ask(...requests: Uint8Array[]): Promise<Answer[]> {
    return this.write(...requests.map((frame) => encodeSlip(frame)));
  }

  async write(...bytes: Uint8Array[]): Promise<Answer[]> {
    this.board.hostWrites(concatBytes(...bytes));
    await this.clock.advance(5000);
    return decodeAnswers(this.take());
  }

  take(): Uint8Array {
    const taken = concatBytes(...this.#received);
    this.#received = [];
    return taken;
  }
}

/** First two bytes behind the data of an answer. */
export const statusOf = (answer: Answer | undefined, dataLength = 0): number[] => [
  ...(answer?.body.subarray(dataLength, dataLength + 2) ?? []),
];

export function wordBytes(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, index) => writeU32(bytes, 4 * index, value));
  return bytes;
}
