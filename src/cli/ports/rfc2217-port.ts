/**
 * A serial port at the other end of a network, by RFC 2217: data, rate and modem lines on one TCP connection, as
 * pyserial, esptool and ser2net serve it.
 *
 * Closing keeps the connection for a moment, so that changing the rate (close and open) does not make the server close its port:
 * that drops the modem lines and resets most boards.
 */
import { systemClock, withLimit } from '#clock.ts';
import { type Port, type PortInfo, type PortOptions, type PortSignals } from '#device/port.ts';
import { Control } from './com-port-option.ts';
import { Rfc2217Connection, type Rfc2217Options } from './rfc2217-connection.ts';
import { IncomingBytes, lostError } from './streams.ts';
import { type TcpAddress } from './tcp-socket.ts';

/** Milliseconds that a closed port keeps its connection: a change of the rate takes a tenth of that. */
const KEEP_MS = 2000;
/** Milliseconds that a modem line waits for data written before it to be handed to the system. */
const ORDER_MS = 400;
const STREAM_BUFFER = 0x4000;

/** pyserial's `timeout`, milliseconds. */
const ANSWER_MS = 3000;

export class Rfc2217Port implements Port {
  readonly #address: TcpAddress;
  readonly #options: Rfc2217Options;
  #state: 'closed' | 'opening' | 'open' = 'closed';
  #connection: Rfc2217Connection | undefined;
  #cancelKeeping: (() => void) | undefined;
  #incoming: IncomingBytes | undefined;
  #outgoing: OutgoingBytes | undefined;
  /** What the server was told last; undefined where it is not known. */
  #rts: boolean | undefined;
  #dtr: boolean | undefined;

  constructor(address: TcpAddress, options: Partial<Rfc2217Options> = {}) {
    this.#address = address;
    this.#options = { answerMs: ANSWER_MS, ignoreControlAnswers: false, ...options };
  }

  get readable(): ReadableStream<Uint8Array> | null {
    return this.#incoming?.stream ?? null;
  }

  get writable(): WritableStream<Uint8Array> | null {
    return this.#outgoing?.stream ?? null;
  }

  /** The USB ids of the port at the other end are not told. */
  getInfo(): PortInfo {
    return {};
  }

  /**
   * Makes the connection that the next `open` uses, to tell early that there is none.
   *
   * @throws as `Rfc2217Connection.open`.
   */
  async reach(): Promise<void> {
    await this.#connect();
    this.#keep();
  }

