/** One host in a process of its own, so that its CPU and its memory are those of nobody else. */
import { equalBytes } from '#formats/bytes.ts';
import { type PortInfo } from '#device/port.ts';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';
import { TcpPort } from '../../../src/cli/ports/tcp-port.ts';
import { cpuMs } from '../measure.ts';
import { type Client, type Session } from './clients/client.ts';
import { type ClientName, loadClient } from './clients/clients.ts';
import { makeImage, MIB } from './images.ts';
import { type Job, partsAfter, provisionGoods, updateOf } from './jobs.ts';
import { usbIds } from './lines.ts';
import { type BoardAddress, type Round, type RoundOrder } from './orders.ts';
import { answerRequests } from './requests.ts';

/** How often the event loop is looked at. Each look costs CPU, in the floor as well. */
const LOOK_MS = 10;

/** A board's port, with the ids that hosts look at. */
class BoardPort extends TcpPort {
  readonly #info: PortInfo;

  constructor({ uart, control }: BoardAddress, info: PortInfo) {
    super(uart, control);
    this.#info = info;
  }

  override getInfo(): PortInfo {
    return this.#info;
  }
}

let client: Client;

async function load(name: ClientName): Promise<void> {
  client = await loadClient(name);
}

async function run({ job, line, boards }: RoundOrder): Promise<Round> {
  const ports = boards.map((address) => new BoardPort(address, usbIds(line)));
  let sessions: Session[] = [];
  const connect = async (): Promise<void> => {
    sessions = await Promise.all(ports.map((port) => client.connect(port, line)));
  };
  try {
    if (job.kind === 'open') return await measure(connect);
    await connect();
    const work = await workOf(job);
    return await measure(() => Promise.all(sessions.map(work)));
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
}

/** What is to be done with each board; what can be made ready before is. */
async function workOf(job: Exclude<Job, { kind: 'open' }>): Promise<(session: Session) => Promise<unknown>> {
  if (job.kind === 'provision') {
    const goods = await provisionGoods(job);
    return (session) => session.provision(goods);
  }
  if (job.kind === 'write' && job.before) {
    const write = updateOf(job.image);
    return (session) => session.update(write);
  }
  const image = makeImage(job.image);
  if (job.kind === 'write') return (session) => session.write(image);
  return async (session) => {
    if (!equalBytes(await session.read(image.length), image)) throw new Error('Not what is in the flash');
  };
}

async function measure(work: () => Promise<unknown>): Promise<Round> {
  globalThis.gc?.();
  const memoryBefore = process.memoryUsage.rss();
  const delay = monitorEventLoopDelay({ resolution: LOOK_MS });
  delay.enable();
  const before = performance.now();
  const spent = await cpuMs(work);
  const elapsedMs = performance.now() - before;
  delay.disable();
  return {
    elapsedMs,
    cpuMs: spent,
    stallMs: Math.max(0, delay.max / 1e6 - LOOK_MS),
    memoryMib: (process.resourceUsage().maxRSS * 1024 - memoryBefore) / MIB,
  };
}

/** CPU milliseconds of compressing what a job writes. */
async function compress(job: Job): Promise<number> {
  const parts = await partsAfter(job);
  const data = parts.map((part) => Uint8Array.from(part.data));
  return cpuMs(() => Promise.all(data.map((bytes) => client.compress(bytes))));
}

answerRequests({ load, run, compress });
process.once('disconnect', () => process.exit());
