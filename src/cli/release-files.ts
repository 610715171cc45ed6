/** Reads what the user named as a release: folders and files. Of a build folder only what belongs to the release is read. */
import { type Release, type ReleaseFile } from '#formats/release/release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { readBuildFolder } from '#station/releases/build-folder.ts';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
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

async function readFolder(folder: string): Promise<ReleaseFile[]> {
  try {
    return await readBuildFolder(folder, ({ size }) => size <= MAX_FILE);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    throw fileError(failure.path ?? folder, failure);
  }
}
