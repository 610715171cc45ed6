/** Whether the line carries what it should at the rate that it has now. */
import { isDeviceError } from './device-error.ts';
import { readTransfer } from './flash-transfer.ts';
import { type LoaderCommands } from './loader-commands.ts';
import { type LoaderFlash } from './loader-flash.ts';

/** Bytes that have to arrive whole before a rate is taken: both a frame and a read. */
const PROBE_BYTES = 0x1000;
/** SYNCs that a ROM has to answer, each eight times. */
const ROM_SYNCS = 3;

/** What a line is told by that is not good enough. */
export const isLineError = (error: unknown): boolean =>
  isDeviceError(error, 'no-reply', 'bad-reply', 'command-refused', 'command-unknown', 'stub-failed');

/** The loader answers, and what is long arrives whole. */
export async function lineWorks(commands: LoaderCommands, flash: LoaderFlash | undefined): Promise<boolean> {
  try {
    return commands.isStub ? await stubHears(commands) : await romHears(commands, flash);
  } catch (error) {
    if (!isLineError(error) && !isDeviceError(error, 'read-corrupt')) throw error;
    return false;
  }
}

async function stubHears(commands: LoaderCommands): Promise<boolean> {
  if (!(await commands.answersRegister()) && !(await commands.answersRegister())) return false;
  await commands.echoLength(PROBE_BYTES);
  await readTransfer(commands, { into: new Uint8Array(PROBE_BYTES), offset: 0, onRead: () => undefined });
  return true;
}

/** There is nothing long that the ROM would check without a trace of it on the board; each block of a write has its checksum. */
async function romHears(commands: LoaderCommands, flash: LoaderFlash | undefined): Promise<boolean> {
  for (let count = 0; count < ROM_SYNCS; count++) if (!(await commands.sync(1))) return false;
  await flash?.read({ into: new Uint8Array(PROBE_BYTES), offset: 0, onRead: () => undefined });
  return true;
}
