/** The flash of a virtual board in a file, so that it is there the next time. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { InputError } from './input-error.ts';

const SAVE_EVERY_MS = 500;

export interface FlashFile {
  /** The flash itself, changed in place by the board. */
  readonly bytes: Uint8Array;
  /** Writes the file now, if anything changed. */
  save(): Promise<void>;
  /** Saves from time to time; the returned function ends that with a last save. */
  keepSaved(): () => Promise<void>;
}

/**
 * The content of `path`, or a blank flash of `size` bytes where there is no such file (or no path at all).
 *
 * @throws {InputError} `flash-file`, when the file has no size of a flash or cannot be read.
 */
export async function openFlashFile(path: string | undefined, size: number): Promise<FlashFile> {
  const found = path === undefined ? undefined : await read(path);
  const bytes = found ?? new Uint8Array(size).fill(0xff);
  let saved = found?.slice();
  const save = async (): Promise<void> => {
    if (path === undefined || (saved && Buffer.compare(bytes, saved) === 0)) return;
    const copy = bytes.slice();
    // Never a torn file: whoever looks finds the old one or the new one.
    await writeFile(`${path}.new`, copy);
    await rename(`${path}.new`, path);
    saved = copy;
  };
  try {
    // Now, so that a place where nothing can be written is told before the work.
    await save();
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? 'unknown cause';
    throw new InputError('flash-file', `${path ?? ''} cannot be written (${cause})`);
  }
  return {
    bytes,
    save,
    keepSaved() {
      let last = Promise.resolve();
      // A disk that is full now may not be so later; the last save tells.
      const timer = setInterval(() => {
        last = last.then(save).catch(() => undefined);
      }, SAVE_EVERY_MS);
      return async () => {
        clearInterval(timer);
        await last;
        await save();
      };
    },
  };
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = new Uint8Array(await readFile(path));
    if (bytes.length < 0x10_0000 || Math.log2(bytes.length) % 1 !== 0) {
      throw new InputError('flash-file', `${path} has ${bytes.length} bytes, which is no size of a flash`);
    }
    return bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof InputError) throw error;
    throw new InputError(
      'flash-file',
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown cause'})`,
    );
  }
}
