/**
 * A board in download mode: who it is, its flash, and the way back into its app.
 *
 * esptool-js 0.7.0 is the base (chip definitions, stub images, packets); resets, SLIP, time, rates, transfers, retries
 * and the restart are our own, because there it polls, hangs on a pulled cable, cannot be stopped, does not verify and
 * does not restart the board. What ROM and stub do with each command was found by experiment with both.
 */
import { type Clock, withLimit } from '#clock.ts';
import { type BoardConsole } from './console.ts';
import { DeviceError } from './device-error.ts';
import { type FlashCosts } from './flash-costs.ts';
import { doubtJob, eraseJob, holdsJob, md5Job, readJob, writeJob } from './flash-jobs.ts';
import {
  type FlashMemory,
  type FlashPart,
  type FlashRange,
  type JobOptions,
  type ReadOptions,
  type StrayTransfer,
  type WriteOptions,
} from './flash-memory.ts';
import { checkRange } from './flash-ranges.ts';
import { type BoardIdentity } from './identify.ts';
import { type Port } from './port.ts';
import { restartBoard } from './restart.ts';
import { ROM_REACH } from './rom-transfer.ts';
import { type LoaderMode, Session, type SessionOptions } from './session.ts';

export interface ConnectOptions extends SessionOptions {
  signal?: AbortSignal | undefined;
}

/** Milliseconds to a verdict. */
const CONNECT_MS = 15_000;

export class Bootloader implements FlashMemory {
  readonly identity: BoardIdentity;
  /** `rom`: no stub runs, and the ROM does everything itself, slowly. */
  readonly mode: LoaderMode;
  readonly #session: Session;
  readonly #clock: Clock;
  /** The last job begun; the next waits for it, as a board does one thing at a time. */
  #last: Promise<unknown> = Promise.resolve();
  #over = false;

  private constructor(session: Session, identity: BoardIdentity) {
    this.#session = session;
    this.#clock = session.clock;
    this.identity = identity;
    this.mode = session.mode;
  }

  /**
   * Brings a board into download mode and finds out who it is. Takes at most 15 s, and a failure leaves the port closed.
   *
   * @throws {DeviceError} with the cause named as far as it can be told; what the board printed is in `details.text`.
   * @throws {DOMException} `AbortError` when `signal` aborts.
   */
  static async connect(port: Port, options: ConnectOptions): Promise<Bootloader> {
    options.signal?.throwIfAborted();
    const session = new Session(port, options);
    const limit = new AbortController();
    const cancelLimit = options.clock.after(CONNECT_MS, () =>
      limit.abort(new DeviceError('connect-timeout', 'The connection did not come about in time')),
    );
    const signal = options.signal ? AbortSignal.any([options.signal, limit.signal]) : limit.signal;
    try {
      const identity = await session.during(signal, () => session.establish());
      return new Bootloader(session, identity);
    } catch (error) {
      await session.close();
      throw error;
    } finally {
      cancelLimit();
    }
  }

  /** The port that the board has now: another object than at first, when it left and came back. */
  get port(): Port {
    return this.#session.holder.port;
  }

  /** Bits a second on the line; without meaning on native USB. */
  get baud(): number {
    return this.#session.link.baudrate;
  }

  /** What went over the line last, without data: for a support log. */
  get log(): readonly string[] {
    return this.#session.link.log;
  }

  /**
   * Bytes of the flash.
   *
   * @throws {DeviceError} `flash-size-unknown` when it was neither detected nor given.
   */
  get size(): number {
    const size = this.identity.flashSize;
    if (size === undefined) {
      throw new DeviceError('flash-size-unknown', 'The size of the flash cannot be detected, and was not given');
    }
    return size;
  }

  /** Bytes of the flash that can be reached here: the ROM takes what lies above 16 MB for what lies below. */
  get reach(): number {
    return this.mode === 'rom' ? Math.min(this.size, ROM_REACH) : this.size;
  }

  /** Nothing more can be done with it: it was closed, or the board was restarted. */
  get isOver(): boolean {
    return this.#over;
  }

  get troubles(): number {
    return this.#session.troubles;
  }

