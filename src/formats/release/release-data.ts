/** The data of a release: for the second slot of its table, packed as its firmware wants them. */
import { readU16, textUntilNul } from '../bytes.ts';
import { type Chip } from '../chips.ts';
import {
  appHazard,
  DATA_HEADER_SIZE,
  type DataHeader,
  isDataImage,
  packDataImage,
  payloadOffset,
  SPI_MODE_BYTE,
} from '../data/data-image.ts';
import { type DataLayout } from '../data/data-reader.ts';
import { AUTO_TAG, digestTag, TAG_SIZE } from '../data/data-tag.ts';
import { FormatError } from '../format-error.ts';
import { AppSubtype, otaSlots, type Partition } from '../partition-table.ts';
import { SEED_FIRMWARE } from './firmware-profile.ts';
import { type Release, type ReleaseBuild, type ReleaseData } from './release.ts';
import { LARGEST_FLASH } from './release-json.ts';
import { rowOf } from './release-parts.ts';

/** What the firmware of a release expects before the payload. */
export const dataHeaderOf = ({ firmwareProfile = SEED_FIRMWARE }: Pick<Release, 'firmwareProfile'>): DataHeader =>
  firmwareProfile.dataHeader;

export interface DataPackOptions {
  header: DataHeader;
  build: ReleaseBuild;
  /** Bytes of the slot. */
  slotSize: number;
  /** Text of a tag before the payload. */
  tag?: string | undefined;
}

/**
 * A payload (or an image that is packed already, for whatever chip) as it goes into a slot.
 *
 * @throws {FormatError} as `packDataImage`.
 */
export function packForFirmware(
  bytes: Uint8Array,
  { header, build, slotSize, tag }: DataPackOptions,
): Uint8Array<ArrayBuffer> {
  const payload = payloadOf(bytes);
  const start = payloadOffset({ header, tagged: tag !== undefined });
  return packDataImage(payload, {
    chip: build.chip,
    slotSize,
    header,
    ...(tag !== undefined && { tag }),
    allowSpiModeByte: header === 'none' || modeByteIsHarmless(build, payload[SPI_MODE_BYTE - start]),
  });
}

/** Of a packed image what stands behind its header. */
export const payloadOf = (bytes: Uint8Array): Uint8Array =>
  isDataImage(bytes) ? bytes.subarray(DATA_HEADER_SIZE) : bytes;

/**
 * ESP-IDF 6.1 and later refuse a network update whose byte 213 is neither zero nor the running app's flash mode (esp_https_ota.c).
 * A data file whose byte there is something else is fine with an older firmware.
 */
function modeByteIsHarmless(build: ReleaseBuild, byte: number | undefined): boolean {
  const { description } = build.app.image;
  const version = /^v?(\d+)\.(\d+)/.exec(description?.idfVersion ?? '');
  if (!version) return false;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 6 || (major === 6 && minor < 1)) return true;
  return description?.spiFlashMode !== undefined && description.spiFlashMode === byte;
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
 * @throws {FormatError} as `packForFirmware`.
 */
export function withData(
  build: ReleaseBuild,
  header: DataHeader,
  { name, bytes, layout, tag: wished }: DataWish,
): ReleaseBuild {
  const payload = payloadOf(bytes);
  const tag = wished === AUTO_TAG ? digestTag(payload) : wished;
  const slot = dataSlotOf(build);
  const data: ReleaseData = {
    name,
    data: packForFirmware(payload, { header, build, slotSize: slot?.size ?? LARGEST_FLASH, tag }),
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

/**
 * Whether the data of a release file are what it says of them.
 *
 * @throws {FormatError} `release-bad-data`, `release-mixed-chips`, and those of `appHazard`.
 */
export function checkData({ name, data, tag }: ReleaseData, header: DataHeader, chip: Chip): void {
  const refuse = (code: string, reason: string): FormatError =>
    new FormatError(code, `${name} ${reason}`, { place: { file: name } });
  if (header === 'two-step') {
    if (!isDataImage(data)) throw refuse('release-bad-data', 'has not the header that the firmware profile asks for');
    if (readU16(data, 12) !== chip.imageChipId) throw refuse('release-mixed-chips', `is not packed for ${chip.title}`);
  } else if (isDataImage(data)) {
    throw refuse('release-bad-data', 'begins with a header, and the firmware profile has none');
  }
  const hazard = appHazard(data);
  if (hazard) throw refuse(hazard.code, `could be taken for an app: ${hazard.message}`);
  if (tag !== undefined && textUntilNul(payloadOf(data).subarray(0, TAG_SIZE)) !== tag) {
    throw refuse('release-bad-data', `does not begin with the tag ${JSON.stringify(tag)}`);
  }
}
