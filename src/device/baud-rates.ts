/** Rates of the line: which to try, in which order, and what is known of an adapter. */
import { ROM_BAUD } from './link.ts';
import { type PortInfo } from './port.ts';

/** From the fastest that a stub and an adapter may do down to that of every ROM. */
export const BAUD_LADDER = [3_000_000, 2_000_000, 1_500_000, 921_600, 460_800, 230_400, ROM_BAUD] as const;

/** What nearly every bridge does. */
const USUAL_TOP = 921_600;

/**
 * The ROM measures the host's rate from the SYNC pattern. At this one most of a second is gained when the stub is uploaded, and a bit
 * lasts long enough to be measured well.
 */
export const FAST_START_BAUD = 460_800;

/**
 * Bridges whose makers name higher rates for every chip that shows these ids. A CP2102 shows those of a CP2102N, so that what the latter does
 * is found out by `twostep probe` only.
 */
const TOPS: Readonly<Record<string, number>> = {
  // CP2105, CP2108
  '10c4:ea70': 2_000_000,
  '10c4:ea71': 2_000_000,
  // CH343, CH9102
  '1a86:55d3': 3_000_000,
  '1a86:55d4': 3_000_000,
  // FT232R, FT2232, FT4232, FT232H, FT231X
  '0403:6001': 3_000_000,
  '0403:6010': 3_000_000,
  '0403:6011': 3_000_000,
  '0403:6014': 3_000_000,
  '0403:6015': 3_000_000,
};

const hex = (id: number | undefined): string => (id ?? 0).toString(16).padStart(4, '0');

/** Rate to try first on such a port. */
export const topBaudOf = ({ usbVendorId, usbProductId }: PortInfo): number =>
  TOPS[`${hex(usbVendorId)}:${hex(usbProductId)}`] ?? USUAL_TOP;

/** The next lower rate, or `undefined` when there is none. */
export const lowerBaudThan = (baud: number): number | undefined => BAUD_LADDER.find((lower) => lower < baud);

/** Remembers what was found out, for the next time. */
export interface BaudMemory {
  recall(key: string): number | undefined;
  note(key: string, baud: number): void;
}

/** Adapter and board: the rate depends on both, and on the cable between, which is most often the same. */
export const baudKey = ({ usbVendorId, usbProductId }: PortInfo, mac: string | undefined): string =>
  `${hex(usbVendorId)}:${hex(usbProductId)}/${mac ?? ''}`;
