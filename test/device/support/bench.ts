/** A virtual board on a cable, in modelled time. */
import { ModelClock } from '#model-clock.ts';
import { Bootloader, type ConnectOptions } from '#device/bootloader.ts';
import { type Fault, FaultInjector } from '#sim/faults.ts';
import { VirtualBench } from '#sim/virtual-bench.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type VirtualPort, type VirtualPortOptions } from '#sim/virtual-port.ts';

export interface BenchOptions extends Partial<Omit<VirtualEsp32Options, 'faults' | 'clock'>> {
  faults?: readonly Fault[];
  port?: VirtualPortOptions;
}

export class Bench {
  readonly clock = new ModelClock();
  readonly board: VirtualEsp32;
  readonly faults: FaultInjector;
  readonly ports: VirtualBench;
  #lastPort: VirtualPort | undefined;

  constructor({ faults = [], port = {}, chip = 'esp32', ...options }: BenchOptions = {}) {
    this.faults = new FaultInjector(faults);
    this.board = new VirtualEsp32({ chip, clock: this.clock, ...options, faults: this.faults });
    this.ports = new VirtualBench();
    this.ports.add(this.board, port);
  }

  /** The port that the board has now, or had last. */
  get port(): VirtualPort {
    this.#lastPort = this.ports.portOf(this.board) ?? this.#lastPort;
    if (!this.#lastPort) throw new Error('The board was never on the bus');
    return this.#lastPort;
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<Bootloader> {
    return Bootloader.connect(this.port, { clock: this.clock, ports: this.ports, ...options });
  }

  /** Whether the port can be opened: closed, and free of locks. */
  async isFree(): Promise<boolean> {
    if (!this.board.present) return true;
    try {
      await this.port.open({ baudRate: 115_200 });
      await this.port.close();
      return true;
    } catch {
      return false; // what is wrong with it does not matter here
    }
  }
}

/** Runs a test on a bench, in modelled time. */
export async function onBench(options: BenchOptions, body: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = new Bench(options);
  await bench.clock.run(() => body(bench));
}

/** Bytes that compress to about two thirds, different for each seed. */
export function sampleData(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, (_, index) => {
    if (index % 3 === 0) return seed & 0xff;
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

/** Bytes that do not compress. */
export function noise(length: number, seed = 7): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
