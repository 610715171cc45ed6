/**
 * Frames over a port, for esptool-js: its `Transport` with everything replaced that polls, sleeps on the machine's clock,
 * or hangs when the cable is pulled (see the header of bootloader.ts for what is used of esptool-js).
 *
 * One reader waits on the port's stream and hands each piece to the frame decoder and to whoever listens (`onBytes`).
 * Whoever waits for a frame, a write or a pause is told at once when the port is lost or the job's signal aborts.
 */
import { Transport } from 'esptool-js';
import { type Clock, withLimit } from '#clock.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { openPort } from './open-port.ts';
import { type Port } from './port.ts';
import { LINES_AT_REST } from './reset.ts';
import { encodeSlip, SlipDecoder } from './slip.ts';
import { TextRing } from './text-ring.ts';
import { Waiters } from './waiters.ts';

/** Rate of every ROM loader, of nearly every console, and of a port just opened. */
export const ROM_BAUD = 115_200;

/** Bytes; the default of 255 costs CPU (facts measured on Chromium: 4 to 16 KiB are as good as more). */
const PORT_BUFFER = 0x4000;

/** Errors after which the stream can be taken anew: Web Serial, "SerialPort.readable". */
const PASSING_ERRORS = new Set(['BufferOverrunError', 'FramingError', 'BreakError', 'ParityError']);

/** Milliseconds within which a platform reports everywhere that a port is gone. */
const LOSS_NOTICE_MS = 50;

/** Milliseconds that a port may take for each step of closing. */
const CLOSE_STEP_MS = 500;

export class Link extends Transport {
  readonly #clock: Clock;
  readonly #decoder = new SlipDecoder((frame) => this.#deliver(frame));
  readonly #waiters: Waiters;
  readonly #log = new TextRing(200);
  #port: Port;
  #frames: Uint8Array[] = [];
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #pump: Promise<void> | undefined;
  #isOpen = false;
  #closing = false;
  /** Done when the port is closed again, for all who close it. */
  #closed: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #signal: AbortSignal | undefined;
  #dtr = false;
  #rts = false;
  #received = 0;
  #onFrameBegun: (() => void) | undefined;

  /** Gets every byte as it comes, framed or not. */
  onBytes: ((bytes: Uint8Array) => void) | undefined;
  /** Called once when an open port is lost. */
  onLost: ((error: Error) => void) | undefined;

  constructor(port: Port, clock: Clock) {
    super(port as unknown as SerialPort);
    this.#port = port;
    this.#clock = clock;
    this.#waiters = new Waiters(clock);
  }

