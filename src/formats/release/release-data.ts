/** The data of a release: for the second slot of its table, packed as its firmware wants them. */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, padBytes, readU16, textUntilNul, toHex } from '../bytes.ts';
import { type Chip } from '../chips.ts';
import { DATA_HEADER_SIZE, isDataImage, packDataImage, SPI_MODE_BYTE, unpackDataImage } from '../data-image.ts';
import { FormatError } from '../format-error.ts';
import { AppSubtype, otaSlots, type Partition } from '../partition-table.ts';
import { isRealImage } from './file-content.ts';
import { type DataHeader, SEED_FIRMWARE } from './firmware-profile.ts';
import { type DataLayout, type Release, type ReleaseBuild, type ReleaseData } from './release.ts';
import { LARGEST_FLASH } from './release-json.ts';
import { rowOf } from './release-parts.ts';

/** Bytes of the tag field, NUL padded; the seed firmware shows the first ten. */
const DATA_TAG_SIZE = 16;

/** What the firmware of a release expects before the payload. */
export const dataHeaderOf = ({ firmwareProfile = SEED_FIRMWARE }: Pick<Release, 'firmwareProfile'>): DataHeader =>
  firmwareProfile.dataHeader;

export interface DataPackOptions {
  header: DataHeader;
  build: ReleaseBuild;
  /** Bytes of the slot. */
  slotSize: number;
}

/**
 * A payload (or an image that is packed already) as it goes into a slot.
 *
 * @throws {FormatError} as `packDataImage`; without a header too `data-empty`, `data-too-large`, and `data-looks-like-app` for what a boot
 *   loader might start.
 */
export function packForFirmware(bytes: Uint8Array, { header, build, slotSize }: DataPackOptions): Uint8Array {
  const payload = payloadOf(bytes);
  if (header === 'two-step') {
    return packDataImage(payload, { chip: build.chip, slotSize, allowSpiModeByte: modeByteIsHarmless(build, payload) });
  }
  if (payload.length === 0) throw new FormatError('data-empty', 'The data file is empty');
  if (payload.length > slotSize) {
    throw new FormatError('data-too-large', `The data has ${payload.length} bytes, its slot ${slotSize}`);
  }
  if (isRealImage(payload)) {
    throw new FormatError('data-looks-like-app', 'Without a header data must not begin like an app: E9', {
      place: { offset: 0 },
    });
  }
  return payload;
}

/** Of a packed image what stands behind its header. */
export const payloadOf = (bytes: Uint8Array): Uint8Array =>
  isDataImage(bytes) ? bytes.subarray(DATA_HEADER_SIZE) : bytes;

/**
 * ESP-IDF 6.1 and later refuse a network update whose byte 213 is neither zero nor the running app's flash mode (esp_https_ota.c).
 * A data file whose byte there is something else is fine with an older firmware.
 */
function modeByteIsHarmless(build: ReleaseBuild, payload: Uint8Array): boolean {
  const { description } = build.app.image;
  const version = /^v?(\d+)\.(\d+)/.exec(description?.idfVersion ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 6 || (major === 6 && minor < 1)) return true;
  return (
    description?.spiFlashMode !== undefined && description.spiFlashMode === payload[SPI_MODE_BYTE - DATA_HEADER_SIZE]
  );
}

/** Where the release's own table has the data: `ota_1`, or `ota_0` when the app lies in `ota_1`. */
export function dataSlotOf({ table, app }: ReleaseBuild): Partition | undefined {
  if (!table) return undefined;
  const slots = otaSlots(table.partitions).filter(({ subtype }) => subtype <= AppSubtype.Ota0 + 1);
  return slots.length === 2 ? slots.toReversed().find(({ offset }) => offset !== app.offset) : undefined;
}

export interface DataWish {
  name: string;
  bytes: Uint8Array;
  layout: DataLayout;
  /** Text of a tag field before the payload; `auto` makes it of the payload's digest. */
  tag?: string;
}

/**
 * A build with these data in place of any that it had.
 *
 * @throws {FormatError} as `packForFirmware`; `data-bad-tag`.
 */
export function withData(
  build: ReleaseBuild,
  header: DataHeader,
  { name, bytes, layout, tag: wished }: DataWish,
): ReleaseBuild {
  const payload = payloadOf(bytes);
  const tag = wished === 'auto' ? toHex(sha256(payload)).slice(0, DATA_TAG_SIZE) : wished;
  const tagged = tag === undefined ? payload : concatBytes(tagField(tag), payload);
  const slot = dataSlotOf(build);
  const data: ReleaseData = {
    name,
    data: packForFirmware(tagged, { header, build, slotSize: slot?.size ?? LARGEST_FLASH }),
    layout,
    ...(slot && { offset: slot.offset }),
    ...(tag !== undefined && { tag }),
  };
  return { ...build, data, extra: build.extra.filter((part) => !isSlotData(build, part)) };
}

/** A data image that a list of files put into an app slot is the data of the release. */
export function withNamedData(build: ReleaseBuild, header: DataHeader): ReleaseBuild {
  const part = build.extra.find((candidate) => isSlotData(build, candidate));
  return part && !build.data ? withData(build, header, { name: part.name, bytes: part.data, layout: 'raw' }) : build;
}

const isSlotData = (build: ReleaseBuild, part: { offset: number; data: Uint8Array }): boolean =>
  isDataImage(part.data) && otaSlots(build.table?.partitions ?? []).some((slot) => slot === rowOf(build, part));

function tagField(tag: string): Uint8Array {
  if (!/^[\x20-\x7e]{1,16}$/.test(tag)) {
    throw new FormatError('data-bad-tag', `A tag has 1 to ${DATA_TAG_SIZE} printable ASCII characters`);
  }
  return padBytes(new TextEncoder().encode(tag), DATA_TAG_SIZE, 0);
}

/**
 * Whether the data of a release file are what it says of them.
 *
 * @throws {FormatError} `release-bad-data`, `release-mixed-chips`, `data-looks-like-app`.
 */
export function checkData({ name, data, tag }: ReleaseData, header: DataHeader, chip: Chip): void {
  const refuse = (code: string, reason: string): FormatError =>
    new FormatError(code, `${name} ${reason}`, { place: { file: name } });
  if (header === 'two-step') {
    if (!isDataImage(data)) throw refuse('release-bad-data', 'has not the header that the firmware profile asks for');
    if (unpackDataImage(data).verifies)
      throw refuse('data-looks-like-app', 'would be taken for an app: its byte 31 is EF');
    if (readU16(data, 12) !== chip.imageChipId) throw refuse('release-mixed-chips', `is not packed for ${chip.title}`);
  } else if (isDataImage(data) || isRealImage(data)) {
    throw refuse('release-bad-data', 'begins with a header, and the firmware profile has none');
  }
  if (tag !== undefined && textUntilNul(payloadOf(data).subarray(0, DATA_TAG_SIZE)) !== tag) {
    throw refuse('release-bad-data', `does not begin with the tag ${JSON.stringify(tag)}`);
  }
}
