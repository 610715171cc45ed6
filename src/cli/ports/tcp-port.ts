/**
 * A port over TCP: bytes on one connection, modem lines and baud rate as JSON lines on another.
 * It is what `twostep virtual` listens for; a raw serial-over-TCP adapter works without the second one, but cannot be reset.
 */
import { type Port, type PortInfo, type PortOptions, type PortSignals } from '#device/port.ts';
import { type Socket } from 'node:net';
import { IncomingBytes, lostError } from './streams.ts';
import { dial, hangUp, type TcpAddress } from './tcp-socket.ts';

export class TcpPort implements Port {
  readonly #uart: TcpAddress;
  readonly #control: TcpAddress | undefined;
  #sockets: { uart: Socket; control?: Socket } | undefined;
  #incoming: IncomingBytes | undefined;
  #writable: WritableStream<Uint8Array> | null = null;
  /** UART bytes sent so far: tells the other end after which byte a line changes. */
  #sent = 0;

  constructor(uart: TcpAddress, control?: TcpAddress) {
    this.#uart = uart;
    this.#control = control;
  }

  get readable(): ReadableStream<Uint8Array> | null {
    return this.#incoming?.stream ?? null;
  }

  get writable(): WritableStream<Uint8Array> | null {
    return this.#writable;
  }

  getInfo(): PortInfo {
    return {};
  }

  async open({ baudRate }: PortOptions): Promise<void> {
    if (this.#sockets) throw new DOMException('The port is already open.', 'InvalidStateError');
    const uart = await dial(this.#uart);
    const incoming = new IncomingBytes();
    uart.on('data', (bytes) => incoming.push(Uint8Array.from(bytes)));
    uart.on('error', () => incoming.fail(lostError()));
    uart.on('close', () => {
      incoming.fail(lostError());
      this.#writable = null;
    });
    let control: Socket | undefined;
    try {
      control = this.#control && (await dial(this.#control));
    } catch (error) {
      uart.destroy();
      throw error;
    }
    control?.on('error', () => incoming.fail(lostError()));
    this.#sockets = control ? { uart, control } : { uart };
    this.#incoming = incoming;
    this.#sent = 0;
    this.#tell({ event: 'open' });
    this.#tell({ event: 'baud', baud: baudRate });
    this.#writable = new WritableStream<Uint8Array>({
      write: (bytes) =>
        new Promise((resolve, reject) => {
          this.#sent += bytes.length;
          uart.write(bytes, (error) => (error ? reject(error) : resolve()));
        }),
    });
  }

  async close(): Promise<void> {
    const sockets = this.#sockets;
    this.#tell({ event: 'close' });
    this.#sockets = undefined;
    this.#incoming = undefined;
    this.#writable = null;
    const open = [sockets?.uart, sockets?.control].filter((socket) => socket !== undefined);
    await Promise.all(open.map(hangUp));
  }

  async setSignals({ dataTerminalReady, requestToSend, break: brk }: PortSignals): Promise<void> {
    if (!this.#sockets) throw new DOMException('The port is closed.', 'InvalidStateError');
    if (dataTerminalReady !== undefined || requestToSend !== undefined) {
      this.#tell({ event: 'modem', dtr: dataTerminalReady, rts: requestToSend });
    }
    if (brk !== undefined) this.#tell({ event: 'break', on: brk });
  }

  #tell(message: Record<string, unknown>): void {
    this.#sockets?.control?.write(`${JSON.stringify({ ...message, at: this.#sent })}\n`);
  }
}