  get port(): Port {
    return this.#port;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** What went over the line last, for a support log: time in milliseconds and a word or two. Never the data themselves. */
  get log(): readonly string[] {
    return this.#log.lines;
  }

  /** From now on another port object stands for the board. It is not open yet. */
  async adopt(port: Port): Promise<void> {
    await this.disconnect();
    this.#port = port;
    this.device = port as unknown as SerialPort;
  }

  /** Runs one job: while it lasts, all waiting ends with the signal's reason when that aborts. Jobs do not nest. */
  async during<T>(signal: AbortSignal | undefined, job: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const abort = (): void => this.#waiters.failAll(signal?.reason as Error);
    this.#signal = signal;
    signal?.addEventListener('abort', abort);
    try {
      return await job();
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#signal = undefined;
    }
  }

  /**
   * Opens the port and says both lines released at once (opening may have asserted them). A port without such lines does.
   *
   * @throws {DeviceError} as `openPort`; `port-lost`.
   */
  override async connect(baud: number = ROM_BAUD): Promise<void> {
    await this.#open(baud);
    this.#note(`open at ${baud}`);
    this.baudrate = baud;
    this.#isOpen = true;
    this.#closing = false;
    this.#failure = undefined;
    this.flushInput();
    this.#writer = this.#port.writable?.getWriter();
    this.#writer?.closed.catch(() => undefined); // the write that fails reports it
    this.#pump = this.#readAll();
    try {
      // A port opens with both lines asserted, and Chromium sets one after the other, DTR first: straight to rest would pull EN.
      await this.setSignals(true, false);
      await this.setSignals(LINES_AT_REST.dtr, LINES_AT_REST.rts);
    } catch (error) {
      if (!isDeviceError(error, 'no-modem-lines')) throw error;
    }
  }

  /** Closes the port whatever state it is in, within about two seconds, and leaves it free of locks. Never fails. */
  override disconnect(): Promise<void> {
    if (!this.#isOpen) return this.#closed;
    this.#isOpen = false;
    this.#closing = true;
    this.#waiters.failAll(new DeviceError('port-closed', 'The port was closed'));
    this.#closed = this.#close();
    return this.#closed;
  }

  /** Closes and opens again at another rate: Web Serial cannot change it in place. */
  async reopen(baud: number): Promise<void> {
    this.#check();
    await this.disconnect();
    await this.pause(50);
    await this.connect(baud);
    await this.pause(50);
  }

  override async changeBaudrate(baud: number): Promise<boolean> {
    await this.reopen(baud);
    return true;
  }

  /** Frames are read from the moment of opening on; esptool-js asks for it all the same. */
  override readLoop(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * The next frame, without its borders.
   *
   * @throws {DeviceError} `no-reply` after `timeout` milliseconds, `port-lost`, `port-closed`.
   */
  override async read(timeout: number): Promise<Uint8Array> {
    this.#check();
    const ready = this.#frames.shift();
    if (ready) return ready;
    return this.#waiters.wait<Uint8Array>(timeout, {
      begin: (resolve) => ({ frame: resolve }),
      onTimeout: () => new DeviceError('no-reply', `No answer within ${timeout} ms`),
    });
  }

  /**
   * Waits until the first bytes of the next frame are there.
   *
   * @throws {DeviceError} as `read`.
   */
  async frameBegins(timeout: number): Promise<void> {
    this.#check();
    if (this.#frames.length > 0 || this.#decoder.isInside) return;
    await this.#waiters.wait<void>(timeout, {
      begin: (resolve) => {
        this.#onFrameBegun = resolve;
        return { end: () => (this.#onFrameBegun = undefined) };
      },
      onTimeout: () => new DeviceError('no-reply', `No answer within ${timeout} ms`),
    });
  }

  /** Sends one frame. */
  override async write(data: Uint8Array): Promise<void> {
    await this.send(encodeSlip(data));
  }

  /**
   * Sends bytes as they are. Done when the platform has taken them, which is before they are on the line.
   *
   * @throws {DeviceError} `port-lost`, `port-closed`, `port-stalled`.
   */
  async send(bytes: Uint8Array): Promise<void> {
    this.#check();
    const writer = this.#writer;
    if (!writer) throw this.#lose(new Error('The port takes no bytes'));
    const lineMs = (bytes.length * 10_000) / this.baudrate;
    await this.#waiters.wait<void>(3000 + 2 * lineMs, {
      begin: (resolve, reject) => {
        writer
          .write(bytes)
          .then(resolve, (error: unknown) => reject(this.#isOpen ? this.#lose(error) : asError(error)));
        return {};
      },
      onTimeout: () => new DeviceError('port-stalled', 'The port takes no more bytes'),
    });
  }

  /** Waits, unless the port is lost or the job aborted. */
  async pause(ms: number): Promise<void> {
    this.#signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    await this.#waiters.wait<void>(undefined, {
      begin: (resolve) => {
        const cancel = this.#clock.after(ms, resolve);
        return { end: cancel };
      },
    });
  }

  override flushInput(): void {
    this.#frames = [];
    this.#decoder.reset();
  }

  /** Waits until nothing has come for `quietMs`, or `maxMs` are over, and forgets what came. */
  override async drainInput(quietMs = 50, maxMs = 400): Promise<void> {
    const end = this.#clock.now() + maxMs;
    for (let before = -1; before !== this.#received && this.#clock.now() < end;) {
      before = this.#received;
      await this.pause(quietMs);
    }
    this.flushInput();
  }

  override inWaiting(): number {
    return this.#frames.length;
  }

  override peek(): Uint8Array {
    return this.#frames[0] ?? new Uint8Array(0);
  }

