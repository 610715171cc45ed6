/**
 * The build folder of ESP-IDF: `flasher_args.json` and the files that it names, nothing else.
 * Layout: ESP-IDF `components/esptool_py/flasher_args.json.in`, `tools/cmake/project_description.json.in`; versions 4.0 to 6.1.
 */
import * as v from 'valibot';
import { parseImage } from '../app-image.ts';
import { type Chip, chipByName, FLASH_MODES, type FlashMode } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { flashFrequencyName } from '../image-header-patch.ts';
import { assembleBuild } from './assemble.ts';
import { contentOf } from './file-content.ts';
import { readJsonObject } from './json-file.ts';
import { baseName, depthOf, folderOf, resolveFile } from './paths.ts';
import { type HeaderRepair, type Release, type ReleaseBuild, type ReleaseFile, type ReleasePart } from './release.ts';

const EntrySchema = v.looseObject({
  offset: v.string(),
  file: v.string(),
  // A string in every version; 4.0 to 4.2 have none.
  encrypted: v.optional(v.union([v.string(), v.boolean()])),
});

const ArgsSchema = v.looseObject({
  flash_files: v.optional(v.record(v.string(), v.string()), {}),
  flash_settings: v.optional(
    v.looseObject({ flash_mode: v.optional(v.string()), flash_freq: v.optional(v.string()) }),
    {},
  ),
  extra_esptool_args: v.optional(v.looseObject({ chip: v.optional(v.string()) }), {}),
});

/** The few values that are of use; the file also holds absolute paths of the machine that built it, which are never taken. */
const DescriptionSchema = v.looseObject({
  project_name: v.optional(v.string()),
  project_version: v.optional(v.string()),
  app_bin: v.optional(v.string()),
  target: v.optional(v.string()),
  monitor_baud: v.optional(v.string()),
});

type Description = v.InferOutput<typeof DescriptionSchema>;

interface Entry {
  offset: number;
  file: string;
  encrypted: boolean;
}

/** What the folder says, from whichever file says it. */
interface FlashList {
  /** The file that was read, for messages. */
  source: ReleaseFile;
  entries: Entry[];
  notes: FormatIssue[];
  chip?: string;
  mode?: string;
  frequency?: string;
}

/**
 * The release of an ESP-IDF build folder, or `undefined` when there is no list of what to flash.
 *
 * @throws {FormatError} `release-bad-flasher-args`, `release-bad-offset`, `release-missing-file`, `release-path-outside`,
 *   `release-unknown-chip`, and what `assembleBuild` throws.
 */
export function readIdfBuild(files: readonly ReleaseFile[]): Release | undefined {
  const list = readFlasherArgs(files) ?? readFlashArgs(files);
  if (!list) return undefined;
  const folder = folderOf(list.source.path);
  const description = readDescription(files, folder);
  const chip = statedChip(list, description);
  const parts = loadParts(files, list, description);
  const notes = [...list.notes, ...encryptionNote(list.entries)];
  const assembled = assembleBuild({ parts, notes, ...(chip && { chip }) });
  const baud = Number(description.monitor_baud);
  const build: ReleaseBuild = { ...withSettings(assembled, list), ...(baud > 0 && { consoleBaud: baud }) };
  const { projectName, version } = build.app.image.description ?? {};
  const shownVersion = [version, description.project_version].find(isFilled);
  return {
    kind: 'idf-build',
    name: [projectName, description.project_name].find(isFilled) ?? baseName(build.app.name).replace(/\.bin$/, ''),
    ...(shownVersion !== undefined && { version: shownVersion }),
    builds: [build],
    notes: [],
  };
}

/** What the list of an ESP-IDF build names, as it is written there, and the folder that it is seen from. */
export function idfFileNames(files: readonly ReleaseFile[]): { folder: string; names: string[] } | undefined {
  const list = readFlasherArgs(files) ?? readFlashArgs(files);
  return list && { folder: folderOf(list.source.path), names: list.entries.map(({ file }) => file) };
}

const isFilled = (text: string | undefined): text is string => text !== undefined && text !== '';

