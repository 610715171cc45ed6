/** Reads what the user named as a release: folders and files. Of a build folder only what belongs to the release is read. */
import { concatBytes } from '#formats/bytes.ts';
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { filesNamedBy, recogniseRelease } from '#formats/release/recognise.ts';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from './input-error.ts';

/** Larger than any flash: nothing of a release. */
const MAX_FILE = 0x1000_0000;

/**
 * @throws {InputError} `file-missing`, `file-unreadable`.
 * @throws {FormatError} `release-…`, when the files are no release.
 */
export async function readRelease(paths: readonly string[]): Promise<Release> {
  const files: ReleaseFile[] = [];
  let folders = 0;
  for (const path of paths) {
    const info = await stat(path).catch((error: NodeJS.ErrnoException) => Promise.reject(fileError(path, error)));
    if (info.isDirectory()) folders++;
    if (folders > 0 && paths.length > 1) {
      throw new InputError(
        'several-releases',
        'More than one release is given',
        'Give one folder, or the files of one release.',
      );
    }
    if (info.isDirectory()) files.push(...(await readFolder(path)));
    else files.push({ path: basename(path), bytes: await readInput(path) });
  }
  return recogniseRelease(files);
}

/**
 * The bytes of a file that the user named.
 *
 * @throws {InputError} `file-missing`, `file-unreadable`, `file-too-large`.
 */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    // In pieces, because a pipe or a device has no size and may have no end.
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_FILE) break;
    }
    if (length <= MAX_FILE) return concatBytes(...chunks);
  } catch (error) {
    throw fileError(path, error as NodeJS.ErrnoException);
  }
  throw new InputError('file-too-large', `${path} is larger than any flash`);
}

/** The files at the top of the folder, and those in its sub-folders that its own lists name. */
async function readFolder(folder: string): Promise<ReleaseFile[]> {
  const top: ReleaseFile[] = [];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) =>
    Promise.reject(fileError(folder, error)),
  );
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isFile() || (await stat(path)).size > MAX_FILE) continue;
    top.push({ path: entry.name, bytes: await readInput(path) });
  }
  const named = filesNamedBy(top).filter((path) => !top.some((file) => file.path === path));
  for (const path of named) {
    // A file that the list names and that is not there is for the recogniser to report, by name.
    const bytes = await readFile(join(folder, path)).catch(() => undefined);
    if (bytes) top.push({ path, bytes: new Uint8Array(bytes) });
  }
  return top;
}

const fileError = (path: string, { code }: NodeJS.ErrnoException): InputError =>
  code === 'ENOENT'
    ? new InputError('file-missing', `There is no ${path}`)
    : new InputError('file-unreadable', `${path} cannot be read (${code ?? 'unknown cause'})`);
