/** What a port hangs on, by its USB ids: the only thing that a browser tells of it. */
import { type PortInfo } from '#device/port.ts';

/** Vendors, and products where one vendor's differ enough to be told apart on a desk (ids from the makers' driver files). */
const VENDORS: Readonly<Record<number, string>> = {
  0x303a: 'ESP32 USB',
  0x10c4: 'CP210x bridge',
  0x1a86: 'CH340 bridge',
  0x0403: 'FTDI bridge',
  0x067b: 'PL2303 bridge',
};

const PRODUCTS: Readonly<Record<string, string>> = {
  '303a:1001': 'ESP32 USB (Serial/JTAG)',
  '10c4:ea60': 'CP2102 bridge',
  '10c4:ea63': 'CP2103 bridge',
  '10c4:ea64': 'CP2102C bridge',
  '10c4:ea70': 'CP2105 bridge',
  '10c4:ea71': 'CP2108 bridge',
  '1a86:7523': 'CH340 bridge',
  '1a86:55d3': 'CH343 bridge',
  '1a86:55d4': 'CH9102 bridge',
  '0403:6001': 'FT232R bridge',
  '0403:6010': 'FT2232 bridge',
  '0403:6014': 'FT232H bridge',
  '0403:6015': 'FT231X bridge',
};

const hex = (id: number): string => id.toString(16).padStart(4, '0');

/** `CP2102 bridge`, `ESP32 USB (Serial/JTAG)`, `USB serial port 1234:abcd`, `Serial port`. */
export function bridgeName({ usbVendorId: vendor, usbProductId: product }: PortInfo): string {
  if (vendor === undefined) return 'Serial port';
  const ids = `${hex(vendor)}:${hex(product ?? 0)}`;
  return PRODUCTS[ids] ?? VENDORS[vendor] ?? `USB serial port ${ids}`;
}