  get strays(): readonly StrayTransfer[] {
    return this.#session.sent.strays;
  }

  get costs(): FlashCosts {
    return this.#session.meter.costs;
  }

  async read(offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const { signal, onProgress, verify = true } = options;
    this.#check({ offset, length }, 'none');
    return this.#exclusive(signal, () => readJob(this.#session, { offset, length, verify }, onProgress));
  }

  /** As `FlashMemory.write`; what is written is verified by its digest unless `verify` is false. */
  async write(offset: number, data: Uint8Array, options: WriteOptions = {}): Promise<void> {
    const { signal, onProgress, verify = true, differs = false } = options;
    this.#check({ offset, length: data.length }, 'start');
    await this.#exclusive(signal, () => writeJob(this.#session, { offset, data, verify, differs }, onProgress));
  }

  async erase(offset: number, length: number, options: JobOptions = {}): Promise<void> {
    this.#check({ offset, length }, 'both');
    await this.#exclusive(options.signal, () => eraseJob(this.#session, { offset, length }, options.onProgress));
  }

  async noteMissing(range: FlashRange, { signal }: JobOptions = {}): Promise<void> {
    await this.#exclusive(signal, () => doubtJob(this.#session, range));
  }

  async md5(offset: number, length: number, options: JobOptions = {}): Promise<string> {
    this.#check({ offset, length }, 'none');
    const digest = await this.#exclusive(options.signal, () => md5Job(this.#session, { offset, length }));
    options.onProgress?.({ done: length, total: length });
    return digest;
  }

  async holdsEach(parts: readonly FlashPart[], options: JobOptions = {}): Promise<boolean[]> {
    for (const { offset, data } of parts) this.#check({ offset, length: data.length }, 'none');
    return this.#exclusive(options.signal, () => holdsJob(this.#session, parts));
  }

  /**
   * Sets the line to that rate. False when it does not work there: the session goes on at the rate before. Cannot be stopped: a board that
   * was left between two rates takes long to find again.
   *
   * @throws {DeviceError} when the board cannot be reached at any rate any more.
   */
  async tryBaud(baud: number): Promise<boolean> {
    return this.#exclusive(undefined, () => this.#session.tryBaud(baud));
  }

  /**
   * Resets the board into what is in its flash and hands the port over to its console, which has to be closed later on.
   * This session is over then, also when it fails. `baud`: rate of the app's console, 115200 unless told otherwise.
   *
   * @throws {DeviceError} `port-lost`, or as opening.
   */
  async restart({
    signal,
    baud,
  }: { signal?: AbortSignal | undefined; baud?: number | undefined } = {}): Promise<BoardConsole> {
    try {
      return await this.#exclusive(signal, async () => {
        this.#over = true;
        return restartBoard(this.#session, { identity: this.identity, baud });
      });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Ends the session and leaves the port closed, free of locks and usable again, whatever is under way: a job that still
   * runs is told `port-closed`. The board stays in download mode.
   */
  async close(): Promise<void> {
    this.#over = true;
    await this.#session.close();
  }

  /** Whether that much can be done here at all. Nothing has been sent when it throws. */
  #check(range: FlashRange, aligned: Parameters<typeof checkRange>[2]): void {
    if (this.identity.security.secureDownload) {
      // The ROM would still write, but nobody could tell what is in the flash afterwards.
      throw new DeviceError('flash-access-refused', 'In secure download mode nothing can be read or verified');
    }
    checkRange(this.size, range, aligned);
    if (range.offset + range.length > this.reach) {
      throw new DeviceError('beyond-rom-reach', 'Without a stub only the first 16 MB can be reached', {
        details: { ...range },
      });
    }
  }

  /** A job of its own, after the one before it. */
  async #exclusive<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let finish = (): void => undefined;
    const mine = new Promise<void>((resolve) => (finish = resolve));
    this.#last = before.then(() => mine);
    try {
      await withLimit(this.#clock, before, signal ? { signal } : {});
      if (this.#over) throw new DeviceError('port-closed', 'The session is over');
      return await this.#session.during(signal, work);
    } finally {
      finish();
    }
  }
}
