/**
 * How DTR and RTS reach the chip. With a serial adapter: the two transistors that every board copies, and the
 * capacitor at EN. With USB-Serial/JTAG: the rules of that peripheral. A USB-OTG port has no such lines.
 */
import { type Clock } from '#clock.ts';

export type Wiring = 'uart' | 'usb-serial-jtag' | 'usb-otg';

export interface ModemLines {
  readonly dtr: boolean;
  readonly rts: boolean;
}

export interface ResetCircuitOptions {
  readonly clock: Clock;
  readonly wiring: Wiring;
  /** Milliseconds that the capacitor at EN takes to charge. With 0 only hosts that move both lines at once get through. */
  readonly enDelay: number;
  /** EN is pulled low: the chip stops. */
  readonly onHold: () => void;
  /** EN is high again, and the straps are read now. */
  readonly onRelease: (bootPinLow: boolean) => void;
}

export class ResetCircuit {
  readonly #options: ResetCircuitOptions;
  #lines: ModemLines = { dtr: false, rts: false };
  #held = false;
  #cancelRelease: (() => void) | undefined;
  /** USB-Serial/JTAG: the next reset goes to download mode. */
  #downloadFlag = false;

  constructor(options: ResetCircuitOptions) {
    this.#options = options;
  }

  /** Whether the lines hold the boot pin low. */
  get bootPinLow(): boolean {
    return this.#options.wiring === 'uart' && this.#lines.dtr && !this.#lines.rts;
  }

  /** Whether the chip is kept in reset. */
  get holds(): boolean {
    return this.#held;
  }

  set(lines: ModemLines): void {
    this.#lines = lines;
    if (this.#options.wiring === 'uart') this.#transistors();
    else if (this.#options.wiring === 'usb-serial-jtag') this.#peripheral();
  }

  /** The lines go back to rest without any effect, as when the port leaves the bus. */
  forget(): void {
    this.#lines = { dtr: false, rts: false };
    this.#cancelRelease?.();
    this.#cancelRelease = undefined;
    this.#held = false;
  }

  #transistors(): void {
    const low = this.#lines.rts && !this.#lines.dtr;
    if (low === this.#held) return;
    if (low) {
      this.#cancelRelease?.();
      this.#cancelRelease = undefined;
      this.#held = true;
      this.#options.onHold();
      return;
    }
    this.#held = false;
    const release = (): void => {
      this.#cancelRelease = undefined;
      this.#options.onRelease(this.bootPinLow);
    };
    if (this.#options.enDelay === 0) release();
    else this.#cancelRelease = this.#options.clock.after(this.#options.enDelay, release);
  }

  /** Technical reference manual of the ESP32-C3, "USB Serial/JTAG Controller": RTS and DTR to reset and boot flag. */
  #peripheral(): void {
    const { dtr, rts } = this.#lines;
    if (dtr && !rts) this.#downloadFlag = true;
    else if (!dtr && !rts) {
      this.#downloadFlag = false;
      this.#held = false;
    } else if (rts && !dtr && !this.#held) {
      this.#held = true;
      this.#options.onHold();
      this.#options.onRelease(this.#downloadFlag);
    }
  }
}
