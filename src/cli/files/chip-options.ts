/** Options that name a chip, its revision, or what the header of an image says of the flash. */
import { type Chip, chipByName, CHIPS, FLASH_MODES, type FlashMode } from '#formats/chips.ts';
import { type FlashHeaderChange } from '#formats/image-header-patch.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseFlashSizeOption } from './number-option.ts';

/** `esp32s3` or `ESP32-S3`. */
export function parseChip(text: string): Chip {
  const chip = chipByName(text);
  if (!chip) throw new InvalidArgumentError(`Known chips: ${CHIPS.map(({ name }) => name).join(', ')}.`);
  return chip;
}

/** `301`, as image headers count, or `3.1`, `v3.1`. */
export function parseRevision(text: string): number {
  const match = /^(?:(\d{1,5})|v?(\d{1,3})\.(\d{1,2}))$/i.exec(text.trim());
  if (!match) throw new InvalidArgumentError('Give a revision such as 301 or v3.1.');
  return match[1] === undefined ? Number(match[2]) * 100 + Number(match[3]) : Number(match[1]);
}

const KEEP = 'keep';

/** The three options of esptool, each with `keep`, which is what a missing one means. */
export interface FlashHeaderOptions {
  flashMode?: FlashMode | typeof KEEP;
  flashFreq?: string;
  flashSize?: number | typeof KEEP;
}

export const withFlashHeaderOptions = (command: Command): Command =>
  command
    .addOption(new Option('--flash-mode <mode>', 'flash mode in the header').choices([...FLASH_MODES, KEEP]))
    .option('--flash-freq <frequency>', 'flash frequency in the header, such as 40m, or keep')
    .option('--flash-size <size>', 'flash size in the header, such as 4MB, or keep', (text) =>
      text === KEEP ? KEEP : parseFlashSizeOption(text),
    );

/** What is to change; empty when all is to be kept. */
export function flashHeaderChange({ flashMode, flashFreq, flashSize }: FlashHeaderOptions): FlashHeaderChange {
  return {
    ...(flashMode !== undefined && flashMode !== KEEP && { mode: flashMode }),
    ...(flashFreq !== undefined && flashFreq !== KEEP && { frequency: flashFreq }),
    ...(flashSize !== undefined && flashSize !== KEEP && { size: flashSize }),
  };
}
