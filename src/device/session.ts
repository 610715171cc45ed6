/**
 * Getting in touch with the loader of one board, and getting back in touch when the line failed.
 * Knows resets, rates and which loader does the work; knows nothing of jobs on the flash (see flash-jobs.ts).
 */
import { type Clock } from '#clock.ts';
import { BAUD_LADDER, baudKey, type BaudMemory, lowerBaudThan, topBaudOf } from './baud-rates.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
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
import { stubFlash } from './flash-transfer.ts';
import { isLineError, lineWorks } from './line-check.ts';
import { Link, ROM_BAUD } from './link.ts';
import { LoaderCommands, Op, words } from './loader-commands.ts';
import { isOpenError, LoaderEntry, reopenPort } from './loader-entry.ts';
import { type LoaderFlash } from './loader-flash.ts';
import { PortHolder } from './port-holder.ts';
import { type Port, type PortInfo, type PortSource } from './port.ts';
import { type EntryMode, ESPRESSIF_VENDOR, isNativeUsb } from './reset.ts';
import { baudForEsp32Rom, ROM_TOP_BAUD, romChangesBaud } from './rom-baud.ts';
import { ROM_BLOCK, romFlash } from './rom-transfer.ts';
import { SentTransfers } from './sent-transfers.ts';
import { startStub } from './stub-start.ts';

/** What answers: the stub, or the ROM alone where no stub is wanted, allowed or able to start. */
export type LoaderMode = 'stub' | 'rom';

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
  /** False: the ROM does everything itself, slowly. Without effect on a stub that runs already and is not reset. */
  stub?: boolean | undefined;
  onStep?: ((step: ConnectStep) => void) | undefined;
}

/** Size in bytes of RAM and flash blocks over USB-OTG, whose ROM has small buffers (esptool `USB_RAM_BLOCK`). */
const USB_OTG_BLOCK = 0x800;
const STUB_BLOCK = 0x4000;
/** How often a stub may fail to start before the ROM has to do. */
const STUB_TRIES = 2;

/** What full-speed USB carries. */
const USB_BYTES_PER_SECOND = 800_000;

export class Session {
  readonly clock: Clock;
  readonly link: Link;
  readonly holder: PortHolder;
  readonly commands: LoaderCommands;
  readonly usb: PortInfo;
  readonly meter = new CostMeter();
  /** Whether the loader waits for a command, as far as is known: not in the middle of a transfer, not given up on. */
  inStep = true;
  /** See `FlashMemory.troubles`. */
  troubles = 0;
  readonly sent = new SentTransfers();
  readonly #options: SessionOptions;
  readonly #before: EntryMode;
  readonly #entry: LoaderEntry;
  #found: FoundChip | undefined;
  #identity: BoardIdentity | undefined;
  #flash: LoaderFlash | undefined;
  #mode: LoaderMode = 'stub';
  #wantsStub: boolean;
  #failedStubs = 0;
  #topBaud: number;
  /** The user names the rate. */
  readonly #fixed: boolean;
  /** A rate failed in this session. */
  #lowered = false;

  constructor(port: Port, options: SessionOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.usb = port.getInfo();
    this.#before = options.before ?? 'auto';
    this.#fixed = typeof options.baud === 'number';
    this.#topBaud = typeof options.baud === 'number' ? options.baud : topBaudOf(this.usb);
    this.#wantsStub = options.stub !== false;
    this.link = new Link(port, options.clock);
    this.commands = new LoaderCommands(this.link);
    this.holder = new PortHolder(port, options.clock, options.ports);
    this.holder.onLoss = () => this.link.lose();
    this.#entry = new LoaderEntry(this, { before: this.#before, topBaud: this.#topBaud });
  }

  get mode(): LoaderMode {
    return this.#mode;
  }

