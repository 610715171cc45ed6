/**
 * From parts with flash offsets to a build: which part is the boot loader, the table, otadata and the app is told by content and by
 * the table, and what does not fit together is refused or put right with a note.
 */
import { type AppImage, parseImage } from '../app-image.ts';
import { hexAddress, padBytes } from '../bytes.ts';
import { type Chip, chipByImageId } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '../otadata.ts';
import {
  AppSubtype,
  DataSubtype,
  decodePartitionTable,
  findPartition,
  otaSlots,
  type Partition,
  PartitionType,
} from '../partition-table.ts';
import { contentOf, isRealImage } from './file-content.ts';
import { knownFirmware } from './known-firmware.ts';
import { cutMergedImage } from './merged-image.ts';
import {
  type ReleaseApp,
  type ReleaseBootloader,
  type ReleaseBuild,
  type ReleasePart,
  type ReleaseTable,
} from './release.ts';

export interface BuildInput {
  parts: readonly ReleasePart[];
  /** The chip that the release names; images must be for it. */
  chip?: Chip;
  /** An app without an offset, for releases without a table. */
  looseApp?: Omit<ReleaseApp, 'offset'>;
  notes?: readonly FormatIssue[];
}

/**
 * @throws {FormatError} `release-no-app`, `release-mixed-chips`, `release-unknown-chip`, `release-overlap`, `release-ambiguous`,
 *   `release-bad-table`, `release-damaged-image`, `release-wrongly-merged`, `release-merged-unclear`.
 */
export function assembleBuild({ parts: given, chip: stated, looseApp, notes: noted = [] }: BuildInput): ReleaseBuild {
  const parts = given.flatMap(expandMerged).toSorted((a, b) => a.offset - b.offset);
  checkParts(parts);
  const table = takeTable(parts);
  const context: Context = { table, notes: [...noted], taken: new Set(table && [table.offset]) };
  const images = parts.filter(({ data }) => isRealImage(data)).map((part) => ({ ...part, image: parsePart(part) }));
  const chip = commonChip([...images, ...(looseApp ? [looseApp] : [])], stated);
  const bootloader = takeBootloader(images, chip, context);
  const otadata = takeOtadata(parts, context);
  const app: ReleaseApp | undefined = looseApp ?? takeApp(images, otadata, context);
  if (!app) throw new FormatError('release-no-app', noAppText(parts));
  const extra = parts.filter(({ offset }) => !context.taken.has(offset));
  const placedApp = app.offset === undefined ? [] : [{ ...app, offset: app.offset }];
  const placedTable = table && { name: 'partition table', ...table };
  checkOverlaps([bootloader, placedTable, otadata, ...placedApp, ...extra].filter((part) => part !== undefined));
  noteStrays([...placedApp, ...extra], context);
  if (!bootloader) context.notes.push(NO_BOOTLOADER);
  const build: ReleaseBuild = {
    chip,
    ...(bootloader && { bootloader }),
    ...(table && { table }),
    ...(otadata && { otadata }),
    app,
    extra,
    notes: context.notes,
  };
  return { ...build, ...knownFirmware(build) };
}

const NO_BOOTLOADER: FormatIssue = {
  code: 'release-no-bootloader',
  message: 'No boot loader in the release: the one on the board stays',
};

const issue = (code: string, message: string): FormatIssue => ({ code, message });

function expandMerged(part: ReleasePart): ReleasePart[] {
  const content = contentOf(part.data);
  if (content.kind !== 'merged') return [part];
  return cutMergedImage(part.data, { file: part.name, tablePosition: content.tablePosition, start: part.offset });
}

function checkParts(parts: readonly ReleasePart[]): void {
  parts.forEach(({ name, data, offset }, index) => {
    const place = { file: name };
    if (data.length === 0) throw new FormatError('release-empty-file', `${name} is empty`, { place });
    const next = parts[index + 1];
    if (next?.offset === offset) {
      throw new FormatError('release-overlap', `${name} and ${next.name} both go to ${hexAddress(offset)}`, { place });
    }
  });
}

