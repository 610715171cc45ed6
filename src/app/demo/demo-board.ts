/** A virtual board for the page: a source of ports like the browser's, and the hands that pull its cable. */
import { type Port, type PortSource } from '#device/port.ts';
import { type Channel } from '../workers/channel.ts';
import {
  type DemoAction,
  type DemoCall,
  type DemoChip,
  type DemoReply,
  type DemoRequest,
  type DemoSettings,
} from './demo-messages.ts';
import { DemoPort, receivedError } from './virtual-port.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class DemoBoard implements PortSource {
  readonly chip: DemoChip;
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ports = new Map<number, DemoPort>();
  readonly #present = new Set<number>();
  readonly #arrived = new Set<(port: Port) => void>();
  readonly #left = new Set<(port: Port) => void>();
  readonly #started: Promise<unknown>;
  readonly #onEnd: () => void;
  #lastId = 0;
  #ended = false;

  /** `onEnd`: nobody speaks over the channel any more. */
  constructor(channel: Channel, settings: DemoSettings, onEnd: () => void = () => undefined) {
    this.chip = settings.chip;
    this.#channel = channel;
    this.#onEnd = onEnd;
    channel.onmessage = ({ data }: MessageEvent<DemoReply>) => this.#receive(data);
    this.#started = this.#call({ kind: 'start', settings }).catch((error: unknown) => {
      // One that is thrown away before it is there has no ports.
      if (!this.#ended) throw error;
    });
  }

  async list(): Promise<Port[]> {
    await this.#started;
    return [...this.#present].flatMap((id) => this.#ports.get(id) ?? []);
  }

  /** The port of the board. @throws {DOMException} `NotFoundError` when its cable is out. */
  async request(): Promise<Port> {
    const [port] = await this.list();
    if (!port) throw new DOMException('No port selected by the user.', 'NotFoundError');
    return port;
  }

  onArrived(callback: (port: Port) => void): () => void {
    this.#arrived.add(callback);
    return () => this.#arrived.delete(callback);
  }

  onLeft(callback: (port: Port) => void): () => void {
    this.#left.add(callback);
    return () => this.#left.delete(callback);
  }

  /** Done when the board has felt it. */
  async act(action: DemoAction): Promise<void> {
    await this.#call({ kind: 'action', action });
  }

  /** A copy of all bytes of the flash. */
  async flash(): Promise<Uint8Array> {
    return (await this.#call({ kind: 'snapshot' })) as Uint8Array;
  }

  /** Something goes wrong from now on; see demo-faults.ts. */
  async addFault(fault: string): Promise<void> {
    await this.#call({ kind: 'fault', fault });
  }

  /** How many of its faults have not happened yet. */
  async pendingFaults(): Promise<number> {
    return (await this.#call({ kind: 'pending-faults' })) as number;
  }

  /** It is thrown away. Whoever still waits for an answer is told that the device is lost. */
  end(): void {
    this.#ended = true;
    this.#onEnd();
    this.#present.clear();
    for (const { reject } of this.#waiting.values()) reject(deviceLost());
    this.#waiting.clear();
  }

  #call(call: DemoCall): Promise<unknown> {
    if (this.#ended) return Promise.reject(deviceLost());
    const id = this.#lastId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#channel.postMessage({ ...call, id } satisfies DemoRequest);
    });
  }

  #receive(reply: DemoReply): void {
    switch (reply.kind) {
      case 'answer': {
        const waiting = this.#waiting.get(reply.id);
        this.#waiting.delete(reply.id);
        if (reply.error) waiting?.reject(receivedError(reply.error));
        else waiting?.resolve(reply.value);
        return;
      }
      case 'arrived': {
        const port = new DemoPort(reply.port, reply.info, (call) => this.#call(call));
        this.#ports.set(reply.port, port);
        this.#present.add(reply.port);
        for (const callback of this.#arrived) callback(port);
        return;
      }
      case 'left': {
        this.#present.delete(reply.port);
        const port = this.#ports.get(reply.port);
        if (port) for (const callback of this.#left) callback(port);
        return;
      }
      case 'data':
        this.#ports.get(reply.port)?.receive(reply.bytes);
        return;
      case 'ended':
        this.#ports.get(reply.port)?.end(reply.error && receivedError(reply.error));
    }
  }
}

const deviceLost = (): DOMException => new DOMException('The device has been lost.', 'NetworkError');

/** A virtual board in a worker of its own. */
export function startDemoBoard(settings: DemoSettings): DemoBoard {
  const worker = new Worker(new URL('./virtual-board.worker.ts', import.meta.url), { type: 'module' });
  return new DemoBoard(worker, settings, () => worker.terminate());
}
