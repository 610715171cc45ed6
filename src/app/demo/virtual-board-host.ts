/** The worker's side of the virtual board: one board on a bench, its ports operated by messages. */
import { FaultInjector } from '#sim/faults.ts';
import { VirtualBench } from '#sim/virtual-bench.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { type VirtualPort } from '#sim/virtual-port.ts';
import { type Channel } from '../workers/channel.ts';
import { demoFaults } from './demo-faults.ts';
import {
  DEMO_NETWORK,
  type DemoAction,
  type DemoCall,
  type DemoReply,
  type DemoRequest,
  type DemoSettings,
  type SentError,
} from './demo-messages.ts';
import { PacedClock } from './paced-clock.ts';

/** What each virtual board is like: the S3 and the C3 hang on their own USB, as most of their boards do. */
const BOARDS = {
  esp32: { wiring: 'uart', flashSize: 0x40_0000 },
  esp32s3: { wiring: 'usb-serial-jtag', flashSize: 0x80_0000 },
  esp32c3: { wiring: 'usb-serial-jtag', flashSize: 0x40_0000 },
} as const;

/** A port that was opened: its streams, locked here, as the page has streams of its own. */
interface OpenStreams {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  writer: WritableStreamDefaultWriter<Uint8Array>;
  pump: Promise<void>;
}

/** Serves one virtual board over the channel until that is closed. */
export function serveVirtualBoard(channel: Channel): void {
  new VirtualBoardHost(channel);
}

class VirtualBoardHost {
  readonly #channel: Channel;
  readonly #ports = new Map<number, VirtualPort>();
  readonly #streams = new Map<number, OpenStreams>();
  #settings: DemoSettings | undefined;
  #board: VirtualEsp32 | undefined;
  #clock: PacedClock | undefined;
  #lastPort = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<DemoRequest>) => void this.#answer(data);
  }

  async #answer({ id, ...call }: DemoRequest): Promise<void> {
    try {
      const value = await this.#do(call);
      this.#send({ kind: 'answer', id, value }, value instanceof Uint8Array ? [value.buffer] : []);
    } catch (error) {
      this.#send({ kind: 'answer', id, error: sentError(error) });
    }
  }

  async #do(call: DemoCall): Promise<unknown> {
    switch (call.kind) {
      case 'start':
        this.#settings = call.settings;
        this.#clock = new PacedClock(call.settings.speed);
        return this.#placeBoard(call.settings);
      case 'action':
        return this.#act(call.action);
      case 'snapshot':
        return this.#board?.snapshot();
      case 'fault':
        for (const fault of demoFaults(call.fault).faults) this.#board?.addFault(fault);
        return undefined;
      case 'pending-faults':
        return this.#board?.faults.pending;
      case 'open':
        await this.#port(call.port).open(call.options);
        return this.#takeStreams(call.port);
      case 'close':
        await this.#dropStreams(call.port);
        return this.#port(call.port).close();
      case 'signals':
        return this.#port(call.port).setSignals(call.signals);
      case 'write':
        return this.#streams.get(call.port)?.writer.write(call.bytes);
    }
  }

  #placeBoard({ chip, fault, flashSize = BOARDS[chip].flashSize, contents = [] }: DemoSettings): void {
    const clock = this.#clock;
    if (!clock) return;
    const { faults, cut, efuses, openFault, crashesUploads = false } = demoFaults(fault);
    const flash = new Uint8Array(flashSize).fill(0xff);
    for (const { offset, bytes } of contents) flash.set(bytes, offset);
    const board = new VirtualEsp32({
      chip,
      clock,
      wiring: BOARDS[chip].wiring,
      flash,
      efuses,
      cut,
      crashesUploads,
      faults: new FaultInjector(faults),
      network: { accessPoint: DEMO_NETWORK },
    });
    this.#board = board;
    const bench = new VirtualBench();
    bench.onArrived((port) => this.#arrived(port));
    bench.onLeft((port) => this.#left(port));
    bench.add(board, openFault ? { openFault } : {});
  }

  #act(action: DemoAction): void {
    switch (action) {
      case 'pull-cable':
        return this.#board?.pullCable();
      case 'plug-in':
        return this.#board?.plugIn();
      case 'hold-boot':
        this.#board?.holdBootButton(true);
        this.#board?.pressReset();
        return this.#board?.holdBootButton(false);
      case 'blank':
        this.#board?.pullCable();
        // The new board is as it comes from the shop: nothing goes wrong with it.
        if (this.#settings) this.#placeBoard({ chip: this.#settings.chip, speed: this.#settings.speed });
    }
  }

  #arrived(port: VirtualPort): void {
    const id = ++this.#lastPort;
    this.#ports.set(id, port);
    this.#send({ kind: 'arrived', port: id, info: port.getInfo() });
  }

  #left(port: VirtualPort): void {
    for (const [id, known] of this.#ports) if (known === port) this.#send({ kind: 'left', port: id });
  }

  #port(id: number): VirtualPort {
    const port = this.#ports.get(id);
    if (!port) throw new DOMException('Failed to open serial port.', 'NetworkError');
    return port;
  }

  #takeStreams(id: number): void {
    const { readable, writable } = this.#port(id);
    if (!readable || !writable) return;
    const reader = readable.getReader();
    const writer = writable.getWriter();
    // A write that fails says so itself.
    writer.closed.catch(() => undefined);
    this.#streams.set(id, { reader, writer, pump: this.#pump(id, reader) });
  }

  async #pump(id: number, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const bytes = value.slice();
        this.#send({ kind: 'data', port: id, bytes }, [bytes.buffer]);
      }
      this.#send({ kind: 'ended', port: id });
    } catch (error) {
      this.#send({ kind: 'ended', port: id, error: sentError(error) });
    } finally {
      reader.releaseLock();
    }
  }

  async #dropStreams(id: number): Promise<void> {
    const streams = this.#streams.get(id);
    this.#streams.delete(id);
    if (!streams) return;
    const { reader, writer, pump } = streams;
    // Both fail when the board has left meanwhile.
    await Promise.allSettled([reader.cancel(), pump]);
    const aborted = writer.abort().catch(() => undefined);
    writer.releaseLock();
    await aborted;
  }

  #send(reply: DemoReply, transfer: Transferable[] = []): void {
    this.#channel.postMessage(reply, transfer);
  }
}

function sentError(error: unknown): SentError {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}