function takeTable(parts: readonly ReleasePart[]): ReleaseTable | undefined {
  const [part, second] = parts.filter(({ data }) => contentOf(data).kind === 'table');
  if (!part) return undefined;
  if (second) throw new FormatError('release-ambiguous', `Two partition tables: ${part.name} and ${second.name}`);
  try {
    return { offset: part.offset, data: part.data, partitions: decodePartitionTable(part.data).partitions };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError('release-bad-table', `${part.name} is a damaged partition table: ${cause.message}`, {
      place: { ...cause.place, file: part.name },
      cause,
    });
  }
}

function parsePart({ name, data }: Pick<ReleasePart, 'name' | 'data'>): AppImage {
  try {
    return parseImage(data);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError('release-damaged-image', `${name} is damaged or cut off: ${cause.message}`, {
      place: { ...cause.place, file: name },
      cause,
    });
  }
}

type Named = { name: string; image: AppImage };

function commonChip(images: readonly Named[], stated: Chip | undefined): Chip {
  let first: Named | undefined;
  for (const entry of images) {
    const id = entry.image.header.chipId;
    if (!chipByImageId(id)) {
      throw new FormatError('release-unknown-chip', `${entry.name} is for a chip that is not known here (id ${id})`, {
        place: { file: entry.name, offset: 12 },
      });
    }
    if (stated && id !== stated.imageChipId) throw mixedChips(entry, stated.title);
    if (first && id !== first.image.header.chipId) throw mixedChips(entry, `${chipTitle(first)} as ${first.name} is`);
    first ??= entry;
  }
  const chip = first && chipByImageId(first.image.header.chipId);
  if (!chip) throw new FormatError('release-no-app', 'There is no app among the files');
  return chip;
}

const chipTitle = ({ image }: Named): string => chipByImageId(image.header.chipId)?.title ?? 'another chip';

function mixedChips(entry: Named, wanted: string): FormatError {
  return new FormatError('release-mixed-chips', `${entry.name} is for ${chipTitle(entry)}, not for ${wanted}`, {
    place: { file: entry.name, offset: 12 },
  });
}

interface Context {
  table: ReleaseTable | undefined;
  notes: FormatIssue[];
  /** Given offsets of the parts that have found their role. */
  taken: Set<number>;
}

/** The boot loader, moved to where the ROM looks for it: manifests with a wrong offset for it are about. */
function takeBootloader(
  images: readonly ReleaseBootloader[],
  chip: Chip,
  { table, notes, taken }: Context,
): ReleaseBootloader | undefined {
  const inPlace = images.find(({ offset }) => offset === chip.bootloaderOffset);
  if (inPlace?.image.kind === 'app') {
    throw new FormatError(
      'release-app-at-bootloader',
      `${inPlace.name} is an app, but is to be written where the boot loader belongs`,
      {
        place: { file: inPlace.name },
      },
    );
  }
  if (inPlace) {
    taken.add(inPlace.offset);
    return inPlace;
  }
  const limit = table?.offset ?? Number.POSITIVE_INFINITY;
  const misplaced = images.find(
    ({ image, offset, data }) =>
      image.kind === 'bootloader' && offset < limit && chip.bootloaderOffset + data.length <= limit,
  );
  if (!misplaced) return undefined;
  taken.add(misplaced.offset);
  const { bootloaderOffset } = chip;
  notes.push(
    issue(
      'release-bootloader-moved',
      `The release puts the boot loader at ${hexAddress(misplaced.offset)}; an ${chip.title} starts from ${hexAddress(bootloaderOffset)}, so it goes there`,
    ),
  );
  return { ...misplaced, offset: bootloaderOffset };
}

