/** What `twostep image info` says of an image: as a document in the names of ESP-IDF's structures, and as text. */
import { type AppDescription, type AppImage, IMAGE_HEADER_SIZE, type ImageHeader } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { type Chip, flashSizeName } from '#formats/chips.ts';
import { flashFrequencyName } from '#formats/image-header-patch.ts';
import { type ImageInspection } from '#formats/image-inspection.ts';
import { greatestRevision, leastRevision } from '#formats/image-verify.ts';
import { memoryTypes } from '#formats/memory-map.ts';
import { printable } from '#messages/printable.ts';
import { addressText, bytesText, revisionText } from '#messages/units.ts';

/** Fields that cannot be known because the image ends before them are null. */
export function infoDocument({ header, segments, image, chip, verdict }: ImageInspection): Record<string, unknown> {
  return {
    kind: image?.kind ?? 'unknown',
    chip: chip?.name ?? null,
    header: header ? headerDocument(header) : null,
    segments: segments.map(({ loadAddress, length, fileOffset }, index) => ({
      index,
      load_addr: loadAddress,
      length,
      file_offset: fileOffset,
    })),
    memory_types: segments.map(({ loadAddress }) => (chip ? memoryTypes(chip, loadAddress) : [])),
    flash: header ? flashSettings(header, chip) : null,
    ...footerDocument(image),
    app_desc: image?.description ? appDocument(image.description) : null,
    bootloader_desc: image?.bootloaderDescription ? bootloaderDocument(image.bootloaderDescription) : null,
    verdict: verdict.ok ? 'ok' : 'refused',
    code: verdict.ok ? null : verdict.code,
    message: verdict.ok ? null : verdict.message,
  };
}

const headerDocument = (header: ImageHeader): Record<string, unknown> => ({
  magic: header.magic,
  segment_count: header.segmentCount,
  spi_mode: header.spiMode,
  spi_speed: header.frequencyCode,
  spi_size: header.sizeCode,
  entry_addr: header.entry,
  wp_pin: header.wpPin,
  spi_pin_drv: header.spiPinDrive,
  chip_id: header.chipId,
  min_chip_rev: header.minChipRev,
  min_chip_rev_full: header.minChipRevFull,
  max_chip_rev_full: header.maxChipRevFull,
  reserved: toHex(header.reserved),
  hash_appended: header.hashByte,
});

interface FlashSettings {
  mode: string | null;
  freq: string | null;
  size: string | null;
}

const flashSettings = (header: ImageHeader, chip: Chip | undefined): FlashSettings => ({
  mode: header.flashMode ?? null,
  freq: (chip && flashFrequencyName(header.frequencyCode, chip)) ?? null,
  size: header.flashSize === undefined ? null : flashSizeName(header.flashSize),
});

function footerDocument(image: AppImage | undefined): Record<string, unknown> {
  const { checksum, sha256, length, segments } = image ?? {};
  const last = segments?.at(-1);
  const end = last ? last.fileOffset + last.length : IMAGE_HEADER_SIZE;
  return {
    end_of_segments: image ? end : null,
    checksum_offset: checksum?.offset ?? null,
    checksum_calc: checksum?.computed ?? null,
    checksum_stored: checksum?.stored ?? null,
    checksum_ok: checksum ? checksum.stored === checksum.computed : null,
    sha256_calc: sha256?.computed ?? null,
    sha256_stored: sha256?.stored ?? null,
    sha256_ok: sha256 ? sha256.stored === sha256.computed : null,
    image_length: length ?? null,
  };
}

const appDocument = (description: AppDescription): Record<string, unknown> => ({
  secure_version: description.secureVersion,
  version: description.version,
  project_name: description.projectName,
  time: description.time,
  date: description.date,
  idf_ver: description.idfVersion,
  app_elf_sha256: description.elfSha256,
  min_efuse_blk_rev_full: description.minEfuseBlockRevFull,
  max_efuse_blk_rev_full: description.maxEfuseBlockRevFull,
  // As in the image: its logarithm, 0 where the build does not tell.
  mmu_page_size: description.mmuPageSize === undefined ? 0 : Math.log2(description.mmuPageSize),
  spi_flash_mode: description.spiFlashMode,
});

type BootloaderDescription = NonNullable<AppImage['bootloaderDescription']>;

const bootloaderDocument = ({ version, idfVersion, dateTime }: BootloaderDescription): Record<string, unknown> => ({
  version,
  idf_ver: idfVersion,
  date_time: dateTime,
});

