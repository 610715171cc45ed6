/**
 * The release file: a `.zip` with `release.json` and the parts that it names, each with its address and SHA-256. Everything is checked
 * when it is opened, and what is wrong is refused whole. An unpacked one, a folder with `release.json`, is read in the same way.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { parseImage } from '../app-image.ts';
import { hexAddress, toHex } from '../bytes.ts';
import { type Chip, chipByName } from '../chips.ts';
import { FormatError } from '../format-error.ts';
import { parseWifiStore } from '../nvs/wifi-credentials.ts';
import { encodePartitionTable, type Partition, PartitionType } from '../partition-table.ts';
import { assembleBuild, checkOverlaps } from './assemble.ts';
import { checkedTemplate } from './nvs-template.ts';
import { checkedBootCheck } from './own-file.ts';
import { baseName, folderOf, normalPath, pathInside } from './paths.ts';
import { type Release, type ReleaseApp, type ReleaseBuild, type ReleaseFile } from './release.ts';
import { checkData, dataHeaderOf, dataSlotOf } from './release-data.ts';
import {
  decodeReleaseJson,
  findReleaseJson,
  type JsonBuild,
  type JsonPart,
  LARGEST_FLASH,
  type ReleaseJson,
} from './release-json.ts';
import { partsOf, rowOf } from './release-parts.ts';

interface Opening {
  files: readonly ReleaseFile[];
  /** `release.json`, and what it says. */
  source: ReleaseFile;
  json: ReleaseJson;
}

interface OpenedPart {
  listed: JsonPart;
  data: Uint8Array;
}

/**
 * The release of a release file, or `undefined` when there is no `release.json` of ours.
 *
 * @throws {FormatError} `release-ambiguous`, `release-format-version`, `release-bad-release-file`, `release-bad-nvs-template`,
 *   `release-bad-boot-check`, `wifi-bad-store`; of a part `release-path-outside`, `release-missing-file`, `release-hash-differs`,
 *   `release-bad-role`, `release-beyond-flash`, `release-part-outside-table`, `release-part-too-large`, `release-bad-data`; of a table
 *   `release-table-differs`; and what `assembleBuild` throws.
 */
export function readReleaseFile(files: readonly ReleaseFile[]): Release | undefined {
  const found = findReleaseJson(files);
  if (!found) return undefined;
  const json = decodeReleaseJson(found);
  const { file: source } = found;
  const { product, version, firmwareProfile, nvsTemplate, wifiStore } = json;
  checkBuildKeys(json, source);
  return {
    kind: 'release-file',
    name: product,
    ...(version !== undefined && { version }),
    builds: json.builds.map((build) => openBuild(build, { files, source, json })),
    notes: [],
    ...(firmwareProfile && { firmwareProfile }),
    ...(nvsTemplate && { nvsTemplate: checkedTemplate(nvsTemplate, source) }),
    ...(wifiStore !== undefined && { wifiStore: parseWifiStore(wifiStore) }),
  };
}

/** What a `release.json` names, and the folder that it is seen from. */
export function releaseFileNames(files: readonly ReleaseFile[]): { folder: string; names: string[] } | undefined {
  const found = findReleaseJson(files);
  if (!found) return undefined;
  const names = decodeReleaseJson(found).builds.flatMap(({ parts }) => parts.map(({ file }) => file));
  return { folder: folderOf(found.file.path), names };
}

function checkBuildKeys({ builds }: ReleaseJson, { path }: ReleaseFile): void {
  const keys = builds.map(({ chip, serialType = 'any port' }) => `${chip} with ${serialType}`);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice === undefined) return;
  throw new FormatError('release-bad-release-file', `Two builds for ${twice}`, { place: { file: path } });
}

