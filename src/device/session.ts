/**
 * Getting in touch with the loader of one board, and getting back in touch when the line failed.
 * Knows resets, rates and the stub; knows nothing of flash (see flash-jobs.ts).
 */
import { type Clock } from '#clock.ts';
import { diagnoseSilence } from './connect-diagnosis.ts';
import { DeviceError, type DeviceErrorCode, isDeviceError } from './device-error.ts';
import { BAUD_LADDER, baudKey, type BaudMemory, FAST_START_BAUD, lowerBaudThan, topBaudOf } from './baud-rates.ts';
import { CostMeter } from './flash-costs.ts';
import {
  allowsStub,
  type BoardIdentity,
  findChip,
  flashSizeOfId,
  type FoundChip,
  identifyBoard,
  isNoFlash,
  readTwice,
} from './identify.ts';
import { readTransfer } from './flash-transfer.ts';
import { Link, ROM_BAUD } from './link.ts';
import { LoaderCommands, Op, words } from './loader-commands.ts';
import { PortHolder } from './port-holder.ts';
import { type Port, type PortInfo, type PortSource } from './port.ts';
import {
  entrySequences,
  type EntryMode,
  ESPRESSIF_VENDOR,
  isNativeUsb,
  type ResetSequence,
  runResetSequence,
} from './reset.ts';

/** What connecting is at, for a line of text on a screen. */
export type ConnectStep = 'open' | 'reset' | 'identify' | 'stub' | 'baud' | 'recover';

export interface SessionOptions {
  clock: Clock;
  /** Needed for native-USB boards, which come back as another port; see `PortSource`. */
  ports?: PortSource | undefined;
  /** `auto` unless told otherwise. */
  before?: EntryMode | undefined;
  /** Rate for the work, `auto` unless told otherwise: what is remembered, else what the adapter can do, and less where that fails. */
  baud?: number | 'auto' | undefined;
  /** What was found out about adapters and boards before. */
  bauds?: BaudMemory | undefined;
  /** Bytes; used when the size of the flash cannot be detected. */
  flashSize?: number | undefined;
  onStep?: ((step: ConnectStep) => void) | undefined;
}

/** Rates at which a stub of an earlier session may run. */
const COMMON_BAUDS = BAUD_LADDER.filter((baud) => baud <= 921_600);
/** Bytes that have to arrive whole before a rate is taken: both a frame and a read. */
const PROBE_BYTES = 0x1000;
/** Milliseconds spent on resets and SYNC before the verdict. */
const ENTRY_MS = 7000;
/** Milliseconds that a native-USB board may take to come back; a pulled cable has to be told within two seconds. */
export const COME_BACK_MS = 1800;
/** What opening a port that is not there at the moment ends in. */
const GONE_ERRORS: readonly DeviceErrorCode[] = ['port-missing', 'port-in-use-or-missing', 'port-lost'];
/** SYNCs after each reset. */
const SYNC_TRIES = 5;
/** Bytes of boot text that are kept for the diagnosis. */
const TEXT_LIMIT = 0x4000;
/** Size in bytes of RAM and flash blocks over USB-OTG, whose ROM has small buffers (esptool `USB_RAM_BLOCK`). */
const USB_OTG_BLOCK = 0x800;
const STUB_BLOCK = 0x4000;

/** What full-speed USB carries. */
const USB_BYTES_PER_SECOND = 800_000;

/** What opening a port may end with. */
const OPEN_ERRORS = [
  'port-in-use-or-missing',
  'port-busy',
  'port-missing',
  'port-no-permission',
  'port-open-failed',
] as const;

const isLineError = (error: unknown): boolean =>
  isDeviceError(error, 'no-reply', 'bad-reply', 'command-refused', 'command-unknown', 'stub-failed');

export class Session {
  readonly clock: Clock;
  readonly link: Link;
  readonly holder: PortHolder;
  readonly commands: LoaderCommands;
  readonly usb: PortInfo;
  readonly meter = new CostMeter();
  /** Whether the stub waits for a command, as far as is known: not in the middle of a transfer, not given up on. */
  inStep = true;
  readonly #options: SessionOptions;
  readonly #before: EntryMode;
  #signal: AbortSignal | undefined;
  #text: number[] = [];
  #found: FoundChip | undefined;
  #identity: BoardIdentity | undefined;
  #topBaud: number;
  /** The user names the rate. */
  readonly #fixed: boolean;
  /** A rate failed in this session. */
  #lowered = false;
  /** The ROM is still to be tried at a rate above its usual one. */
  #fastStart: boolean;

