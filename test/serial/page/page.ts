/** A page with no more on it than the device layer and the workflows, for a test to drive. */
import { startWorkerClock } from '#app/workers/worker-clock.ts';
import { Bootloader } from '#device/bootloader.ts';
import { type Port } from '#device/port.ts';
import { WebSerialPorts } from '#device/web-serial-ports.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashPlan, plannedBytes } from '#workflows/flash-plan.ts';
import { provision } from '#workflows/provision.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { type Job, type Outcome, type Usb } from './bench.ts';

const clock = startWorkerClock();
const ports = new WebSerialPorts();
const arrived: Usb[] = [];
const marks = new Map<string, { share: number; controller: AbortController }>();

const idsOf = (port: Port): Usb => {
  const { usbVendorId = 0, usbProductId = 0 } = port.getInfo();
  return { vendor: usbVendorId, product: usbProductId };
};
const same = (a: Usb, b: Usb): boolean => a.vendor === b.vendor && a.product === b.product;

/** USB ids tell the boards of a test apart; the order of the list changes. */
async function portOf(usb: Usb): Promise<Port> {
  const port = (await ports.list()).find((candidate) => same(idsOf(candidate), usb));
  if (!port) throw new Error('No such port is there');
  return port;
}

const codeOf = (error: unknown): string => {
  const { code, name } = error as { code?: unknown; name: string };
  return typeof code === 'string' ? code : name;
};

async function plan(board: Bootloader, { files, data, wifi }: Job): Promise<FlashPlan> {
  const options: ProvisionOptions = {
    ...(data ? { data: { name: 'voices.bin', bytes: data } } : {}),
    ...(wifi ? { wifi: { store: { kind: 'idf' }, ...wifi } } : {}),
  };
  return planProvision(recogniseRelease(files), await readBoardState(board, board.identity), options);
}

async function run(usb: Usb, job: Job): Promise<Outcome> {
  const mark = { share: 0, controller: new AbortController() };
  marks.set(job.name, mark);
  const { signal } = mark.controller;
  const outcome: Outcome = { writes: [] };
  let writing: FlashPlan | undefined;
  try {
    const board = await Bootloader.connect(await portOf(usb), { clock, ports, signal });
    outcome.chip = board.identity.chip.name;
    outcome.baud = board.baud;
    try {
      writing = await plan(board, job);
      const total = plannedBytes(writing);
      const verdict = await provision(board, writing, {
        signal,
        onProgress: ({ done }) => (mark.share = done / total),
      });
      if (verdict) outcome.verdict = verdict;
    } finally {
      await board.close();
    }
  } catch (error) {
    outcome.error = codeOf(error);
  }
  outcome.writes = writing?.writes.map(({ offset, data }) => ({ offset, data })) ?? [];
  return outcome;
}

ports.onArrived((port) => arrived.push(idsOf(port)));
window.bench = {
  list: async () => (await ports.list()).map(idsOf),
  provision: run,
  share: (name) => marks.get(name)?.share ?? 0,
  abort: (name) => marks.get(name)?.controller.abort(),
  arrivals: (usb) => arrived.filter((ids) => same(ids, usb)).length,
};
