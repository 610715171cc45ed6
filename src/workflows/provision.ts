/** First-time provisioning and re-flash: what runs after the user has seen the plan. */
import { type Bootloader } from '#device/bootloader.ts';
import { type ConsoleLine } from '#device/console.ts';
import { DeviceError, isDeviceError } from '#device/device-error.ts';
import { isUsbOtg } from '#device/reset.ts';
import { bootExpectation, type BootVerdict, watchBoot } from './boot-watch.ts';
import { type FlashPlan } from './flash-plan.ts';
import { runFlashPlan, type RunPlanOptions } from './run-flash-plan.ts';

export interface ProvisionRunOptions extends RunPlanOptions {
  /** Leave the board in its loader instead of starting it. */
  after?: 'reset' | 'none';
  onRestart?: () => void;
  onLine?: (line: ConsoleLine) => void;
}

/**
 * Carries out the plan, restarts the board and watches it come up. The board's port is closed at the end, whatever happens.
 *
 * @returns what proves that it is up; `undefined` with `after: 'none'`.
 * @throws {WorkflowError} as `runFlashPlan` and `watchBoot`.
 * @throws {DeviceError} when the board or the cable fails.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function provision(
  board: Bootloader,
  plan: FlashPlan,
  { after = 'reset', onRestart, onLine, ...run }: ProvisionRunOptions = {},
): Promise<BootVerdict | undefined> {
  try {
    await runFlashPlan(board, plan, run);
    if (after === 'none') return undefined;
    onRestart?.();
    const console = await board.restart({ signal: run.signal, baud: plan.consoleBaud });
    let seen = false;
    const seeLine = (line: ConsoleLine): void => {
      seen = true;
      onLine?.(line);
    };
    try {
      const verdict = await watchBoot(console, bootExpectation(plan), { signal: run.signal, onLine: seeLine });
      if (!seen && (await console.stillInLoader())) {
        throw new DeviceError('restart-failed', 'The loader still answers after the restart');
      }
      return verdict;
    } catch (error) {
      // Silence is not failure, but a release that names its sign of life wants to be heard.
      const mayVanish = isUsbOtg(board.identity.usb) && !seen && plan.bootCheck.line === undefined;
      if (mayVanish && isDeviceError(error, 'port-lost')) return { by: 'unseen' };
      throw error;
    } finally {
      await console.close();
    }
  } finally {
    await board.close();
  }
}
