/**
 * A virtual ESP32 board: flash, eFuses, supply, reset and the line to the host. It runs one program at a time. Its
 * host side is raw: bytes, modem lines, baud rate; `VirtualPort` makes a serial port of it.
 */
import { type Clock } from '#clock.ts';
import { DeadProgram } from '#sim/loader/basic-prompt.ts';
import { BusPresence } from '#sim/board/bus-presence.ts';
import { ChipMemory } from '#sim/board/chip-memory.ts';
import { burnEfuses, type Efuses } from '#sim/board/efuses.ts';
import { type Fault, FaultInjector } from './faults.ts';
import { type Direction, SerialLine } from '#sim/board/line.ts';
import { type LoaderMachine, type Program, type ResetReason, type SimNetwork } from './machine.ts';
import { NorFlash } from '#sim/board/nor-flash.ts';
import { type ModemLines, ResetCircuit, type Wiring } from '#sim/board/reset-circuit.ts';
import { RomLoader } from '#sim/loader/rom-loader.ts';
import { bootFromFlash } from '#sim/boot/second-stage.ts';
import { type SimChip, simChip } from '#sim/board/sim-chips.ts';
import { startUploaded } from '#sim/loader/uploaded-code.ts';
import { type VirtualEsp32Options, type Wire } from './virtual-esp32-options.ts';

export type { VirtualEsp32Options } from './virtual-esp32-options.ts';

/** What a host sees of the board. */
export interface BoardListener {
  receive(bytes: Uint8Array): void;
  /** The port leaves the bus. */
  lost(): void;
}

/** From the end of a reset until the ROM says something. */
const ROM_START_MS = 25;
/** Bytes that wait in the UART, either way. */
const FIFO_SIZE = 128;
/** Highest rate that a ROM measures; careful, as no document names one. */
const AUTOBAUD_LIMIT = 921_600;
/** Size code of a JEDEC id for 1 MB; each doubling adds one. */
const ID_OF_1MB = 0x14;

export class VirtualEsp32 implements LoaderMachine {
  readonly chip: SimChip;
  readonly clock: Clock;
  readonly flash: NorFlash;
  readonly efuses: Efuses;
  readonly memory: ChipMemory;
  readonly network: SimNetwork;
  readonly md5Rate: number | undefined;
  readonly wiring: Wiring;
  readonly line: SerialLine;
  readonly faults: FaultInjector;
  readonly #options: VirtualEsp32Options;
  readonly #circuit: ResetCircuit;
  readonly #bus: BusPresence;
  #listener: BoardListener | undefined;
  #program: Program | undefined;
  #cancelStart: (() => void) | undefined;
  #cancelWatchdog: (() => void) | undefined;
  #fifo: number[] = [];
  #starting = false;
  #powered = false;
  #plugged = true;
  /** When the bytes of each direction pass again. */
  readonly #stalledUntil: Record<Direction, number> = { 'to-device': 0, 'to-host': 0 };
  #buttonHeld: boolean;
  /** What the strap pins said when they were read last. */
  #download = false;

