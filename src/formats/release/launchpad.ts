/**
 * The configuration of ESP Launchpad (TOML): apps, each with an image for each chip. Its images lie behind a URL; nothing is fetched
 * here, so they must be among the given files, under the same names.
 * Keys: espressif/esp-launchpad `config/config.toml`, `js/index.js`, `minimal-launchpad/minimal_ui_index.js`.
 */
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { chipByName } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { isLaunchpad } from './file-content.ts';
import { checkShape } from './json-file.ts';
import { type ListContext, type ListedBuild, ListedOffset, pathOfUrl, readListedBuild } from './listed-build.ts';
import { depthOf, folderOf } from './paths.ts';
import { type Release, type ReleaseBuild, type ReleaseFile } from './release.ts';

/** The only version that there is. */
const VERSION = 1;

const ConfigSchema = v.looseObject({
  esp_toml_version: v.pipe(
    v.union([v.number(), v.string()]),
    v.check((version) => Number(version) === VERSION, 'only version 1.0 is known'),
  ),
  firmware_images_url: v.optional(v.string(), ''),
  supported_apps: v.pipe(v.array(v.string()), v.minLength(1)),
});

/** One image for an offset, or (minimal Launchpad) several with their addresses. */
const ImageSchema = v.union([
  v.string(),
  v.pipe(
    v.looseObject({ parts: v.array(v.string()), addresses: v.array(ListedOffset) }),
    v.check(({ parts, addresses }) => parts.length === addresses.length, 'each part needs an address'),
  ),
]);

const AppSchema = v.looseObject({
  chipsets: v.pipe(v.array(v.string()), v.minLength(1)),
  image: v.optional(v.record(v.string(), ImageSchema), {}),
  developKits: v.optional(v.record(v.string(), v.array(v.string())), {}),
  offset: v.optional(ListedOffset, 0),
  console_baudrate: v.optional(v.number()),
});

interface LaunchpadApp extends v.InferOutput<typeof AppSchema> {
  name: string;
  /** What stands before the name of each image. */
  prefix: string;
}

/**
 * The release of a configuration, or `undefined` when there is none. Apps and builds whose files are not there are left out with a note.
 *
 * @throws {FormatError} `release-bad-launchpad`, `release-missing-file`, `release-unknown-chip`, `release-ambiguous` (several apps whose
 *   files are there), and what `assembleBuild` throws.
 */
export function readLaunchpad(files: readonly ReleaseFile[]): Release | undefined {
  const list = findConfig(files);
  if (!list) return undefined;
  const apps = readApps(list).map((app) => ({ app, left: [] as FormatIssue[] }));
  const found = apps
    .map(({ app, left }) => ({ app, left, builds: buildsOf(app, { files, list, left }) }))
    .filter(({ builds }) => builds.length > 0);
  const [first, second] = found;
  const place = { file: list.path };
  if (!first) {
    const reasons = apps.flatMap(({ left }) => left);
    throw new FormatError(
      reasons[0]?.code ?? 'release-missing-file',
      reasons.map(({ message }) => message).join('. '),
      { place },
    );
  }
  if (second) {
    const names = found.map(({ app }) => app.name).join(', ');
    throw new FormatError('release-ambiguous', `Several apps, give the files of one of them: ${names}`, { place });
  }
  const others = apps.filter(({ app }) => app !== first.app).map(({ app }) => app.name);
  const leftOut = others.length > 0 ? [otherApps(others)] : [];
  const version = first.builds[0]?.app.image.description?.version;
  return {
    kind: 'launchpad',
    name: first.app.name,
    ...(version && { version }),
    builds: first.builds,
    notes: [...first.left, ...leftOut],
  };
}

const otherApps = (names: readonly string[]): FormatIssue => ({
  code: 'release-apps-left-out',
  message: `Files of further apps are not there, they are left out: ${names.join(', ')}`,
});

/** What a configuration names, and the folder that it is seen from. */
export function launchpadFileNames(files: readonly ReleaseFile[]): { folder: string; names: string[] } | undefined {
  const list = findConfig(files);
  if (!list) return undefined;
  const parts = readApps(list).flatMap((app) => listedBuilds(app, []).flatMap((build) => build.parts));
  return { folder: folderOf(list.path), names: [...new Set(parts.map(({ path }) => pathOfUrl(path)))] };
}

function findConfig(files: readonly ReleaseFile[]): ReleaseFile | undefined {
  const [first, second] = files
    .filter(({ bytes }) => isLaunchpad(bytes))
    .toSorted((a, b) => depthOf(a.path) - depthOf(b.path));
  if (!first || !second || depthOf(first.path) < depthOf(second.path)) return first;
  throw new FormatError(
    'release-ambiguous',
    `Several configurations of ESP Launchpad: ${first.path} and ${second.path}. Give one of them`,
  );
}

function readApps(file: ReleaseFile): LaunchpadApp[] {
  const code = 'release-bad-launchpad';
  const config = parseToml(file);
  const { firmware_images_url: url, supported_apps: names } = checkShape(ConfigSchema, config, { file, code });
  // A prefix on another host says nothing about where the files are here.
  const prefix = /^([a-z][a-z0-9+.-]*:)?\/\//i.test(url) ? '' : url;
  return names.map((name) => {
    const schema = v.object({ [name]: AppSchema });
    const app = checkShape(schema, config, { file, code })[name];
    if (!app) throw new TypeError(`No table ${name}`);
    return { ...app, name, prefix };
  });
}

function parseToml(file: ReleaseFile): unknown {
  try {
    return parse(new TextDecoder('utf-8').decode(file.bytes));
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [reason = ''] = cause.message.split('\n');
    const { line, column } = cause;
    throw new FormatError('release-bad-launchpad', reason, { place: { file: file.path, line, column }, cause });
  }
}

function buildsOf(app: LaunchpadApp, context: ListContext): ReleaseBuild[] {
  const { console_baudrate: baud = 0 } = app;
  return listedBuilds(app, context.left).flatMap((listed) => {
    const build = readListedBuild(listed, context);
    return build ? [{ ...build, ...(baud > 0 && { consoleBaud: baud }) }] : [];
  });
}

/** The builds of an app, one for each chip; a chip without an image, or with one for each of several boards, is left out. */
function listedBuilds(
  { chipsets, image, developKits, offset, prefix }: LaunchpadApp,
  left: FormatIssue[],
): ListedBuild[] {
  return chipsets.flatMap((family) => {
    const chip = chipByName(family);
    const keys = [family.toLowerCase(), chip?.name ?? ''];
    const own = keys.map((key) => image[key]).find((value) => value !== undefined);
    const kits = keys.flatMap((key) => developKits[key] ?? []).flatMap((kit) => image[kit] ?? []);
    const images = own === undefined ? kits : [own];
    const [first] = images;
    if (first === undefined || images.some((other) => JSON.stringify(other) !== JSON.stringify(first))) {
      const several = first !== undefined;
      left.push({
        code: several ? 'release-ambiguous' : 'release-missing-file',
        message: several
          ? `There are images for several boards with an ${family}: give the one that is meant`
          : `No image is named for ${family}`,
      });
      return [];
    }
    const parts =
      typeof first === 'string'
        ? [{ path: first, offset }]
        : first.parts.map((path, index) => ({ path, offset: first.addresses[index] ?? 0 }));
    return [{ family, chip, parts: parts.map((part) => ({ ...part, path: prefix + part.path })) }];
  });
}
