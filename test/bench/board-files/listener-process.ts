/** The listener for boards in a process of its own, so that its memory is nobody else's. */
import { join } from 'node:path';
import process from 'node:process';
import { addRange, type ByteRange, coveredBytes } from '#workflows/byte-ranges.ts';
import { createBoardFiles } from '../../../src/station/board-files/board-files.ts';
import { createBoardNetwork } from '../../../src/station/network/board-network.ts';
import { answerRequests } from '../flash/requests.ts';
import { type Memory, type ServeOrder } from './orders.ts';

const MIB = 0x10_0000;
const files = createBoardFiles({ address: '127.0.0.1', port: 0, network: createBoardNetwork() });
const served = new Map<string, ByteRange[]>();
let before = 0;

async function serve({ folder, names, size, sha256 }: ServeOrder): Promise<number> {
  await files.open();
  for (const name of names) {
    files.offer({ name, path: join(folder, name), size, sha256 }, (range) => {
      served.set(name, addRange(served.get(name) ?? [], range));
    });
  }
  before = process.memoryUsage.rss() / MIB;
  return files.state.port;
}

/** How many bytes the boards have since this was asked last. */
function takeServed(): number {
  const bytes = [...served.values()].reduce((sum, ranges) => sum + coveredBytes(ranges), 0);
  served.clear();
  return bytes;
}

// maxRSS is in KiB on every system.
const memory = (): Memory => ({ before, peak: process.resourceUsage().maxRSS / 1024 });

answerRequests({ serve, takeServed, memory });
process.once('disconnect', () => process.exit());
