/** The options of `twostep virtual` that make the board, read and checked before anything is opened. */
import { type Clock } from '#clock.ts';
import { parseFlashSize } from '#formats/chips.ts';
import { type VirtualEsp32Options } from '#sim/virtual-esp32-options.ts';
import { parseEfuses, parseMac } from './efuse-option.ts';
import { fastClock } from './fast-clock.ts';
import { InputError } from './input-error.ts';
import { parseTcpAddress, parseVirtualChip } from './ports/port-name.ts';
import { type TcpAddress } from './ports/tcp-socket.ts';
import { type NetworkOptions } from './virtual-network.ts';
import { type Face } from './virtual-server.ts';

export interface VirtualOptions extends NetworkOptions {
  chip: string;
  flash?: string;
  flashSize: string;
  listen?: string;
  control?: string;
  rfc2217?: string;
  boot: 'download' | 'normal';
  wiring: 'uart' | 'usb-serial-jtag';
  efuse?: string;
  mac?: string;
  speed: string;
}

/** A board, and where it is to be reached. */
export interface VirtualWish {
  readonly board: Pick<VirtualEsp32Options, 'boot' | 'wiring' | 'efuses'> & {
    readonly chip: string;
    readonly clock: Clock;
  };
  /** Bytes of a new flash. */
  readonly flashSize: number;
  readonly faces: Readonly<Partial<Record<Face, TcpAddress>>>;
}

/** Where the UART is when no other way to it was asked for. */
const DEFAULT_LISTEN = '127.0.0.1:5555';
const FASTEST = 1000;

/** @throws {InputError} when an option makes no sense. */
export function readVirtualOptions(options: VirtualOptions): VirtualWish {
  const { boot, wiring, efuse, mac, speed } = options;
  const chip = parseVirtualChip(options.chip);
  const flashSize = parseSize(options.flashSize);
  if (wiring === 'usb-serial-jtag' && chip === 'esp32') {
    throw new InputError('wiring', 'The ESP32 has no USB of its own', {
      todo: 'Leave --wiring out, or choose esp32s3 or esp32c3.',
    });
  }
  const faces = facesOf(options);
  const efuses = {
    ...(efuse !== undefined && parseEfuses(efuse, chip)),
    ...(mac !== undefined && { mac: parseMac(mac) }),
  };
  return { board: { chip, boot, wiring, efuses, clock: fastClock(parseSpeed(speed)) }, flashSize, faces };
}

function parseSize(text: string): number {
  const size = parseFlashSize(text);
  if (size !== undefined && size >= 0x10_0000 && Math.log2(size) % 1 === 0) return size;
  throw new InputError('flash-size', `"${text}" is no flash size`, { todo: 'Give one such as 4MB.' });
}

function parseSpeed(text: string): number {
  const factor = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (factor >= 1 && factor <= FASTEST) return factor;
  throw new InputError('speed', `"${text}" is no speed`, { todo: `Give a number from 1 to ${FASTEST}.` });
}

function facesOf({ listen, control, rfc2217, http }: VirtualOptions): VirtualWish['faces'] {
  const isElsewhere = rfc2217 !== undefined || http !== undefined;
  const uart = listen ?? (isElsewhere ? undefined : DEFAULT_LISTEN);
  return {
    ...(uart !== undefined && { uart: parseTcpAddress(uart) }),
    ...(control !== undefined && { control: parseTcpAddress(control) }),
    ...(rfc2217 !== undefined && { rfc2217: parseTcpAddress(rfc2217) }),
  };
}
