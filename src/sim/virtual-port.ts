/**
 * The board's serial port as a browser shows it: the six members of Web Serial's `SerialPort`, with the errors and
 * the odd moments of Chromium on Linux. One object is one stay on the bus: when the board leaves, it is dead for good.
 */
import { sleep } from '#clock.ts';
import { type VirtualEsp32 } from './virtual-esp32.ts';

export interface VirtualPortInfo {
  usbVendorId?: number;
  usbProductId?: number;
}

/** Why the port cannot be opened. `browser`: Chromium's error, the same for all; otherwise Node's, with its code. */
export interface OpenFault {
  readonly kind: 'busy' | 'missing' | 'no-permission';
  readonly style: 'browser' | 'node';
}

export interface VirtualPortOptions {
  /** USB ids; by the wiring of the board unless told otherwise. */
  readonly info?: VirtualPortInfo;
  readonly openFault?: OpenFault;
}

/** The moment between the two calls to the kernel that set the modem lines. */
const BETWEEN_LINES_MS = 0.1;
/** What the kernel takes beyond the browser's buffer. */
const KERNEL_BUFFER = 4096;
const LARGEST_BUFFER = 0x100_0000;
const ERRNO = { busy: 'EBUSY', missing: 'ENOENT', 'no-permission': 'EACCES' } as const;

const networkError = (message: string): DOMException => new DOMException(message, 'NetworkError');
const invalidState = (message: string): DOMException => new DOMException(message, 'InvalidStateError');
const deviceLost = (): DOMException => networkError('The device has been lost.');

/** The USB ids that boards of that kind show. */
function infoOf(board: VirtualEsp32): VirtualPortInfo {
  if (board.wiring === 'uart') return { usbVendorId: 0x10c4, usbProductId: 0xea60 };
  if (board.wiring === 'usb-serial-jtag') return { usbVendorId: 0x303a, usbProductId: 0x1001 };
  return { usbVendorId: 0x303a, usbProductId: board.chip.imageChipId };
}

export class VirtualPort {
  /** Changed by tests: the next open fails like that. */
  openFault: OpenFault | undefined;
  readonly #board: VirtualEsp32;
  readonly #info: VirtualPortInfo;
  #state: 'closed' | 'opening' | 'open' | 'lost' = 'closed';
  readonly #stay: number;
  #readable: ReadableStream<Uint8Array> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #bufferSize = 255;
  #lines = { dtr: false, rts: false };
  /** The first write after the loss still resolves. */
  #graceWrite = true;

  constructor(board: VirtualEsp32, options: VirtualPortOptions = {}) {
    this.#board = board;
    this.#info = options.info ?? infoOf(board);
    this.openFault = options.openFault;
    this.#stay = board.stay;
  }

  /** Whether the board is still on the bus, as far as this object goes. */
  get connected(): boolean {
    return this.#state !== 'lost' && this.#onBus();
  }