/** The uppermost flasher_args.json, recognised by what it holds: the sub-project of the boot loader may have files of its own. */
function readFlasherArgs(files: readonly ReleaseFile[]): FlashList | undefined {
  const found = files
    .map((file) => ({ file, value: readJsonObject(file) }))
    .filter(
      ({ value }) => value && ('flash_files' in value || ('extra_esptool_args' in value && 'flash_settings' in value)),
    )
    .toSorted((a, b) => depthOf(a.file.path) - depthOf(b.file.path));
  const [first, second] = found;
  if (!first?.value) return undefined;
  if (second && depthOf(second.file.path) === depthOf(first.file.path)) {
    throw new FormatError(
      'release-ambiguous',
      `Several builds: ${first.file.path} and ${second.file.path}. Give one of the folders`,
    );
  }
  const parsed = v.safeParse(ArgsSchema, first.value);
  if (!parsed.success) throw badArgs(first.file, parsed.issues[0].message);
  const { entries, notes } = unite(first.value, parsed.output.flash_files, first.file);
  if (entries.length === 0) throw badArgs(first.file, 'it names no file to flash');
  const { flash_settings: settings, extra_esptool_args: extra } = parsed.output;
  return {
    source: first.file,
    entries,
    notes,
    ...(extra.chip !== undefined && { chip: extra.chip }),
    ...(settings.flash_mode !== undefined && { mode: settings.flash_mode }),
    ...(settings.flash_freq !== undefined && { frequency: settings.flash_freq }),
  };
}

function badArgs(file: ReleaseFile, reason: string): FormatError {
  return new FormatError('release-bad-flasher-args', `${file.path}: ${reason}`, { place: { file: file.path } });
}

/** `flash_files` and the named objects describe the same set; where they do not, both count and it is said. */
function unite(
  value: Record<string, unknown>,
  flashFiles: Record<string, string>,
  source: ReleaseFile,
): Pick<FlashList, 'entries' | 'notes'> {
  const entries = new Map<number, Entry>();
  const differing: string[] = [];
  for (const [offset, file] of Object.entries(flashFiles)) {
    entries.set(parseOffset(offset, source), { offset: parseOffset(offset, source), file, encrypted: false });
  }
  const listed = entries.size > 0;
  const named = new Set<number>();
  for (const [key, candidate] of Object.entries(value)) {
    const parsed = v.safeParse(EntrySchema, candidate);
    if (!parsed.success || key === 'flash_files') continue;
    const { file, offset: offsetText } = parsed.output;
    const offset = parseOffset(offsetText, source);
    const other = entries.get(offset);
    if (listed && other?.file !== file) differing.push(file);
    named.add(offset);
    entries.set(offset, { offset, file: other?.file ?? file, encrypted: String(parsed.output.encrypted) === 'true' });
  }
  if (named.size > 0)
    differing.push(...[...entries.values()].filter(({ offset }) => !named.has(offset)).map(({ file }) => file));
  const notes = differing.length
    ? [
        {
          code: 'release-entries-differ',
          message: `Its two lists of files differ, all are taken: ${differing.map(baseName).join(', ')}`,
        },
      ]
    : [];
  return { entries: [...entries.values()].toSorted((a, b) => a.offset - b.offset), notes };
}

function parseOffset(text: string, source: ReleaseFile): number {
  const offset = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text.trim()) ? Number(text) : Number.NaN;
  if (Number.isInteger(offset) && offset <= 0xffff_ffff) return offset;
  throw new FormatError('release-bad-offset', `${source.path}: ${JSON.stringify(text)} is no flash offset`, {
    place: { file: source.path },
  });
}

/** `flash_args`, the same list as text, where the JSON file is missing: options in the first line, then `offset path` lines. */
function readFlashArgs(files: readonly ReleaseFile[]): FlashList | undefined {
  const [found] = files
    .filter(({ path }) => /^flash_(project_)?args$/.test(baseName(path)))
    .map((file) => ({ file, lines: new TextDecoder('utf-8').decode(file.bytes).split(/\r?\n/) }))
    .toSorted((a, b) => depthOf(a.file.path) - depthOf(b.file.path) || a.file.path.length - b.file.path.length);
  if (!found) return undefined;
  const entries: Entry[] = [];
  let encrypted = false;
  for (const line of found.lines) {
    if (/^--encrypt-files\b/.test(line)) encrypted = true;
    const match = /^(?:--encrypt-files\s+)?(0x[0-9a-f]+)\s+(.+?)\s*$/i.exec(line);
    if (match?.[1] && match[2]) entries.push({ offset: parseOffset(match[1], found.file), file: match[2], encrypted });
  }
  const option = (name: string): string | undefined =>
    new RegExp(`--flash[_-]${name}[ =](\\S+)`).exec(found.lines[0] ?? '')?.[1];
  const [mode, frequency] = [option('mode'), option('freq')];
  if (entries.length === 0) return undefined;
  return { source: found.file, entries, notes: [], ...(mode && { mode }), ...(frequency && { frequency }) };
}

