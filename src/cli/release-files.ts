/** Reads what the user named as a release: folders and files. Of a build folder only what belongs to the release is read. */
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { filesNamedBy, recogniseRelease } from '#formats/release/recognise.ts';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileError, MAX_FILE, readInput } from './files/file-command.ts';
import { InputError } from './input-error.ts';

/**
 * @throws {InputError} as `readReleaseFiles`.
 * @throws {FormatError} `release-…`, when the files are no release.
 */
export const readRelease = async (paths: readonly string[]): Promise<Release> =>
  recogniseRelease(await readReleaseFiles(paths));

/** @throws {InputError} `file-missing`, `file-unreadable`, `several-releases`. */
export async function readReleaseFiles(paths: readonly string[]): Promise<ReleaseFile[]> {
  const files: ReleaseFile[] = [];
  let folders = 0;
  for (const path of paths) {
    const info = await stat(path).catch((error: NodeJS.ErrnoException) => Promise.reject(fileError(path, error)));
    if (info.isDirectory()) folders++;
    if (folders > 0 && paths.length > 1) {
      throw new InputError('several-releases', 'More than one release is given', {
        todo: 'Give one folder, or the files of one release.',
      });
    }
    if (info.isDirectory()) files.push(...(await readFolder(path)));
    else files.push({ path: basename(path), bytes: await readInput(path) });
  }
  return files;
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