/** Sections with a blank line between. */
export function infoText(inspection: ImageInspection, fileLength: number): string {
  const { header, image, segments } = inspection;
  return [
    header ? headerLines(inspection, header, fileLength) : [`${bytesText(fileLength)}: no image`],
    segmentLines(inspection),
    image ? footerLines(image) : segments.length > 0 ? ['The image ends inside its segments.'] : [],
    image?.description ? appLines(image.description) : [],
    image?.bootloaderDescription ? bootloaderLines(image.bootloaderDescription) : [],
    [verdictLine(inspection)],
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

const NAME_WIDTH = 18;
const field = (name: string, value: string): string => `${name.padEnd(NAME_WIDTH)}${printable(value)}`;

const KINDS: Record<AppImage['kind'], string> = { app: 'app', bootloader: 'boot loader', unknown: 'image' };

function headerLines({ image, chip }: ImageInspection, header: ImageHeader, fileLength: number): string[] {
  const { mode, freq, size } = flashSettings(header, chip);
  const pins = header.spiPinDrive.flatMap((byte) => [byte & 0xf, byte >>> 4]);
  const drive = ['clk', 'q', 'd', 'cs', 'hd', 'wp'].map((pin, index) => `${pin} ${pins[index]}`).join(', ');
  return [
    field('Kind', `${KINDS[image?.kind ?? 'unknown']}, ${image ? `${image.length} of ` : ''}${fileLength} bytes`),
    field('Entry point', addressText(header.entry)),
    field('Segments', `${header.segmentCount}`),
    field('Flash mode', mode?.toUpperCase() ?? `unknown (${header.spiMode})`),
    field('Flash frequency', freq ?? `unknown (${header.frequencyCode})`),
    field('Flash size', size ?? `unknown (${header.sizeCode})`),
    field('WP pin', `${addressText(header.wpPin)}${header.wpPin === 0xee ? ' (not used)' : ''}`),
    field('Pin drive', drive),
    field('Chip id', `${header.chipId}${chip?.imageChipId === header.chipId ? ` (${chip.title})` : ''}`),
    field('Chip revision', revisionRange(header)),
  ];
}

function revisionRange(header: ImageHeader): string {
  const greatest = greatestRevision(header);
  const least = revisionText(leastRevision(header));
  const range = greatest === undefined ? `${least} and newer` : `${least} to ${revisionText(greatest)}`;
  return `${range} (field of old boot loaders: ${header.minChipRev})`;
}

function segmentLines({ segments, chip }: ImageInspection): string[] {
  if (segments.length === 0) return [];
  const row = (...cells: string[]): string =>
    cells
      .map((cell, index) => cell.padEnd([9, 14, 11, 13][index] ?? 0))
      .join('')
      .trimEnd();
  const lines = segments.map(({ loadAddress, length, fileOffset }, index) =>
    row(
      `${index}`,
      `0x${loadAddress.toString(16).padStart(8, '0')}`,
      addressText(length),
      addressText(fileOffset),
      chip ? memoryTypes(chip, loadAddress).join(', ') : '',
    ),
  );
  return [row('Segment', 'Load address', 'Length', 'File offset', 'Memory'), ...lines];
}

function footerLines({ checksum, sha256 }: AppImage): string[] {
  const { stored, computed } = checksum;
  const right = stored === computed ? 'right' : `wrong, calculated ${addressText(computed)}`;
  const digest = sha256 && (sha256.stored === '' ? 'missing' : sha256.stored);
  return [
    field('Checksum', stored === undefined ? 'missing' : `${addressText(stored)} (${right})`),
    field('SHA-256', digest ? `${digest} (${sha256.stored === sha256.computed ? 'right' : 'wrong'})` : 'none'),
  ];
}

const appLines = (app: AppDescription): string[] => [
  field('Project', app.projectName),
  field('Version', app.version),
  field('Compiled', `${app.date} ${app.time}`),
  field('ESP-IDF', app.idfVersion),
  field('ELF SHA-256', app.elfSha256),
  field('eFuse block', `${revisionText(app.minEfuseBlockRevFull)} to ${revisionText(app.maxEfuseBlockRevFull)}`),
  ...(app.mmuPageSize === undefined ? [] : [field('MMU page', bytesText(app.mmuPageSize))]),
  field('Secure version', `${app.secureVersion}`),
];

const bootloaderLines = ({ version, idfVersion, dateTime }: BootloaderDescription): string[] => [
  field('Version', `${version}`),
  field('ESP-IDF', idfVersion),
  field('Compiled', dateTime),
];

function verdictLine({ verdict, chip }: ImageInspection): string {
  if (!verdict.ok) return field('Verdict', `refused (${verdict.code}): ${verdict.message}`);
  return field('Verdict', `an ${chip?.title} starts it`);
}
