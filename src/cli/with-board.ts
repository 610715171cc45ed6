/** From `--port` to a connected board, and back to a closed port whatever happens. */
import { type Clock } from '#clock.ts';
import { Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';
import { type EntryMode } from '#device/reset.ts';
import { flashSizeName, parseFlashSize } from '#formats/chips.ts';
import { join } from 'node:path';
import { cacheFolder, fileBauds } from './baud-memory.ts';
import { type CommandContext } from './context.ts';
import { InputError } from './input-error.ts';
import { openBoardPort } from './ports/board-port.ts';

export interface BoardOptions {
  port: string;
  baud?: string;
  flashSize?: string;
  before: EntryMode;
  /** False: no stub. */
  stub?: boolean;
}

/**
 * @throws {InputError} when an option makes no sense; the port is not opened.
 * @throws everything that connecting and `work` throw.
 */
export async function withBoard(
  options: BoardOptions,
  context: CommandContext,
  work: (board: Bootloader, clock: Clock) => Promise<void>,
): Promise<void> {
  const { signal, env, output } = context;
  const rateAndSize = baudAndSize(options);
  const place = await openBoardPort(options.port);
  try {
    await place.run(async () => {
      const board = await Bootloader.connect(place.port, {
        clock: place.clock,
        ports: place.source,
        before: options.before,
        stub: options.stub,
        signal,
        ...(place.isAdapter ? { bauds: fileBauds(join(cacheFolder(env), 'bauds.json')) } : {}),
        ...(place.fixedBaud === undefined ? {} : { baud: place.fixedBaud }),
        ...rateAndSize,
      });
      try {
        if (board.mode === 'rom' && !board.identity.security.secureDownload) {
          const text = 'No stub runs on the board: the loader in ROM does the work, slowly';
          output.say('rom-loader', { baud: board.baud }, text);
        }
        await work(board, place.clock);
      } finally {
        await board.close();
      }
    });
  } finally {
    await place.dispose();
  }
}

/** Lets a board that was only looked at go on with what it did. One that was brought into download mode by hand stays there. */
export async function leaveLoader(
  board: Bootloader,
  { before }: Pick<BoardOptions, 'before'>,
  { signal }: CommandContext,
): Promise<void> {
  if (before === 'none') return;
  try {
    await (await board.restart({ signal })).close();
  } catch (error) {
    // It was only looked at: that it could not be restarted is no failure of the job.
    if (!isDeviceError(error)) throw error;
  }
}

function baudAndSize({ baud, flashSize }: BoardOptions): { baud?: number; flashSize?: number } {
  const rate = baud === undefined || baud === 'auto' ? undefined : Number(baud);
  if (rate !== undefined && (!Number.isInteger(rate) || rate < 9600 || rate > 6_000_000)) {
    throw new InputError('baud', `"${baud ?? ''}" is no baud rate`, { todo: 'Give a number such as 921600, or auto.' });
  }
  const size = flashSize === undefined ? undefined : parseFlashSize(flashSize);
  if (flashSize !== undefined && (size === undefined || size < 0x4_0000 || flashSizeName(size).includes('.'))) {
    throw new InputError('flash-size', `"${flashSize}" is no flash size`, { todo: 'Give one such as 4MB.' });
  }
  return { ...(rate === undefined ? {} : { baud: rate }), ...(size === undefined ? {} : { flashSize: size }) };
}
