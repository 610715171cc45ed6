/** Opening a port, with the cause of a failure named as far as the platform tells it. */
import { DeviceError, type DeviceErrorCode } from './device-error.ts';
import { type Port, type PortOptions } from './port.ts';

/** What an error number of the operating system means for a port. */
const CODE_OF_ERRNO: Readonly<Record<string, DeviceErrorCode>> = {
  EACCES: 'port-no-permission',
  EPERM: 'port-no-permission',
  EBUSY: 'port-busy',
  // The lock that `serialport` takes on a tty.
  EAGAIN: 'port-busy',
  EWOULDBLOCK: 'port-busy',
  ENOENT: 'port-missing',
  ENODEV: 'port-missing',
  ENXIO: 'port-missing',
  ECONNREFUSED: 'port-missing',
  EHOSTUNREACH: 'port-missing',
  ENOTFOUND: 'port-missing',
  ETIMEDOUT: 'port-missing',
};

/** The same from words, where a platform gives no number (`serialport` on Windows and on some Linux errors). */
const CODE_OF_WORDS: readonly (readonly [RegExp, DeviceErrorCode])[] = [
  [/permission denied/i, 'port-no-permission'],
  // Windows says "Access denied" for a port that another program holds.
  [/access denied|cannot lock port|resource busy|temporarily unavailable/i, 'port-busy'],
  [/no such file|file not found|no such device/i, 'port-missing'],
];

/**
 * Opens the port.
 *
 * @throws {DeviceError} `port-in-use-or-missing`, `port-busy`, `port-missing`, `port-no-permission`, `port-open-failed`.
 */
export async function openPort(port: Port, options: PortOptions): Promise<void> {
  try {
    await port.open(options);
  } catch (error) {
    throw openError(error);
  }
}

/** The platform's error of a failed `open` as a `DeviceError`. */
export function openError(error: unknown): DeviceError {
  const code = openErrorCode(error);
  return new DeviceError(code, `The port did not open: ${messageOf(error)}`, { cause: error });
}

function openErrorCode(error: unknown): DeviceErrorCode {
  const errno = errnoOf(error) ?? errnoOf((error as { cause?: unknown } | undefined)?.cause);
  if (errno !== undefined) return CODE_OF_ERRNO[errno] ?? 'port-open-failed';
  const name = error instanceof Error ? error.name : '';
  const words = CODE_OF_WORDS.find(([pattern]) => pattern.test(messageOf(error)));
  if (words) return words[1];
  // Chromium: one text for a port that is held elsewhere and for one that is gone.
  if (name === 'NetworkError') return 'port-in-use-or-missing';
  // The same object is open already: this very page or program holds it.
  if (name === 'InvalidStateError') return 'port-busy';
  if (name === 'SecurityError' || name === 'NotAllowedError') return 'port-no-permission';
  return 'port-open-failed';
}

function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? code : undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
