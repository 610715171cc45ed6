/** What a virtual board can be made of. */
import { type Clock } from '#clock.ts';
import { type EfuseSettings } from '#sim/board/efuses.ts';
import { type FaultInjector } from './faults.ts';
import { type Machine, type Program, type ResetReason, type SimNetwork } from './machine.ts';
import { type FlashTimes, type NorFlash } from '#sim/board/nor-flash.ts';
import { type Wiring } from '#sim/board/reset-circuit.ts';

export type StartFirmware = (machine: Machine, reason: ResetReason) => Program;

/** `modem`: DTR and RTS do not reach the chip. The other two: no byte gets through in that direction. */
export type Wire = 'modem' | 'to-device' | 'to-host';

export interface VirtualEsp32Options {
  /** `esp32`, `esp32s3` or `esp32c3`. */
  readonly chip: string;
  readonly clock: Clock;
  /** Bytes of flash, a power of two; 4 MB unless `flash` says otherwise. */
  readonly flashSize?: number;
  /** Flash with its content; bytes are used in place. */
  readonly flash?: Uint8Array | NorFlash;
  /** Busy times of the flash where they differ from a typical chip's; without effect on a `NorFlash` that is handed in. */
  readonly flashTimes?: Partial<FlashTimes>;
  /** Bytes a millisecond of the MD5 command, by any loader; each has its own unless told otherwise. */
  readonly md5Rate?: number;
  /** The three bytes of the JEDEC id as one number, first byte lowest; 0 or FFFFFF for a flash that does not answer. */
  readonly flashId?: number;
  readonly efuses?: EfuseSettings;
  readonly network?: SimNetwork;
  /** `download`: the boot button is held. */
  readonly boot?: 'download' | 'normal';
  /** Strap values in place of those that boards show. */
  readonly straps?: { readonly download?: number; readonly normal?: number };
  readonly wiring?: Wiring;
  /** Wires that are broken, or were never there. */
  readonly cut?: readonly Wire[];
  /** Milliseconds until EN has risen; 2 unless told otherwise. */
  readonly enDelay?: number;
  /** ESP32: with 26 MHz the ROM's texts come at 74880 baud. */
  readonly crystalMhz?: 26 | 40;
  /** Highest rate that adapter and cable carry; above it all is garbage. */
  readonly maxBaud?: number;
  /** Milliseconds that every byte spends in adapter and driver, either way. */
  readonly latency?: number;
  /** Bytes a millisecond of native USB. */
  readonly usbRate?: number;
  /**
   * Highest rate that the ROM measures on the first bytes after a reset, and then takes for its own; 921600 unless told
   * otherwise. `false`: it stays with the rate of its texts.
   */
  readonly autobaud?: number | false;
  /** Code that is loaded into RAM crashes: no stub starts. */
  readonly crashesUploads?: boolean;
  readonly faults?: FaultInjector;
  /** No time passes on the line, and the rates do not matter. */
  readonly instantLine?: boolean;
  /** What runs in place of the second stage, for tests. */
  readonly startFirmware?: StartFirmware;
}
