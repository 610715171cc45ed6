/** `--station`: a station that runs already, with the session that this computer has with it. */
import { join } from 'node:path';
import { cacheFolder } from './baud-memory.ts';
import { type CommandContext } from './context.ts';
import { StationClient } from './station-client.ts';
import { stationSessions } from './station-sessions.ts';

/**
 * Asks whoever sits at the terminal for the code of a station on another computer, once.
 *
 * @throws {InputError} as `StationClient.connect`.
 */
export function connectStation(url: string, { signal, env, prompt }: CommandContext): Promise<StationClient> {
  return StationClient.connect({
    url,
    signal,
    sessions: stationSessions(join(cacheFolder(env), 'stations.json')),
    ...(prompt.isAnswered && {
      readPairingCode: async () => (await prompt.ask('Code that the station printed: ')) ?? '',
    }),
  });
}
