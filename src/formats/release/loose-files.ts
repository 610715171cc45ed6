/**
 * Files without a list: the outputs of Arduino and PlatformIO, a merged image, a lone app. Nothing tells chip and offsets but the files
 * themselves: the chip is in the image headers, the offsets follow from the chip and the table.
 */
import { chipByImageId } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import {
  DataSubtype,
  decodePartitionTable,
  DEFAULT_TABLE_OFFSET,
  findPartition,
  otaSlots,
  AppSubtype,
  type Partition,
  PARTITION_TABLE_SECTOR,
  PartitionType,
} from '../partition-table.ts';
import { equalBytes, hexAddress } from '../bytes.ts';
import { assembleBuild } from './assemble.ts';
import { contentOf, type FileContent } from './file-content.ts';
import { isArduinoApp } from './known-firmware.ts';
import { cutMergedImage } from './merged-image.ts';
import { baseName } from './paths.ts';
import { refuseAll } from './refusals.ts';
import { type Release, type ReleaseBuild, type ReleaseFile, type ReleasePart } from './release.ts';

interface Classified {
  file: ReleaseFile;
  content: FileContent;
}

/**
 * The release that the files are together.
 *
 * @throws {FormatError} `release-…` that tells what a file is and what to give in its place; `release-ambiguous` for several apps.
 */
export function readLooseFiles(files: readonly ReleaseFile[]): Release {
  const contents = withoutTwins(files).map((file) => ({ file, content: contentOf(file.bytes) }));
  const found = {
    app: onlyOne(contents, 'app'),
    bootloader: onlyOne(contents, 'bootloader'),
    table: onlyOne(contents, 'table'),
    merged: onlyOne(contents, 'merged'),
  };
  // Separate parts say the same as their merged image, without its gaps.
  const complete = found.app && found.table && found.bootloader;
  if (found.merged && !complete) return mergedRelease(found.merged);
  if (!found.app) throw refuseAll(contents);
  if (!found.table && !found.bootloader) return appRelease(found.app);
  return partsRelease(contents, { ...found, app: found.app });
}

/** Build folders hold copies; signed builds also the unsigned file. */
function withoutTwins(files: readonly ReleaseFile[]): ReleaseFile[] {
  const kept: ReleaseFile[] = [];
  for (const file of files) {
    const signed = file.path.replace(/-unsigned(?=\.bin$)/, '');
    if (signed !== file.path && files.some(({ path }) => path === signed)) continue;
    if (!kept.some(({ bytes }) => equalBytes(bytes, file.bytes))) kept.push(file);
  }
  return kept;
}

function onlyOne(contents: readonly Classified[], kind: FileContent['kind']): Classified | undefined {
  const [first, ...others] = contents.filter(({ content }) => content.kind === kind);
  if (first && others.length > 0) {
    const names = [first, ...others].map(({ file }) => file.path).join(', ');
    throw new FormatError(
      'release-ambiguous',
      `Several files of the same kind (${kind}); give the right one: ${names}`,
    );
  }
  return first;
}

/** What people call the release: the project, unless it has the name that all Arduino sketches have. */
function nameAndVersion(build: ReleaseBuild, file: ReleaseFile): Pick<Release, 'name' | 'version'> {
  const { projectName, version } = build.app.image.description ?? {};
  const own =
    !isArduinoApp(build.app.image) && projectName
      ? projectName
      : baseName(file.path).replace(/(\.ino)?(\.merged)?\.bin$/i, '');
  return { name: own, ...(version && !isArduinoApp(build.app.image) && { version }) };
}

function mergedRelease({ file, content }: Classified): Release {
  if (content.kind !== 'merged') throw new TypeError('Not a merged image');
  const parts = cutMergedImage(file.bytes, { file: baseName(file.path), tablePosition: content.tablePosition });
  const build = assembleBuild({ parts });
  return { kind: 'merged', ...nameAndVersion(build, file), builds: [build], notes: [] };
}

function imageOf({ file, content }: Classified): NonNullable<Parameters<typeof assembleBuild>[0]['looseApp']> {
  if (!('image' in content)) throw new TypeError('Not an image');
  return { name: baseName(file.path), data: file.bytes, image: content.image };
}

function appRelease(app: Classified): Release {
  const build = assembleBuild({ parts: [], looseApp: imageOf(app) });
  // For an app alone it goes without saying that the boot loader stays.
  const notes = build.notes.filter(({ code }) => code !== 'release-no-bootloader');
  return { kind: 'app', ...nameAndVersion(build, app.file), builds: [{ ...build, notes }], notes: [] };
}

interface Found {
  app: Classified;
  bootloader: Classified | undefined;
  table: Classified | undefined;
}

