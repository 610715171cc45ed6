/** A folder into which people put release files: what is new in it is taken, what is removed from it stays in the station. */
import { MAX_UPLOAD } from '#api.ts';
import { type Clock } from '#clock.ts';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../refusal.ts';
import { StartError } from '../start-error.ts';
import { type ReleaseLibrary } from './release-library.ts';

/** Milliseconds between two looks. */
const EVERY = 5000;

export interface FolderOptions {
  folder: string;
  library: ReleaseLibrary;
  clock: Clock;
  log: (line: string) => void;
}

export class ReleaseFolder {
  readonly #options: FolderOptions;
  /** Size and time of each file as it was last seen, and whether it was dealt with. */
  readonly #seen = new Map<string, { stamp: string; done: boolean }>();
  #cancel: (() => void) | undefined;
  #closed = false;

  private constructor(options: FolderOptions) {
    this.#options = options;
  }

  /**
   * Takes what is there, and from then on what comes.
   *
   * @throws {StartError} `releases-unreadable`.
   */
  static async open(options: FolderOptions): Promise<ReleaseFolder> {
    const folder = new ReleaseFolder(options);
    try {
      await folder.look({ settled: true });
    } catch (cause) {
      throw new StartError('releases-unreadable', `The folder ${options.folder} cannot be read`, {
        todo: 'Check the folder of --releases.',
        cause,
      });
    }
    folder.#later();
    return folder;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #later(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(EVERY, () => {
      void this.look()
        .catch(() => undefined) // it is gone for the moment, such as a drive that was pulled out
        .finally(() => this.#later());
    });
  }

  /** A file that is new is taken once it did not change between two looks: it may still be being copied. */
  async look({ settled = false } = {}): Promise<void> {
    const { folder } = this.#options;
    const entries = await readdir(folder, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'))) {
      const info = await stat(join(folder, name)).catch(() => undefined); // removed just now
      if (!info) continue;
      const stamp = `${info.size} ${info.mtimeMs}`;
      const last = this.#seen.get(name);
      const quiet = settled || last?.stamp === stamp;
      if (quiet && !(last?.done && last.stamp === stamp)) await this.#take(name, info.size);
      this.#seen.set(name, { stamp, done: quiet });
    }
  }

  async #take(name: string, size: number): Promise<void> {
    const { folder, library, log } = this.#options;
    try {
      if (size > MAX_UPLOAD) throw new Refusal('too-large');
      await library.add(name, new Uint8Array(await readFile(join(folder, name))));
    } catch (error) {
      log(`${name} is not taken: ${error instanceof Refusal ? (error.detail ?? error.code) : 'it cannot be read'}`);
    }
  }
}
