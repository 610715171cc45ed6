/** What the commands about packed data share: what is told of an image beforehand. */
import { type Chip } from '#formats/chips.ts';
import { NAME_LENGTHS } from '#formats/data/assets.ts';
import { DATA_LAYOUTS, type DataLayout } from '#formats/data/data-reader.ts';
import { DATA_HEADERS, type DataHeader } from '#formats/data/data-image.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseChip } from './chip-options.ts';
import { parseAddress } from './number-option.ts';

export interface ReadOptions {
  chip?: Chip;
  header?: DataHeader;
  layout?: DataLayout;
  tag?: string;
  tagged?: boolean;
  nameLength?: number;
  size?: number;
  slot?: boolean;
  json?: boolean;
}

/** Options of everything that reads an image. */
export const withReadOptions = (command: Command): Command =>
  command
    .argument('<image.bin>')
    .option('--chip <chip>', 'the image must be for this chip', parseChip)
    .addOption(new Option('--header <header>', 'found out unless given').choices(DATA_HEADERS))
    .addOption(new Option('--layout <layout>', 'found out unless given').choices(DATA_LAYOUTS))
    .option('--tag <text>', 'the tag must be this, or with auto what the digest of the payload gives')
    .option('--tagged', 'there is a tag, whatever it is; a raw file does not tell unless its tag is that of auto')
    .option('--name-length <bytes>', 'name fields of assets; found out unless given', parseNameLength)
    .option(
      '--size <bytes>',
      'length of a raw file; where it ends is not stored when the image has 1024 bytes',
      parseAddress,
    )
    .option('--slot', 'the file is a whole slot, as read from a board: erased bytes at its end are left out')
    .option('--json', 'one JSON document');

export function parseNameLength(text: string): number {
  const length = Number(text);
  if (!Number.isInteger(length) || length < NAME_LENGTHS.min || length > NAME_LENGTHS.max) {
    throw new InvalidArgumentError(`Give ${NAME_LENGTHS.min} to ${NAME_LENGTHS.max} bytes.`);
  }
  return length;
}
