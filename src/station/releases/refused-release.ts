import { FormatError } from '#formats/format-error.ts';
import { Refusal } from '../refusal.ts';

/** @throws {Refusal} `release-refused` with the reader's reason, in place of a `FormatError`. */
export function refusingRelease<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new Refusal('release-refused', `${error.code}: ${error.message}`, { cause: error });
  }
}
