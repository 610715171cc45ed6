/** What a folder or some files are as a release, by their content. */
import { FormatError } from '../format-error.ts';
import { decodeZip } from '../zip.ts';
import { isZip } from '../zip-directory.ts';
import { readBackupRelease } from './backup-release.ts';
import { idfFileNames, readIdfBuild } from './idf-build.ts';
import { launchpadFileNames, readLaunchpad } from './launchpad.ts';
import { readLooseFiles } from './loose-files.ts';
import { isOwnFile, readOwnFile } from './own-file.ts';
import { normalPath, pathInside } from './paths.ts';
import { type Release, type ReleaseBuild, type ReleaseFile } from './release.ts';
import { readReleaseFile, releaseFileNames } from './release-file.ts';
import { manifestFileNames, readWebToolsManifest } from './web-tools-manifest.ts';

/**
 * Reads the files as a release file, an ESP-IDF build folder, an esp-web-tools manifest, a configuration of ESP Launchpad, Arduino or
 * PlatformIO outputs, a merged image, a lone app, or a backup of a board. A `.zip` of any of these, given alone, is the files in it.
 *
 * @throws {FormatError} `release-…`: what it is in place of that and what to give, or what is missing or damaged, by name; `zip-…` for an
 *   archive that is refused.
 */
export function recogniseRelease(given: readonly ReleaseFile[]): Release {
  if (given.length === 0) throw new FormatError('release-empty', 'No file was given');
  const files = unpacked(given).map(({ path, bytes }) => ({ path: normalPath(path), bytes }));
  const { name, version, bootCheck, ignoresNvs } = readOwnFile(files);
  const others = files.filter((file) => !isOwnFile(file));
  const release =
    readBackupRelease(others) ??
    readReleaseFile(others) ??
    readIdfBuild(others) ??
    readWebToolsManifest(others) ??
    readLaunchpad(others) ??
    readLooseFiles(others);
  const extended = (build: ReleaseBuild): ReleaseBuild => ({
    ...build,
    ...(bootCheck && { bootCheck }),
    ...(ignoresNvs !== undefined && { ignoresNvs }),
  });
  return {
    ...release,
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    builds: release.builds.map(extended),
  };
}

/** The files of a lone archive. Archives inside of it stay what they are. */
function unpacked(given: readonly ReleaseFile[]): readonly ReleaseFile[] {
  const [only] = given;
  return only && given.length === 1 && isZip(only.bytes) ? decodeZip(only.bytes) : given;
}

/**
 * Paths that the lists among `files` name (`release.json`, a build's `flasher_args.json`, a manifest, a configuration), so that of a
 * folder with thousands of files only those need to be read. Only what lies inside of the folder; whatever is wrong with a list is for `recogniseRelease` to tell.
 */
export function filesNamedBy(files: readonly ReleaseFile[]): string[] {
  try {
    const list =
      releaseFileNames(files) ?? idfFileNames(files) ?? manifestFileNames(files) ?? launchpadFileNames(files);
    const paths = (list?.names ?? []).map((name) => pathInside(list?.folder ?? '', name));
    return [...new Set(paths.filter((path) => path !== undefined))];
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}