function openBuild(listed: JsonBuild, opening: Opening): ReleaseBuild {
  const { json, source } = opening;
  const chip = chipByName(listed.chip);
  if (chip?.name !== listed.chip) {
    throw new FormatError('release-unknown-chip', `There is a build for ${listed.chip}, which is not known here`, {
      place: { file: source.path },
    });
  }
  const parts = listed.parts.map((part): OpenedPart => ({ listed: part, data: openPart(part, opening) }));
  checkRolesOnce(parts, source);
  checkFlashEnd(parts, listed);
  const build = { ...assemble(parts, listed, chip), ...settingsOf(listed) };
  checkPlaces(build, parts);
  const whole = withOpenedData(
    build,
    parts.find(({ listed: { role } }) => role === 'data'),
    opening,
  );
  const placed = partsOf(whole).flatMap(({ offset, ...part }) => (offset === undefined ? [] : [{ ...part, offset }]));
  checkOverlaps(placed);
  return { ...whole, ...(json.bootCheck && { bootCheck: checkedBootCheck(json.bootCheck, source) }) };
}

/** The bytes of a part, which are what `release.json` says of them. */
function openPart({ file, size, sha256: digest }: JsonPart, { files, source }: Opening): Uint8Array {
  const path = pathInside(folderOf(source.path), file);
  const isPlain = path !== undefined && !file.includes('\\') && !file.split('/').includes('..');
  if (!isPlain) {
    throw new FormatError('release-path-outside', `${file} does not lie inside of the release`, {
      place: { file: source.path },
    });
  }
  const found = files.find((candidate) => normalPath(candidate.path) === path);
  if (!found) {
    throw new FormatError('release-missing-file', `The release names ${file}, which is not there`, {
      place: { file: source.path },
    });
  }
  if (found.bytes.length === size && toHex(sha256(found.bytes)) === digest) return found.bytes;
  const reason =
    found.bytes.length === size ? 'its SHA-256 differs' : `it has ${found.bytes.length} bytes, not ${size}`;
  throw new FormatError('release-hash-differs', `${file} is not the file that the release names: ${reason}`, {
    place: { file: path },
  });
}

function checkRolesOnce(parts: readonly OpenedPart[], { path }: ReleaseFile): void {
  const count = (role: JsonPart['role']): number => parts.filter(({ listed }) => listed.role === role).length;
  for (const role of ['bootloader', 'partition-table', 'otadata', 'app', 'data'] as const) {
    if (count(role) > 1) {
      throw new FormatError('release-bad-role', `Two parts of a build have the role ${role}`, {
        place: { file: path },
      });
    }
  }
  if (count('app') === 0) throw new FormatError('release-no-app', 'A build has no app', { place: { file: path } });
}

function checkFlashEnd(parts: readonly OpenedPart[], { flashSize = LARGEST_FLASH, partitionTable }: JsonBuild): void {
  const refuse = (name: string, end: number): void => {
    if (end <= flashSize) return;
    const text = `${name} ends at ${hexAddress(end)}, behind the flash of ${flashSize} bytes`;
    throw new FormatError('release-beyond-flash', text, { place: { file: name } });
  };
  for (const { listed, data } of parts) refuse(listed.file, (listed.address ?? 0) + data.length);
  for (const { label, offset, size } of partitionTable?.partitions ?? [])
    refuse(`The partition ${label}`, offset + size);
}

function assemble(parts: readonly OpenedPart[], { partitionTable }: JsonBuild, chip: Chip): ReleaseBuild {
  const placed = parts.flatMap(({ listed: { role, address, file }, data }) =>
    address === undefined || role === 'data' ? [] : [{ name: baseName(file), offset: address, data }],
  );
  const rows = partitionTable?.partitions.map(({ label: name, ...row }): Partition => ({ name, ...row }));
  if (partitionTable && rows && !parts.some(({ listed }) => listed.role === 'partition-table')) {
    placed.push({ name: 'partition table', offset: partitionTable.address, data: encodePartitionTable(rows) });
  }
  const loose = parts.find(({ listed }) => listed.role === 'app' && listed.address === undefined);
  const build = assembleBuild({ parts: placed, chip, ...(loose && { looseApp: looseApp(loose) }) });
  if (!partitionTable) return build;
  const same = build.table?.offset === partitionTable.address && sameRows(build.table.partitions, rows ?? []);
  if (same) return build;
  throw new FormatError('release-table-differs', 'The rows of release.json are not those of its partition table');
}

