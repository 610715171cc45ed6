/** The files that boards download, each once, under the digest of its content. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256Hex } from '../releases/release-view.ts';
import { writeWhole } from '../store/kept-file.ts';

export class StepFiles {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder if it is not there. */
  static async open(folder: string): Promise<StepFiles> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new StepFiles(folder);
  }

  path(sha256: string): string {
    return join(this.#folder, `${sha256}.bin`);
  }

  /** @returns the digest. */
  async write(image: Uint8Array): Promise<string> {
    const sha256 = sha256Hex(image);
    const there = await stat(this.path(sha256)).catch(() => undefined); // not there yet
    if (there?.size !== image.length) await writeWhole(this.path(sha256), image);
    return sha256;
  }

  /** Removes all that nobody needs, and what a crash left half written. */
  async keepOnly(needed: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!needed.has(name.replace(/\.bin$/, ''))) await rm(join(this.#folder, name), { force: true });
    }
  }
}
