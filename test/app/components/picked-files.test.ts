import { describe, expect, test } from 'vitest';
import { pickedFromDrop, pickedFromInput } from '../../../src/app/components/picked-files.ts';

/** A folder as the browser's drag-and-drop shows it; a reader gives `batch` entries at a time, as real ones give a hundred. */
type Tree = { [name: string]: Tree | string };

function entry(name: string, content: Tree | string, above = ''): FileSystemEntry {
  const fullPath = `${above}/${name}`;
  const common = { name, fullPath, filesystem: undefined, getParent: () => undefined };
  if (typeof content === 'string') {
    const file = (done: (file: File) => void): void => done(new File([content], name));
    return { ...common, isFile: true, isDirectory: false, file } as unknown as FileSystemEntry;
  }
  const createReader = (): Pick<FileSystemDirectoryReader, 'readEntries'> => {
    const left = Object.entries(content).map(([below, inside]) => entry(below, inside, fullPath));
    return { readEntries: (done) => done(left.splice(0, 2)) };
  };
  return { ...common, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}

const dropOf = (...entries: (FileSystemEntry | null)[]): DataTransfer =>
  ({
    items: entries.map((one) => ({ kind: 'file', webkitGetAsEntry: () => one })),
    files: [new File(['x'], 'loose.bin')],
  }) as unknown as DataTransfer;

const paths = (files: { path: string }[]): string[] => files.map(({ path }) => path).sort();

describe('what was dropped', () => {
  test('a folder gives every file in it with its path, however many times its reader must be asked', async () => {
    const build: Tree = {
      'a.bin': '1',
      'b.bin': '2',
      'c.bin': '3',
      'd.bin': '4',
      bootloader: { 'bootloader.bin': '5' },
    };
    const files = await pickedFromDrop(dropOf(entry('build', build)));
    expect(paths(files)).toEqual([
      'build/a.bin',
      'build/b.bin',
      'build/bootloader/bootloader.bin',
      'build/c.bin',
      'build/d.bin',
    ]);
    expect(await files.find(({ path }) => path === 'build/c.bin')!.file.text()).toBe('3');
  });

  test('files and folders may come together', async () => {
    const files = await pickedFromDrop(dropOf(entry('app.bin', 'x'), entry('data', { 'voices.bin': 'y' })));
    expect(paths(files)).toEqual(['app.bin', 'data/voices.bin']);
  });

  test('folders of build systems that hold no release are not walked through', async () => {
    const tree: Tree = { 'app.bin': '1', CMakeFiles: { 'x.o': '2' }, '.git': { HEAD: '3' } };
    expect(paths(await pickedFromDrop(dropOf(entry('build', tree))))).toEqual(['build/app.bin']);
  });

  test('an empty folder gives nothing', async () => {
    expect(await pickedFromDrop(dropOf(entry('build', {})))).toEqual([]);
  });

  test('where the browser has no entries, the plain files are taken', async () => {
    expect(paths(await pickedFromDrop(dropOf(null)))).toEqual(['loose.bin']);
  });

  test('an entry that cannot be read is told', async () => {
    const gone = {
      isFile: true,
      fullPath: '/gone.bin',
      file: (_: unknown, failed: (error: unknown) => void) => failed(new DOMException('gone', 'NotFoundError')),
    } as unknown as FileSystemEntry;
    await expect(pickedFromDrop(dropOf(gone))).rejects.toMatchObject({ name: 'NotFoundError' });
  });
});

test('what was picked has the path inside the folder, or the name alone', () => {
  const inFolder = Object.defineProperty(new File(['1'], 'app.bin'), 'webkitRelativePath', { value: 'build/app.bin' });
  const alone = Object.defineProperty(new File(['2'], 'data.bin'), 'webkitRelativePath', { value: '' });
  expect(paths(pickedFromInput([inFolder, alone]))).toEqual(['build/app.bin', 'data.bin']);
});