  /** A board that is plugged in and powered: it boots with the next turn of the clock. */
  constructor(options: VirtualEsp32Options) {
    this.#options = options;
    this.chip = simChip(options.chip);
    this.clock = options.clock;
    const { flash = options.flashSize ?? 0x40_0000 } = options;
    this.flash = flash instanceof NorFlash ? flash : new NorFlash(flash, options.flashTimes);
    this.md5Rate = options.md5Rate;
    this.efuses = burnEfuses(this.chip, options.efuses);
    this.memory = new ChipMemory(this.chip, { fixed: this.#registers(), flashId: options.flashId ?? this.#flashId() });
    this.memory.onWatchdog = (ms) => this.#setWatchdog(ms);
    this.network = options.network ?? {};
    this.wiring = options.wiring ?? 'uart';
    this.faults = options.faults ?? new FaultInjector();
    for (const sector of this.faults.badSectors) this.flash.badSectors.add(sector);
    this.flash.onOperation = () => this.#flashOperation();
    const kind = options.instantLine ? 'instant' : this.wiring === 'uart' ? 'uart' : 'usb';
    this.line = new SerialLine({
      clock: this.clock,
      kind,
      ...(options.maxBaud === undefined ? {} : { maxBaud: options.maxBaud }),
      ...(options.latency === undefined ? {} : { latency: options.latency }),
      ...(options.usbRate === undefined ? {} : { usbRate: options.usbRate }),
      deliver: (direction, bytes) => this.#deliver(direction, bytes),
    });
    this.#bus = new BusPresence(this.clock, () => this.#left());
    this.#buttonHeld = options.boot === 'download';
    this.#circuit = new ResetCircuit({
      clock: this.clock,
      wiring: this.wiring,
      enDelay: options.enDelay ?? 2,
      onHold: () => this.#hold(),
      onRelease: (low) => this.#released(low),
    });
    this.powerOn();
    // It was plugged in some time ago: the port is there already.
    if (this.wiring !== 'usb-otg' || this.#download) this.#bus.appear();
  }

  /** Whether the host has the port on its bus. */
  get present(): boolean {
    return this.#bus.present;
  }

  /** The number of its present stay on the bus, or of the next one. */
  get stay(): number {
    return this.#bus.stays + (this.#bus.present ? 0 : 1);
  }

  /** Called when the port appears on the host's bus or leaves it. */
  set onPresence(callback: ((present: boolean) => void) | undefined) {
    this.#bus.onChange = callback;
  }

  /** Whether the chip runs the ROM loader or the stub, or will when it has started. */
  get inDownloadMode(): boolean {
    return this.#download;
  }

  /** The program that runs now, for tests and for views of the board. */
  get program(): Program | undefined {
    return this.#program;
  }

  // --- The host's side ---

  /** Takes the place of the host's driver; only one at a time. */
  attach(listener: BoardListener | undefined): void {
    this.#listener = listener;
  }

  hostWrites(bytes: Uint8Array): void {
    if (this.present) this.line.send('to-device', bytes);
  }

  setHostBaud(baud: number): void {
    this.line.hostBaud = baud;
  }

  setModemLines(lines: ModemLines): void {
    if (this.present && !this.#isCut('modem')) this.#circuit.set(lines);
  }

  // --- Hands at the board ---

  /** Holds or releases the boot button. */
  holdBootButton(held: boolean): void {
    this.#buttonHeld = held;
  }

  /** Presses and releases the reset button. */
  pressReset(): void {
    if (!this.#powered) return;
    this.#hold();
    this.#released(this.#circuit.bootPinLow);
  }

  /** Something goes wrong from now on; see `FaultInjector.add`. */
  addFault(fault: Fault): void {
    if (fault.kind === 'bad-sector') this.flash.badSectors.add(fault.sector);
    else this.faults.add(fault);
  }

  /** Takes the supply away for a moment. */
  powerCycle(): void {
    this.powerCut();
    this.powerOn();
  }

  /** Takes the supply away: the chip stops, what was in RAM is gone, a flash operation stays unfinished. */
  powerCut(): void {
    if (!this.#powered) return;
    this.#powered = false;
    this.#halt();
    this.memory.forget();
    if (this.wiring !== 'uart') this.#bus.leave();
  }

  powerOn(): void {
    if (this.#powered || !this.#plugged) return;
    this.#powered = true;
    if (this.wiring === 'uart') this.#bus.appear();
    this.#released(this.#circuit.bootPinLow);
  }

  /** Pulls the cable: the port is gone, and the supply with it. */
  pullCable(): void {
    if (!this.#plugged) return;
    this.#plugged = false;
    this.#bus.leave();
    this.powerCut();
  }

  plugIn(): void {
    if (this.#plugged) return;
    this.#plugged = true;
    this.powerOn();
  }

  /** A copy of the flash. */
  snapshot(): Uint8Array {
    return this.flash.bytes.slice();
  }

  // --- The program's side ---

  send(bytes: Uint8Array | string): void {
    const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
    // Without a host the bytes of a native USB port go nowhere.
    if (this.present) this.line.send('to-host', data);
  }

  get sendingMs(): number {
    return this.line.unsentMs('to-host', FIFO_SIZE);
  }

  reset(reason: ResetReason): void {
    if (!this.#powered) return;
    this.#stopProgram();
    // Power-on, brown-out and the RTC watchdog read the straps anew; a software reset finds what was read then.
    if (reason !== 'software' && reason !== 'cpu-software') this.#readStraps(this.#circuit.bootPinLow);
    this.#restart(reason);
  }

  setBaud(baud: number, hertz: number): void {
    this.line.deviceBaud = baud;
    const divider = hertz / baud;
    const whole = Math.floor(divider);
    this.memory.write(this.chip.uartDivider.address, whole | (Math.floor((divider - whole) * 16) << 20));
  }

  matchBaud(): void {
    const { autobaud = AUTOBAUD_LIMIT } = this.#options;
    if (this.line.hostFollows || this.line.hostBaud === this.line.deviceBaud) return;
    if (autobaud === false || this.line.hostBaud > autobaud) return;
    this.setBaud(this.line.hostBaud, (this.#options.crystalMhz ?? 40) * 1_000_000);
  }

  start(program: Program): void {
    this.#program?.stop();
    this.#program = program;
  }

  enter(address: number): void {
    if (this.#options.crashesUploads) this.start(new DeadProgram());
    else startUploaded(this, address);
  }

  // --- Inside ---

  #registers(): ReadonlyMap<number, number> {
    return new Map([...this.chip.registers, ...this.efuses.words]);
  }

  #flashId(): number {
    return 0x40c8 | ((ID_OF_1MB + Math.log2(this.flash.size / 0x10_0000)) << 16);
  }

  #deliver(direction: Direction, bytes: Uint8Array): void {
    if (this.#isCut(direction)) return;
    const { bytes: passed, event, stallMs = 0 } = this.faults.pass(direction, bytes);
    const arrive = (): void => {
      if (passed.length > 0) this.#arrived(direction, passed);
      if (event === 'unplug') this.pullCable();
      else if (event === 'hang') this.start(new DeadProgram());
    };
    const now = this.clock.now();
    const until = (this.#stalledUntil[direction] = Math.max(this.#stalledUntil[direction], now) + stallMs);
    // What comes behind a stall waits for what was stalled.
    if (until > now) this.clock.after(until - now, arrive);
    else arrive();
  }

  #arrived(direction: Direction, bytes: Uint8Array): void {
    if (direction === 'to-host') this.#listener?.receive(bytes);
    else this.#receive(bytes);
  }

  #receive(bytes: Uint8Array): void {
    if (this.#starting) this.#fifo.push(...bytes.subarray(0, FIFO_SIZE - this.#fifo.length));
    else this.#program?.receive(bytes);
  }

  #flashOperation(): void {
    const share = this.faults.operation();
    if (share === undefined) return;
    // Code that is at work still goes on to where it waits next.
    this.flash.frozen = true;
    this.clock.after(0, () => {
      this.flash.frozen = false;
      this.flash.interruptLast(share);
      this.powerCycle();
    });
    this.#stopProgram();
  }

  /** EN is low, or the supply is gone: everything stops, and what the UART still had to send is lost. */
  #halt(): void {
    this.#cancelStart?.();
    this.#cancelStart = undefined;
    this.#cancelWatchdog?.();
    this.#starting = false;
    this.#stopProgram();
    this.line.discard('to-host');
  }

  #hold(): void {
    this.#halt();
  }

  #setWatchdog(ms: number | undefined): void {
    this.#cancelWatchdog?.();
    this.#cancelWatchdog = ms === undefined ? undefined : this.clock.after(ms, () => this.reset('watchdog'));
  }

  #stopProgram(): void {
    this.#program?.stop();
    this.#program = undefined;
  }

  #released(bootPinLow: boolean): void {
    if (!this.#powered) return;
    this.memory.resetRtc();
    this.#readStraps(bootPinLow);
    this.#restart(this.wiring === 'usb-serial-jtag' && this.present ? 'usb' : 'power-on');
  }

  #readStraps(bootPinLow: boolean): void {
    this.#download = bootPinLow || this.#buttonHeld || this.memory.forcesDownload;
  }

  #restart(reason: ResetReason): void {
    this.#cancelWatchdog?.();
    if (this.#leavesBusAt(reason)) this.#reenumerate();
    this.#fifo = [];
    this.#starting = true;
    this.#cancelStart?.();
    this.#cancelStart = this.clock.after(ROM_START_MS, () => this.#startRom(reason));
  }

  #startRom(reason: ResetReason): void {
    this.#starting = false;
    this.#cancelStart = undefined;
    const strap = this.#strap();
    const mode = this.chip.bootMode(strap);
    const [code, resetWord] = this.chip.resetWords[reason];
    const { crystalMhz = 40 } = this.#options;
    this.line.deviceBaud = (115_200 * crystalMhz) / 40;
    this.memory.write(this.chip.uartDivider.address, crystalMhz === 40 ? this.chip.uartDivider.atStart : 226);
    this.send(
      `${this.chip.banner}rst:0x${code.toString(16)} (${resetWord}),boot:0x${strap.toString(16)} (${mode.text})\r\n`,
    );
    if (!mode.download) {
      this.line.deviceBaud = 115_200;
      this.start((this.#options.startFirmware ?? bootFromFlash)(this, reason));
    } else if (this.efuses.settings.downloadDisabled) {
      this.start(new DeadProgram());
    } else {
      if (mode.waiting !== undefined) this.send(`${mode.waiting}\r\n`);
      this.start(new RomLoader(this));
    }
    const waiting = this.#fifo;
    this.#fifo = [];
    if (waiting.length > 0) this.#program?.receive(Uint8Array.from(waiting));
  }

  #strap(): number {
    const key = this.#download ? 'download' : 'normal';
    return this.#options.straps?.[key] ?? this.chip.straps[key];
  }

  /** A native USB port leaves at each reset and comes back; that of USB-OTG only if the loader runs. */
  /**
   * USB-Serial/JTAG is fixed hardware: it goes with power, EN and its own reset line, but keeps the host while code or a watchdog
   * restarts the rest of the chip. USB-OTG belongs to whatever runs. (Taken from how boards behave; no source says it outright.)
   */
  #leavesBusAt(reason: ResetReason): boolean {
    if (this.wiring === 'uart') return false;
    return this.wiring === 'usb-otg' || reason === 'power-on' || reason === 'usb';
  }

  #reenumerate(): void {
    this.#bus.leave();
    if (this.wiring === 'usb-serial-jtag' || this.#download) this.#bus.appearLater();
  }

  #left(): void {
    this.line.discard('to-device');
    this.line.discard('to-host');
    this.#circuit.forget();
    this.#listener?.lost();
    this.#listener = undefined;
  }

  #isCut(wire: Wire): boolean {
    return this.#options.cut?.includes(wire) ?? false;
  }
}