  async open({ baudRate }: PortOptions): Promise<void> {
    if (this.#state !== 'closed') throw new DOMException('The port is already open.', 'InvalidStateError');
    this.#state = 'opening';
    let connection: Rfc2217Connection;
    try {
      connection = await this.#connect();
      await connection.configure(baudRate);
    } catch (error) {
      this.#state = 'closed';
      // The rate may be what is wrong: the next one finds the connection as it is.
      this.#keep();
      throw error;
    }
    const incoming = new IncomingBytes();
    const outgoing = new OutgoingBytes(connection);
    connection.onData = (bytes) => incoming.push(bytes);
    connection.onEnd = () => {
      incoming.fail(lostError());
      this.#outgoing = undefined;
    };
    connection.keepsProcess = true;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    // Opening a tty raises DTR. That first "DTR asserted" is not sent on (see setSignals).
    this.#dtr = true;
    this.#state = 'open';
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    this.#incoming?.end();
    this.#incoming = undefined;
    this.#outgoing = undefined;
    if (this.#connection) {
      this.#connection.onData = undefined;
      this.#connection.onEnd = undefined;
      // What is still queued must not reach the board any more.
      if (this.#connection.unsent > 0) this.#connection.cutOff();
    }
    this.#keep();
  }

  /**
   * Sends what has changed, after the data that were written before, and waits until the server has carried it out.
   *
   * Lines that stay as they are are not said again, since esptool's server takes each "RTS off" for a reset, and "DTR on"
   * for one into download mode. For its sake as well the DTR that every port has after opening is only taken as said:
   * DTR alone pulls no more than the boot pin, and whoever resets releases it first.
   */
  async setSignals({ dataTerminalReady: dtr, requestToSend: rts, break: brk }: PortSignals): Promise<void> {
    const connection = this.#connection;
    if (this.#state !== 'open') throw new DOMException('The port is closed.', 'InvalidStateError');
    if (!connection?.isAlive) throw lostError();
    await this.#outgoing?.handedOver();
    const dtrChange = dtr === undefined || dtr === this.#dtr ? [] : [dtr ? Control.DtrOn : Control.DtrOff];
    const rtsChange = rts === undefined || rts === this.#rts ? [] : [rts ? Control.RtsOn : Control.RtsOff];
    const breakChange = brk === undefined ? [] : [brk ? Control.BreakOn : Control.BreakOff];
    this.#dtr = dtr ?? this.#dtr;
    this.#rts = rts ?? this.#rts;
    try {
      // On the way RTS must not be alone, which would be a reset: DTR rises before it, and falls after it.
      const lines = dtr ? [...dtrChange, ...rtsChange] : [...rtsChange, ...dtrChange];
      await connection.control([...lines, ...breakChange]);
    } catch (error) {
      this.#dtr = this.#rts = undefined;
      throw error;
    }
  }

  /** Hangs up. The port may be opened again, on a new connection. */
  dispose(): void {
    this.#cancelKeeping?.();
    this.#cancelKeeping = undefined;
    this.#connection?.end();
    this.#connection = undefined;
  }

  /** The connection that is there, or a new one, whose lines are not known. */
  async #connect(): Promise<Rfc2217Connection> {
    this.#cancelKeeping?.();
    this.#cancelKeeping = undefined;
    if (this.#connection?.isAlive) return this.#connection;
    this.#connection = undefined;
    const connection = await Rfc2217Connection.open(this.#address, this.#options);
    this.#rts = undefined;
    this.#connection = connection;
    return connection;
  }

  /** Keeps the connection for a while; neither it nor the timer holds up the end of the process. */
  #keep(): void {
    if (!this.#connection) return;
    this.#connection.keepsProcess = false;
    const timer = setTimeout(() => this.dispose(), KEEP_MS).unref();
    this.#cancelKeeping = () => clearTimeout(timer);
  }
}

/** The sending half: knows which bytes were written and which were handed to the system. */
class OutgoingBytes {
  readonly stream: WritableStream<Uint8Array>;
  #written = 0;
  #handed = 0;
  #waiting: { until: number; resolve: () => void }[] = [];

  constructor(connection: Rfc2217Connection) {
    this.stream = new WritableStream<Uint8Array>(
      {
        write: async (bytes, { signal }) => {
          const sent = connection.send(bytes, signal);
          this.#handed += bytes.length;
          this.#wake();
          await sent;
        },
      },
      {
        highWaterMark: STREAM_BUFFER,
        // Asked at the moment of the write, long before the stream passes the bytes on.
        size: ({ length }) => {
          this.#written += length;
          return length;
        },
      },
    );
  }

  /** Waits until all that has been written so far is on its way, so that what is sent next comes after it. */
  async handedOver(): Promise<void> {
    const until = this.#written;
    if (this.#handed >= until) return;
    const handed = new Promise<void>((resolve) => this.#waiting.push({ until, resolve }));
    await withLimit(systemClock, handed, {
      ms: ORDER_MS,
      onTimeout: () => new Error(`Data written before are not sent within ${ORDER_MS} ms`),
    });
  }

  #wake(): void {
    const ready = this.#waiting.filter(({ until }) => until <= this.#handed);
    this.#waiting = this.#waiting.filter(({ until }) => until > this.#handed);
    for (const { resolve } of ready) resolve();
  }
}