  override async setRTS(state: boolean): Promise<void> {
    await this.setSignals(this.#dtr, state);
  }

  override async setDTR(state: boolean): Promise<void> {
    await this.setSignals(state, this.#rts);
  }

  /**
   * Sets both lines in one call: `dtr` true pulls the boot pin, `rts` true pulls EN.
   *
   * @throws {DeviceError} `no-modem-lines` when the port has none, or its driver fails to set them; `port-lost`.
   */
  override async setSignals(dtr = false, rts = false): Promise<void> {
    this.#check();
    this.#dtr = dtr;
    this.#rts = rts;
    this.#note(`DTR ${Number(dtr)} RTS ${Number(rts)}`);
    try {
      await withLimit(this.#clock, this.#port.setSignals({ dataTerminalReady: dtr, requestToSend: rts }), { ms: 1000 });
    } catch (error) {
      // A port that is gone fails here first, and its read a few milliseconds later.
      await this.pause(LOSS_NOTICE_MS);
      throw new DeviceError('no-modem-lines', 'The port does not set its modem lines', { cause: error });
    }
    this.#check();
  }

  /** Called by the holder of the port when the platform says that it has left. */
  lose(): void {
    if (this.#isOpen && !this.#failure) this.#lose(new Error('The platform says that the port has left'));
  }

  /** Kept short and in memory; esptool-js's own writes everything to the console. */
  override trace(message: string): void {
    this.#note(message);
  }

  async #close(): Promise<void> {
    await this.#atMost(CLOSE_STEP_MS, this.#endReading());
    await this.#atMost(CLOSE_STEP_MS, this.#endWriting());
    await this.#atMost(2 * CLOSE_STEP_MS, this.#port.close());
    this.#note('closed');
  }

  async #open(baud: number): Promise<void> {
    const port = this.#port;
    const opening = openPort(port, { baudRate: baud, bufferSize: PORT_BUFFER });
    try {
      await withLimit(this.#clock, opening, {
        ms: 5000,
        ...(this.#signal && { signal: this.#signal }),
        onTimeout: () => new DeviceError('port-open-failed', 'The port did not open in time'),
      });
    } catch (error) {
      // Given up, but it may still open: it must not stay so, and whoever closes waits for that.
      this.#closed = this.#atMost(
        CLOSE_STEP_MS,
        opening.then(() => port.close()),
      );
      throw error;
    }
  }

  #note(message: string): void {
    this.#log.add(`${this.#clock.now().toFixed(0)} ${message}`);
  }

  #check(): void {
    this.#signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    if (!this.#isOpen) throw new DeviceError('port-closed', 'The port is not open');
  }

  #lose(cause: unknown): Error {
    if (!this.#failure) {
      this.#failure = new DeviceError('port-lost', 'The port was lost', { cause });
      this.#note('lost');
      this.#waiters.failAll(this.#failure);
      this.onLost?.(this.#failure);
    }
    return this.#failure;
  }

  #deliver(frame: Uint8Array): void {
    if (!this.#waiters.deliver(frame)) this.#frames.push(frame);
  }

  async #readAll(): Promise<void> {
    while (!this.#closing) {
      const readable = this.#port.readable;
      if (!readable) {
        this.#lose(new Error('The port gives no bytes'));
        return;
      }
      const error = await this.#readStream(readable);
      if (this.#closing) return;
      if (!(error instanceof Error && PASSING_ERRORS.has(error.name))) {
        this.#lose(error);
        return;
      }
      this.#note(error.name);
    }
  }

  /** Reads until the stream ends, and tells why it did. */
  async #readStream(readable: ReadableStream<Uint8Array>): Promise<unknown> {
    const reader = readable.getReader();
    this.#reader = reader;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return new Error('The stream of the port ended');
        this.#received += value.length;
        this.onBytes?.(value);
        this.#decoder.push(value);
        if (this.#frames.length > 0 || this.#decoder.isInside) this.#onFrameBegun?.();
      }
    } catch (error) {
      return error;
    } finally {
      this.#reader = undefined;
      reader.releaseLock();
    }
  }

  async #endReading(): Promise<void> {
    await this.#reader?.cancel();
    await this.#pump;
  }

  async #endWriting(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    // What is still queued must not reach the board any more; the lock goes at once, the rest follows.
    const aborted = writer?.abort();
    writer?.releaseLock();
    await aborted;
  }

  /** A step of closing: it may fail (the port is gone) or hang (its driver does); the next one is done all the same. */
  async #atMost(ms: number, step: Promise<void>): Promise<void> {
    await withLimit(this.#clock, step, { ms }).catch((error: unknown) => this.#note(`closing: ${String(error)}`));
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
