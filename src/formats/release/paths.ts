/** Paths of release files: forward slashes, looked up from the file that names them. */
import { type ReleaseFile } from './release.ts';

/** Last component of a path or URL. */
export const baseName = (path: string): string =>
  path.replaceAll('\\', '/').replace(/\/+$/, '').split('/').at(-1) ?? path;

/** All but the last component, '' for a bare name. */
export const folderOf = (path: string): string => normalPath(path).split('/').slice(0, -1).join('/');

/** Number of folders above the file. */
export const depthOf = (path: string): number => normalPath(path).split('/').length - 1;

/** Without `.`, empty components and backslashes; `..` is resolved as far as there is something above. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.replaceAll('\\', '/').split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}

const isAbsolute = (path: string): boolean => /^([a-z]:)?[\\/]/i.test(path) || /^[a-z][a-z0-9+.-]+:/i.test(path);

export type Resolved = { file: ReleaseFile } | { missing: string; outside: boolean };

/**
 * The file that `named` means, as written in a file of `folder`. Where the exact path is not there, a file of that name is taken if it is
 * the only one: people drop files without their folders. What is missing is named without the path of another machine.
 */
export function resolveFile(files: readonly ReleaseFile[], folder: string, named: string): Resolved {
  const absolute = isAbsolute(named);
  const path = absolute ? baseName(named) : normalPath(`${folder}/${named}`);
  const exact = absolute ? undefined : files.find((file) => normalPath(file.path) === path);
  if (exact) return { file: exact };
  const sameName = files.filter((file) => baseName(file.path) === baseName(path));
  const [only] = sameName;
  if (only && sameName.length === 1) return { file: only };
  const outside = absolute || path.startsWith('../');
  return { missing: absolute ? baseName(named) : normalPath(named), outside };
}

/** Where `named` is, seen from the folder above `folder`; `undefined` when that is outside, or a path of another machine. */
export function pathInside(folder: string, named: string): string | undefined {
  if (isAbsolute(named)) return undefined;
  const path = normalPath(`${folder}/${named}`);
  return path === '' || path === '..' || path.startsWith('../') ? undefined : path;
}
