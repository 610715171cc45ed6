/** From a closed port to a loader that answers SYNC: opening, resets, and the rate at which the ROM is first spoken to. */
import { type Clock } from '#clock.ts';
import { BAUD_LADDER, FAST_START_BAUD } from './baud-rates.ts';
import { diagnoseSilence } from './connect-diagnosis.ts';
import { DeviceError, type DeviceErrorCode, isDeviceError } from './device-error.ts';
import { type Link, ROM_BAUD } from './link.ts';
import { type LoaderCommands } from './loader-commands.ts';
import { type PortHolder } from './port-holder.ts';
import { type PortInfo } from './port.ts';
import { entrySequences, type EntryMode, isNativeUsb, type ResetSequence, runResetSequence } from './reset.ts';

/** Milliseconds that a native-USB board may take to come back; a pulled cable has to be told within two seconds. */
export const COME_BACK_MS = 1800;
/** Rates at which a stub of an earlier session may run. */
const COMMON_BAUDS = BAUD_LADDER.filter((baud) => baud <= 921_600);
/** Milliseconds spent on resets and SYNC before the verdict. */
const ENTRY_MS = 7000;
/** What opening a port that is not there at the moment ends in. */
const GONE_ERRORS: readonly DeviceErrorCode[] = ['port-missing', 'port-in-use-or-missing', 'port-lost'];
/** SYNCs after each reset. */
const SYNC_TRIES = 5;
/** Bytes of boot text that are kept for the diagnosis. */
const TEXT_LIMIT = 0x4000;

/** Whether it is what opening a port may end with. */
export const isOpenError = (error: unknown): boolean =>
  isDeviceError(error, 'port-in-use-or-missing', 'port-busy', 'port-missing', 'port-no-permission', 'port-open-failed');

/**
 * Opens the port at another rate, closing it first.
 *
 * @throws {DeviceError} `port-lost` when it does not open any more, whatever the platform calls that.
 */
export async function reopenPort(link: Link, baud: number): Promise<void> {
  try {
    if (link.isOpen) await link.reopen(baud);
    else await link.connect(baud);
  } catch (error) {
    if (!isOpenError(error)) throw error;
    throw new DeviceError('port-lost', 'The port does not open again', { cause: error });
  }
}

/** What a session has of its board. */
export interface BoardLine {
  readonly clock: Clock;
  readonly link: Link;
  readonly holder: PortHolder;
  readonly commands: LoaderCommands;
  readonly usb: PortInfo;
}

export class LoaderEntry {
  /** The ROM is still to be tried at a rate above its usual one. */
  startsFast: boolean;
  /** Of the job under way. */
  signal: AbortSignal | undefined;
  readonly #line: BoardLine;
  readonly #before: EntryMode;
  #text: number[] = [];

  constructor(line: BoardLine, { before, topBaud }: { before: EntryMode; topBaud: number }) {
    this.#line = line;
    this.#before = before;
    this.startsFast = before !== 'none' && !isNativeUsb(line.usb) && topBaud >= FAST_START_BAUD;
  }

  /** Whether the port is open as `enter` needs it. */
  get isOpen(): boolean {
    const { link } = this.#line;
    return link.isOpen && link.baudrate === this.#baud;
  }

  /**
   * Opens the port as `enter` needs it.
   *
   * @throws {DeviceError} any code of opening.
   */
  async open(): Promise<void> {
    if (this.#line.link.isOpen) await reopenPort(this.#line.link, this.#baud);
    else await this.#openFirst(this.#baud);
  }

  /**
   * Resets into download mode and gets an answer to SYNC. `topBaud`: rate at which a stub of an earlier session may run, besides the
   * common ones.
   *
   * @throws {DeviceError} why there is none, as far as it can be told.
   */
  async enter(topBaud: number): Promise<void> {
    const { link } = this.#line;
    this.#text = [];
    link.onBytes = (bytes) => this.#keepText(bytes);
    try {
      const reached = this.#before === 'none' ? await this.#syncAtAnyRate(topBaud) : await this.#resetAndSync();
      if (!reached) throw diagnoseSilence(Uint8Array.from(this.#text));
    } finally {
      link.onBytes = undefined;
    }
    await link.drainInput(30, 200);
  }

  get #baud(): number {
    return this.startsFast ? FAST_START_BAUD : ROM_BAUD;
  }

  /** A native-USB board that restarts again and again is away half of the time: the port that comes in its place is as good. */
  async #openFirst(baud: number): Promise<void> {
    const { link, holder } = this.#line;
    try {
      await link.connect(baud);
    } catch (error) {
      if (!holder.canFollow || !isDeviceError(error, ...GONE_ERRORS)) throw error;
      const successor = await holder.successor(COME_BACK_MS, this.signal).catch((cause: unknown) => {
        throw isDeviceError(cause) ? error : (cause as Error);
      });
      await link.adopt(successor);
      await link.connect(baud);
    }
  }

  async #resetAndSync(): Promise<boolean> {
    const { link, usb, clock } = this.#line;
    const sequences = entrySequences(this.#before, usb);
    if (this.startsFast) {
      if (await this.#tryEntry(sequences[0] ?? [])) return true;
      // Its texts could not be read at that rate, and tell why it does not answer.
      this.startsFast = false;
      this.#text = [];
      await reopenPort(link, ROM_BAUD);
    }
    const end = clock.now() + ENTRY_MS;
    for (let attempt = 0; clock.now() < end; attempt++) {
      if (await this.#tryEntry(sequences[attempt % sequences.length] ?? [])) return true;
    }
    return false;
  }

  /** One reset and some SYNCs; a native-USB board is followed to its new port in between. */
  async #tryEntry(sequence: ResetSequence): Promise<boolean> {
    const { link, holder, commands } = this.#line;
    holder.expectDeparture();
    try {
      await runResetSequence(
        sequence,
        (dtr, rts) => link.setSignals(dtr, rts),
        (ms) => link.pause(ms),
      );
      return await commands.sync(SYNC_TRIES);
    } catch (error) {
      if (!isDeviceError(error, 'port-lost') || !holder.canFollow) throw error;
      await link.adopt(await holder.successor(COME_BACK_MS, this.signal));
      await link.connect(ROM_BAUD);
      return commands.sync(SYNC_TRIES);
    }
  }

  /** Without a reset a stub of an earlier session may answer, at that session's rate. */
  async #syncAtAnyRate(topBaud: number): Promise<boolean> {
    const { link, usb, commands } = this.#line;
    if (await commands.sync(SYNC_TRIES)) return true;
    if (await commands.resync()) return true;
    if (isNativeUsb(usb)) return false;
    // What comes at other rates tells nothing.
    link.onBytes = undefined;
    for (const baud of new Set([topBaud, ...COMMON_BAUDS])) {
      if (baud === ROM_BAUD) continue;
      await reopenPort(link, baud);
      if (await commands.resync()) return true;
    }
    return false;
  }

  #keepText(bytes: Uint8Array): void {
    this.#text.push(...bytes);
    if (this.#text.length > TEXT_LIMIT) this.#text.splice(0, this.#text.length - TEXT_LIMIT);
  }
}