  /** The flash by way of that loader. */
  get flash(): LoaderFlash {
    if (!this.#flash) throw new DeviceError('port-closed', 'There is no connection');
    return this.#flash;
  }

  /** Runs a job on the link with the job's signal; see `Link.during`. */
  async during<T>(signal: AbortSignal | undefined, job: () => Promise<T>): Promise<T> {
    this.#entry.signal = signal;
    try {
      return await this.link.during(signal, job);
    } finally {
      this.#entry.signal = undefined;
    }
  }

  /**
   * From a closed port to a board that is identified and, where that is possible, runs the stub at the working rate.
   *
   * @throws {DeviceError} any code of opening, connecting and identifying.
   */
  async establish(): Promise<BoardIdentity> {
    await this.#open();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#enter();
        const identity = await this.#identifyAndStart();
        await this.#raiseBaud();
        this.#noteRate();
        return identity;
      } catch (error) {
        const isLast = attempt >= 3 || (this.#before === 'none' && isDeviceError(error, 'stub-failed'));
        if (!this.#givesUpStub(error) && (isLast || !isLineError(error))) throw error;
        this.#entry.startsFast = false;
        await this.#open();
      }
    }
  }

  /**
   * Gets back in step with the loader after something went wrong on the line: by SYNC if that does, else by starting over,
   * also when the ROM answers in the stub's place (the board was reset, or an earlier start of the stub failed).
   * Flash contents and identity stay; what was under way has to be begun anew.
   */
  async regain(): Promise<void> {
    this.#options.onStep?.('recover');
    const answers = await this.commands.resync();
    if (!answers && this.#before === 'none') {
      throw new DeviceError('no-reply', 'The board does not answer any more');
    }
    if (!answers || !this.#isInMode()) {
      await this.#startOver();
      await this.#raiseBaud();
      this.#noteRate();
    } else if (this.#mode === 'rom') {
      // It may be another start of the ROM than the one that was told.
      await this.#prepareFlash();
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

  /** Sets the line to that rate. False when it does not work: the session goes on at the rate before. */
  async tryBaud(baud: number): Promise<boolean> {
    const before = this.link.baudrate;
    const works = await this.#changeBaud(baud);
    this.#topBaud = works ? baud : before;
    if (!works) {
      await this.#startOver();
      await this.#raiseBaud();
    }
    this.#noteRate();
    this.#remember();
    return works;
  }

  /**
   * Opens the port at another rate, closing it first.
   *
   * @throws {DeviceError} `port-lost` when it does not open any more, whatever the platform calls that.
   */
  async reopen(baud: number): Promise<void> {
    await reopenPort(this.link, baud);
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

  /** @returns whether the stub has failed often enough; from then on the ROM does everything. */
  #givesUpStub(error: unknown): boolean {
    if (!isDeviceError(error, 'stub-failed') || this.#before === 'none') return false;
    this.#wantsStub = ++this.#failedStubs < STUB_TRIES;
    return !this.#wantsStub;
  }

  #isInMode(): boolean {
    return this.commands.isStub === (this.#mode === 'stub');
  }

  #noteRate(): void {
    const bytesPerSecond = isNativeUsb(this.usb) ? USB_BYTES_PER_SECOND : this.link.baudrate / 10;
    this.meter.setLine({ bytesPerSecond, overlaps: this.#mode === 'stub' });
  }

  async #open(): Promise<void> {
    if (this.#entry.isOpen) return;
    this.#options.onStep?.('open');
    await this.#entry.open();
  }

  async #enter(): Promise<void> {
    this.#options.onStep?.('reset');
    await this.#entry.enter(this.#topBaud);
  }

  async #identifyAndStart(): Promise<BoardIdentity> {
    this.#options.onStep?.('identify');
    const found = (this.#found = await findChip(this.commands));
    const identity = await identifyBoard(this.commands, found, this.usb);
    if (this.#identity && this.#identity.mac !== identity.mac) {
      throw new DeviceError('wrong-board', `Board ${identity.mac} answers instead of ${this.#identity.mac}`);
    }
    if (this.#isOtg()) this.commands.loader.ESP_RAM_BLOCK = USB_OTG_BLOCK;
    if (this.#wantsStub && allowsStub(identity) && !this.commands.isStub) {
      this.#options.onStep?.('stub');
      await startStub(this.commands, this.clock, { found, identity });
    }
    this.#useLoader(found);
    if (!found.secureDownload) {
      await this.#attachFlash();
      await this.#identifyFlash(identity);
    }
    identity.flashSize ??= this.#options.flashSize;
    this.#identity = identity;
    await this.#tellFlashSize();
    return identity;
  }

  #useLoader({ chip }: FoundChip): void {
    const { commands } = this;
    this.#mode = commands.isStub ? 'stub' : 'rom';
    this.#flash = commands.isStub
      ? stubFlash(commands, this.#isOtg() ? USB_OTG_BLOCK : STUB_BLOCK)
      : romFlash(commands, chip, this.#isOtg() ? USB_OTG_BLOCK : ROM_BLOCK);
  }

  async #prepareFlash(): Promise<void> {
    if (this.#identity?.security.secureDownload) return;
    await this.#attachFlash();
    await this.#tellFlashSize();
  }

  /** A stub has done it when it greets. */
  async #attachFlash(): Promise<void> {
    if (!this.commands.isStub) await this.commands.command(Op.SpiAttach, words(0, 0));
  }

  async #identifyFlash(identity: BoardIdentity): Promise<void> {
    const flashId = (await readTwice(() => this.commands.through((loader) => loader.readFlashId()))) & 0xff_ffff;
    identity.flashId = flashId;
    identity.flashSize = isNoFlash(flashId) ? undefined : flashSizeOfId(flashId);
  }

  /**
   * The loader checks ranges against this (the ROM believes in 2 MB until then); id, blocks of 64 KiB, sectors, pages, status mask as
   * esptool sends them.
   */
  async #tellFlashSize(): Promise<void> {
    const size = this.#identity?.flashSize;
    if (size === undefined || this.#identity?.security.secureDownload) return;
    await this.commands.command(Op.SpiSetParams, words(0, size, 0x1_0000, 0x1000, 0x100, 0xffff));
  }

  /** Raises the rate as far as it works; ends at 115200 if nothing else does. */
  async #raiseBaud(): Promise<void> {
    if (isNativeUsb(this.usb) || !this.#mayRaiseBaud()) return;
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

  /** In secure download mode there is nothing to be gained. */
  #mayRaiseBaud(): boolean {
    const { chip, security } = this.#identity ?? {};
    return this.#mode === 'stub' || (!!chip && romChangesBaud(chip.name) && !security?.secureDownload);
  }

  #rememberedTop(): number {
    // What the ROM can do tells nothing of a stub, which is what is remembered.
    if (this.#mode === 'rom') return Math.min(this.#topBaud, ROM_TOP_BAUD);
    const known = this.#fixed || !this.#identity ? undefined : this.#options.bauds?.recall(this.#baudKey());
    // What failed in this session stays failed.
    return known === undefined || this.#lowered ? this.#topBaud : known;
  }

  #remember(): void {
    if (!this.#fixed && this.#identity && this.#mode === 'stub')
      this.#options.bauds?.note(this.#baudKey(), this.link.baudrate);
  }

  #baudKey(): string {
    return baudKey(this.usb, this.#identity?.mac);
  }

  /** @returns whether the loader answers at the new rate. */
  async #changeBaud(baud: number): Promise<boolean> {
    try {
      const isEsp32Rom = this.#mode === 'rom' && this.#identity?.chip.name === 'esp32';
      await this.commands.announceBaud(isEsp32Rom ? await baudForEsp32Rom(this.commands, baud) : baud);
    } catch (error) {
      // The answer may be what got lost, so the new rate is tried all the same.
      if (!isLineError(error)) throw error;
    }
    await this.link.pause(30);
    try {
      await this.link.reopen(baud);
    } catch (error) {
      // A rate that the bridge does not have.
      if (!isOpenError(error)) throw error;
      return false;
    }
    await this.link.drainInput(20, 100);
    return lineWorks(this.commands, this.#flash);
  }

  /** Brings the loader back at 115200: where it still runs at that rate, as it is, else by a reset. */
  async #startOver(): Promise<void> {
    this.#entry.startsFast = false;
    this.#lowered = true;
    if (!this.link.isOpen || this.link.baudrate !== ROM_BAUD) await this.reopen(ROM_BAUD);
    if (await this.commands.sync(2)) {
      await this.link.drainInput(30, 200);
      if (this.commands.isStub && this.#mode === 'stub') return;
    }
    await this.#enter();
    await this.#identifyAndStart();
  }

  #isOtg(): boolean {
    const chipId = this.#found?.rom.IMAGE_CHIP_ID;
    return this.usb.usbVendorId === ESPRESSIF_VENDOR && chipId !== undefined && this.usb.usbProductId === chipId;
  }
}