  getInfo(): VirtualPortInfo {
    return { ...this.#info };
  }

  /** A new stream after the last one was cancelled or failed, as long as the port is open. */
  get readable(): ReadableStream<Uint8Array> | null {
    if (this.#state === 'open' && !this.#readable) this.#readable = this.#makeReadable();
    return this.#state === 'open' ? this.#readable : null;
  }

  get writable(): WritableStream<Uint8Array> | null {
    if (this.#state === 'open' && !this.#writable) this.#writable = this.#makeWritable();
    return this.#state === 'open' ? this.#writable : null;
  }

  async open({ baudRate, bufferSize = 255 }: { baudRate: number; bufferSize?: number }): Promise<void> {
    if (this.#state === 'open' || this.#state === 'opening') throw invalidState('The port is already open.');
    if (!Number.isInteger(baudRate) || baudRate <= 0)
      throw new TypeError('Requested baud rate must be greater than zero.');
    if (!(bufferSize >= 1 && bufferSize <= LARGEST_BUFFER))
      throw new TypeError('Requested buffer size is out of range.');
    const lost = this.#state === 'lost';
    this.#state = lost ? 'lost' : 'opening';
    await sleep(this.#board.clock, 1);
    if (this.openFault) {
      this.#state = lost ? 'lost' : 'closed';
      throw openError(this.openFault);
    }
    if (lost || !this.#onBus()) {
      this.#state = lost ? 'lost' : 'closed';
      throw networkError('Failed to open serial port.');
    }
    this.#state = 'open';
    this.#bufferSize = bufferSize;
    this.#board.setHostBaud(baudRate);
    this.#board.line.discard('to-host');
    this.#board.attach({ receive: (bytes) => this.#received(bytes), lost: () => this.#lost() });
    // The kernel raises both lines when a tty is opened.
    this.#setLines({ dtr: true, rts: true });
  }

  /** Throws away what is still queued, both ways, and drops both lines. */
  async close(): Promise<void> {
    if (this.#state === 'lost') return;
    if (this.#state !== 'open') throw invalidState('The port is already closed.');
    if (this.#readable?.locked || this.#writable?.locked) {
      throw new TypeError('Cannot close a port whose streams are locked.');
    }
    const readable = this.#readable;
    const writable = this.#writable;
    this.#board.line.discard('to-device');
    await Promise.allSettled([readable?.cancel(), writable?.abort()]);
    await sleep(this.#board.clock, 1);
    // The board may have left meanwhile.
    if ((this.#state as string) !== 'open') return;
    this.#setLines({ dtr: false, rts: false });
    this.#board.attach(undefined);
    this.#state = 'closed';
    this.#forgetStreams();
  }

  /** One line after the other, DTR first, whichever way they go: what lies between is seen by the board. */
  async setSignals(signals: { dataTerminalReady?: boolean; requestToSend?: boolean; break?: boolean }): Promise<void> {
    this.#requireOpen();
    const { dataTerminalReady: dtr, requestToSend: rts } = signals;
    if (dtr === undefined && rts === undefined && signals.break === undefined) {
      throw new TypeError('Signals dictionary must contain at least one member.');
    }
    if (dtr !== undefined) this.#setLines({ ...this.#lines, dtr });
    await sleep(this.#board.clock, BETWEEN_LINES_MS);
    this.#requireOpen();
    if (rts !== undefined) this.#setLines({ ...this.#lines, rts });
  }

  #requireOpen(): void {
    if (this.#state === 'lost') throw deviceLost();
    if (this.#state !== 'open') throw invalidState('The port is closed.');
  }

  #onBus(): boolean {
    return this.#board.present && this.#board.stay === this.#stay;
  }

  #setLines(lines: { dtr: boolean; rts: boolean }): void {
    this.#lines = lines;
    this.#board.setModemLines(lines);
  }

  #received(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    // Bytes that come while nobody reads wait in the stream.
    if (!this.#readable) this.#readable = this.#makeReadable();
    this.#controller?.enqueue(bytes);
  }

  #lost(): void {
    if (this.#state === 'lost') return;
    const controller = this.#controller;
    this.#state = 'lost';
    this.#forgetStreams();
    controller?.error(deviceLost());
  }

  #forgetStreams(): void {
    this.#readable = null;
    this.#writable = null;
    this.#controller = undefined;
  }

  #makeReadable(): ReadableStream<Uint8Array> {
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller;
          this.#controller = controller;
        },
        cancel: () => {
          this.#board.line.discard('to-host');
          if (this.#controller !== own) return;
          this.#controller = undefined;
          this.#readable = null;
        },
      },
      { highWaterMark: 0 },
    );
  }

  #makeWritable(): WritableStream<Uint8Array> {
    const { line } = this.#board;
    return new WritableStream<Uint8Array>({
      write: async (chunk) => {
        if (this.#state === 'lost') {
          if (!this.#graceWrite) throw deviceLost();
          this.#graceWrite = false;
          return;
        }
        this.#board.hostWrites(chunk);
        await line.whenBelow('to-device', this.#bufferSize + KERNEL_BUFFER);
      },
      close: async () => {
        await line.whenBelow('to-device', 0);
        this.#writable = null;
      },
      abort: () => {
        line.discard('to-device');
        this.#writable = null;
      },
    });
  }
}

function openError({ kind, style }: OpenFault): Error {
  if (style === 'browser') return networkError('Failed to open serial port.');
  const code = ERRNO[kind];
  return Object.assign(new Error(`Error: ${code}: cannot open the port`), { code });
}
