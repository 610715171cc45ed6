/** Virtual boards with seed firmware on the real network of this machine, inside the test: their flash is at hand. */
import { equalBytes } from '#formats/bytes.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { fastClock } from '../../src/cli/fast-clock.ts';
import { virtualNetwork } from '../../src/cli/virtual-network.ts';
import { flashWith } from '../sim/support/boot-flash.ts';
import { PARTITIONS, type Version } from './update-versions.ts';

export interface NetworkBoardOptions {
  /** Its own, such as 127.0.0.2; port 0 is any that is free. */
  http: string;
  /** What lies in it: the app in `ota_0`, the data in `ota_1`. */
  holds: Version;
  /** What goes wrong, as `--network-fault` takes it. */
  faults?: string;
  /** Times faster than a real board. */
  speed?: number;
}

export class NetworkBoard {
  readonly #board: VirtualEsp32;
  /** `HOST:PORT`. */
  readonly address: string;

  private constructor(board: VirtualEsp32, address: string) {
    this.#board = board;
    this.address = address;
  }

  /** On the network, and serving. */
  static async start({ http, holds, faults, speed = 50 }: NetworkBoardOptions): Promise<NetworkBoard> {
    const clock = fastClock(speed);
    let serves = (): void => undefined;
    const isUp = new Promise<void>((resolve) => (serves = resolve));
    const options = { http, firmware: 'seed', ...(faults !== undefined && { networkFault: faults }) };
    const events = { onServes: () => serves(), onError: (error: Error) => console.error(error) };
    const network = await virtualNetwork(options, { clock, ...events });
    const flash = flashWith({ partitions: PARTITIONS, content: { ota_0: holds.app, ota_1: holds.data } });
    const board = new VirtualEsp32({ chip: 'esp32', clock, flash, boot: 'normal', ...network.board });
    network.wifi!.board = board;
    await isUp;
    return new NetworkBoard(board, network.http!);
  }

  /** Whether the partition begins with exactly these bytes. */
  holds(partition: 'ota_0' | 'ota_1', bytes: Uint8Array): boolean {
    const { offset } = PARTITIONS.find(({ name }) => name === partition)!;
    return equalBytes(this.flash.subarray(offset, offset + bytes.length), bytes);
  }

  /** A view, not a copy. */
  get flash(): Uint8Array {
    return this.#board.flash.bytes;
  }

  stop(): void {
    this.#board.powerCut();
  }
}
