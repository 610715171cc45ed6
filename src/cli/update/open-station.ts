/** The station of an update: the one that the user names, or one of the command's own for the time of the run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../baud-memory.ts';
import { type CommandContext } from '../context.ts';
import { parseBoardsListen } from '../boards-listen.ts';
import { connectStation } from '../connect-station.ts';
import { startStation } from '../start-station.ts';
import { StationClient } from '../station-client.ts';
import { VERSION } from '../version.ts';
import { lockOwnStation } from './own-station-lock.ts';
import { type UpdateOptions } from './update-options.ts';

export interface OpenStation {
  client: StationClient;
  /** It ends with the command. */
  isOwn: boolean;
  /** Of the command's own: nothing is left of it. */
  close(): Promise<void>;
}

/** @throws {InputError} when the station cannot be reached or started. */
export async function openStation(options: UpdateOptions, context: CommandContext): Promise<OpenStation> {
  const { station } = options;
  if (station === undefined) return ownStation(options, context);
  return { client: await connectStation(station, context), isOwn: false, close: async () => undefined };
}

async function ownStation({ boardsListen }: UpdateOptions, context: CommandContext): Promise<OpenStation> {
  const { signal, output, env } = context;
  const listen = parseBoardsListen(boardsListen);
  const unlock = lockOwnStation(cacheFolder(env));
  const data = await mkdtemp(join(tmpdir(), 'twostep-'));
  const removeData = async (): Promise<void> => {
    unlock();
    await rm(data, { recursive: true, force: true });
  };
  try {
    const station = await startStation({
      host: '127.0.0.1',
      port: 0,
      data,
      boardsListen: listen,
      version: VERSION,
      log: (line) => output.complain(line),
    });
    const close = async (): Promise<void> => {
      await station.close();
      await removeData();
    };
    try {
      return { client: await StationClient.connect({ url: station.url, signal }), isOwn: true, close };
    } catch (error) {
      await station.close();
      throw error;
    }
  } catch (error) {
    await removeData();
    throw error;
  }
}
