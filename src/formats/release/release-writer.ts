/** Writes the release file: the same bytes for the same release, and only what opens again. */
import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../bytes.ts';
import { wifiStoreText } from '../nvs/wifi-credentials.ts';
import { encodeZip, type ZipFile } from '../zip.ts';
import { baseName } from './paths.ts';
import { type Release, type ReleaseBuild } from './release.ts';
import { readReleaseFile } from './release-file.ts';
import {
  type JsonPart,
  RELEASE_FORMAT,
  RELEASE_FORMAT_VERSION,
  RELEASE_JSON,
  type ReleaseJsonInput,
} from './release-json.ts';
import { partsOf, type RolePart } from './release-parts.ts';

/**
 * The release file of a release.
 *
 * @throws {FormatError} as `readReleaseFile`: what it would refuse is not written.
 */
export function encodeReleaseFile(release: Release): Uint8Array<ArrayBuffer> {
  const files: ZipFile[] = [];
  const json = releaseJson(release, files);
  files.push({ path: RELEASE_JSON, bytes: new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`) });
  readReleaseFile(files);
  return encodeZip(files);
}

/** The description; what it names is added to `files`. */
function releaseJson(release: Release, files: ZipFile[]): ReleaseJsonInput {
  const { name, version, builds, firmwareProfile, nvsTemplate, wifiStore } = release;
  const bootCheck = builds.find((build) => build.bootCheck)?.bootCheck;
  return {
    format: RELEASE_FORMAT,
    formatVersion: RELEASE_FORMAT_VERSION,
    product: name,
    ...(version && { version }),
    ...(firmwareProfile && { firmwareProfile }),
    builds: builds.map((build) => jsonBuild(build, files)),
    ...(nvsTemplate && { nvsTemplate }),
    ...(wifiStore && { wifiStore: wifiStoreText(wifiStore) }),
    ...(bootCheck && { bootCheck }),
  };
}

function jsonBuild(build: ReleaseBuild, files: ZipFile[]): ReleaseJsonInput['builds'][number] {
  const { chip, serialType, table, headerRepair, consoleBaud, ignoresNvs } = build;
  const flashSize = flashSizeOf(build);
  const folder = serialType ? `${chip.name}-${serialType}` : chip.name;
  return {
    chip: chip.name,
    ...(serialType && { serialType }),
    ...(flashSize !== undefined && { flashSize }),
    ...(table && {
      partitionTable: {
        address: table.offset,
        partitions: table.partitions.map(({ name: label, ...row }) => ({ label, ...row })),
      },
    }),
    parts: partsOf(build).map((part) => jsonPart(part, build, { folder, files })),
    ...(headerRepair && { flashSettings: headerRepair }),
    ...(consoleBaud !== undefined && { consoleBaud }),
    ...(ignoresNvs !== undefined && { ignoresNvs }),
  };
}

/**
 * What the boot loader's header says, or more where parts and table need it: sizes of flash chips are powers of two. Without a table
 * nothing is known of what else the flash has to hold.
 */
function flashSizeOf(build: ReleaseBuild): number | undefined {
  if (build.flashSize !== undefined || !build.table) return build.flashSize;
  const ends = [
    ...partsOf(build).map(({ offset = 0, data }) => offset + data.length),
    ...build.table.partitions.map(({ offset, size }) => offset + size),
  ];
  const named = build.bootloader?.image.header.flashSize ?? 0;
  return Math.max(named, 2 ** Math.ceil(Math.log2(Math.max(...ends))));
}

function jsonPart(
  part: RolePart,
  { data: slotData }: ReleaseBuild,
  { folder, files }: { folder: string; files: ZipFile[] },
): JsonPart {
  const { role, data, offset: address } = part;
  const file = freePath(`${folder}/${plainName(part.name)}`, files);
  files.push({ path: file, bytes: data });
  const facts = { file, size: data.length, sha256: toHex(sha256(data)) };
  const place = address === undefined ? {} : { address };
  switch (role) {
    case 'app':
      return { role, ...place, ...facts };
    case 'data': {
      const { layout = 'raw', tag } = slotData ?? {};
      return { role, ...place, ...facts, layout, ...(tag !== undefined && { tag }) };
    }
    default:
      return { role, address: address ?? 0, ...facts };
  }
}

/** A file name that is fine on every system. */
const plainName = (name: string): string =>
  baseName(name)
    .replace(/[^\w.+-]/g, '_')
    .replace(/^\.+/, '')
    .slice(0, 100) || 'part';

function freePath(wanted: string, files: readonly ZipFile[]): string {
  const taken = (path: string): boolean => files.some((file) => file.path.toLowerCase() === path.toLowerCase());
  let path = wanted;
  for (let count = 2; taken(path); count++) path = wanted.replace(/(\.\w+)?$/, `-${count}$1`);
  return path;
}
