/**
 * A whole-flash image, of a build or read from a board, as files: one for each part, and the `flasher_args.json` that says where they
 * belong, so that they are a release again. Together the files hold every byte that is not erased.
 */
import { decodeImageHeader, looksLikeImage } from '../app-image.ts';
import { hexAddress, isBlank } from '../bytes.ts';
import { type Chip, chipByImageId, flashSizeName } from '../chips.ts';
import { FormatError } from '../format-error.ts';
import { flashFrequencyName } from '../image-header-patch.ts';
import { findPartitionTable, PartitionType } from '../partition-table.ts';
import { isRealImage } from './file-content.ts';
import { cut, layOut, type MergedArea, outsideOf } from './merged-image.ts';
import { type ReleasePart } from './release.ts';

export interface SplitOptions {
  /** Name of the image, for messages. */
  file: string;
  /** Flash offset of its first byte; found out where it is not given. */
  start?: number;
  /** The chip that it is from; the one of its boot loader or app unless given. */
  chip?: Chip;
}

export interface SplitFlash {
  /** Flash offset of the image's first byte. */
  start: number;
  chip?: Chip;
  /** In the order of their offsets; the name of each is that of its file. */
  files: ReleasePart[];
  /** Labels of the partitions that are erased, as far as the image goes. */
  blank: string[];
  /** The content of `flasher_args.json`. */
  flasherArgs: string;
}

/**
 * Cuts a flash image along its partition table. Data partitions come whole, as tools for their content want them; apps and what lies
 * outside of all partitions end with their last byte that is not FF.
 *
 * @throws {FormatError} `image-no-table`, `image-wrong-chip`, `release-wrongly-merged`, `release-merged-unclear`, `partition-…`.
 */
export function splitFlash(data: Uint8Array, { file, start: given, chip: asked }: SplitOptions): SplitFlash {
  const table = findPartitionTable(data, { from: 0 });
  if (!table) {
    throw new FormatError(
      'image-no-table',
      'There is no partition table in it: it is no whole-flash image, or it is encrypted',
      {
        place: { file },
      },
    );
  }
  const source = { file, tablePosition: table.offset, ...(given !== undefined && { start: given }) };
  const { start, areas, chip: bootChip } = layOut(data, source, { appNeeded: false });
  const found = bootChip ?? chipOfApps(data, areas);
  if (asked && found && asked !== found) {
    throw new FormatError('image-wrong-chip', `It is from an ${found.title}, not from an ${asked.title}`, {
      place: { file },
    });
  }
  const chip = asked ?? found;
  const parts = areas.map((area) => wholeData(data, area, start) ?? cut(data, area, start));
  const filled = [...parts.filter((part) => part.data.length > 0), ...outsideOf(data, areas, start)];
  const files = nameFiles(filled.toSorted((a, b) => a.offset - b.offset));
  return {
    start,
    ...(chip && { chip }),
    files,
    blank: parts.filter((part) => part.data.length === 0).map(({ name }) => name),
    flasherArgs: writeFlasherArgs(files, chip),
  };
}

function chipOfApps(data: Uint8Array, areas: readonly MergedArea[]): Chip | undefined {
  const app = areas.find(({ row, from }) => row?.type === PartitionType.App && isRealImage(data.subarray(from)));
  return app && chipByImageId(decodeImageHeader(data.subarray(app.from)).chipId);
}

function wholeData(data: Uint8Array, { name, row, from, to }: MergedArea, start: number): ReleasePart | undefined {
  const bytes = data.subarray(from, to);
  if (!row || row.type === PartitionType.App || isBlank(bytes)) return undefined;
  return { name, offset: start + from, data: bytes };
}

/** Labels as names of files: without what a file system minds, and none twice, whatever the case. */
function nameFiles(parts: readonly ReleasePart[]): ReleasePart[] {
  const taken = new Set<string>();
  return parts.map((part) => {
    const plain = part.name.replaceAll(/[^\w.-]/g, '_').replace(/^\.+/, '_') || '_';
    let name = plain;
    while (taken.has(name.toLowerCase())) name += `-${hexAddress(part.offset)}`;
    taken.add(name.toLowerCase());
    return { ...part, name: `${name}.bin` };
  });
}

/** As ESP-IDF writes it (components/esptool_py/flasher_args.json.in), as far as a flash image can tell. */
function writeFlasherArgs(files: readonly ReleasePart[], chip: Chip | undefined): string {
  const bootloader = files.find(({ offset, data }) => offset === chip?.bootloaderOffset && looksLikeImage(data));
  const settings = chip && bootloader && flashSettings(bootloader.data, chip);
  const args = {
    ...(settings && { flash_settings: settings }),
    flash_files: Object.fromEntries(files.map(({ name, offset }) => [hexAddress(offset), name])),
    ...(chip && { extra_esptool_args: { chip: chip.name } }),
  };
  return `${JSON.stringify(args, undefined, 2)}\n`;
}

function flashSettings(bootloader: Uint8Array, chip: Chip): Record<string, string | undefined> {
  const { flashMode, frequencyCode, flashSize } = decodeImageHeader(bootloader);
  return {
    flash_mode: flashMode,
    flash_size: flashSize === undefined ? undefined : flashSizeName(flashSize),
    flash_freq: flashFrequencyName(frequencyCode, chip),
  };
}
