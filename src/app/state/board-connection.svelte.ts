/** One board: how it is reached, what is on it, and the way back to it when its cable was pulled. */
import { type Clock } from '#clock.ts';
import { Bootloader, type ConnectOptions } from '#device/bootloader.ts';
import { DeviceError, isDeviceError } from '#device/device-error.ts';
import { type FlashCosts } from '#device/flash-costs.ts';
import { type Port, type PortInfo, type PortSource } from '#device/port.ts';
import { type ConnectStep, type LoaderMode } from '#device/session.ts';
import { isAbort } from '#messages/error-message.ts';
import { type BoardHints, type BoardState, readBoardState } from '#workflows/board-state.ts';
import { browserBauds } from '../ports/baud-memory.ts';

/** Where a board is. */
export interface BoardPlace {
  port: Port;
  source: PortSource;
  /** No hardware: the board of the demo. */
  virtual: boolean;
}

export type ConnectionStatus =
  | 'none'
  | 'connecting'
  /** It did not listen; it is tried again and again until somebody holds its boot button. */
  | 'waiting'
  | 'connected'
  /** A run has the board. */
  | 'working'
  | 'failed';

export type ReachOptions = Pick<ConnectOptions, 'before' | 'baud' | 'flashSize'>;

/** Milliseconds for which a board that does not listen is waited for. */
const WAIT_MS = 90_000;
/** What a pressed boot button can change. */
const WAITABLE = ['normal-boot', 'silent'] as const;

export class BoardConnection {
  status = $state<ConnectionStatus>('none');
  step = $state<ConnectStep | 'read' | 'absent'>('open');
  /** As it was read last; stays after a run as what the board was. */
  board = $state.raw<BoardState>();
  error = $state.raw<unknown>();
  place = $state.raw<BoardPlace>();
  /** The port is on its bus, as far as is known. */
  present = $state(false);
  /** What does the work on the connected board. */
  loader = $state<LoaderMode>();
  readonly #clock: Clock;
  readonly #onKnown: (port: Port, board: BoardState) => void;
  readonly #onReached: (bootloader: Bootloader) => Promise<void>;
  readonly #hintsFor: (chip: string) => BoardHints;
  #bootloader: Bootloader | undefined;
  #controller: AbortController | undefined;
  #unfollow: (() => void) | undefined;
  #onArrival: (() => void) | undefined;
  /** There are other places to look at than when the board was read. */
  #stale = false;

  /**
   * `onKnown` is told who hangs on a port as soon as that is known; `onReached` comes before anything is read of what is on the board;
   * `hintsFor` tells where to look on a board of that chip.
   */
  constructor(
    clock: Clock,
    {
      onKnown = () => undefined,
      onReached = async () => undefined,
      hintsFor = () => ({}),
    }: {
      onKnown?: (port: Port, board: BoardState) => void;
      onReached?: (bootloader: Bootloader) => Promise<void>;
      hintsFor?: (chip: string) => BoardHints;
    } = {},
  ) {
    this.#clock = clock;
    this.#onKnown = onKnown;
    this.#onReached = onReached;
    this.#hintsFor = hintsFor;
  }

  /** The connected board, while nobody else does anything with it. */
  get idle(): Bootloader | undefined {
    return this.status === 'connected' ? this.#bootloader : undefined;
  }

  /** Connects to the board at `place` and reads what is on it. Errors stand in `error`. */
  async connect(place: BoardPlace, options: ReachOptions): Promise<void> {
    if (this.status === 'connecting' || this.status === 'working') return;
    await this.disconnect();
    this.#follow(place);
    await this.#establish(options);
  }

