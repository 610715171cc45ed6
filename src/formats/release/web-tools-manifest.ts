/**
 * The `manifest.json` of esp-web-tools: a build for each chip, each a list of files with offsets.
 * Keys: esphome/esp-web-tools `src/const.ts`. Its numbers are decimal; offsets written as strings are understood too.
 */
import * as v from 'valibot';
import { type Chip, chipByName } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { assembleBuild } from './assemble.ts';
import { readJsonObject } from './json-file.ts';
import { baseName, depthOf, folderOf, resolveFile } from './paths.ts';
import { type Release, type ReleaseBuild, type ReleaseFile, type ReleasePart } from './release.ts';

const Offset = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^(0x[0-9a-f]+|\d+)$/i), v.transform(Number))]),
  v.integer(),
  v.minValue(0),
  v.maxValue(0xffff_ffff),
);

const ManifestSchema = v.looseObject({
  name: v.string(),
  version: v.optional(v.string()),
  builds: v.pipe(
    v.array(
      v.looseObject({
        chipFamily: v.string(),
        serialType: v.optional(v.picklist(['cdc', 'uart'])),
        parts: v.pipe(v.array(v.looseObject({ path: v.string(), offset: Offset })), v.minLength(1)),
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
  const parsed = v.safeParse(ManifestSchema, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new FormatError('release-bad-manifest', `${file.path}, ${v.getDotPath(issue) ?? 'root'}: ${issue.message}`, {
      place: { file: file.path },
    });
  }
  const { name, version, builds: listed } = parsed.output;
  const left: FormatIssue[] = [];
  const builds = listed.map((build) => readBuild(files, file, { build, left })).filter((build) => build !== undefined);
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
  const paths = parsed.output.builds.flatMap(({ parts }) => parts.map(({ path }) => decodePath(withoutQuery(path))));
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

interface BuildContext {
  build: ManifestBuild;
  /** Gets the reasons why builds are left out. */
  left: FormatIssue[];
}

function readBuild(
  files: readonly ReleaseFile[],
  manifest: ReleaseFile,
  { build, left }: BuildContext,
): ReleaseBuild | undefined {
  const chip = chipOfFamily(build.chipFamily);
  if (!chip) {
    left.push({
      code: 'release-unknown-chip',
      message: `The build for ${build.chipFamily} is left out: this chip is not known here`,
    });
    return undefined;
  }
  const parts: ReleasePart[] = [];
  const missing: string[] = [];
  for (const { path, offset } of build.parts) {
    const resolved = resolveUrl(files, folderOf(manifest.path), path);
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
  return { ...assembleBuild({ parts, chip }), ...(build.serialType && { serialType: build.serialType }) };
}

/** The manifest's names are exact, unlike those of build systems: `ESP32-S3`, never `esp32s3`. */
function chipOfFamily(family: string): Chip | undefined {
  const chip = chipByName(family);
  return chip?.title === family ? chip : undefined;
}

/** The file that a URL relative to the manifest means, or the name to report. A query may hold secrets and is dropped. */
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
