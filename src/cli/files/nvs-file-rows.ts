/** The files that `file` rows of a CSV for NVS name, relative to the working directory, as in Espressif's tools. */
import { type NvsCsvRow } from '#formats/nvs/nvs-csv.ts';
import { InputError } from '../input-error.ts';
import { readInput } from './file-command.ts';

/**
 * Contents by the text of the row's value. A file that is missing is left out, so that its row can be refused with its line.
 *
 * @throws {InputError} as `readInput`, but for `file-missing`.
 */
export async function readFileRows(rows: readonly NvsCsvRow[]): Promise<Map<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const { type, value } of rows) {
    if (type !== 'file' || value === undefined || contents.has(value)) continue;
    try {
      contents.set(value, await readInput(value));
    } catch (error) {
      if (!(error instanceof InputError && error.code === 'file-missing')) throw error;
    }
  }
  return contents;
}
