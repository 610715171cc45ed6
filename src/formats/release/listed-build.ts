/** One build of a list that names files by URL: esp-web-tools manifests and ESP Launchpad configurations. */
import * as v from 'valibot';
import { type Chip } from '../chips.ts';
import { type FormatIssue } from '../format-error.ts';
import { assembleBuild } from './assemble.ts';
import { baseName, folderOf, resolveFile } from './paths.ts';
import { type ReleaseBuild, type ReleaseFile, type ReleasePart } from './release.ts';

/** A flash offset: a number, or text as `0x1000` or `4096`. */
export const ListedOffset = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^(0x[0-9a-f]+|\d+)$/i), v.transform(Number))]),
  v.integer(),
  v.minValue(0),
  v.maxValue(0xffff_ffff),
);

export interface ListedBuild {
  /** The chip as the list writes it, for messages, and as it is known here. */
  family: string;
  chip: Chip | undefined;
  parts: readonly { path: string; offset: number }[];
}

export interface ListContext {
  files: readonly ReleaseFile[];
  /** The list itself; its URLs are relative to it. */
  list: ReleaseFile;
  /** Gets the reasons why builds are left out. */
  left: FormatIssue[];
}

/**
 * The build, or `undefined` (with the reason in `left`) when its chip is not known or files of it are not there.
 *
 * @throws {FormatError} as `assembleBuild`.
 */
export function readListedBuild(
  { family, chip, parts: listed }: ListedBuild,
  { files, list, left }: ListContext,
): ReleaseBuild | undefined {
  if (!chip) {
    left.push({
      code: 'release-unknown-chip',
      message: `The build for ${family} is left out: this chip is not known here`,
    });
    return undefined;
  }
  const parts: ReleasePart[] = [];
  const missing: string[] = [];
  for (const { path, offset } of listed) {
    const resolved = resolveUrl(files, folderOf(list.path), path);
    if (typeof resolved === 'string') missing.push(resolved);
    else parts.push({ name: baseName(resolved.path), offset, data: resolved.bytes });
  }
  if (missing.length > 0) {
    left.push({
      code: 'release-missing-file',
      message: `Files of the build for ${chip.title} are not there: ${missing.join(', ')}`,
    });
    return undefined;
  }
  return assembleBuild({ parts, chip });
}

/** The path that a URL of a list means. A query may hold secrets and is dropped. */
export const pathOfUrl = (url: string): string => decodePath(withoutQuery(url));

/** The file that a URL means, or the name to report. */
function resolveUrl(files: readonly ReleaseFile[], folder: string, url: string): ReleaseFile | string {
  const plain = withoutQuery(url);
  const raw = resolveFile(files, folder, plain);
  if ('file' in raw) return raw.file;
  const decoded = resolveFile(files, folder, decodePath(plain));
  return 'file' in decoded ? decoded.file : raw.missing;
}

const withoutQuery = (url: string): string => url.replace(/[?#].*$/, '');

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // A lone percent sign: the name is meant as it is.
    return path;
  }
}
