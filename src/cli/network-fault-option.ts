/** `--network-fault` of the virtual board: what goes wrong, and at which byte of its downloads. */
import { type NetworkFault } from '#sim/network/network-faults.ts';
import { isIP } from 'node:net';
import { InputError } from './input-error.ts';

/** For the help and for errors. */
export const NETWORK_FAULT_FORMS =
  'wifi-gone:BYTE:MS, stall:BYTE:MS, slow:BYTE:MS:BYTES-PER-MS, unreachable:BYTE:MS, refuse:BYTE:MS, cut:BYTE, drop:BYTE, ' +
  'restart:BYTE, power-cut:BYTE or new-address:ADDRESS';

/**
 * One or more with commas between; bytes are counted from the first that the board downloads.
 *
 * @throws {InputError} `network-fault`.
 */
export function parseNetworkFaults(text: string): NetworkFault[] {
  return text.split(',').map((fault) => {
    const parsed = parseOne(fault.trim());
    if (!parsed) {
      throw new InputError('network-fault', `"${fault}" is nothing that goes wrong on a network`, {
        todo: `Give ${NETWORK_FAULT_FORMS}.`,
      });
    }
    return parsed;
  });
}

function parseOne(text: string): NetworkFault | undefined {
  const [kind = '', ...rest] = text.split(':');
  if (kind === 'new-address') {
    const address = rest.join(':');
    return isIP(address) === 0 ? undefined : { kind, at: 0, address };
  }
  const numbers = rest.map((part) => (/^\d+(?:\.\d+)?$/.test(part) ? Number(part) : Number.NaN));
  const [at = Number.NaN, ms = Number.NaN, bytesPerMs = Number.NaN] = numbers;
  if (!Number.isSafeInteger(at) || numbers.some(Number.isNaN)) return undefined;
  switch (kind) {
    case 'cut':
    case 'drop':
    case 'restart':
    case 'power-cut':
      return numbers.length === 1 ? { kind, at } : undefined;
    case 'wifi-gone':
    case 'stall':
    case 'unreachable':
    case 'refuse':
      return numbers.length === 2 ? { kind, at, ms } : undefined;
    case 'slow':
      return numbers.length === 3 && bytesPerMs > 0 ? { kind, at, ms, bytesPerMs } : undefined;
    default:
      return undefined;
  }
}
