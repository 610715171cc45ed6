/**
 * The texts of ESP-IDF's second-stage boot loader, as v5.x prints them. Source: `components/bootloader_support`
 * (`bootloader_utility.c`, `esp_image_format.c`, `bootloader_common_loader.c`) and logs of real boots.
 */
import { type AppImage, parseImage } from '#formats/app-image.ts';
import { hexAddress } from '#formats/bytes.ts';
import { type Chip, flashSizeName } from '#formats/chips.ts';
import { type ImageFault, revisionText } from '#formats/image-verify.ts';
import { isFlashMapped } from '#formats/memory-map.ts';
import { type BootTarget } from '#formats/otadata.ts';
import { error, hex8, info, type LogLine } from './log-line.ts';

/** What it says of itself and of the flash before it reads the table. */
export function greetingLines(bootLoader: Uint8Array, chip: Chip, chipRevision: number): LogLine[] {
  const { header, bootloaderDescription } = parseImage(bootLoader);
  const version = bootloaderDescription?.idfVersion;
  const frequency = Object.entries(chip.flashFrequencies).find(([, code]) => code === header.frequencyCode)?.[0];
  const tag = `boot.${chip.name}`;
  return [
    info('boot', `ESP-IDF ${version ? `${version} ` : ''}2nd stage bootloader`),
    ...(bootloaderDescription ? [info('boot', `compile time ${bootloaderDescription.dateTime}`)] : []),
    ...(chip.name === 'esp32c3' ? [] : [info('boot', 'Multicore bootloader')]),
    info('boot', `chip revision: ${revisionText(chipRevision)}`),
    info(
      tag,
      `${chip.name === 'esp32s3' ? 'Boot SPI Speed :' : 'SPI Speed      :'} ${frequency?.replace('m', '') ?? '?'}MHz`,
    ),
    info(tag, `SPI Mode       : ${header.flashMode?.toUpperCase() ?? '?'}`),
    info(tag, `SPI Flash Size : ${flashSizeName(header.flashSize ?? 0)}`),
    info('boot', 'Enabling RNG early entropy source...'),
  ];
}

/** One line a segment, as it is read. */
export function segmentLines(image: AppImage, offset: number): LogLine[] {
  return image.segments.map(({ loadAddress, length, fileOffset }, index) => {
    const use = isFlashMapped(image.header.chipId, loadAddress) ? 'map' : loadAddress === 0 ? '' : 'load';
    const size = `${length.toString(16).padStart(5, '0')}h (${String(length).padStart(6)})`;
    return info(
      'esp_image',
      `segment ${index}: paddr=${hex8(offset + fileOffset)} vaddr=${hex8(loadAddress)} size=${size} ${use}`,
    );
  });
}

/** Why the image at flash offset `offset` is not started. */
export function faultLine(fault: ImageFault, offset: number): LogLine {
  switch (fault.code) {
    case 'image-partition-too-large':
      return error('esp_image', `partition size ${hexAddress(fault.size)} invalid, larger than 16MB`);
    case 'image-bad-magic':
      return error('esp_image', `image at ${hexAddress(offset)} has invalid magic byte (nothing flashed here?)`);
    case 'image-wrong-chip':
      return error('boot_comm', `mismatch chip ID, expected ${fault.expected}, found ${fault.found}`);
    case 'image-chip-too-old':
    case 'image-chip-too-new': {
      const wanted = `${fault.code === 'image-chip-too-old' ? '>=' : '<='} ${revisionText(fault.expected)}`;
      return error('boot_comm', `Image requires chip rev ${wanted}, but chip is ${revisionText(fault.found)}`);
    }
    case 'image-too-many-segments':
      return error(
        'esp_image',
        `image at ${hexAddress(offset)} segment count ${fault.found} exceeds max ${fault.limit}`,
      );
    case 'image-bad-segment-length':
      return error('esp_image', `invalid segment length ${hexAddress(fault.length)}`);
    case 'image-bad-segment-address': {
      const address = `load address 0x${hex8(fault.loadAddress)}, doesn't match data 0x${hex8(fault.flashOffset)}`;
      return error('esp_image', `Segment ${fault.segment} ${address}`);
    }
    case 'image-no-description':
      return error('esp_image', 'Failed to fetch app description header!');
    case 'image-too-short':
    case 'image-truncated':
      return error('esp_image', `bootloader_flash_read failed at 0x${hex8(offset)}`);
    case 'image-bad-checksum':
      return error(
        'esp_image',
        `Checksum failed. Calculated ${hexAddress(fault.calculated)} read ${hexAddress(fault.read)}`,
      );
    case 'image-too-large':
      return error('esp_image', `Image length ${fault.length} doesn't fit in partition length ${fault.partitionSize}`);
    case 'image-bad-sha':
      return error('esp_image', 'Image hash failed - image is corrupt');
  }
}

/** The line that follows the reason. */
export function notBootableLine(target: BootTarget | 'test'): LogLine {
  if (target === 'factory') return error('boot', 'Factory app partition is not bootable');
  if (target === 'test') return error('boot', 'Factory test app partition is not bootable');
  return error('boot', `OTA app partition slot ${target} is not bootable`);
}