function looseApp({ listed, data }: OpenedPart): Omit<ReleaseApp, 'offset'> {
  try {
    return { name: baseName(listed.file), data, image: parseImage(data) };
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FormatError('release-damaged-image', `${listed.file} is damaged or cut off: ${cause.message}`, {
      place: { ...cause.place, file: listed.file },
      cause,
    });
  }
}

const rowText = ({ name, type, subtype, offset, size, flags }: Partition): string =>
  JSON.stringify([name, type, subtype, offset, size, flags]);

const sameRows = (some: readonly Partition[], others: readonly Partition[]): boolean =>
  some.map(rowText).join() === others.map(rowText).join();

function settingsOf({
  flashSettings,
  serialType,
  flashSize,
  consoleBaud,
  ignoresNvs,
}: JsonBuild): Partial<ReleaseBuild> {
  return {
    ...(flashSettings && { headerRepair: flashSettings }),
    ...(serialType && { serialType }),
    ...(flashSize !== undefined && { flashSize }),
    ...(consoleBaud !== undefined && { consoleBaud }),
    ...(ignoresNvs !== undefined && { ignoresNvs }),
  };
}

/** What is only noted of a folder that some tool left behind is a fault in a file that was made with care. */
const FAULTS: ReadonlySet<string> = new Set([
  'release-bootloader-moved',
  'release-otadata-moved',
  'release-otadata-unused',
  'release-part-outside-table',
  'release-part-too-large',
]);

/** Each part is what its role says, and where the table has it. */
function checkPlaces(build: ReleaseBuild, parts: readonly OpenedPart[]): void {
  const fault = build.notes.find(({ code }) => FAULTS.has(code));
  if (fault) throw new FormatError(fault.code, fault.message);
  const found = partsOf(build);
  for (const { listed } of parts) {
    if (listed.role === 'data') continue;
    const role = found.find(({ offset }) => offset === listed.address)?.role;
    // Without a table nothing else can tell.
    const fits = role === listed.role || (role === 'other' && listed.role === 'nvs' && !build.table);
    if (!fits) {
      const text = `${listed.file} is no ${listed.role}, or does not belong where the release puts it`;
      throw new FormatError('release-bad-role', text, { place: { file: listed.file } });
    }
  }
  const { app, table } = build;
  if (table && app.offset !== undefined && rowOf(build, { offset: app.offset })?.type !== PartitionType.App) {
    throw new FormatError(
      'release-part-outside-table',
      `${app.name} goes to ${hexAddress(app.offset)}, which is no app partition`,
    );
  }
}

function withOpenedData(build: ReleaseBuild, part: OpenedPart | undefined, { json }: Opening): ReleaseBuild {
  if (part?.listed.role !== 'data') return build;
  const { file, address, layout, tag } = part.listed;
  const slot = dataSlotOf(build);
  const name = baseName(file);
  const refuse = (code: string, text: string): FormatError => new FormatError(code, text, { place: { file } });
  if (address !== undefined && address !== slot?.offset) {
    throw refuse(
      'release-part-outside-table',
      `${name} goes to ${hexAddress(address)}, which is not the slot for data`,
    );
  }
  if (slot && part.data.length > slot.size) {
    throw refuse(
      'release-part-too-large',
      `${name} (${part.data.length} bytes) is larger than ${slot.name} (${slot.size} bytes)`,
    );
  }
  const data = {
    name,
    data: part.data,
    layout,
    ...(slot && { offset: slot.offset }),
    ...(tag !== undefined && { tag }),
  };
  checkData(data, dataHeaderOf(json), build.chip);
  return { ...build, data };
}
