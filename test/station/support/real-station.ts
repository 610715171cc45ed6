/** A station on the real network of this machine, which waits for nothing as long as it does for real boards. */
import { systemClock } from '#clock.ts';
import { createBoardFiles } from '../../../src/station/board-files/board-files.ts';
import { createBoardNetwork } from '../../../src/station/network/board-network.ts';
import { createStation } from '../../../src/station/station.ts';
import { type UpdateTimes } from '#workflows/update-surroundings.ts';

export interface RealStation {
  /** `http://127.0.0.1:PORT/`. */
  url: string;
  close(): Promise<void>;
}

export interface RealStationOptions {
  /** 0 for any that is free. */
  port?: number;
  boardsPort?: number;
  virtualBoards?: number;
  times?: Partial<UpdateTimes>;
}

export async function startRealStation(
  data: string,
  { port = 0, boardsPort = 0, virtualBoards, times }: RealStationOptions = {},
): Promise<RealStation> {
  const network = createBoardNetwork({ virtualBoards });
  const { server, close } = await createStation({
    data,
    version: '1',
    clock: systemClock,
    now: Date.now,
    network,
    files: createBoardFiles({ address: '127.0.0.1', port: boardsPort, network, limits: { close: 20, reset: 20 } }),
    door: { host: '127.0.0.1' },
    log: (line) => console.error(line),
    times: {
      poll: 20,
      quiet: 50,
      preparing: 2000,
      waiting: 500,
      stalled: 500,
      brokenOff: 300,
      arriving: 1000,
      searching: 1000,
      ...times,
    },
  });
  return { url: `${await server.listen({ host: '127.0.0.1', port })}/`, close };
}
