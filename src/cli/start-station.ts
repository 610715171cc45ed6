/** A station in the process of a command. Its server is loaded then only: no other command needs it. */
// Nothing of it is loaded with its types: that takes `import type`.
import type { RunningStation, StartOptions } from '#station/start.ts';
import { StartError } from '#station/start-error.ts';
import { InputError } from './input-error.ts';

/** @throws {InputError} when the station cannot start so. */
export async function startStation(options: StartOptions): Promise<RunningStation> {
  const { startHere } = await import('#station/start.ts');
  try {
    return await startHere(options);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new InputError(error.code, error.message, {
      ...(error.todo !== undefined && { todo: error.todo }),
      cause: error,
    });
  }
}
