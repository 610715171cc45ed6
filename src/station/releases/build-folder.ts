/** Build folders: of the thousands of files in one, those that can belong to a release. */
import { filesNamedBy } from '#formats/release/recognise.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

/**
 * The files at the top of the folder, in the order of their names, and those in its sub-folders that its own lists name. A file that a list
 * names and that is not there is for the recogniser to report.
 *
 * @param takes is asked before a file is read; `size` in bytes, `isOutside`: links lead out of the folder. What it throws ends the reading.
 * @throws what the file system says, with the path.
 */
export async function readBuildFolder(
  folder: string,
  takes: (file: { path: string; size: number; isOutside: boolean }) => boolean,
): Promise<ReleaseFile[]> {
  const root = join(await realpath(folder), sep);
  const read = async (path: string): Promise<ReleaseFile[]> => {
    const file = await realpath(join(folder, path)).catch(() => undefined);
    const info = file === undefined ? undefined : await stat(file).catch(() => undefined);
    if (file === undefined || !info?.isFile()) return [];
    if (!takes({ path, size: info.size, isOutside: !file.startsWith(root) })) return [];
    return [{ path, bytes: new Uint8Array(await readFile(file)) }];
  };
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const files: ReleaseFile[] = [];
  for (const name of names.toSorted()) files.push(...(await read(name)));
  const top = new Set(names);
  for (const path of filesNamedBy(files)) if (!top.has(path)) files.push(...(await read(path)));
  return files;
}

/** How deep below a folder files are looked at to see whether it changes, and how many of them. */
const DEEPEST = 3;
const MOST_ENTRIES = 2000;

/** What changes when a file of the folder does, as far as its releases name files: it may still be being copied or built. */
export async function folderStamp(folder: string): Promise<string> {
  const stamps: string[] = [];
  let level = [''];
  for (let depth = 0; depth < DEEPEST && stamps.length < MOST_ENTRIES; depth++) {
    const below: string[] = [];
    for (const at of level) {
      const entries = await readdir(join(folder, at), { withFileTypes: true }).catch(() => []); // removed just now
      for (const entry of entries.slice(0, Math.max(0, MOST_ENTRIES - stamps.length))) {
        const path = join(at, entry.name);
        if (entry.isDirectory()) below.push(path);
        const info = await stat(join(folder, path)).catch(() => undefined);
        if (info?.isFile()) stamps.push(`${path} ${info.size} ${info.mtimeMs}`);
      }
    }
    level = below;
  }
  return stamps.toSorted().join('\n');
}
