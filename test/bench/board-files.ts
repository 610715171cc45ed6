/** Serving files to many boards at once, beside nginx with the same files, and what that takes of memory. */
import { createHash, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Downloaded, type DownloadOrder, type Memory, type ServeOrder } from './board-files/orders.ts';
import { findNginx, startNginx } from './board-files/nginx.ts';
import { Helper } from './flash/requests.ts';
import { type Benchmark, type Effort, type Figure, figure, median } from './measure.ts';

const BOARDS = 200;
const SIZE = 0x10_0000;
const RANGE_SIZE = 65_536;
/** At least half of the throughput of nginx. */
const MOST_RATIO = 2;
/** MiB on top of what the process has before: less than what is sent in one round. Nearly all of it is garbage that V8 has not collected yet. */
const MEMORY_LIMIT = 192;
/** Of a second each: what else the machine does hits them unlike. */
const ROUNDS = 5;

/** Repeated until it is so, for at most a few seconds. */
const SETTLED_MS = 5000;

export const boardFiles: Benchmark = {
  name: 'board-files',
  run: async (effort) => {
    const folder = mkdtempSync(join(tmpdir(), 'twostep-board-files-'));
    const listener = new Helper(join(import.meta.dirname, 'board-files', 'listener-process.ts'));
    const boards = new Helper(join(import.meta.dirname, 'board-files', 'boards-process.ts'));
    try {
      return await measure({ effort, folder, listener, boards });
    } finally {
      listener.end();
      boards.end();
      rmSync(folder, { recursive: true });
    }
  },
};

interface Stand {
  effort: Effort;
  folder: string;
  listener: Helper;
  boards: Helper;
}

async function measure({ effort, folder, listener, boards }: Stand): Promise<Figure[]> {
  const order = makeFiles(folder, Math.max(2, Math.round(BOARDS * effort.share)));
  const downloads = { names: order.names, original: join(order.folder, order.names[0]!), rangeSize: RANGE_SIZE };
  const port = await listener.request<number>('serve', order);
  const ours: number[] = [];
  const others: number[] = [];
  const peer = findNginx(folder, { mayDownload: effort.share === 1 });
  // Only a full run is looked at by somebody.
  if ('missing' in peer && effort.share === 1) console.error(`board-files: not held against nginx: ${peer.missing}`);
  const nginx =
    'path' in peer ? await startNginx(peer.path, { folder: join(folder, 'nginx'), files: order.folder }) : undefined;
  try {
    const rounds = effort.rounds * (effort.share === 1 ? ROUNDS : 1);
    // The first round warms both sides up, and the boards, and counts for nothing.
    for (let round = 0; round <= rounds; round++) {
      const time = await downloaded(boards, { ...downloads, port });
      await expectServed(listener, order);
      const other = nginx && (await downloaded(boards, { ...downloads, port: nginx.port }));
      if (round > 0) ours.push(time);
      if (round > 0 && other !== undefined) others.push(other);
    }
  } finally {
    await nginx?.end();
  }
  const { before, peak } = await listener.request<Memory>('memory');
  const grown = { ours: peak - before, other: MEMORY_LIMIT, against: 'its limit', unit: 'MiB' };
  return [
    ...(nginx
      ? [
          {
            ...figure('board files', { ours: median(ours), other: median(others), against: 'nginx', unit: 'ms' }),
            most: MOST_RATIO,
          },
        ]
      : []),
    { ...figure('board files, memory', grown), most: 1 },
  ];
}

/** One file under many names, each as good as a file of its own. */
function makeFiles(parent: string, count: number): ServeOrder {
  const folder = join(parent, 'files');
  mkdirSync(folder);
  const bytes = randomBytes(SIZE);
  const names = Array.from({ length: count }, () => randomBytes(12).toString('base64url'));
  const [first = '', ...more] = names;
  writeFileSync(join(folder, first), bytes);
  for (const name of more) linkSync(join(folder, first), join(folder, name));
  return { folder, names, size: SIZE, sha256: createHash('sha256').update(bytes).digest('hex') };
}

async function downloaded(boards: Helper, order: DownloadOrder): Promise<number> {
  const { ms, requests, failures } = await boards.request<Downloaded>('download', order);
  if (failures.length > 0) throw new Error(`Of ${requests} requests some failed: ${failures.join('; ')}`);
  return ms;
}

/** What the boards have is known a moment after they have it. */
async function expectServed(listener: Helper, { names, size }: ServeOrder): Promise<void> {
  const wanted = names.length * size;
  let served = 0;
  for (const end = performance.now() + SETTLED_MS; served < wanted && performance.now() < end;) {
    served += await listener.request<number>('takeServed');
  }
  if (served !== wanted) throw new Error(`${served} bytes are on record, the boards have ${wanted}`);
}