/** otadata, at the row of the table: boot_app0.bin is often given for 0xe000 where the table has it elsewhere. */
function takeOtadata(parts: readonly ReleasePart[], { table, notes, taken }: Context): ReleasePart | undefined {
  const row = table && findPartition(table.partitions, PartitionType.Data, DataSubtype.Ota);
  const part =
    (row && parts.find(({ offset }) => offset === row.offset)) ??
    parts.find(({ data }) => contentOf(data).kind === 'otadata');
  if (!part) return undefined;
  taken.add(part.offset);
  // Of a merged image only the bytes before the erased rest are left; both sectors count.
  const whole = { ...part, data: padBytes(part.data, OTADATA_SIZE) };
  if (!table) return whole;
  if (!row) {
    notes.push(
      issue(
        'release-otadata-unused',
        `${part.name} selects an app slot, but the table has no otadata partition: it is left out`,
      ),
    );
    return undefined;
  }
  if (part.offset === row.offset) return whole;
  notes.push(
    issue(
      'release-otadata-moved',
      `The release puts ${part.name} at ${hexAddress(part.offset)}, the table has otadata at ${hexAddress(row.offset)}, so it goes there`,
    ),
  );
  return { ...whole, offset: row.offset };
}

type ImagePart = ReleasePart & { image: AppImage };

/** The app that the boot loader will start; without a table the only one. */
function takeApp(
  images: readonly ImagePart[],
  otadata: ReleasePart | undefined,
  { table, taken }: Context,
): ImagePart | undefined {
  const apps = images.filter(({ image, offset }) => image.kind !== 'bootloader' && !taken.has(offset));
  const rows = table ? bootOrder(table.partitions, otadata?.data) : [];
  const inRow = rows.flatMap((row) => apps.filter(({ offset }) => offset === row.offset)).at(0);
  const [first, second] = apps;
  if (!inRow && first && second) {
    throw new FormatError(
      'release-ambiguous',
      `Several apps, none of them at an app partition: ${first.name}, ${second.name}`,
    );
  }
  const app = inRow ?? first;
  if (app) taken.add(app.offset);
  return app;
}

/** App partitions in the order in which the boot loader tries them. */
function bootOrder(partitions: readonly Partition[], otadata: Uint8Array | undefined): Partition[] {
  const slots = otaSlots(partitions);
  const factory = findPartition(partitions, PartitionType.App, AppSubtype.Factory);
  const { order } = chooseBootSlot(decodeOtadata(otadata ?? padBytes(new Uint8Array(0), OTADATA_SIZE)), {
    slotCount: slots.length,
    hasFactory: factory !== undefined,
  });
  const chosen = order
    .map((target) => (target === 'factory' ? factory : slots[target]))
    .filter((row) => row !== undefined);
  const others = partitions.filter((row) => row.type === PartitionType.App && !chosen.includes(row));
  return [...chosen, ...others];
}

function noAppText(parts: readonly ReleasePart[]): string {
  const encrypted = parts.find(({ data }) => contentOf(data).kind === 'encrypted');
  if (encrypted) return `There is no app among the files; ${encrypted.name} looks encrypted. Give the plain build`;
  return 'There is no app among the files';
}

/** @throws {FormatError} `release-overlap`. */
export function checkOverlaps(parts: readonly ReleasePart[]): void {
  const sorted = parts.toSorted((a, b) => a.offset - b.offset);
  sorted.forEach((part, index) => {
    const next = sorted[index + 1];
    if (next && part.offset + part.data.length > next.offset) {
      throw new FormatError(
        'release-overlap',
        `${part.name} (${placeText(part)}) reaches into ${next.name} (${placeText(next)})`,
      );
    }
  });
}

const placeText = ({ offset, data }: ReleasePart): string => `${hexAddress(offset)}, ${data.length} bytes`;

/** Notes parts that lie in no partition, or reach out of theirs. Boot loader and table are not asked. */
function noteStrays(parts: readonly ReleasePart[], { table, notes }: Pick<Context, 'table' | 'notes'>): void {
  if (!table) return;
  for (const { name, offset, data } of parts) {
    const row = table.partitions.find(
      (partition) => offset >= partition.offset && offset < partition.offset + partition.size,
    );
    if (!row) {
      notes.push(
        issue('release-part-outside-table', `${name} goes to ${hexAddress(offset)}, where the table has no partition`),
      );
    } else if (offset + data.length > row.offset + row.size) {
      notes.push(
        issue(
          'release-part-too-large',
          `${name} (${data.length} bytes) is larger than its partition ${row.name} (${row.size} bytes)`,
        ),
      );
    }
  }
}
