/** Twostep's own device layer. */
import { deflate } from '#device/pack-data.ts';
import { systemClock } from '#clock.ts';
import { Bootloader, type ConnectOptions } from '#device/bootloader.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashWrite } from '#workflows/flash-plan.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { makeImage } from '../images.ts';
import { type Job, type ProvisionGoods, provisionGoods, updateOf } from '../jobs.ts';
import { type Line } from '../lines.ts';
import { type Client } from './client.ts';

/** How a session on that line is opened. */
export const optionsFor = ({ baud, usb }: Line): Pick<ConnectOptions, 'baud' | 'before'> => ({
  baud,
  before: usb ? 'auto' : 'classic',
});

async function provision(board: Bootloader, { plan }: ProvisionGoods): Promise<void> {
  await runFlashPlan(board, plan(await readBoardState(board, board.identity)));
}

/** A plan of one write. */
async function update(board: Bootloader, write: FlashWrite): Promise<void> {
  await runFlashPlan(board, { writes: [write], objections: [] });
}

/** Does a job with a board that is connected. */
export async function doJob(board: Bootloader, job: Exclude<Job, { kind: 'open' }>): Promise<void> {
  if (job.kind === 'provision') await provision(board, await provisionGoods(job));
  else if (job.kind === 'write' && job.before) await update(board, updateOf(job.image));
  else if (job.kind === 'write') await board.write(0, makeImage(job.image));
  else await board.read(0, job.image.length);
}

export const client: Client = {
  async connect(port, line) {
    const board = await Bootloader.connect(port, { clock: systemClock, ...optionsFor(line) });
    return {
      write: (data) => board.write(0, data),
      update: (write) => update(board, write),
      read: (length) => board.read(0, length),
      provision: (goods) => provision(board, goods),
      close: () => board.close(),
    };
  },

  compress: deflate,
};