/** project_description.json beside the list of files. */
function readDescription(files: readonly ReleaseFile[], folder: string): Description {
  const file = files.find(({ path }) => baseName(path) === 'project_description.json' && folderOf(path) === folder);
  const parsed = v.safeParse(DescriptionSchema, file && readJsonObject(file));
  return parsed.success ? parsed.output : {};
}

function statedChip({ chip: named, source }: FlashList, { target }: Description): Chip | undefined {
  const name = named ?? target;
  if (name === undefined || name === 'auto') return undefined;
  const chip = chipByName(name);
  if (chip) return chip;
  throw new FormatError('release-unknown-chip', `This build is for ${name}, which is not known here`, {
    place: { file: source.path },
  });
}

function loadParts(
  files: readonly ReleaseFile[],
  { source, entries }: FlashList,
  description: Description,
): ReleasePart[] {
  const folder = folderOf(source.path);
  const missing: { missing: string; outside: boolean }[] = [];
  const parts: ReleasePart[] = [];
  for (const { offset, file } of entries) {
    const named = file.includes('$<') ? appFile(files, folder, description) : file;
    const resolved = resolveFile(files, folder, named ?? file);
    if ('missing' in resolved) missing.push(resolved);
    else parts.push({ name: baseName(resolved.file.path), offset, data: resolved.file.bytes });
  }
  if (missing.length > 0) {
    const names = missing.map((entry) => entry.missing).join(', ');
    const outside = missing.some((entry) => entry.outside);
    throw new FormatError(
      outside ? 'release-path-outside' : 'release-missing-file',
      outside
        ? `The build names files outside of its folder; give them too: ${names}`
        : `The build names files that are not there: ${names}`,
      { place: { file: source.path } },
    );
  }
  return parts;
}

/** Some builds leave a CMake expression in place of the app's name: then the description names it, or it is the only app in the folder. */
function appFile(files: readonly ReleaseFile[], folder: string, { app_bin: named }: Description): string | undefined {
  if (named !== undefined) return named;
  const apps = files.filter((file) => folderOf(file.path) === folder && contentOf(file.bytes).kind === 'app');
  return apps.length === 1 && apps[0] ? baseName(apps[0].path) : undefined;
}

function encryptionNote(entries: readonly Entry[]): FormatIssue[] {
  const names = entries.filter(({ encrypted }) => encrypted).map(({ file }) => baseName(file));
  if (names.length === 0) return [];
  return [
    {
      code: 'release-wants-encryption',
      message: `Built for flash encryption, to be written encrypted: ${names.join(', ')}`,
    },
  ];
}

/** Whether the settings that the build would flash with are those of the boot loader's header; by hand they can be others. */
function withSettings(build: ReleaseBuild, { mode, frequency }: FlashList): ReleaseBuild {
  const { bootloader, chip } = build;
  const settings = knownSettings(chip, mode, frequency);
  if (!bootloader || !settings || build.headerRepair) return build;
  const { flashMode, frequencyCode } = parseImage(bootloader.data).header;
  const same = flashMode === settings.mode && chip.flashFrequencies[settings.frequency] === frequencyCode;
  if (same) return build;
  const found = `${flashMode ?? 'unknown'}, ${flashFrequencyName(frequencyCode, chip) ?? 'unknown'}`;
  const message = `The build is to be flashed with ${settings.mode}, ${settings.frequency}; the header of its boot loader says ${found}`;
  return {
    ...build,
    headerRepair: settings,
    notes: [...build.notes, { code: 'release-flash-settings-differ', message }],
  };
}

function knownSettings(chip: Chip, mode = '', frequency = ''): HeaderRepair | undefined {
  const known = (FLASH_MODES as readonly string[]).includes(mode) && Object.hasOwn(chip.flashFrequencies, frequency);
  return known ? { mode: mode as FlashMode, frequency } : undefined;
}
