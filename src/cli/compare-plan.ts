/** What a plan has to send: compared with the flash, and said. */
import { type Bootloader } from '#device/bootloader.ts';
import { bytesText } from '#messages/units.ts';
import { compareWithFlash, EVERYTHING, type FlashComparison } from '#workflows/flash-comparison.ts';
import { plannedBytes, type WritePlan } from '#workflows/flash-plan.ts';
import { type CommandContext } from './context.ts';

/** What the flash holds already is not sent again, unless all is asked for. */
export async function comparePlan(
  board: Bootloader,
  plan: WritePlan,
  { full, context: { output, signal } }: { full: boolean | undefined; context: CommandContext },
): Promise<FlashComparison> {
  if (full) return EVERYTHING;
  const comparison = await compareWithFlash(board, plan, {
    signal,
    onProgress: ({ done, total }) => output.progress('compare', done, total),
  });
  const toSend = comparison.bytesToSend(plan);
  const total = plannedBytes(plan);
  const text =
    toSend === 0 ? 'Nothing to send: the flash holds all of it' : `Sends ${bytesText(toSend)} of ${bytesText(total)}`;
  output.say('compared', { toSend, total }, toSend === total ? undefined : text);
  return comparison;
}
