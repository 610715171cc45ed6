/** Work on the board that may fail by chance, done again. */
import { DeviceError, isDeviceError } from './device-error.ts';
import { type Session } from './session.ts';

/** How often a piece is tried of what failed as a whole. */
const TRIES = 5;

/** Codes of the stub, and reasons of the ROM, for a flash that does not do what it should. */
const STATUS_FLASH = new Set([0xc4, 0xc5, 0x06, 0x08]);

/** What may be chance, so that it is worth while to try again. */
const REPEATABLE = [
  'no-reply',
  'bad-reply',
  'command-refused',
  'command-unknown',
  'stub-failed',
  'verify-failed',
  'read-corrupt',
] as const;

export const mayBeChance = (error: unknown): error is DeviceError => isDeviceError(error, ...REPEATABLE);

/** Does a piece of work until it succeeds, a few times: back in step first, and at a lower rate when it fails again. */
export async function persist<T>(session: Session, work: () => Promise<T>, tries = TRIES): Promise<T> {
  let lineErrors = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      if (!session.inStep) await session.regain();
      // True again when the work ended as it should, or with an error that leaves nothing under way.
      session.inStep = false;
      // Once could be chance; twice, and the rate is too high for this cable.
      if (lineErrors >= 2) await session.lowerBaud();
      const result = await work();
      session.inStep = true;
      return result;
    } catch (error) {
      session.inStep ||= isDeviceError(error, 'verify-failed', 'read-corrupt');
      if (!mayBeChance(error)) throw error;
      session.troubles++;
      // What fails as a whole is done in pieces next: that was not the last word.
      if (attempt >= tries) throw tries > 1 ? finalError(error) : error;
      if (!isFlashError(error)) lineErrors++;
    }
  }
}

const isFlashError = (error: DeviceError): boolean =>
  error.code === 'verify-failed' || (error.details.status !== undefined && STATUS_FLASH.has(error.details.status));

function finalError(error: DeviceError): DeviceError {
  if (error.code !== 'command-refused' || !isFlashError(error)) return error;
  return new DeviceError('flash-failed', 'The flash chip does not write, erase or read', {
    details: error.details,
    cause: error,
  });
}
