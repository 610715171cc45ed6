/** `twostep release`: firmware in any shape becomes a release file, which says everything that a board and its updates need. */
import { hexAddress, toHex } from '#formats/bytes.ts';
import { type Chip } from '#formats/chips.ts';
import { DATA_HEADERS, type DataHeader } from '#formats/data/data-image.ts';
import { DATA_LAYOUTS, type DataLayout } from '#formats/data/data-reader.ts';
import { FormatError, type FormatIssue } from '#formats/format-error.ts';
import { parseWifiStore, wifiStoreText } from '#formats/nvs/wifi-credentials.ts';
import { checkRelease } from '#formats/release/check-release.ts';
import { type MakeOptions, prepareRelease, readProfile, readTemplate } from '#formats/release/make-release.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { type Release, type ReleaseBuild, type ReleaseFile } from '#formats/release/release.ts';
import { partsOf, type RolePart } from '#formats/release/release-parts.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { type Command, Option } from 'commander';
import { basename, join } from 'node:path';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';
import { readReleaseFiles } from '../release-files.ts';
import { parseChip } from './chip-options.ts';
import { fileAction, inFile, readInput, refusalLine, Refused, writeOutputs } from './file-command.ts';

interface MakeCommandOptions {
  output: string;
  product?: string;
  releaseVersion?: string;
  chip?: Chip;
  data?: string;
  dataHeader?: DataHeader;
  dataLayout: DataLayout;
  tag?: string;
  wifiStore?: string;
  profile?: string;
  nvsTemplate?: string;
}

const INPUTS =
  'a build folder of ESP-IDF, Arduino or PlatformIO, a manifest with its files, a merged image, an app, a release file, or a .zip';

export function addReleaseCommands(program: Command, context: CommandContext): void {
  const release = program
    .command('release')
    .description('releases: one file with all parts of a firmware version, from whatever a build left');

  release
    .command('make')
    .description('write a release file (.zip with release.json); the same input makes the same bytes')
    .argument('<input...>', INPUTS)
    .requiredOption('-o, --output <file.zip>', 'the release file')
    .option('--product <name>', 'name of the product')
    .option('--release-version <version>', 'version of the release')
    .option('--chip <chip>', 'only the builds for this chip', parseChip)
    .option('--data <file>', 'data for the second slot')
    .addOption(new Option('--data-header <header>', 'what the firmware expects before its data').choices(DATA_HEADERS))
    .addOption(new Option('--data-layout <layout>', 'what the data are').choices(DATA_LAYOUTS).default('raw'))
    .option('--tag <text>', 'a field of 16 bytes before the data; auto takes it from their digest')
    .option('--wifi-store <store>', 'where the firmware looks for Wi-Fi: none, idf or NAMESPACE:SSIDKEY:PASSKEY')
    .option('--profile <file.json>', 'what the firmware accepts, where it is not the demo firmware')
    .option('--nvs-template <file.json>', 'the settings that each unit gets')
    .action(fileAction(context, (paths: string[], options: MakeCommandOptions) => make(paths, options, context)));

  release
    .command('show')
    .description('what a release is: chips, parts with addresses, sizes and SHA-256')
    .argument('<input...>', INPUTS)
    .option('--json', 'one JSON document')
    .action(fileAction(context, (paths: string[]) => show(paths, context)));

  release
    .command('check')
    .description('open a release, and check every digest and every image; exit code 2 when something is wrong')
    .argument('<input...>', INPUTS)
    .option('--json', 'one JSON document')
    .action(fileAction(context, (paths: string[]) => check(paths, context)));
}

async function open(paths: readonly string[]): Promise<Release> {
  const files = await readReleaseFiles(paths);
  try {
    return recogniseRelease(files);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const place = { ...error.place, file: shownFile(error.place.file, paths) };
    throw new FormatError(error.code, error.message, { place, cause: error });
  }
}

/** As the user named it: a given file, or `build/app.bin` and `release.zip/app.bin` for what lies in a folder or an archive. */
function shownFile(file: string | undefined, paths: readonly string[]): string {
  const [input = ''] = paths;
  return paths.find((path) => basename(path) === file) ?? (file === undefined ? input : join(input, file));
}

async function make(paths: string[], options: MakeCommandOptions, context: CommandContext): Promise<void> {
  const [input = ''] = paths;
  const found = await open(paths);
  const wishes = await readWishes(options);
  // What is wrong with the data is said of their file, everything else of the release.
  const release = inFile(options.data ?? input, () => prepareRelease(found, wishes));
  refuse(checkRelease(release), paths, context);
  const content = inFile(input, () => encodeReleaseFile(release));
  notesOf(release).forEach((note) => context.output.complain(`warning: ${issueLine(note, paths)}`));
  await writeOutputs([{ path: options.output, content }]);
}