  constructor(port: Port, options: SessionOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.usb = port.getInfo();
    this.#before = options.before ?? 'auto';
    this.#fixed = typeof options.baud === 'number';
    this.#topBaud = typeof options.baud === 'number' ? options.baud : topBaudOf(this.usb);
    this.#fastStart = this.#before !== 'none' && !isNativeUsb(this.usb) && this.#topBaud >= FAST_START_BAUD;
    this.link = new Link(port, options.clock);
    this.commands = new LoaderCommands(this.link, options.clock);
    this.holder = new PortHolder(port, options.clock, options.ports);
    this.holder.onLoss = () => this.link.lose();
  }

  /** Bytes of one block of a transfer to the stub. */
  get blockSize(): number {
    return this.#isOtg() ? USB_OTG_BLOCK : STUB_BLOCK;
  }

  /** Runs a job on the link with the job's signal; see `Link.during`. */
  async during<T>(signal: AbortSignal | undefined, job: () => Promise<T>): Promise<T> {
    this.#signal = signal;
    try {
      return await this.link.during(signal, job);
    } finally {
      this.#signal = undefined;
    }
  }

  /**
   * From a closed port to a board that is identified and, where the chip allows it, runs the stub at the working rate.
   *
   * @throws {DeviceError} any code of opening, connecting and identifying.
   */
  async establish(): Promise<BoardIdentity> {
    await this.#openToEnter();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#enter();
        const identity = await this.#identifyAndStart();
        await this.#raiseBaud();
        this.#noteRate();
        return identity;
      } catch (error) {
        if (attempt >= 3 || !isLineError(error)) throw error;
        this.#fastStart = false;
        await this.#openToEnter();
      }
    }
  }

  /**
   * Gets back in step with the stub after something went wrong on the line: by SYNC if that does, else by starting over,
   * also when the ROM answers in its place (the board was reset, or an earlier start of the stub failed).
   * Flash contents and identity stay; what was under way has to be begun anew.
   */
  async regain(): Promise<void> {
    this.#options.onStep?.('recover');
    const answers = await this.commands.resync();
    if (!answers && this.#before === 'none') {
      throw new DeviceError('no-reply', 'The board does not answer any more');
    }
    if (!answers || !this.commands.isStub) {
      await this.#startOver();
      await this.#raiseBaud();
      this.#noteRate();
    }
    this.inStep = true;
  }

  /** From here on a lower rate, if there is one. To be called when the line works, but not well. */
  async lowerBaud(): Promise<void> {
    const lower = lowerBaudThan(this.link.baudrate);
    if (lower === undefined || isNativeUsb(this.usb)) return;
    this.#topBaud = lower;
    if (!(await this.#changeBaud(lower))) {
      await this.#startOver();
      await this.#raiseBaud();
    }
    this.#noteRate();
    this.#remember();
  }

  /**
   * Opens the port at another rate, closing it first.
   *
   * @throws {DeviceError} `port-lost` when it does not open any more, whatever the platform calls that.
   */
  async reopen(baud: number): Promise<void> {
    try {
      if (this.link.isOpen) await this.link.reopen(baud);
      else await this.link.connect(baud);
    } catch (error) {
      if (!isDeviceError(error, ...OPEN_ERRORS)) throw error;
      throw new DeviceError('port-lost', 'The port does not open again', { cause: error });
    }
  }

  /** Whether the loader answers at that rate: the board was not restarted, though it was told to. */
  async answersAt(baud: number): Promise<boolean> {
    this.link.onBytes = undefined;
    if (!isNativeUsb(this.usb) && this.link.baudrate !== baud) await this.reopen(baud);
    return this.commands.resync();
  }

  /** Closes the port, whatever state it is in; never fails. */
  async close(): Promise<void> {
    this.holder.dispose();
    this.link.onBytes = undefined;
    await this.link.disconnect();
  }

  #noteRate(): void {
    this.meter.setRate(isNativeUsb(this.usb) ? USB_BYTES_PER_SECOND : this.link.baudrate / 10);
  }

  async #openToEnter(): Promise<void> {
    const baud = this.#fastStart ? FAST_START_BAUD : ROM_BAUD;
    if (this.link.isOpen && this.link.baudrate === baud) return;
    this.#options.onStep?.('open');
    if (this.link.isOpen) await this.reopen(baud);
    else await this.#openFirst(baud);
  }

  /** A native-USB board that restarts again and again is away half of the time: the port that comes in its place is as good. */
  async #openFirst(baud: number): Promise<void> {
    try {
      await this.link.connect(baud);
    } catch (error) {
      if (!this.holder.canFollow || !isDeviceError(error, ...GONE_ERRORS)) throw error;
      const successor = await this.holder.successor(COME_BACK_MS, this.#signal).catch((cause: unknown) => {
        throw isDeviceError(cause) ? error : (cause as Error);
      });
      await this.link.adopt(successor);
      await this.link.connect(baud);
    }
  }

  /** Resets into download mode and gets an answer to SYNC. */
  async #enter(): Promise<void> {
    this.#options.onStep?.('reset');
    this.#text = [];
    this.link.onBytes = (bytes) => this.#keepText(bytes);
    try {
      const reached = this.#before === 'none' ? await this.#syncAtAnyRate() : await this.#resetAndSync();
      if (!reached) throw diagnoseSilence(Uint8Array.from(this.#text));
    } finally {
      this.link.onBytes = undefined;
    }
    await this.link.drainInput(30, 200);
  }

  async #resetAndSync(): Promise<boolean> {
    const sequences = entrySequences(this.#before, this.usb);
    if (this.#fastStart) {
      if (await this.#tryEntry(sequences[0] ?? [])) return true;
      // Its texts could not be read at that rate, and tell why it does not answer.
      this.#fastStart = false;
      this.#text = [];
      await this.reopen(ROM_BAUD);
    }
    const end = this.clock.now() + ENTRY_MS;
    for (let attempt = 0; this.clock.now() < end; attempt++) {
      if (await this.#tryEntry(sequences[attempt % sequences.length] ?? [])) return true;
    }
    return false;
  }

  /** One reset and some SYNCs; a native-USB board is followed to its new port in between. */
  async #tryEntry(sequence: ResetSequence): Promise<boolean> {
    this.holder.expectDeparture();
    try {
      await runResetSequence(
        sequence,
        (dtr, rts) => this.link.setSignals(dtr, rts),
        (ms) => this.link.pause(ms),
      );
      return await this.commands.sync(SYNC_TRIES);
    } catch (error) {
      if (!isDeviceError(error, 'port-lost') || !this.holder.canFollow) throw error;
      await this.link.adopt(await this.holder.successor(COME_BACK_MS, this.#signal));
      await this.link.connect(ROM_BAUD);
      return this.commands.sync(SYNC_TRIES);
    }
  }

  /** Without a reset a stub of an earlier session may answer, at that session's rate. */
  async #syncAtAnyRate(): Promise<boolean> {
    if (await this.commands.sync(SYNC_TRIES)) return true;
    if (await this.commands.resync()) return true;
    if (isNativeUsb(this.usb)) return false;
    // What comes at other rates tells nothing.
    this.link.onBytes = undefined;
    for (const baud of new Set([this.#topBaud, ...COMMON_BAUDS])) {
      if (baud === ROM_BAUD) continue;
      await this.reopen(baud);
      if (await this.commands.resync()) return true;
    }
    return false;
  }

  async #identifyAndStart(): Promise<BoardIdentity> {
    this.#options.onStep?.('identify');
    const found = (this.#found = await findChip(this.commands));
    const identity = await identifyBoard(this.commands, found, this.usb);
    if (this.#identity && this.#identity.mac !== identity.mac) {
      throw new DeviceError('wrong-board', `Board ${identity.mac} answers instead of ${this.#identity.mac}`);
    }
    if (allowsStub(identity)) await this.#startStub(found);
    if (!found.secureDownload) await this.#identifyFlash(identity);
    identity.flashSize ??= this.#options.flashSize;
    if (this.commands.isStub && identity.flashSize !== undefined) await this.#tellFlashSize(identity.flashSize);
    this.#identity = identity;
    return identity;
  }

  async #startStub(found: FoundChip): Promise<void> {
    if (this.#isOtg()) this.commands.loader.ESP_RAM_BLOCK = USB_OTG_BLOCK;
    if (this.commands.isStub) return;
    this.#options.onStep?.('stub');
    // Only the ESP32-P4 has two stubs; the others would read registers of another chip here.
    const revision =
      found.chip.name === 'esp32p4'
        ? await this.commands.through(async (loader) => found.rom.getChipRevision?.(loader))
        : undefined;
    await this.commands.startStub(found.rom, revision);
  }

  async #identifyFlash(identity: BoardIdentity): Promise<void> {
    if (!this.commands.isStub) await this.commands.command(Op.SpiAttach, words(0, 0));
    const flashId = (await readTwice(() => this.commands.through((loader) => loader.readFlashId()))) & 0xff_ffff;
    identity.flashId = flashId;
    identity.flashSize = isNoFlash(flashId) ? undefined : flashSizeOfId(flashId);
  }

  /** The loader checks ranges against this; id, blocks of 64 KiB, sectors, pages, status mask as esptool sends them. */
  async #tellFlashSize(size: number): Promise<void> {
    await this.commands.command(Op.SpiSetParams, words(0, size, 0x1_0000, 0x1000, 0x100, 0xffff));
  }

  /** Raises the rate as far as it works; ends at 115200 if nothing else does. */
  async #raiseBaud(): Promise<void> {
    if (!this.commands.isStub || isNativeUsb(this.usb)) return;
    this.#topBaud = this.#rememberedTop();
    const rates = [this.#topBaud, ...BAUD_LADDER.filter((baud) => baud < this.#topBaud)];
    for (const baud of rates) {
      // It runs at this one already, be it that it started there.
      if (baud <= this.link.baudrate) break;
      this.#options.onStep?.('baud');
      if (await this.#changeBaud(baud)) break;
      this.#topBaud = lowerBaudThan(baud) ?? ROM_BAUD;
      await this.#startOver();
    }
    this.#remember();
  }

  #rememberedTop(): number {
    const known = this.#fixed || !this.#identity ? undefined : this.#options.bauds?.recall(this.#baudKey());
    // What failed in this session stays failed.
    return known === undefined || this.#lowered ? this.#topBaud : known;
  }

  #remember(): void {
    if (!this.#fixed && this.#identity) this.#options.bauds?.note(this.#baudKey(), this.link.baudrate);
  }

  #baudKey(): string {
    return baudKey(this.usb, this.#identity?.mac);
  }

  /** @returns whether the stub answers at the new rate. */
  async #changeBaud(baud: number): Promise<boolean> {
    try {
      await this.commands.announceBaud(baud);
    } catch (error) {
      // The answer may be what got lost, so the new rate is tried all the same.
      if (!isLineError(error)) throw error;
    }
    await this.link.pause(30);
    try {
      await this.link.reopen(baud);
    } catch (error) {
      // A rate that the bridge does not have.
      if (!isDeviceError(error, ...OPEN_ERRORS)) throw error;
      return false;
    }
    await this.link.drainInput(20, 100);
    return this.#lineWorks();
  }

  /** The stub answers, and long frames arrive whole in both directions. */
  async #lineWorks(): Promise<boolean> {
    try {
      if (!(await this.commands.answersRegister()) && !(await this.commands.answersRegister())) return false;
      await this.commands.echoLength(PROBE_BYTES);
      await readTransfer(this.commands, { into: new Uint8Array(PROBE_BYTES), offset: 0, onRead: () => undefined });
      return true;
    } catch (error) {
      if (!isLineError(error) && !isDeviceError(error, 'read-corrupt')) throw error;
      return false;
    }
  }

  /** Brings the stub back at 115200: where it still runs at that rate, as it is, else by a reset. */
  async #startOver(): Promise<void> {
    this.#fastStart = false;
    this.#lowered = true;
    if (!this.link.isOpen || this.link.baudrate !== ROM_BAUD) await this.reopen(ROM_BAUD);
    if (await this.commands.sync(2)) {
      await this.link.drainInput(30, 200);
      if (this.commands.isStub) return;
    }
    await this.#enter();
    await this.#identifyAndStart();
  }

  #isOtg(): boolean {
    const chipId = this.#found?.rom.IMAGE_CHIP_ID;
    return this.usb.usbVendorId === ESPRESSIF_VENDOR && chipId !== undefined && this.usb.usbProductId === chipId;
  }

  #keepText(bytes: Uint8Array): void {
    this.#text.push(...bytes);
    if (this.#text.length > TEXT_LIMIT) this.#text.splice(0, this.#text.length - TEXT_LIMIT);
  }
}