function partsRelease(contents: readonly Classified[], { app, bootloader, table }: Found): Release {
  const { image } = imageOf(app);
  const chip = chipByImageId(image.header.chipId);
  const notes: FormatIssue[] = [];
  const parts: ReleasePart[] = [];
  const add = ({ file }: Classified, offset: number): number =>
    parts.push({ name: baseName(file.path), offset, data: file.bytes });
  if (bootloader) add(bootloader, chip?.bootloaderOffset ?? 0);
  if (table) {
    const { partitions } = decodePartitionTable(table.file.bytes);
    const row = defaultAppRow(partitions);
    if (!row) throw new FormatError('release-no-app-row', `${baseName(table.file.path)} has no app partition`);
    add(table, tableOffset(partitions, { bootloader, notes }));
    add(app, row.offset);
    placeOtadata(contents, partitions).forEach((entry) => add(...entry));
    placeFileSystems(contents, partitions).forEach((entry) => add(...entry));
  } else {
    notes.push({
      code: 'release-no-table',
      message: 'No partition table among the files: the one on the board, or another, is needed',
    });
  }
  noteUnused(contents, parts, { app, notes });
  const build = assembleBuild({ parts, notes, ...(!table && { looseApp: imageOf(app) }) });
  const platformio = /^firmware\.bin$/i.test(baseName(app.file.path));
  return {
    kind: platformio ? 'platformio' : 'arduino',
    ...nameAndVersion(build, app.file),
    builds: [build],
    notes: [],
  };
}

/** Where builds flash the app: factory, else the first OTA slot (parttool.py `--partition-boot-default`). */
function defaultAppRow(partitions: readonly Partition[]): Partition | undefined {
  return findPartition(partitions, PartitionType.App, AppSubtype.Factory) ?? otaSlots(partitions)[0];
}

/** 0x8000, unless the boot loader or the first row leave no room there: then the sector before the first row. */
function tableOffset(
  partitions: readonly Partition[],
  { bootloader, notes }: { bootloader: Classified | undefined; notes: FormatIssue[] },
): number {
  const lowest = Math.min(...partitions.map(({ offset }) => offset));
  const usual = DEFAULT_TABLE_OFFSET + PARTITION_TABLE_SECTOR;
  if (lowest === usual) return DEFAULT_TABLE_OFFSET;
  const image = bootloader && imageOf(bootloader);
  const chip = image && chipByImageId(image.image.header.chipId);
  const bootEnd = image ? (chip?.bootloaderOffset ?? 0) + image.data.length : 0;
  const offset =
    lowest < usual || bootEnd > DEFAULT_TABLE_OFFSET ? lowest - PARTITION_TABLE_SECTOR : DEFAULT_TABLE_OFFSET;
  notes.push({
    code: 'release-table-offset-assumed',
    message: `No file says where the partition table belongs; ${hexAddress(offset)} is assumed`,
  });
  return offset;
}

type Placed = readonly [entry: Classified, offset: number];

function placeOtadata(contents: readonly Classified[], partitions: readonly Partition[]): Placed[] {
  const row = findPartition(partitions, PartitionType.Data, DataSubtype.Ota);
  const entry = contents.find(({ content }) => content.kind === 'otadata');
  return row && entry ? [[entry, row.offset]] : [];
}

const FILE_SYSTEMS: readonly number[] = [DataSubtype.Fat, DataSubtype.Spiffs, DataSubtype.LittleFs];
/** The FAT images of PlatformIO leave out the sector that wear levelling keeps at the start. */
const FAT_OFFSET = 0x1000;

/** A file system image goes to the last row for one, as PlatformIO does. SPIFFS has no magic and is told by its name. */
function placeFileSystems(contents: readonly Classified[], partitions: readonly Partition[]): Placed[] {
  const row = partitions
    .filter(({ type, subtype }) => type === PartitionType.Data && FILE_SYSTEMS.includes(subtype))
    .at(-1);
  const entry = contents.find(({ file, content }) => {
    if (content.kind === 'file-system') return true;
    const nameless = content.kind === 'other' || content.kind === 'encrypted';
    return nameless && /(spiffs|littlefs|fatfs|ffat)[^/]*\.bin$/i.test(file.path);
  });
  if (!row || !entry) return [];
  const skipped = row.subtype === DataSubtype.Fat && entry.file.bytes.length <= row.size - FAT_OFFSET ? FAT_OFFSET : 0;
  return [[entry, row.offset + skipped]];
}

/** Firmware files that found no place are named; what lies in every build folder (debug files, texts) is not. */
function noteUnused(
  contents: readonly Classified[],
  parts: readonly ReleasePart[],
  { app, notes }: { app: Classified; notes: FormatIssue[] },
): void {
  const silent: readonly FileContent['kind'][] = [
    'elf',
    'object',
    'text',
    'partition-csv',
    'empty',
    'merged',
    'uf2',
    'hex',
    'archive',
  ];
  const unused = contents.filter(
    ({ file, content }) =>
      file !== app.file &&
      !silent.includes(content.kind) &&
      /\.bin$/i.test(file.path) &&
      !parts.some(({ data }) => data === file.bytes),
  );
  for (const { file } of unused) {
    notes.push({
      code: 'release-file-unused',
      message: `Nothing says where ${baseName(file.path)} belongs: it is left out`,
    });
  }
}
