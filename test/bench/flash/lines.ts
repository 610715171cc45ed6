/** The lines between host and board. */
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { type VirtualChip } from '../../support/releases.ts';

export interface Line {
  name: string;
  /** Rate for the work; every session starts at 115200. Native USB knows none. */
  baud: number;
  /** Bytes a millisecond. */
  rate: number;
  usb: boolean;
  /** Milliseconds of a USB frame, or of an adapter's latency timer, each way. */
  latency: number;
}

const USB_RATE = 1000;

const uart = (name: string, baud: number, latency = 1): Line => ({
  name,
  baud,
  // Ten bits on the line for a byte.
  rate: baud / 10_000,
  usb: false,
  latency,
});

export const LINES = {
  '115200': uart('115200', 115_200),
  '921600': uart('921600', 921_600),
  '921600-16ms': uart('921600-16ms', 921_600, 16),
  '2M': uart('2M', 2_000_000),
  usb: { name: 'usb', baud: 921_600, rate: USB_RATE, usb: true, latency: 1 },
} as const satisfies Record<string, Line>;
export type LineName = keyof typeof LINES;

/** Milliseconds of the flash, and bytes a millisecond of its MD5: typical figures of a W25Q class chip. */
export const FLASH_MODEL = {
  flashTimes: { page: 0.5, sector: 45, block: 150, chipPerMegabyte: 16 * 150 },
  md5Rate: 4096 * 1.024,
} as const;

/** Over native USB a board's port is the chip itself, which the ESP32 cannot. */
export const chipOn = ({ usb }: Pick<Line, 'usb'>): VirtualChip => (usb ? 'esp32s3' : 'esp32');

/** A board on that line. */
export const boardOn = ({ usb, latency }: Line): Omit<VirtualEsp32Options, 'clock' | 'faults'> => ({
  chip: chipOn({ usb }),
  wiring: usb ? 'usb-serial-jtag' : 'uart',
  usbRate: USB_RATE,
  latency,
  ...FLASH_MODEL,
});

/** USB ids of the port, by which hosts tell native USB from an adapter (here a CP2102N). */
export const usbIds = ({ usb }: Line): { usbVendorId: number; usbProductId: number } =>
  usb ? { usbVendorId: 0x303a, usbProductId: 0x1001 } : { usbVendorId: 0x10c4, usbProductId: 0xea60 };
