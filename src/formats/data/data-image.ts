/**
 * The data image of the second slot: a header, an optional tag, the payload.
 *
 * The header *two-step* has 32 bytes. It passes a board's checks while it is written over the network, and never verifies as an app:
 * the first 24 bytes look like an image header without segments, so the checksum byte is byte 31 and would have to be 0xEF. It is 0: the
 * board keeps the bytes and does not make the slot its boot slot. Checks of each ESP-IDF version:
 * `components/esp_https_ota/src/esp_https_ota.c`, `components/app_update/esp_ota_ops.c`.
 *
 * Without a header (*none*) the image is for firmware of ESP-IDF 5.5 and later that downloads into a partition of its own choice
 * (`esp_https_ota_config_t.partition`), of which nothing is checked.
 */
import { APP_DESCRIPTION_MAGIC, CHECKSUM_START, IMAGE_MAGIC } from '../app-image.ts';
import { hexAddress, readU32, writeU16 } from '../bytes.ts';
import { type Chip } from '../chips.ts';
import { FormatError, type FormatIssue } from '../format-error.ts';
import { encodeTag, TAG_SIZE } from './data-tag.ts';

export const DATA_HEADERS = ['two-step', 'none'] as const;
export type DataHeader = (typeof DATA_HEADERS)[number];

/** Bytes of the header *two-step*. */
export const DATA_HEADER_SIZE = 32;
/** ESP-IDF 5.0 and newer wait for so many bytes before they look at the header; 5.5 also where it checks nothing. */
export const MIN_DATA_IMAGE = 1024;
/**
 * Bytes of the slot that stay free: ESP-IDF 4.4.0–4.4.6, 5.0.0–5.0.5 and 5.1.0–5.1.2 erase one sector too many behind an image that
 * ends at a sector's border, and fail when that lies behind the slot. An image without a header is not for these versions.
 */
const FREE_AT_END = 0x1000;
/** Byte of the file that ESP-IDF 6.1 compares with the running app's flash mode before a network update (`spi_flash_mode`). */
export const SPI_MODE_BYTE = 213;
/** Where `esp_ota_get_partition_description` looks for the description of an app, whatever lies before it. */
const DESCRIPTION_OFFSET = 32;

export interface DataShape {
  /** Default `two-step`. */
  header?: DataHeader;
  tagged?: boolean;
}

/** Where the payload starts in the image. */
export const payloadOffset = ({ header = 'two-step', tagged = false }: DataShape = {}): number =>
  (header === 'two-step' ? DATA_HEADER_SIZE : 0) + (tagged ? TAG_SIZE : 0);

/** Bytes of a slot that an image may fill. */
const roomForImage = (slotSize: number, header: DataHeader = 'two-step'): number =>
  Math.max(0, slotSize - (header === 'two-step' ? FREE_AT_END : 0));

/** Payload bytes that a slot of `slotSize` bytes can take; never negative. */
export const dataCapacity = (slotSize: number, shape: DataShape = {}): number =>
  Math.max(0, roomForImage(slotSize, shape.header) - payloadOffset(shape));

export interface PackOptions {
  chip: Chip;
  /** Bytes of the smallest slot that is to take the image; any length is taken without it. */
  slotSize?: number;
  /** Default `two-step`. */
  header?: DataHeader;
  /** Text of the tag; none without it. */
  tag?: string;
  /**
   * Accept a payload that makes byte 213 of the image something else than zero. Right only when the firmware is older than ESP-IDF 6.1,
   * or when the data never goes over the network.
   */
  allowSpiModeByte?: boolean;
}

/**
 * Header, tag, payload, zeros up to 1024 bytes.
 *
 * @throws {FormatError} `data-empty`, `data-bad-tag`, `data-too-large`, `data-already-packed` (read it, or write it as it is),
 *   `data-looks-like-app` (the board would report it as an app), `data-starts-like-image` (without a header the boot loader could take
 *   it for an app) or `data-spi-mode-byte` (ESP-IDF 6.1 would refuse it).
 */
export function packDataImage(payload: Uint8Array, options: PackOptions): Uint8Array<ArrayBuffer> {
  const { chip, slotSize, header = 'two-step', tag, allowSpiModeByte = false } = options;
  const start = payloadOffset({ header, tagged: tag !== undefined });
  if (payload.length === 0) throw new FormatError('data-empty', 'The data file is empty');
  const length = Math.max(MIN_DATA_IMAGE, start + payload.length);
  if (slotSize !== undefined) checkFits(length, slotSize, header);
  if (isDataImage(payload)) {
    throw new FormatError('data-already-packed', 'This file already has the 32-byte header of a data image', {
      place: { offset: 0 },
    });
  }
  const image = new Uint8Array(length);
  if (header === 'two-step') {
    image[0] = IMAGE_MAGIC;
    writeU16(image, 12, chip.imageChipId);
  }
  if (tag !== undefined) image.set(encodeTag(tag), start - TAG_SIZE);
  image.set(payload, start);
  refuseHazards(image, { start, allowSpiModeByte });
  return image;
}

