/**
 * `release.json` of a release file: its shape. The same shape stands in docs/release.schema.json, for other programs and for editors; a test
 * holds the two together. What a shape cannot say (that digests are right, that parts do not overlap) is checked by the reader.
 */
import * as v from 'valibot';
import { FLASH_MODES } from '../chips.ts';
import { FormatError } from '../format-error.ts';
import { PARTITION_NAME_SIZE, PARTITION_ROW_SIZE, PARTITION_TABLE_SIZE } from '../partition-table.ts';
import { FirmwareProfileSchema } from './firmware-profile.ts';
import { checkShape, readJson } from './json-file.ts';
import { NvsTemplateSchema } from './nvs-template.ts';
import { BOOT_CHECK_ENTRIES } from './own-file.ts';
import { baseName, depthOf } from './paths.ts';
import { type ReleaseFile } from './release.ts';

export const RELEASE_JSON = 'release.json';
/** Marks the file as ours; others have files of that name too. */
export const RELEASE_FORMAT = 'twostep-release';
/** Counts up when a program that knows only the older shape would do something wrong. */
export const RELEASE_FORMAT_VERSION = 1;
/** Bytes of the largest flash that there is (128 MiB). */
export const LARGEST_FLASH = 0x800_0000;

const Text = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const Address = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LARGEST_FLASH - 1));
const Size = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(LARGEST_FLASH));
const Byte = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff));
const U32 = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));

const RowSchema = v.strictObject({
  label: v.pipe(v.string(), v.maxLength(PARTITION_NAME_SIZE)),
  type: Byte,
  subtype: Byte,
  offset: U32,
  size: U32,
  flags: U32,
});

const PART_ENTRIES = {
  /** Path inside the archive, seen from `release.json`. */
  file: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
  size: Size,
  /** 64 lower-case hex digits. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
};

const PartSchema = v.variant('role', [
  v.strictObject({
    role: v.picklist(['bootloader', 'partition-table', 'otadata', 'nvs', 'other']),
    address: Address,
    ...PART_ENTRIES,
  }),
  // Without a table, or for data without a second slot in it, the board decides where they go.
  v.strictObject({ role: v.literal('app'), address: v.optional(Address), ...PART_ENTRIES }),
  v.strictObject({
    role: v.literal('data'),
    address: v.optional(Address),
    ...PART_ENTRIES,
    layout: v.picklist(['raw', 'assets']),
    tag: v.optional(v.pipe(v.string(), v.regex(/^[\x20-\x25\x27-\x3b\x3d\x3f-\x7e]{1,16}$/))),
  }),
]);

const BuildSchema = v.strictObject({
  /** As build systems write it. */
  chip: v.pipe(v.string(), v.regex(/^esp32[a-z0-9]{0,8}$/)),
  serialType: v.optional(v.picklist(['cdc', 'uart'])),
  /** Bytes of flash that the product has. */
  flashSize: v.optional(Size),
  /** The rows of the part `partition-table`, or all that there is of the table. */
  partitionTable: v.optional(
    v.strictObject({
      address: Address,
      partitions: v.pipe(
        v.array(RowSchema),
        v.minLength(1),
        v.maxLength(PARTITION_TABLE_SIZE / PARTITION_ROW_SIZE - 1),
      ),
    }),
  ),
  parts: v.pipe(v.array(PartSchema), v.minLength(1), v.maxLength(100)),
  /** What the header of the boot loader should say, where its file says something else. */
  flashSettings: v.optional(v.strictObject({ mode: v.picklist(FLASH_MODES), frequency: Text })),
  consoleBaud: v.optional(v.pipe(v.number(), v.integer(), v.minValue(300), v.maxValue(10_000_000))),
  ignoresNvs: v.optional(v.boolean()),
});

const ReleaseJsonSchema = v.strictObject({
  /** For editors. */
  $schema: v.optional(v.string()),
  format: v.literal(RELEASE_FORMAT),
  formatVersion: v.literal(RELEASE_FORMAT_VERSION),
  product: Text,
  version: v.optional(Text),
  firmwareProfile: v.optional(FirmwareProfileSchema),
  builds: v.pipe(v.array(BuildSchema), v.minLength(1), v.maxLength(50)),
  nvsTemplate: v.optional(NvsTemplateSchema),
  /** `none`, `idf`, or `NAMESPACE:SSIDKEY:PASSWORDKEY`. */
  wifiStore: v.optional(v.pipe(v.string(), v.regex(/^(none|idf|[^:]{1,15}:[^:]{1,15}:[^:]{1,15})$/))),
  bootCheck: v.optional(v.strictObject(BOOT_CHECK_ENTRIES)),
});

/** As it may be written: what has a default may be absent. */
export type ReleaseJsonInput = v.InferInput<typeof ReleaseJsonSchema>;
export type ReleaseJson = v.InferOutput<typeof ReleaseJsonSchema>;
export type JsonBuild = ReleaseJson['builds'][number];
export type JsonPart = JsonBuild['parts'][number];
export type PartRole = JsonPart['role'];

/**
 * The uppermost `release.json` that is one of ours, or `undefined`.
 *
 * @throws {FormatError} `release-ambiguous`, `release-bad-release-file` for one that is no JSON.
 */
export function findReleaseJson(files: readonly ReleaseFile[]): { file: ReleaseFile; value: object } | undefined {
  const [first, second] = files
    .filter(({ path }) => baseName(path) === RELEASE_JSON)
    .map((file) => ({ file, value: readJson(file, 'release-bad-release-file') }))
    .filter((found): found is { file: ReleaseFile; value: object } => isMarked(found.value))
    .toSorted((a, b) => depthOf(a.file.path) - depthOf(b.file.path));
  if (!first || !second || depthOf(first.file.path) < depthOf(second.file.path)) return first;
  throw new FormatError(
    'release-ambiguous',
    `Several releases: ${first.file.path} and ${second.file.path}. Give one of them`,
  );
}

const isMarked = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'format' in value && value.format === RELEASE_FORMAT;

/**
 * The content, when it has the shape of this version.
 *
 * @throws {FormatError} `release-format-version` when it is of a newer format, `release-bad-release-file`.
 */
export function decodeReleaseJson({ file, value }: { file: ReleaseFile; value: object }): ReleaseJson {
  const version = 'formatVersion' in value ? value.formatVersion : undefined;
  if (typeof version === 'number' && version > RELEASE_FORMAT_VERSION) {
    const text = `This release is of format version ${version}, known here is ${RELEASE_FORMAT_VERSION}. Use a newer Twostep`;
    throw new FormatError('release-format-version', text, { place: { file: file.path } });
  }
  return checkShape(ReleaseJsonSchema, value, { file, code: 'release-bad-release-file' });
}
