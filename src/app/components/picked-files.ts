/** Files and folders that a person dropped or picked, as handles with their paths. No byte is read here. */

export interface PickedFile {
  /** Path inside of what was dropped, with `/`: `build/flasher_args.json`; for a lone file its name. */
  path: string;
  file: File;
}

/** Entries that no release is made of, and that a build folder is full of. */
const SKIPPED_FOLDERS = new Set(['.git', 'node_modules', 'CMakeFiles', '__pycache__']);

/** Of the file inputs; folders come with `webkitRelativePath`. */
export const pickedFromInput = (files: Iterable<File>): PickedFile[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/**
 * Everything in a drop, folders walked through. Must be called inside the drop event: afterwards the browser forgets the items.
 *
 * @throws {DOMException} when an entry cannot be read (gone meanwhile, or no permission).
 */
export async function pickedFromDrop(transfer: DataTransfer): Promise<PickedFile[]> {
  const items = [...transfer.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return pickedFromInput(transfer.files);
  const found = await Promise.all(entries.map((entry) => walk(entry)));
  return found.flat();
}

async function walk(entry: FileSystemEntry): Promise<PickedFile[]> {
  const path = entry.fullPath.replace(/^\//, '');
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [{ path, file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PickedFile[] = [];
  // A reader gives at most a hundred entries at a time, and none when it is through.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (part.length === 0) return found;
    const wanted = part.filter(({ isDirectory, name }) => !(isDirectory && SKIPPED_FOLDERS.has(name)));
    found.push(...(await Promise.all(wanted.map((below) => walk(below)))).flat());
  }
}
