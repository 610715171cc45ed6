/** Where the page puts a backup: into a file as it is read, where the browser can, else into memory and then into the downloads. */
import { type BackupSink } from '#workflows/backup.ts';
import { saveFile } from '../save-file.ts';

export interface BackupPlace extends BackupSink {
  /** Of the file, as the user knows it. */
  readonly name: string;
  /** Forgets what stands behind the first `size` bytes. */
  cut(size: number): Promise<void>;
  /** It is complete: the user has it. */
  finish(): Promise<void>;
  /** Nothing is left of it. */
  discard(): Promise<void>;
}

/** Part of the File System Access API that TypeScript's DOM library lacks. */
interface FilePickers {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

/**
 * Asks the user for a place, where the browser lets him choose. Inside a click.
 *
 * @returns `undefined` when he does not want to.
 */
export async function chooseBackupPlace(name: string): Promise<BackupPlace | undefined> {
  const { showSaveFilePicker } = globalThis as FilePickers;
  if (!showSaveFilePicker) return new DownloadPlace(name);
  try {
    const handle = await showSaveFilePicker({ suggestedName: name });
    return new FilePlace(handle.name, await handle.createWritable());
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    throw error;
  }
}

class FilePlace implements BackupPlace {
  readonly name: string;
  readonly #stream: FileSystemWritableFileStream;

  constructor(name: string, stream: FileSystemWritableFileStream) {
    this.name = name;
    this.#stream = stream;
  }

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#stream.write(bytes);
  }

  async cut(size: number): Promise<void> {
    await this.#stream.truncate(size);
    await this.#stream.seek(size);
  }

  async finish(): Promise<void> {
    await this.#stream.close();
  }

  async discard(): Promise<void> {
    await this.#stream.abort();
  }
}

class DownloadPlace implements BackupPlace {
  readonly name: string;
  #content = new Blob();

  constructor(name: string) {
    this.name = name;
  }

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // A blob may lie on the browser's disk, unlike an array.
    this.#content = new Blob([this.#content, bytes]);
  }

  async cut(size: number): Promise<void> {
    this.#content = this.#content.slice(0, size);
  }

  async finish(): Promise<void> {
    saveFile(this.#content, this.name);
  }

  async discard(): Promise<void> {
    this.#content = new Blob();
  }
}
