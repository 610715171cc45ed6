/** `twostep data`: packs what goes into the data slot, unpacks it, tells what an image holds and whether it is sound. */
import { NAME_LENGTHS } from '#formats/data/assets.ts';
import { DATA_HEADERS } from '#formats/data/data-image.ts';
import { DATA_LAYOUTS } from '#formats/data/data-reader.ts';
import { type Command, Option } from 'commander';
import { type CommandContext } from '../context.ts';
import { parseChip } from './chip-options.ts';
import { parseNameLength, withReadOptions } from './data-options.ts';
import { packData, type PackOptions } from './data-pack.ts';
import { dataInfo, unpackData, type UnpackOptions, verifyData, type VerifyOptions } from './data-unpack.ts';
import { fileAction } from './file-command.ts';
import { parseAddress } from './number-option.ts';

export function addDataCommands(program: Command, context: CommandContext): void {
  const data = program.command('data').description('packed data for the data slot: pack, unpack, check');

  data
    .command('pack')
    .description('files to an image that every board keeps and none starts')
    .argument('<in...>', 'a file; with --layout assets files and folders')
    .requiredOption('-o, --output <file>', 'the image')
    .requiredOption('--chip <chip>', 'the chip that downloads it', parseChip)
    .addOption(new Option('--layout <layout>', 'one file as it is, or many').choices(DATA_LAYOUTS).default('raw'))
    .addOption(
      new Option(
        '--header <header>',
        'none is for firmware that downloads into a partition of its choice (ESP-IDF 5.5)',
      )
        .choices(DATA_HEADERS)
        .default('two-step'),
    )
    .option('--tag <text>', '16 characters before the payload, or auto: from its digest')
    .option('--slot-size <bytes>', 'of the smallest slot that is to take it, such as 1M', parseAddress)
    .option(
      '--name-length <bytes>',
      `name fields of assets, ${NAME_LENGTHS.min} to ${NAME_LENGTHS.max} (default: 32)`,
      parseNameLength,
    )
    .option('--c-header <file>', 'a C header that names the files and tells where the payload is')
    .option('--json', 'one JSON document')
    .action(fileAction(context, (paths: string[], options: PackOptions) => packData(paths, options, context)));

  withReadOptions(data.command('unpack').description('the file, or the files, of an image that is sound'))
    .requiredOption('-o, --output <path>', 'the file of the layout raw, the folder of assets')
    .option('--lenient', 'take out of a damaged image what can be read')
    .action(fileAction(context, (path: string, options: UnpackOptions) => unpackData(path, options, context)));

  withReadOptions(data.command('info').description('what an image holds, and what is wrong with it')).action(
    fileAction(context, (path: string, options: VerifyOptions) => dataInfo(path, options, context)),
  );

  withReadOptions(data.command('verify').description('whether an image is sound and can never be started as an app'))
    .option('--slot-size <bytes>', 'it must fit into such a slot', parseAddress)
    .action(fileAction(context, (path: string, options: VerifyOptions) => verifyData(path, options, context)));
}