async function readWishes(options: MakeCommandOptions): Promise<MakeOptions> {
  const { product, releaseVersion: version, chip, data, dataHeader, dataLayout: layout, tag, wifiStore } = options;
  if (tag !== undefined && data === undefined) {
    throw new InputError('release-tag-without-data', 'A tag stands before data: give them with --data');
  }
  const [profile, template] = [await readOption(options.profile), await readOption(options.nvsTemplate)];
  return {
    ...(product !== undefined && { product }),
    ...(version !== undefined && { version }),
    ...(chip && { chip }),
    ...(data !== undefined && {
      data: { name: basename(data), bytes: await readInput(data), layout, ...(tag !== undefined && { tag }) },
    }),
    ...(dataHeader && { dataHeader }),
    ...(profile && { profile: readProfile(profile) }),
    ...(template && { nvsTemplate: readTemplate(template) }),
    ...(wifiStore !== undefined && { wifiStore: parseWifiStore(wifiStore) }),
  };
}

const readOption = async (path: string | undefined): Promise<ReleaseFile | undefined> =>
  path === undefined ? undefined : { path, bytes: await readInput(path) };

async function check(paths: string[], context: CommandContext): Promise<void> {
  const release = await open(paths);
  refuse(checkRelease(release), paths, context);
  const parts = release.builds.flatMap(partsOf).length;
  context.output.document({ ok: true, parts }, `${titleOf(release)}: ${parts} parts, all as they should be`);
}

/** Says everything that is wrong, a line each. */
function refuse(issues: readonly FormatIssue[], paths: readonly string[], { output }: CommandContext): void {
  if (issues.length === 0) return;
  for (const issue of issues) output.complain(issueLine(issue, paths));
  throw new Refused();
}

const issueLine = ({ code, message, place }: FormatIssue, paths: readonly string[]): string =>
  refusalLine(code, message, { ...place, file: shownFile(place?.file, paths) });

const notesOf = ({ notes, builds }: Release): FormatIssue[] => [...notes, ...builds.flatMap((build) => build.notes)];

const titleOf = ({ name, version }: Release): string => [name, version].filter(Boolean).join(' ');

async function show(paths: string[], context: CommandContext): Promise<void> {
  const release = await open(paths);
  context.output.document(record(release), text(release));
}

const plainNote = ({ code, message }: FormatIssue): { code: string; message: string } => ({ code, message });

function record(release: Release): Record<string, unknown> {
  const { kind, name, version, builds, firmwareProfile, nvsTemplate, wifiStore, notes } = release;
  return {
    kind,
    product: name,
    version,
    firmwareProfile,
    wifiStore: wifiStore && wifiStoreText(wifiStore),
    nvsTemplate,
    bootCheck: builds.find((build) => build.bootCheck)?.bootCheck,
    builds: builds.map(buildRecord),
    notes: notes.map(plainNote),
  };
}

function buildRecord(build: ReleaseBuild): Record<string, unknown> {
  const { chip, serialType, flashSize, data, notes } = build;
  return {
    chip: chip.name,
    serialType,
    flashSize,
    parts: partsOf(build).map((part) => ({
      ...partRecord(part),
      ...(part.role === 'data' && { layout: data?.layout, tag: data?.tag }),
    })),
    notes: notes.map(plainNote),
  };
}

const partRecord = ({ role, name, data, offset }: RolePart): Record<string, unknown> => ({
  role,
  name,
  address: offset,
  size: data.length,
  sha256: toHex(sha256(data)),
});

function text(release: Release): string {
  const { kind, builds, wifiStore, firmwareProfile, nvsTemplate } = release;
  const lines = [`${titleOf(release)} (${kind})`];
  for (const build of builds) {
    lines.push('', build.serialType ? `${build.chip.title}, ${build.serialType}` : build.chip.title);
    for (const { role, name, data, offset } of partsOf(build)) {
      const place = offset === undefined ? 'by board' : hexAddress(offset);
      const columns = [place.padStart(9), String(data.length).padStart(9), role.padEnd(15), toHex(sha256(data)), name];
      lines.push(`  ${columns.join('  ')}`);
    }
  }
  lines.push('');
  if (firmwareProfile) lines.push(`Data header: ${firmwareProfile.dataHeader}`);
  if (wifiStore) lines.push(`Wi-Fi store: ${wifiStoreText(wifiStore)}`);
  if (nvsTemplate) lines.push(`Fields of each unit: ${nvsTemplate.map(({ name }) => name).join(', ')}`);
  const bootCheck = builds.find((build) => build.bootCheck)?.bootCheck;
  if (bootCheck) lines.push(`Boot check: ${bootCheck.line} within ${bootCheck.timeoutSeconds} s`);
  lines.push(...notesOf(release).map(({ code, message }) => `Note: ${message} [${code}]`));
  return lines.join('\n').trimEnd();
}
