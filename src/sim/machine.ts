/**
 * What the parts of a virtual ESP32 know of each other. `virtual-esp32.ts` is the hardware: it owns the flash, the
 * lines and the resets, and runs one program at a time: the ROM loader, the stub, or what booted from flash.
 */
import { type Clock } from '#clock.ts';
import { type ChipMemory } from '#sim/board/chip-memory.ts';
import { type Efuses } from '#sim/board/efuses.ts';
import { type NorFlash } from '#sim/board/nor-flash.ts';
import { type SimChip } from '#sim/board/sim-chips.ts';
import { type Lan } from '#sim/network/lan.ts';

/** Why the chip starts anew; each chip prints its own number and word for it. */
export type ResetReason = 'power-on' | 'software' | 'cpu-software' | 'watchdog' | 'usb' | 'brownout';

/** What a program (ROM loader, stub, boot loader, app) may use of the machine. */
export interface Machine {
  readonly chip: SimChip;
  readonly flash: NorFlash;
  readonly clock: Clock;
  readonly network: SimNetwork;
  /** Sends bytes to the host over whatever the board has (UART or native USB). Strings go out as UTF-8. */
  send(bytes: Uint8Array | string): void;
  /** Starts the chip anew; the running program is stopped. */
  reset(reason: ResetReason): void;
}

/** What the loaders may use beyond that. */
export interface LoaderMachine extends Machine {
  readonly memory: ChipMemory;
  readonly efuses: Efuses;
  /** Bytes a millisecond of the MD5 command; undefined: the loader's own. */
  readonly md5Rate: number | undefined;
  /** Milliseconds that a program waits which wants to send when the transmitter's buffer is full. */
  readonly sendingMs: number;
  /** Sets the divider of the UART, reckoned with that clock: what is sent and received from now on has this rate. */
  setBaud(baud: number, hertz: number): void;
  /** Takes the rate of the host, as the ROM does with the first bytes that it hears, if it can measure that one. */
  matchBaud(): void;
  /** Replaces the running program, which is stopped. */
  start(program: Program): void;
  /** Jumps to code that was loaded into RAM. */
  enter(address: number): void;
}

/** One piece of running code. It uses `machine.clock` for all that takes time, and must drop its timers in `stop`. */
export interface Program {
  /** Bytes from the host, as they arrive at the chip. */
  receive(bytes: Uint8Array): void;
  stop(): void;
}

export interface AccessPoint {
  readonly ssid: string;
  /** Empty for an open network. */
  readonly password: string;
}

/** The world around the board: which network there is, and what it hands out. */
export interface SimNetwork {
  /** The one access point in reach, or `undefined` for none. `any` is the one that the board looks for, whatever that is. */
  readonly accessPoint?: AccessPoint | 'any' | undefined;
  /** Address that the access point hands out; `192.168.1.57` unless told otherwise. Another one may follow after a restart. */
  readonly address?: string;
  /** The interface of a station that has joined, at the address that it was given; without it nothing can be sent. */
  readonly join?: (address: string) => Lan;
  /** Tells when the access point goes and when it is back. The returned function ends that. */
  readonly watch?: (onPresence: (present: boolean) => void) => () => void;
}
