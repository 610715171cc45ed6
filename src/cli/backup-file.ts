/** The file that a backup grows in: under another name until it is complete, so that what has the name asked for is always whole. */
import { type ReadBackup, readBackup } from '#formats/backup/backup-reader.ts';
import { type BackupSink } from '#workflows/backup.ts';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { inFile, readInput } from './files/file-command.ts';
import { InputError } from './input-error.ts';

/** A backup that was broken off. */
export interface BegunBackup extends ReadBackup {
  bytes: Uint8Array;
}

export class BackupFile implements BackupSink {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Something was appended that is worth keeping. */
  #worthy: boolean;
  #open = true;

  private constructor(path: string, handle: FileHandle, worthy: boolean) {
    this.path = path;
    this.#handle = handle;
    this.#worthy = worthy;
  }

  /** Where it stands as long as it is not complete. */
  get partPath(): string {
    return partOf(this.path);
  }

  /**
   * Makes sure that the file can be written, and changes nothing that is there. Folders are made.
   *
   * @throws {InputError} `file-unwritable`.
   */
  static async open(path: string): Promise<BackupFile> {
    try {
      await mkdir(dirname(path), { recursive: true });
      if ((await stat(path).catch(() => undefined))?.isDirectory()) throw new Error('it is a folder');
      const handle = await open(partOf(path), 'a+');
      return new BackupFile(path, handle, (await handle.stat()).size > 0);
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /**
   * What an earlier run left, or a backup of this name that is there already; `undefined` when there is neither.
   *
   * @throws {FormatError} `backup-…` when it is none that can be gone on with.
   */
  async begun(): Promise<BegunBackup | undefined> {
    const path = this.#worthy ? this.partPath : this.path;
    if (!(await stat(path).catch(() => undefined))) return undefined;
    const bytes = await readInput(path);
    return { bytes, ...inFile(path, () => readBackup(bytes)) };
  }

  /** Begins with these bytes, whatever there was. */
  async beginWith(bytes: Uint8Array): Promise<void> {
    await this.#write(async () => {
      await this.#handle.truncate(0);
      await this.#handle.appendFile(bytes);
    });
    this.#worthy = false;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#write(() => this.#handle.appendFile(bytes));
  }

  /** From now on there is something to go on with. */
  keep(): void {
    this.#worthy = true;
  }

  /** It is complete, and gets its name. */
  async finish(): Promise<void> {
    await this.#write(async () => {
      await this.#handle.sync();
      await this.#handle.close();
      this.#open = false;
      await rename(this.partPath, this.path);
    });
  }

  /**
   * Ends the work; after `finish` this does nothing.
   *
   * @returns whether something is left that can be gone on with.
   */
  async close(): Promise<boolean> {
    if (!this.#open) return false;
    this.#open = false;
    await this.#handle.close();
    if (!this.#worthy) await rm(this.partPath, { force: true });
    return this.#worthy;
  }

  async #write(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }
}

const partOf = (path: string): string => `${path}.part`;

function unwritable(path: string, error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError('file-unwritable', `${path} cannot be written (${code ?? message})`, { place: { file: path } });
}
