/** The files of an asset image on the disk: collected from what the user names, and written back into a folder. */
import { type AssetFile } from '#formats/data/assets.ts';
import { type Dirent } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../input-error.ts';
import { fileError, MAX_FILE, type OutputFile, readInput } from './file-command.ts';

/**
 * Files by the name they were given, folders by everything in them, named from the folder on. What begins with a dot is left out of
 * folders: systems leave such files behind, and an image should not depend on them.
 *
 * @throws {InputError} `file-missing`, `file-unreadable`, `file-too-large`, `file-not-regular`.
 */
export async function readAssetFiles(paths: readonly string[]): Promise<AssetFile[]> {
  const found: { name: string; source: string }[] = [];
  for (const path of paths) {
    const kind = await kindOf(path);
    if (kind === 'folder') found.push(...(await filesIn(path, '')));
    else found.push({ name: basename(path), source: path });
  }
  const files: AssetFile[] = [];
  let total = 0;
  for (const { name, source } of found) {
    const bytes = await readInput(source);
    total += bytes.length;
    if (total > MAX_FILE) throw tooMuch(source);
    // Systems differ in how they compose the letters of a name.
    files.push({ name: name.normalize('NFC'), bytes, source });
  }
  return files;
}

const tooMuch = (file: string): InputError =>
  new InputError('file-too-large', 'All files together are larger than any flash', { place: { file } });

/** The file of the layout raw: there is one, and it is no folder. */
export async function readRawFile(paths: readonly string[]): Promise<{ path: string; bytes: Uint8Array }> {
  const [path = '', ...more] = paths;
  if (more.length > 0 || (await kindOf(path)) === 'folder') {
    const message = 'The layout raw takes one file; --layout assets takes several, and folders';
    throw new InputError('data-one-file', message, { place: { file: more[0] ?? path } });
  }
  return { path, bytes: await readInput(path) };
}

async function kindOf(path: string): Promise<'file' | 'folder'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    throw fileError(path, error as NodeJS.ErrnoException);
  }
}

async function filesIn(folder: string, prefix: string): Promise<{ name: string; source: string }[]> {
  const found: { name: string; source: string }[] = [];
  for (const entry of await entriesOf(folder)) {
    if (entry.name.startsWith('.')) continue;
    const source = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) found.push(...(await filesIn(source, `${name}/`)));
    else if (entry.isFile() || (await leadsToFile(source))) found.push({ name, source });
    else {
      // A link to a folder could lead in circles; a pipe or a device has no end.
      throw new InputError('file-not-regular', `${source} is neither a file nor a folder`, { place: { file: source } });
    }
  }
  return found;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw fileError(folder, error as NodeJS.ErrnoException);
  }
}

async function leadsToFile(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isFile();
  } catch (error) {
    throw fileError(link, error as NodeJS.ErrnoException);
  }
}

/**
 * Where each file goes. Names were checked by the reader, so that none leads out of `folder` by itself; here it is checked that no
 * link in it does.
 *
 * @throws {InputError} `data-folder-has-link`.
 */
export async function placeAssetFiles(folder: string, files: readonly AssetFile[]): Promise<OutputFile[]> {
  const checked = new Set<string>([folder]);
  const outputs = files.map(({ name, bytes }) => ({ path: join(folder, ...name.split('/')), content: bytes }));
  for (const { path } of outputs) {
    for (let at = dirname(path); !checked.has(at); at = dirname(at)) {
      checked.add(at);
      if (await isLink(at)) {
        const message = `${at} is a link: files would be written outside of ${folder}`;
        throw new InputError('data-folder-has-link', message, { place: { file: at } });
      }
    }
  }
  return outputs;
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code === 'ENOENT') return false;
    throw fileError(path, failure);
  }
}
