/**
 * Resets by the modem lines, as data. Through the usual two transistors DTR pulls the boot pin and RTS pulls EN, both
 * low; with both lines equal neither is pulled. Sequences and times: esptool `reset.py`, ESP-IDF's USB-Serial/JTAG guide.
 *
 * Both lines are said at every step: drivers and Web Serial remember, and what they remember is not what one thinks.
 */
import { type PortInfo } from './port.ts';

export interface ResetStep {
  readonly dtr: boolean;
  readonly rts: boolean;
  /** Milliseconds until the next step. */
  readonly waitMs: number;
}

export type ResetSequence = readonly ResetStep[];

/** How the board is brought into download mode. `none`: it is there already, by its buttons. */
export type EntryMode = 'auto' | 'classic' | 'tight' | 'usb' | 'none';

/** USB vendor id of Espressif: the port is the chip itself. */
export const ESPRESSIF_VENDOR = 0x303a;
const USB_SERIAL_JTAG_PRODUCT = 0x1001;

/** CP2102C: with its hardware flow control RTS would drop when data come, unless DTR stays asserted. */
const isCp2102c = (usb: PortInfo): boolean => usb.usbVendorId === 0x10c4 && usb.usbProductId === 0xea64;

/** Whether the port is the USB-Serial/JTAG block of a chip, whose reset works in hardware. */
export const isUsbSerialJtag = (usb: PortInfo): boolean =>
  usb.usbVendorId === ESPRESSIF_VENDOR && usb.usbProductId === USB_SERIAL_JTAG_PRODUCT;

/** Whether the port is a chip itself, with no bridge between: it may leave at a reset, and has no baud rate. */
export const isNativeUsb = (usb: PortInfo): boolean => usb.usbVendorId === ESPRESSIF_VENDOR;

/** The chip's USB-OTG: a port of the ROM's, which is gone when the app runs, unless the app makes one of its own. */
export const isUsbOtg = (usb: PortInfo): boolean => isNativeUsb(usb) && !isUsbSerialJtag(usb);

const step = (dtr: 0 | 1, rts: 0 | 1, waitMs = 0): ResetStep => ({ dtr: dtr === 1, rts: rts === 1, waitMs });

/** One line after the other: between the pulses both are asserted for a moment, which pulls nothing. */
const classicEntry = (holdMs: number): ResetStep[] => [step(0, 1, 100), step(1, 1), step(1, 0, holdMs), step(0, 0)];

/** Both lines in one call: for boards whose EN rises before the boot pin falls otherwise. */
const tightEntry = (holdMs: number): ResetStep[] => [
  step(0, 0),
  step(1, 1),
  step(0, 1, 100),
  step(1, 0, holdMs),
  step(0, 0),
];

/** The block sets the download flag at DTR and resets at RTS; the way leads through both asserted, not both released. */
const USB_ENTRY: ResetSequence = [step(0, 0, 100), step(1, 0, 100), step(1, 1), step(0, 1, 100), step(0, 0)];

/** Milliseconds between the end of the reset and the release of the boot pin: the short one, and that for slow EN. */
const HOLD_MS = 50;
const LONG_HOLD_MS = 550;

/** The sequences to try in turn; none for `none`. */
export function entrySequences(mode: EntryMode, usb: PortInfo): ResetSequence[] {
  const keepDtr = (steps: ResetStep[]): ResetSequence => (isCp2102c(usb) ? steps.slice(0, -1) : steps);
  switch (mode) {
    case 'none':
      return [];
    case 'usb':
      return [USB_ENTRY];
    case 'classic':
      return [keepDtr(classicEntry(HOLD_MS)), keepDtr(classicEntry(LONG_HOLD_MS))];
    case 'tight':
      return [keepDtr(tightEntry(HOLD_MS)), keepDtr(tightEntry(LONG_HOLD_MS))];
    case 'auto':
      if (isUsbSerialJtag(usb)) return [USB_ENTRY];
      return [
        ...[tightEntry(HOLD_MS), classicEntry(HOLD_MS)].map(keepDtr),
        ...[tightEntry(LONG_HOLD_MS), classicEntry(LONG_HOLD_MS)].map(keepDtr),
      ];
  }
}

/** A reset into what is in flash: EN low with the boot pin free, then both released. */
export function restartSequence(usb: PortInfo): ResetSequence {
  return isNativeUsb(usb) ? [step(0, 0), step(0, 1, 200), step(0, 0, 200)] : [step(0, 0), step(0, 1, 100), step(0, 0)];
}

/** The lines as they are at rest: nothing pulled. */
export const LINES_AT_REST: ResetStep = step(0, 0);

/** Carries out a sequence. */
export async function runResetSequence(
  sequence: ResetSequence,
  setLines: (dtr: boolean, rts: boolean) => Promise<void>,
  wait: (ms: number) => Promise<void>,
): Promise<void> {
  for (const { dtr, rts, waitMs } of sequence) {
    await setLines(dtr, rts);
    if (waitMs > 0) await wait(waitMs);
  }
}
