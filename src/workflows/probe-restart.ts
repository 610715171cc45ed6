/** Whether a reset reaches a board, by what it says after it. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';

export interface RestartReport {
  /** The first lines that say something, if any came. */
  lines: string[];
  /** Milliseconds to the first of them. */
  firstAfterMs?: number;
}

/** Lines of its text that the report shows. */
const SHOWN_LINES = 3;
/** Milliseconds in which a board that was restarted says something. */
const FIRST_LINES_MS = 3000;

/**
 * Restarts the board and listens to its first words: none mean that the reset lines do not reach it, or an app that is silent. The session
 * is over then, and the port closed.
 *
 * @throws {DeviceError} as `Bootloader.restart`.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function hearRestart(
  board: Pick<Bootloader, 'restart'>,
  { clock, signal }: { clock: Clock; signal?: AbortSignal | undefined },
): Promise<RestartReport> {
  const started = clock.now();
  const end = started + FIRST_LINES_MS;
  const report: RestartReport = { lines: [] };
  const console = await board.restart({ signal });
  try {
    while (report.lines.length < SHOWN_LINES) {
      const line = await console.next({ ms: Math.max(0, end - clock.now()), signal });
      if (!line) break;
      report.firstAfterMs ??= Math.round(clock.now() - started);
      if (line.text.trim() !== '') report.lines.push(line.text);
    }
  } catch (error) {
    // The port went away: what was heard until then counts.
    if (!isDeviceError(error)) throw error;
  } finally {
    await console.close();
  }
  return report;
}