/**
 * Checks that an image of that length goes into a slot.
 *
 * @throws {FormatError} `data-too-large`.
 */
export function checkFits(imageLength: number, slotSize: number, header: DataHeader): void {
  const room = roomForImage(slotSize, header);
  if (imageLength <= room) return;
  throw new FormatError(
    'data-too-large',
    `The image has ${imageLength} bytes, a slot of ${hexAddress(slotSize)} bytes takes ${room}`,
  );
}

function refuseHazards(image: Uint8Array, { start, allowSpiModeByte }: { start: number; allowSpiModeByte: boolean }) {
  const hazard = appHazard(image) ?? (allowSpiModeByte ? undefined : spiModeHazard(image));
  if (!hazard) return;
  // Counted in the payload, which is what the user has; what lies before it is ours and harmless.
  const offset = (hazard.place?.offset ?? 0) - start;
  throw new FormatError(hazard.code, hazard.message, { place: { offset } });
}

/** Whether the bytes start with the header of a data image, for whatever chip, also one that would verify (byte 31). */
export function isDataImage(bytes: Uint8Array): boolean {
  if (bytes.length < DATA_HEADER_SIZE || bytes[0] !== IMAGE_MAGIC) return false;
  for (let offset = 1; offset < DATA_HEADER_SIZE - 1; offset++) {
    if (offset !== 12 && offset !== 13 && bytes[offset] !== 0) return false;
  }
  return true;
}

/**
 * Why a board could take these bytes for an app: `data-verifies-as-app`, `data-starts-like-image`, `data-looks-like-app`. A first byte E9
 * is enough where the rest is not the known header: what follows in flash may be what an image still lacks.
 */
export function appHazard(image: Uint8Array): FormatIssue | undefined {
  const issue = (code: string, offset: number, message: string): FormatIssue => ({ code, message, place: { offset } });
  if (isDataImage(image)) {
    if (image[DATA_HEADER_SIZE - 1] === CHECKSUM_START) {
      const message = 'Byte 31 is EF: the boot loader would take this for an app and jump to address 0';
      return issue('data-verifies-as-app', DATA_HEADER_SIZE - 1, message);
    }
  } else if (image[0] === IMAGE_MAGIC) {
    const message = 'Data without a header must not start with E9: the boot loader could take it for an app';
    return issue('data-starts-like-image', 0, message);
  }
  const word = image.length >= DESCRIPTION_OFFSET + 4 ? readU32(image, DESCRIPTION_OFFSET) : 0;
  if (word !== APP_DESCRIPTION_MAGIC) return undefined;
  const message = 'Data must not have 32 54 CD AB at byte 32 of its slot: the board would report it as an app';
  return issue('data-looks-like-app', DESCRIPTION_OFFSET, message);
}

/** Byte 213 of an image with the header *two-step* is not 0. Without a header nobody looks at it. */
function spiModeHazard(image: Uint8Array): FormatIssue | undefined {
  if (!isDataImage(image) || (image[SPI_MODE_BYTE] ?? 0) === 0) return undefined;
  return {
    code: 'data-spi-mode-byte',
    message: `Byte ${SPI_MODE_BYTE} of the image should be 0: firmware of ESP-IDF 6.1 and newer takes it for a flash mode and may refuse the update`,
    place: { offset: SPI_MODE_BYTE },
  };
}

/** The most bytes that the chip can map at once, when a slot has so many or more: firmware has to map such a slot in pieces. */
export const exceededMapLimit = ({ dataMapLimit }: Chip, slotSize: number): number | undefined =>
  dataMapLimit !== undefined && slotSize >= dataMapLimit ? dataMapLimit : undefined;

/**
 * What may go wrong with an image although it is right: `data-spi-mode-byte`, `data-slot-too-large-to-map`.
 * Without `slotSize` the slot is taken to be as large as the image.
 */
export function dataImageWarnings(
  image: Uint8Array,
  { chip, slotSize = image.length }: { chip?: Chip; slotSize?: number },
): FormatIssue[] {
  const warnings: FormatIssue[] = [];
  const spiMode = spiModeHazard(image);
  if (spiMode) warnings.push(spiMode);
  if (chip && exceededMapLimit(chip, slotSize) !== undefined) {
    const message = `The ${chip.title} cannot map a slot of ${hexAddress(slotSize)} bytes at once: firmware that maps all of it will stop`;
    warnings.push({ code: 'data-slot-too-large-to-map', message });
  }
  return warnings;
}
