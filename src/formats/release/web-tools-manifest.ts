/**
 * The `manifest.json` of esp-web-tools: a build for each chip, each a list of files with offsets.
 * Keys: esphome/esp-web-tools `src/const.ts`. Its numbers are decimal; offsets written as strings are understood too.
 */
import * as v from 'valibot';
import { type Chip, chipByName } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { checkShape, readJsonObject } from './json-file.ts';
import { type ListContext, ListedOffset, pathOfUrl, readListedBuild } from './listed-build.ts';
import { depthOf, folderOf } from './paths.ts';
import { type Release, type ReleaseBuild, type ReleaseFile } from './release.ts';

const ManifestSchema = v.looseObject({
  name: v.string(),
  version: v.optional(v.string()),
  builds: v.pipe(
    v.array(
      v.looseObject({
        chipFamily: v.string(),
        serialType: v.optional(v.picklist(['cdc', 'uart'])),
        parts: v.pipe(v.array(v.looseObject({ path: v.string(), offset: ListedOffset })), v.minLength(1)),
      }),
    ),
    v.minLength(1),
  ),
});

type ManifestBuild = v.InferOutput<typeof ManifestSchema>['builds'][number];

/**
 * The release of a manifest, or `undefined` when there is none. A build whose files are not there, or whose chip is not known, is left
 * out with a note as long as another one remains.
 *
 * @throws {FormatError} `release-bad-manifest`, `release-missing-file`, `release-unknown-chip`, `release-ambiguous`, and what
 *   `assembleBuild` throws.
 */
export function readWebToolsManifest(files: readonly ReleaseFile[]): Release | undefined {
  const found = findManifest(files);
  if (!found) return undefined;
  const { file, value } = found;
  const { name, version, builds: listed } = checkShape(ManifestSchema, value, { file, code: 'release-bad-manifest' });
  const left: FormatIssue[] = [];
  const builds = listed
    .map((build) => readBuild(build, { files, list: file, left }))
    .filter((build) => build !== undefined);
  const [reason] = left;
  if (builds.length === 0 && reason) {
    throw new FormatError(reason.code, left.map(({ message }) => message).join('. '), { place: { file: file.path } });
  }
  return { kind: 'web-tools', name, ...(version !== undefined && { version }), builds, notes: left };
}

/** What a manifest names, for all chips, and the folder that it is seen from. */
export function manifestFileNames(files: readonly ReleaseFile[]): { folder: string; names: string[] } | undefined {
  const found = findManifest(files);
  const parsed = v.safeParse(ManifestSchema, found?.value);
  if (!found || !parsed.success) return undefined;
  const paths = parsed.output.builds.flatMap(({ parts }) => parts.map(({ path }) => pathOfUrl(path)));
  return { folder: folderOf(found.file.path), names: [...new Set(paths)] };
}

function findManifest(
  files: readonly ReleaseFile[],
): { file: ReleaseFile; value: Record<string, unknown> } | undefined {
  const found = files
    .flatMap((file) => {
      const value = readJsonObject(file);
      return value && 'builds' in value && Array.isArray(value.builds) ? [{ file, value }] : [];
    })
    .toSorted((a, b) => depthOf(a.file.path) - depthOf(b.file.path));
  const [first, second] = found;
  if (first && second && depthOf(first.file.path) === depthOf(second.file.path)) {
    throw new FormatError(
      'release-ambiguous',
      `Several manifests: ${first.file.path} and ${second.file.path}. Give one of them`,
    );
  }
  return first;
}

function readBuild(
  { chipFamily: family, parts, serialType }: ManifestBuild,
  context: ListContext,
): ReleaseBuild | undefined {
  const build = readListedBuild({ family, chip: chipOfFamily(family), parts }, context);
  return build && { ...build, ...(serialType && { serialType }) };
}

/** The manifest's names are exact, unlike those of build systems: `ESP32-S3`, never `esp32s3`. */
function chipOfFamily(family: string): Chip | undefined {
  const chip = chipByName(family);
  return chip?.title === family ? chip : undefined;
}
