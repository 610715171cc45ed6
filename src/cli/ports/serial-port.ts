/** A serial port of this machine, through the package `serialport`, with the face of a Web Serial port. */
import { type Port, type PortInfo, type PortOptions, type PortSignals, type PortSource } from '#device/port.ts';
import { SerialPort } from 'serialport';
import { IncomingBytes, lostError } from './streams.ts';

/** How often the list of ports is looked at while somebody waits for one to come or go. */
const POLL_MS = 250;

/** What `serialport` tells of a port: USB ids as four hex digits. */
interface ListedPort {
  path: string;
  vendorId?: string;
  productId?: string;
}

export class NodeSerialPort implements Port {
  readonly path: string;
  readonly #info: PortInfo;
  #port: SerialPort | undefined;
  #incoming: IncomingBytes | undefined;
  #writable: WritableStream<Uint8Array> | null = null;

  constructor(path: string, info: PortInfo = {}) {
    this.path = path;
    this.#info = info;
  }

  get readable(): ReadableStream<Uint8Array> | null {
    return this.#incoming?.stream ?? null;
  }

  get writable(): WritableStream<Uint8Array> | null {
    return this.#writable;
  }

  getInfo(): PortInfo {
    return this.#info;
  }

  async open({ baudRate }: PortOptions): Promise<void> {
    if (this.#port) throw new DOMException('The port is already open.', 'InvalidStateError');
    const port = new SerialPort({ path: this.path, baudRate, autoOpen: false });
    await callback((done) => port.open(done));
    const incoming = new IncomingBytes();
    port.on('data', (bytes: Uint8Array) => incoming.push(Uint8Array.from(bytes)));
    port.on('error', () => incoming.fail(lostError()));
    port.on('close', () => {
      incoming.fail(lostError());
      this.#writable = null;
    });
    this.#port = port;
    this.#incoming = incoming;
    this.#writable = new WritableStream<Uint8Array>({
      write: async (bytes) => {
        await callback((done) => port.write(bytes, done));
        // Resolves when the bytes have left for the driver, so that a modem line set next does not overtake them.
        await callback((done) => port.drain(done));
      },
    });
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    this.#incoming = undefined;
    this.#writable = null;
    if (port?.isOpen) await callback((done) => port.close(done));
  }

  async setSignals({ dataTerminalReady, requestToSend, break: brk }: PortSignals): Promise<void> {
    const port = this.#port;
    if (!port) throw new DOMException('The port is closed.', 'InvalidStateError');
    await callback((done) =>
      port.set(
        {
          ...(dataTerminalReady === undefined ? {} : { dtr: dataTerminalReady }),
          ...(requestToSend === undefined ? {} : { rts: requestToSend }),
          ...(brk === undefined ? {} : { brk }),
        },
        done,
      ),
    );
  }
}

/** The ports of this machine. Nothing tells of their coming and going, so the list is looked at again and again. */
export class NodePortSource implements PortSource {
  readonly #known = new Map<string, NodeSerialPort>();
  readonly #arrived = new Set<(port: Port) => void>();
  readonly #left = new Set<(port: Port) => void>();
  #timer: NodeJS.Timeout | undefined;

  async list(): Promise<Port[]> {
    await this.#look();
    return [...this.#known.values()];
  }

  /** The port of that path; one that the system does not list (a pseudo-terminal) is made all the same. */
  async named(path: string): Promise<Port> {
    await this.#look();
    return this.#known.get(path) ?? new NodeSerialPort(path);
  }

  async request(): Promise<Port> {
    throw new Error('On the command line the port is named by --port');
  }

  onArrived(callback: (port: Port) => void): () => void {
    return this.#subscribe(this.#arrived, callback);
  }

  onLeft(callback: (port: Port) => void): () => void {
    return this.#subscribe(this.#left, callback);
  }

  dispose(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #subscribe(set: Set<(port: Port) => void>, callback: (port: Port) => void): () => void {
    set.add(callback);
    this.#timer ??= setInterval(
      () => void this.#look().catch(() => undefined /* the next look may work again */),
      POLL_MS,
    );
    return () => {
      set.delete(callback);
      if (this.#arrived.size + this.#left.size === 0) this.dispose();
    };
  }

  async #look(): Promise<void> {
    const found = await listPorts();
    const paths = new Set(found.map(({ path }) => path));
    for (const [path, port] of this.#known) {
      if (paths.has(path)) continue;
      this.#known.delete(path);
      for (const callback of this.#left) callback(port);
    }
    for (const { path, vendorId, productId } of found) {
      if (this.#known.has(path)) continue;
      const port = new NodeSerialPort(path, {
        ...(vendorId === undefined ? {} : { usbVendorId: Number.parseInt(vendorId, 16) }),
        ...(productId === undefined ? {} : { usbProductId: Number.parseInt(productId, 16) }),
      });
      this.#known.set(path, port);
      for (const callback of this.#arrived) callback(port);
    }
  }
}

/** None where the system cannot list them (Linux without udevadm); a port that is named opens all the same. */
async function listPorts(): Promise<readonly ListedPort[]> {
  try {
    // Its own type comes from a package that ships none.
    return (await SerialPort.list()) as readonly ListedPort[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function callback(start: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}
