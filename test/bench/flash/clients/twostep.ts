/** Twostep's own device layer. */
import { systemClock } from '#clock.ts';
import { Bootloader } from '#device/bootloader.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { runFlashPlan } from '#workflows/flash-plan.ts';
import { planFor } from '../jobs.ts';
import { type Client } from './client.ts';

export const client: Client = {
  async connect(port, { baud, usb }) {
    const board = await Bootloader.connect(port, { clock: systemClock, baud, before: usb ? 'auto' : 'classic' });
    return {
      write: (data) => board.write(0, data),
      read: (length) => board.read(0, length),
      provision: async (job) => runFlashPlan(board, planFor(job, await readBoardState(board, board.identity))),
      close: () => board.close(),
    };
  },

  compress: (data) =>
    new Response(new Blob([data]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer(),
};