  /** Reads the connected board once more, because there are other places to look at now; one that is being read, after that. */
  async readAgain(): Promise<void> {
    const bootloader = this.#bootloader;
    this.#stale = true;
    if (this.status !== 'connected' || !bootloader) return;
    await this.#attempt(async (signal) => {
      try {
        while (this.#stale) await this.read(bootloader, signal);
      } catch (error) {
        await bootloader.close();
        this.#bootloader = undefined;
        throw error;
      }
    });
  }

  /** What work on the connected board costs, as far as is known by now. */
  get costs(): FlashCosts | undefined {
    return this.#bootloader?.costs;
  }

  /**
   * Lends the connected board to work that leaves it as it is. It is connected afterwards, unless it was lost: with `again` also after work
   * that restarts it. Its own program ran then, so it is read anew.
   *
   * @throws everything that `work` throws; that it could not be connected again stands in `error`.
   */
  async lend(work: (bootloader: Bootloader) => Promise<void>, again: ReachOptions = {}): Promise<void> {
    const bootloader = this.#bootloader;
    if (this.status !== 'connected' || !bootloader) throw new DeviceError('port-closed', 'No board is connected');
    this.status = 'working';
    this.error = undefined;
    try {
      await work(bootloader);
    } catch (error) {
      if (isDeviceError(error) && this.#bootloader === bootloader) {
        this.#bootloader = undefined;
        await bootloader.close();
        this.error = error;
        this.status = 'failed';
      }
      throw error;
    } finally {
      if (this.#bootloader === bootloader) await this.#takeBack(bootloader, again);
    }
  }

  /** Ends an attempt to connect. */
  stop(): void {
    this.#controller?.abort();
  }

  /**
   * The board in its loader, for a run that owns it from then on: the connected one, or reached anew, for which it is waited as long
   * as its cable is out.
   *
   * @throws {DeviceError} as `Bootloader.connect`.
   * @throws {DOMException} `AbortError`.
   */
  async reach(options: ReachOptions, signal: AbortSignal): Promise<Bootloader> {
    const held = this.#bootloader;
    this.status = 'working';
    this.error = undefined;
    if (held) return held;
    await this.#untilPresent(signal);
    return this.#open(options, signal);
  }

  /** Reads what is on the board. */
  async read(bootloader: Bootloader, signal: AbortSignal): Promise<BoardState> {
    this.step = 'read';
    this.#stale = false;
    await this.#onReached(bootloader);
    const { identity } = bootloader;
    const board = await readBoardState(bootloader, identity, { signal, hints: this.#hintsFor(identity.chip.name) });
    this.board = board;
    this.#onKnown(bootloader.port, board);
    return board;
  }

  /** The run is over and the port closed. The board may have another port than before. */
  async release(): Promise<void> {
    const { place } = this;
    if (this.#bootloader && place) this.place = { ...place, port: this.#bootloader.port };
    this.#bootloader = undefined;
    this.status = 'none';
    await this.#look();
  }

  /** Lets go of the board: it starts its own program again. */
  async disconnect(): Promise<void> {
    this.#controller?.abort();
    this.#controller = undefined;
    this.#unfollow?.();
    this.#unfollow = undefined;
    const bootloader = this.#bootloader;
    this.#bootloader = undefined;
    this.status = 'none';
    this.board = undefined;
    this.error = undefined;
    this.place = undefined;
    if (!bootloader) return;
    try {
      await (await bootloader.restart()).close();
    } catch {
      // It is gone, or does not restart: it stays in its loader.
      await bootloader.close();
    }
  }

  async #takeBack(bootloader: Bootloader, again: ReachOptions): Promise<void> {
    if (!bootloader.isOver) {
      this.status = 'connected';
      return;
    }
    this.#bootloader = undefined;
    await this.#establish(again);
  }

  /** Connects to the board at the place that is followed. */
  async #establish(options: ReachOptions): Promise<void> {
    this.error = undefined;
    await this.#attempt((signal) => this.#patiently(options, signal));
    if (this.#stale) await this.readAgain();
  }

  /** Connected afterwards, unless it fails or is stopped. */
  async #attempt(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const controller = (this.#controller = new AbortController());
    this.status = 'connecting';
    try {
      await work(controller.signal);
      this.status = 'connected';
    } catch (error) {
      if (this.#controller !== controller) return;
      this.status = isAbort(error) ? 'none' : 'failed';
      this.error = isAbort(error) ? undefined : error;
    }
  }

  /** Tries again while a hand may be on its way to the boot button. */
  async #patiently(options: ReachOptions, signal: AbortSignal): Promise<void> {
    const end = this.#clock.now() + WAIT_MS;
    for (;;) {
      try {
        const bootloader = await this.#open(options, signal);
        this.status = 'connecting';
        await this.read(bootloader, signal);
        return;
      } catch (error) {
        await this.#bootloader?.close();
        this.#bootloader = undefined;
        if (!isDeviceError(error, ...WAITABLE) || this.#clock.now() > end) throw error;
        this.status = 'waiting';
        this.error = error;
      }
    }
  }

  async #open(options: ReachOptions, signal: AbortSignal): Promise<Bootloader> {
    const { place } = this;
    if (!place) throw new DeviceError('port-closed', 'No board is connected');
    const bootloader = await Bootloader.connect(place.port, {
      ...options,
      clock: this.#clock,
      ports: place.source,
      bauds: place.virtual ? undefined : browserBauds,
      signal,
      onStep: (step) => (this.step = step),
    });
    this.#bootloader = bootloader;
    this.loader = bootloader.mode;
    this.error = undefined;
    // A board on its own USB came back as another port.
    this.place = { ...place, port: bootloader.port };
    this.present = true;
    return bootloader;
  }

  #follow(place: BoardPlace): void {
    this.place = place;
    this.present = true;
    const ends = [
      place.source.onLeft((port) => this.#left(port)),
      place.source.onArrived((port) => this.#arrived(port)),
    ];
    this.#unfollow = () => ends.forEach((end) => end());
  }

  #left(port: Port): void {
    if (port !== this.place?.port) return;
    this.present = false;
    if (this.status !== 'connected') return;
    void this.#bootloader?.close();
    this.#bootloader = undefined;
    this.status = 'failed';
    this.error = new DeviceError('port-lost', 'The port has left');
  }

  #arrived(port: Port): void {
    const { place } = this;
    if (!place || this.present || !isSameKind(port.getInfo(), place.port.getInfo())) return;
    this.place = { ...place, port };
    this.present = true;
    this.#onArrival?.();
  }

  /** Whether the board is there still, or there again. */
  async #look(): Promise<void> {
    const { place } = this;
    if (!place) return;
    const ports = await place.source.list();
    // It came while the list was made.
    if (this.place !== place) return;
    this.present = ports.includes(place.port);
    const successors = ports.filter((port) => isSameKind(port.getInfo(), place.port.getInfo()));
    const [only] = successors;
    if (!this.present && only && successors.length === 1) this.#arrived(only);
  }

  async #untilPresent(signal: AbortSignal): Promise<void> {
    await this.#look();
    signal.throwIfAborted();
    if (this.present) return;
    this.step = 'absent';
    await new Promise<void>((resolve, reject) => {
      this.#onArrival = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }).finally(() => (this.#onArrival = undefined));
  }
}

/** A board that comes back has the same vendor; on its own USB the product may be another one. */
const isSameKind = (a: PortInfo, b: PortInfo): boolean => a.usbVendorId === b.usbVendorId;
