/**
 * The data image of the second slot: a 32-byte header that passes a board's checks while it is written over the network, and that
 * never verifies as an app; the payload follows at byte 32, where the firmware maps it.
 *
 * The first 24 bytes look like an image header without segments, so the checksum byte is byte 31 and would have to be 0xEF. It is 0:
 * the board keeps the bytes and does not make the slot its boot slot. Checks of each ESP-IDF version:
 * `components/esp_https_ota/src/esp_https_ota.c`, `components/app_update/esp_ota_ops.c`.
 */
import { APP_DESCRIPTION_MAGIC, CHECKSUM_START, IMAGE_MAGIC } from './app-image.ts';
import { hexAddress, readU16, readU32, writeU16 } from './bytes.ts';
import { type Chip, chipByImageId } from './chips.ts';
import { FormatError } from './format-error.ts';

/** Where the payload starts. */
export const DATA_HEADER_SIZE = 32;
/** ESP-IDF 5.0 and newer wait for so many bytes before they look at the header. */
export const MIN_DATA_IMAGE = 1024;
/**
 * Bytes of the slot that stay free: ESP-IDF 4.4.0–4.4.6, 5.0.0–5.0.5 and 5.1.0–5.1.2 erase one sector too many behind an image that
 * ends at a sector's border, and fail when that lies behind the slot.
 */
const FREE_AT_END = 0x1000;
/** Byte of the file that ESP-IDF 6.1 compares with the running app's flash mode before a network update (`spi_flash_mode`). */
export const SPI_MODE_BYTE = 213;

/** Payload bytes that a slot of `slotSize` bytes can take; never negative. */
export const dataCapacity = (slotSize: number): number => Math.max(0, slotSize - FREE_AT_END - DATA_HEADER_SIZE);

export interface PackOptions {
  chip: Chip;
  /** Bytes of the smallest slot that is to take the image. */
  slotSize: number;
  /**
   * Accept a payload whose byte 181 is not zero. Right only when the firmware is older than ESP-IDF 6.1, or when the data never
   * goes over the network.
   */
  allowSpiModeByte?: boolean;
}

/**
 * Header, payload, zeros up to 1024 bytes.
 *
 * @throws {FormatError} `data-empty`, `data-too-large`, `data-already-packed` (give `unpackDataImage` its bytes, or write it as it
 *   is), `data-looks-like-app` (the board would report it as an app) or `data-spi-mode-byte` (ESP-IDF 6.1 would refuse it).
 */
export function packDataImage(
  payload: Uint8Array,
  { chip, slotSize, allowSpiModeByte }: PackOptions,
): Uint8Array<ArrayBuffer> {
  checkPayload(payload, slotSize);
  const image = new Uint8Array(Math.max(MIN_DATA_IMAGE, DATA_HEADER_SIZE + payload.length));
  image[0] = IMAGE_MAGIC;
  writeU16(image, 12, chip.imageChipId);
  image.set(payload, DATA_HEADER_SIZE);
  if (image[SPI_MODE_BYTE] !== 0 && !allowSpiModeByte) {
    throw new FormatError(
      'data-spi-mode-byte',
      `Byte ${SPI_MODE_BYTE - DATA_HEADER_SIZE} of the data must be 0: firmware of ESP-IDF 6.1 and newer takes it for a flash mode and refuses the update`,
      { place: { offset: SPI_MODE_BYTE - DATA_HEADER_SIZE } },
    );
  }
  return image;
}

function checkPayload(payload: Uint8Array, slotSize: number): void {
  if (payload.length === 0) throw new FormatError('data-empty', 'The data file is empty');
  if (payload.length > dataCapacity(slotSize)) {
    throw new FormatError(
      'data-too-large',
      `The data has ${payload.length} bytes, a slot of ${hexAddress(slotSize)} bytes takes ${dataCapacity(slotSize)}`,
    );
  }
  if (isDataImage(payload)) {
    throw new FormatError('data-already-packed', 'This file already has the 32-byte header of a data image', {
      place: { offset: 0 },
    });
  }
  if (payload.length >= 4 && readU32(payload, 0) === APP_DESCRIPTION_MAGIC) {
    throw new FormatError(
      'data-looks-like-app',
      'Data must not start with 32 54 CD AB: the board would take it for an app',
      {
        place: { offset: 0 },
      },
    );
  }
}

/** Whether the bytes start with the header of a data image, for whatever chip, also one that would verify (byte 31). */
export function isDataImage(bytes: Uint8Array): boolean {
  if (bytes.length < DATA_HEADER_SIZE || bytes[0] !== IMAGE_MAGIC) return false;
  for (let offset = 1; offset < DATA_HEADER_SIZE - 1; offset++) {
    if (offset !== 12 && offset !== 13 && bytes[offset] !== 0) return false;
  }
  return true;
}

export interface DataImage {
  /** `chip_id` of the header, and the chip where it is known. */
  chipId: number;
  chip?: Chip;
  /**
   * View of the payload, padding included: how long the packed file was is not stored anywhere. Of a whole slot the erased bytes at
   * the end are left out, and with them any FF that the payload ended with.
   */
  payload: Uint8Array;
  /** Byte 31 is 0xEF: the boot loader would accept this as an app and jump to address 0. */
  verifies: boolean;
}

/**
 * Reads a data image, a file or (`slot`) the content of a whole slot.
 *
 * @throws {FormatError} `data-not-packed` when the header is not there.
 */
export function unpackDataImage(bytes: Uint8Array, { slot = false }: { slot?: boolean } = {}): DataImage {
  if (!isDataImage(bytes)) {
    throw new FormatError('data-not-packed', 'This does not start with the 32-byte header of a data image', {
      place: { offset: 0 },
    });
  }
  let end = bytes.length;
  if (slot) while (end > DATA_HEADER_SIZE && bytes[end - 1] === 0xff) end--;
  const chipId = readU16(bytes, 12);
  const chip = chipByImageId(chipId);
  return {
    chipId,
    ...(chip && { chip }),
    payload: bytes.subarray(DATA_HEADER_SIZE, end),
    verifies: bytes[DATA_HEADER_SIZE - 1] === CHECKSUM_START,
  };
}
