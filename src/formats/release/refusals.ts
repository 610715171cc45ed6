/** What to tell about a file that is no release: what it is, and what to give in its place. */
import { FormatError } from '../format-error.ts';
import { type FileContent } from './file-content.ts';
import { baseName } from './paths.ts';
import { type ReleaseFile } from './release.ts';

const REFUSALS: Readonly<Partial<Record<FileContent['kind'], readonly [code: string, text: string]>>> = {
  elf: [
    'release-elf',
    'is an ELF file for the debugger. Give the build folder, or the .bin file that was made from it',
  ],
  uf2: ['release-uf2', 'is a UF2 file for a USB drive boot loader. Give the .bin files of the same build'],
  hex: ['release-hex', 'is an Intel HEX file. Give the .bin files of the same build'],
  archive: ['release-archive', 'is an archive. Give a .zip alone; of any other kind unpack it and give the folder'],
  table: ['release-only-table', 'is a partition table alone. Give the app with it, or the whole build folder'],
  bootloader: [
    'release-only-bootloader',
    'is a boot loader alone. Give the app and the partition table with it, or the whole build folder',
  ],
  otadata: ['release-only-otadata', 'only says which app slot starts. Give the whole build folder'],
  'data-image': ['release-data-image', 'is a packed data image. Give it as the data file, and the app as the release'],
  nvs: ['release-nvs', 'is an NVS image (settings). Give the build folder that it belongs to'],
  'file-system': ['release-file-system', 'is a file system image. Give the build folder that it belongs to'],
  blank: ['release-blank', 'holds nothing but FF bytes, as erased flash does'],
  empty: ['release-empty', 'is empty'],
  'partition-csv': [
    'release-partition-csv',
    'is a partition table in text form. Give it as the partition file, and the build as the release',
  ],
  encrypted: ['release-encrypted', 'looks encrypted or compressed. Give the plain build'],
  object: ['release-unknown', 'is a library of object files. Give the build folder that it lies in'],
  text: ['release-unknown', 'is a text file. Give a build folder or a .bin file'],
};

/** The refusal of a file that cannot be a release, alone or with others. */
export function refuseFile(file: ReleaseFile, content: FileContent): FormatError {
  const name = baseName(file.path);
  if (content.kind === 'damaged-image') {
    return new FormatError(
      'release-damaged-image',
      `${name} begins like an ESP32 app, but is damaged, cut off or for an ESP8266: ${content.cause.message}`,
      {
        place: { ...content.cause.place, file: file.path },
        cause: content.cause,
      },
    );
  }
  if (content.kind === 'unknown-image') {
    const { chipId } = content.image.header;
    return new FormatError(
      'release-unknown-chip',
      `${name} is an image for a chip that is not known here (id ${chipId})`,
      {
        place: { file: file.path, offset: 12 },
      },
    );
  }
  const [code, text] = REFUSALS[content.kind] ?? [
    'release-unknown',
    'is neither an app nor a merged image: perhaps a file system, data, or encrypted. Give a build folder, an app or a merged image',
  ];
  return new FormatError(code, `${name} ${text}`, { place: { file: file.path } });
}

/** Which of several useless files says most about what the user meant. */
const TELLING: readonly FileContent['kind'][] = [
  'damaged-image',
  'unknown-image',
  'archive',
  'uf2',
  'hex',
  'elf',
  'encrypted',
  'data-image',
  'bootloader',
  'table',
  'file-system',
  'nvs',
  'partition-csv',
  'otadata',
  'other',
];

/** The refusal of files none of which is an app. */
export function refuseAll(contents: readonly { file: ReleaseFile; content: FileContent }[]): FormatError {
  const rank = ({ content }: { content: FileContent }): number =>
    (TELLING.indexOf(content.kind) + TELLING.length) % TELLING.length;
  const unranked = (entry: { content: FileContent }): boolean => !TELLING.includes(entry.content.kind);
  const [first] = contents.toSorted((a, b) => Number(unranked(a)) - Number(unranked(b)) || rank(a) - rank(b));
  if (!first) return new FormatError('release-empty', 'No file was given');
  return refuseFile(first.file, first.content);
}
