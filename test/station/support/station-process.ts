/** A station as a process of its own that a test can kill: `node station-process.ts DATA PORT BOARDS_PORT`. Real network, short times. */
import { systemClock } from '#clock.ts';
import { createBoardFiles } from '../../../src/station/board-files/board-files.ts';
import { createBoardNetwork } from '../../../src/station/network/board-network.ts';
import { createStation } from '../../../src/station/station.ts';

const [data = '', port, boardsPort] = process.argv.slice(2);
const network = createBoardNetwork();
const station = await createStation({
  data,
  version: '1',
  clock: systemClock,
  now: Date.now,
  network,
  files: createBoardFiles({ address: '127.0.0.1', port: Number(boardsPort), network, limits: { reset: 20 } }),
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
  },
});
await station.server.listen({ host: '127.0.0.1', port: Number(port) });
console.log('up');
