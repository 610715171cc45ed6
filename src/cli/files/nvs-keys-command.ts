/** `twostep nvs keys`, and the options by which the other commands on NVS are given keys. No key is ever printed. */
import {
  decodeNvsKeys,
  encodeNvsKeys,
  NVS_HMAC_KEY_BYTES,
  NVS_KEY_BYTES,
  type NvsKeys,
  nvsKeysFromHmacKey,
  nvsKeysOf,
} from '#formats/nvs/nvs-keys.ts';
import { type Command, Option } from 'commander';
import { randomBytes } from 'node:crypto';
import { type CommandContext } from '../context.ts';
import { fileAction, fileExists, inFile, type OutputFile, readInput, writeOutputs } from './file-command.ts';

export interface KeyOptions {
  keys?: string;
  hmacKey?: string;
}

interface GenerateOptions {
  output: string;
  hmacKey?: string;
}

/** `--keys` or `--hmac-key`, for a command that reads or writes an image. */
export const withKeyOptions = (command: Command): Command =>
  command
    .addOption(new Option('--keys <keys.bin>', 'encryption keys: a partition of subtype nvs_keys').conflicts('hmacKey'))
    .option('--hmac-key <key.bin>', 'the 32-byte HMAC key of an eFuse block, from which the chip derives the keys');

/**
 * The keys that the options name, if any.
 *
 * @throws {FormatError} as `decodeNvsKeys` and `nvsKeysFromHmacKey`.
 */
export async function readKeys({ keys, hmacKey }: KeyOptions): Promise<NvsKeys | undefined> {
  if (keys !== undefined) return readKeyFile(keys, decodeNvsKeys);
  if (hmacKey !== undefined) return readKeyFile(hmacKey, nvsKeysFromHmacKey);
  return undefined;
}

/** A pair that nobody has had before. */
export const randomKeys = (): NvsKeys => nvsKeysOf(new Uint8Array(randomBytes(NVS_KEY_BYTES)));

async function readKeyFile(path: string, read: (bytes: Uint8Array) => NvsKeys): Promise<NvsKeys> {
  const bytes = await readInput(path);
  return inFile(path, () => read(bytes));
}

export function addNvsKeysCommands(nvs: Command, context: CommandContext): void {
  nvs
    .command('keys')
    .description('keys of NVS encryption')
    .command('generate')
    .description('new keys as a partition of subtype nvs_keys, random or derived from an HMAC key')
    .requiredOption('-o, --output <keys.bin>', 'the keys partition; a file that is there is not replaced')
    .option('--hmac-key <key.bin>', 'derive the keys from this 32-byte HMAC key; made when there is no such file')
    .action(fileAction(context, (options: GenerateOptions) => generate(options, context)));
}

/** Keys that get lost cannot be made again, so no file with some is ever replaced. */
async function generate({ output, hmacKey }: GenerateOptions, context: CommandContext): Promise<void> {
  const made: OutputFile[] = [];
  let keys: NvsKeys;
  if (hmacKey === undefined) {
    keys = randomKeys();
  } else if (await fileExists(hmacKey)) {
    keys = await readKeyFile(hmacKey, nvsKeysFromHmacKey);
  } else {
    const content = new Uint8Array(randomBytes(NVS_HMAC_KEY_BYTES));
    keys = nvsKeysFromHmacKey(content);
    made.push({ path: hmacKey, content, secret: true, fresh: true });
  }
  made.push({ path: output, content: encodeNvsKeys(keys), secret: true, fresh: true });
  await writeOutputs(made);
  for (const { path } of made) {
    const what = path === hmacKey ? 'a new HMAC key, for an eFuse block of purpose HMAC_UP' : 'keys for NVS encryption';
    context.output.say('made', { file: path }, `${path}: ${what}`);
  }
}
