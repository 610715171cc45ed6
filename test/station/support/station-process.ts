/** A station as a process of its own that a test can kill: `node station-process.ts DATA PORT BOARDS_PORT`. Real network, short times. */
import { startRealStation } from './real-station.ts';

const [data = '', port, boardsPort] = process.argv.slice(2);
await startRealStation(data, { port: Number(port), boardsPort: Number(boardsPort) });
console.log('up');
