/** Whether two MAC addresses are of one board. */

/**
 * ESP-IDF gives Wi-Fi the base address, and access point, Bluetooth and Ethernet the three that follow, or, on chips with fewer of their own,
 * one with the bit for local addresses (components/esp_hw_support/mac_addr.c). A neighbour table may know the board by any of them.
 */
export function isSameBoard(known: string, seen: string): boolean {
  const [a, b] = [bytesOf(known), bytesOf(seen)];
  if (a.length !== 6 || b.length !== 6) return false;
  const differences = a.map((byte, at) => byte ^ (b[at] ?? 0));
  const [first = 0, ...others] = differences.slice(0, 5);
  const step = ((b[5] ?? 0) - (a[5] ?? 0) + 256) % 256;
  return (first & ~LOCAL_BIT) === 0 && others.every((difference) => difference === 0) && step < 4;
}

/** Of the first byte: the address was not given out by the IEEE. */
const LOCAL_BIT = 0x02;

const bytesOf = (mac: string): number[] => mac.split(':').map((byte) => Number.parseInt(byte, 16));
