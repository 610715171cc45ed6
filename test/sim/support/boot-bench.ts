/** A bare machine for what boots from flash: it prints the banner as the hardware does and starts again on each reset. */
import { burnEfuses, type EfuseSettings } from '#sim/board/efuses.ts';
import { type ResetReason, type SimNetwork } from '#sim/machine.ts';
import { NorFlash } from '#sim/board/nor-flash.ts';
import { type BootMachine, bootFromFlash, type BootOptions, type FlashBoot } from '#sim/boot/second-stage.ts';
import { type SimChip, simChip } from '#sim/board/sim-chips.ts';
import { ModelClock } from '#model-clock.ts';

export interface BenchOptions extends BootOptions {
  chip?: string;
  flash: Uint8Array;
  network?: SimNetwork;
  efuses?: EfuseSettings;
}

export class BootBench implements BootMachine {
  readonly chip: SimChip;
  readonly flash: NorFlash;
  readonly clock = new ModelClock();
  readonly network: SimNetwork;
  readonly efuses;
  readonly resets: { reason: ResetReason; at: number }[] = [];
  output = '';
  program: FlashBoot | undefined;
  readonly #options: BootOptions;

  constructor({ chip = 'esp32', flash, network = {}, efuses, ...options }: BenchOptions) {
    this.chip = simChip(chip);
    this.flash = new NorFlash(flash);
    this.network = network;
    this.efuses = burnEfuses(this.chip, efuses);
    this.#options = options;
  }

  send(bytes: Uint8Array | string): void {
    this.output += typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes);
  }

  reset(reason: ResetReason): void {
    this.resets.push({ reason, at: this.clock.now() });
    this.#start(reason);
  }

  /** Power on, and so many milliseconds of what follows. */
  async run(ms: number): Promise<this> {
    this.#start('power-on');
    await this.clock.advance(ms);
    return this;
  }

  /** Lines without times, without empty ones. */
  get lines(): string[] {
    return withoutTimes(this.output).split('\r\n').filter(Boolean);
  }

  #start(reason: ResetReason): void {
    this.program?.stop();
    const [code, word] = this.chip.resetWords[reason];
    const mode = this.chip.name === 'esp32' ? '0x12' : '0x8';
    this.send(`${this.chip.banner}rst:0x${code.toString(16)} (${word}),boot:${mode} (SPI_FAST_FLASH_BOOT)\r\n`);
    this.program = bootFromFlash(this, reason, this.#options);
  }
}

export const withoutTimes = (log: string): string => log.replaceAll(/^([EWI]) \(\d+\)/gm, '$1 (…)');
