/**
 * From the ROM's look at the boot loader to the running app: what a chip does, and prints, after its banner when the
 * straps say that it boots from flash.
 */
import { decodeImageHeader } from '#formats/app-image.ts';
import { CHIPS, type Chip } from '#formats/chips.ts';
import { crc32 } from '#formats/crc32.ts';
import { BasicPrompt } from '#sim/loader/basic-prompt.ts';
import { type BootDecision, decideBoot } from './boot-decision.ts';
import { type BootLoaderLoad, loadBootLoader } from './boot-loader-load.ts';
import { greetingLines } from './boot-loader-log.ts';
import { type BootLoaderTraits, type BootLogLevel, bootLoaderTraits } from './boot-loader-traits.ts';
import { romFacts } from './boot-rom-facts.ts';
import { type Efuses } from '#sim/board/efuses.ts';
import { readFlash } from './flash-bytes.ts';
import { startHouseFirmware } from '#sim/firmware/house-firmware.ts';
import { formatLogLine, hex8, type LogLevel, type LogLine } from './log-line.ts';
import { type Machine, type Program, type ResetReason } from '#sim/machine.ts';
import { FLASH_SECTOR } from '#sim/board/nor-flash.ts';
import { runScript, type Script } from './script.ts';
import { type StartedApp } from './started-app.ts';

/** The hardware, with its eFuses where they are known; without them the chip is as it left the factory. */
export interface BootMachine extends Machine {
  readonly efuses?: Pick<Efuses, 'mac' | 'revision' | 'settings'>;
}

export interface BootOptions {
  /** Instead of what the boot loader's image tells. */
  traits?: Partial<BootLoaderTraits>;
  /** The app that a good image boots as; the house firmware unless told otherwise. */
  startApp?: (machine: Machine, app: StartedApp) => Program;
}

/** Milliseconds that a character takes at 115200 baud; the log goes out before the next step is taken. */
const MS_PER_CHARACTER = 10 / 115.2;
/** Until the ROM's watchdog resets a chip that found no boot loader. Public logs: 0.39 s a turn. */
const ROM_WATCHDOG_MS = 390;
const HEADER_COMPLAINTS = 8;
/** CONFIG_BOOTLOADER_WDT_TIME_MS: an app that never starts up is reset by the boot loader's watchdog. */
const BOOT_WATCHDOG_MS = 9000;
/** From the boot loader's decision to reset until the ROM prints again, with the flash set up anew. */
const SOFTWARE_RESET_MS = 250;
/** Flash read and hashed per millisecond at 40 MHz DIO, by the times in logs of real boots. */
const BYTES_PER_MS = 2700;
const ROM_BYTES_PER_MS = 1000;

const LEVELS: Record<BootLogLevel, readonly LogLevel[]> = { error: ['E'], warning: ['E', 'W'], info: ['E', 'W', 'I'] };

/**
 * Starts a chip whose banner and `rst:` line are out already. Everything after them comes from here.
 *
 * @throws {RangeError} for a chip that cannot be simulated.
 */
export function bootFromFlash(machine: BootMachine, _reason: ResetReason, options: BootOptions = {}): FlashBoot {
  return new FlashBoot(machine, options);
}

/** The chip from the ROM's jump on; goes on as the app once that is loaded. */
export class FlashBoot implements Program {
  readonly #machine: BootMachine;
  readonly #options: BootOptions;
  readonly #chip: Chip;
  readonly #startedAt: number;
  readonly #stopScript: () => void;
  #app: Program | undefined;
  #startedApp: StartedApp | undefined;
  #basic: Program | undefined;

  constructor(machine: BootMachine, options: BootOptions) {
    this.#machine = machine;
    this.#options = options;
    const chip = CHIPS.find(({ name }) => name === machine.chip.name);
    if (!chip) throw new RangeError(`No facts about the chip ${machine.chip.name}`);
    this.#chip = chip;
    this.#startedAt = machine.clock.now();
    this.#stopScript = runScript(machine.clock, this.#run());
  }

  /** The app that runs, or `undefined` before one is started. */
  get app(): Program | undefined {
    return this.#app;
  }

  /** What was started, from where. Set together with `app`, and for an image that was jumped into and is dead. */
  get startedApp(): StartedApp | undefined {
    return this.#startedApp;
  }

