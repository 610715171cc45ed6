/** Which of many picked files have to be read, so that a build folder with thousands of files is not read whole. */
import { baseName, depthOf, folderOf, normalPath } from '#formats/release/paths.ts';
import { filesNamedBy } from '#formats/release/recognise.ts';
import { type ReleaseFile } from '#formats/release/release.ts';

/** A file that was picked, not read yet. */
export interface PickedFile {
  path: string;
  file: File;
}

/** Larger than any flash: nothing of a release. */
const MAX_FILE = 0x1000_0000;
/** Lists that say which files belong to a release; where one lies, there the release begins. */
const LISTS =
  /^(release\.json|flasher_args\.json|flash_(project_)?args|manifest[\w.-]*\.json|[\w.-]*launchpad[\w.-]*\.toml)$/;

/** Reads the folder of the uppermost list (or the uppermost files), and what the list there names. */
export async function readPicked(picked: readonly PickedFile[]): Promise<ReleaseFile[]> {
  const files = picked
    .map(({ path, file }) => ({ path: normalPath(path), file }))
    .filter(({ file }) => file.size <= MAX_FILE);
  const uppermost = files.toSorted((a, b) => depthOf(a.path) - depthOf(b.path));
  const start = uppermost.find(({ path }) => LISTS.test(baseName(path))) ?? uppermost[0];
  if (!start) return [];
  const isTop = ({ path }: PickedFile): boolean =>
    LISTS.test(baseName(start.path)) ? folderOf(path) === folderOf(start.path) : depthOf(path) === depthOf(start.path);
  const top = await Promise.all(files.filter(isTop).map(read));
  const named = new Set(filesNamedBy(top));
  const further = files.filter((entry) => !isTop(entry) && named.has(entry.path));
  return [...top, ...(await Promise.all(further.map(read)))];
}

const read = async ({ path, file }: PickedFile): Promise<ReleaseFile> => ({
  path,
  bytes: new Uint8Array(await file.arrayBuffer()),
});

/** `build folder "voice-box/build"`, `merged.bin`, `3 files`: where it came from, as the user knows it. */
export function sourceText(picked: readonly PickedFile[], read: readonly ReleaseFile[]): string {
  const [first] = read;
  if (!first) return 'nothing';
  const folder = folderOf(read.map(({ path }) => path).toSorted((a, b) => depthOf(a) - depthOf(b))[0] ?? '');
  if (folder !== '') return `folder “${folder}”`;
  return picked.length === 1 ? first.path : `${read.length} files`;
}
