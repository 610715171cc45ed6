/** A folder into which people put release files and build folders: what is new in it is taken, what is removed from it stays in the station. */
import { MAX_UPLOAD } from '#api.ts';
import { type Clock } from '#clock.ts';
import { type Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../refusal.ts';
import { StartError } from '../start-error.ts';
import { folderStamp } from './build-folder.ts';
import { packFolder } from './packed-folder.ts';
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
  /** Size and time of each file, or of all files of a folder, as it was last seen, and whether it was dealt with. */
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

  /** What is new is taken once it did not change between two looks: it may still be being copied. */
  async look({ settled = false } = {}): Promise<void> {
    const entries = await readdir(this.#options.folder, { withFileTypes: true });
    for (const entry of entries.filter(({ name }) => !name.startsWith('.'))) {
      const { name } = entry;
      const stamp = await this.#stamp(entry);
      if (stamp === undefined) continue;
      const last = this.#seen.get(name);
      const quiet = settled || last?.stamp === stamp;
      if (quiet && !(last?.done && last.stamp === stamp)) await this.#take(entry);
      this.#seen.set(name, { stamp, done: quiet });
    }
  }

  /** Nothing for what is neither file nor folder, or was removed just now. */
  async #stamp(entry: Dirent): Promise<string | undefined> {
    const path = join(this.#options.folder, entry.name);
    if (entry.isDirectory()) return folderStamp(path);
    const info = entry.isFile() ? await stat(path).catch(() => undefined) : undefined;
    return info && `${info.size} ${info.mtimeMs}`;
  }

  async #take(entry: Dirent): Promise<void> {
    const { folder, library, log } = this.#options;
    const { name } = entry;
    const path = join(folder, name);
    try {
      if (entry.isDirectory()) await library.add(`${name}.twostep.zip`, await packFolder(path));
      else await library.add(name, await readWhole(path));
    } catch (error) {
      log(`${name} is not taken: ${error instanceof Refusal ? (error.detail ?? error.code) : 'it cannot be read'}`);
    }
  }
}

/** @throws {Refusal} `too-large`. */
async function readWhole(path: string): Promise<Uint8Array> {
  if ((await stat(path)).size > MAX_UPLOAD) throw new Refusal('too-large');
  return new Uint8Array(await readFile(path));
}
