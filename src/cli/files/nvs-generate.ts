/** What the commands that make NVS from CSV files have in common: size, version, and the files that rows name. */
import { type FormatIssue } from '#formats/format-error.ts';
import { type NvsCsvRow } from '#formats/nvs/nvs-csv.ts';
import { NVS_PAGE_SIZE, type NvsVersion } from '#formats/nvs/nvs.ts';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { dirname, isAbsolute, join } from 'node:path';
import { InputError } from '../input-error.ts';
import { readInput } from './file-command.ts';
import { parseAddress } from './number-option.ts';

export interface GenerateOptions {
  size: string;
  nvsVersion: '1' | '2';
}

export const withGenerateOptions = (command: Command): Command =>
  command
    .requiredOption('--size <bytes>', 'of the partition, such as 0x6000; below 0x3000 for one that is only read')
    .addOption(
      new Option('--nvs-version <version>', '1 for firmware before ESP-IDF 3.2').choices(['1', '2']).default('2'),
    );

/**
 * The options as numbers, and what is to be said about them.
 *
 * @throws {InputError} `nvs-size`.
 */
export function readGenerateOptions({ size: text, nvsVersion }: GenerateOptions): {
  size: number;
  version: NvsVersion;
  warnings: FormatIssue[];
} {
  const size = parseSize(text);
  return { size, version: nvsVersion === '1' ? 1 : 2, warnings: sizeWarnings(size) };
}

/** Not by commander, whose refusal is not one line. */
function parseSize(text: string): number {
  try {
    return parseAddress(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InputError('nvs-size', `"${text}" is not a size. ${error.message}`);
  }
}

const sizeWarnings = (size: number): FormatIssue[] =>
  size < 3 * NVS_PAGE_SIZE
    ? [{ code: 'nvs-read-only', message: 'Below 0x3000 bytes firmware can only read the partition: flag it readonly' }]
    : [];

/**
 * Contents by the text of the value that names the file. One that is missing is left out, so that its row can be refused.
 * Files are named relative to the working directory, as in the official tool; failing that, to the CSV.
 *
 * @throws {InputError} `file-unreadable`, `file-too-large`.
 */
export async function readNamedFiles(rows: readonly NvsCsvRow[], csv: string): Promise<Map<string, Uint8Array>> {
  const names = rows.flatMap(({ type, value }) => (type === 'file' && value ? [value] : []));
  const files = new Map<string, Uint8Array>();
  for (const name of new Set(names)) {
    const candidates = isAbsolute(name) ? [name] : [name, join(dirname(csv), name)];
    const content = await readFirst(candidates);
    if (content) files.set(name, content);
  }
  return files;
}

/** The first file that exists, or nothing: which row names it is known elsewhere. */
async function readFirst(paths: readonly string[]): Promise<Uint8Array | undefined> {
  for (const path of paths) {
    try {
      return await readInput(path);
    } catch (error) {
      if (!(error instanceof InputError && error.code === 'file-missing')) throw error;
    }
  }
  return undefined;
}