  receive(bytes: Uint8Array): void {
    (this.#app ?? this.#basic)?.receive(bytes);
  }

  stop(): void {
    this.#stopScript();
    this.#app?.stop();
  }

  *#run(): Script {
    const rom = romFacts(this.#chip.name);
    const flash = this.#machine.flash.bytes;
    const { lines, outcome } = this.#machine.efuses?.settings.flashEncryption
      ? decryptedPlainText(flash, rom.bootloaderOffset)
      : loadBootLoader(flash, rom);
    for (const line of lines) yield* this.#print(`${line}\r\n`);
    switch (outcome.kind) {
      case 'repeats':
        for (let turn = 0; turn < HEADER_COMPLAINTS; turn++) {
          yield* this.#print(`${outcome.line}\r\n`);
          yield ROM_WATCHDOG_MS / HEADER_COMPLAINTS;
        }
        return this.#machine.reset('watchdog');
      case 'hangs':
        yield ROM_WATCHDOG_MS;
        return this.#machine.reset('watchdog');
      case 'basic':
        yield* this.#print('>');
        this.#basic = new BasicPrompt(this.#machine);
        return;
      case 'starts':
        yield outcome.image.length / ROM_BYTES_PER_MS;
        return yield* this.#secondStage(outcome.image);
    }
  }

  *#secondStage(bootLoader: Uint8Array): Script {
    const flash = this.#machine.flash.bytes;
    const read = bootLoaderTraits(bootLoader, flash, this.#chip.bootloaderOffset);
    const traits: BootLoaderTraits = { ...read, ...this.#options.traits };
    const { major, minor } = this.#machine.efuses?.revision ?? this.#machine.chip.defaultRevision;
    const chipRevision = 100 * major + minor;
    const flashSize = decodeImageHeader(bootLoader).flashSize ?? 0;
    const show = LEVELS[traits.logLevel];
    for (const line of greetingLines(bootLoader, this.#chip, chipRevision)) yield* this.#log(line, show);
    const decision = decideBoot(flash, { chip: this.#chip, chipRevision, flashSize, ...traits });
    yield* this.#carryOut(decision, show);
    if (decision.outcome.kind === 'reset') {
      yield SOFTWARE_RESET_MS;
      return this.#machine.reset('software');
    }
    const { target, partition, image } = decision.outcome;
    const { tableOffset, rollback } = traits;
    const startedAt = this.#startedAt;
    const mac = this.#machine.efuses?.mac ?? this.#machine.chip.defaultMac;
    const app = { target, partition, image, flashSize, tableOffset, rollback, chipRevision, mac, startedAt };
    this.#startedApp = app;
    if (image.segments.length === 0 || image.header.entry === 0) {
      // A data image whose checksum byte happens to be right: there is no code behind the jump.
      yield BOOT_WATCHDOG_MS;
      return this.#machine.reset('watchdog');
    }
    this.#app = (this.#options.startApp ?? startHouseFirmware)(this.#machine, app);
  }

  *#carryOut({ steps }: BootDecision, show: readonly LogLevel[]): Script {
    for (const step of steps) {
      if (step.kind === 'log') {
        yield* this.#log(step.line, show);
      } else if (step.kind === 'read') {
        yield step.bytes / BYTES_PER_MS;
      } else {
        yield this.#machine.flash.erase(step.offset, FLASH_SECTOR);
        yield this.#machine.flash.program(step.offset, step.entry);
      }
    }
  }

  *#log(line: LogLine, show: readonly LogLevel[]): Script {
    if (!show.includes(line.level)) return;
    yield* this.#print(formatLogLine(line, this.#machine.clock.now() - this.#startedAt));
  }

  *#print(text: string): Script {
    this.#machine.send(text);
    yield text.length * MS_PER_CHARACTER;
  }
}

/** A chip with flash encryption decrypts whatever it reads, and makes rubbish of plain text. */
function decryptedPlainText(flash: Uint8Array, offset: number): BootLoaderLoad {
  const word = crc32(readFlash(flash, offset, 32));
  return { lines: [], outcome: { kind: 'repeats', line: `invalid header: 0x${hex8(word)}` } };
}
