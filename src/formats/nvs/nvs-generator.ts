/** Makes the image that Espressif's NVS partition generator 0.2.0 makes of a CSV, byte for byte. */
import { type FormatIssue } from '../format-error.ts';
import { inCell, type NvsCsvRow, readNvsSteps, type NvsStepOptions } from './nvs-csv.ts';
import { ToolOrderPages } from './nvs-page-pools.ts';
import { NvsPacker } from './nvs-packer.ts';
import { usablePages } from './nvs-writer.ts';

export interface GeneratedNvs {
  image: Uint8Array<ArrayBuffer>;
  warnings: FormatIssue[];
}

/**
 * An image of exactly `size` bytes from the rows of a CSV.
 *
 * @param size bytes of the partition, a multiple of 4096. With one or two pages it is for a partition that is only read.
 * @throws {FormatError} `nvs-size`, `nvs-too-many-namespaces`, `nvs-no-room` (both with the line), and what `readNvsSteps` throws.
 */
export function generateNvs(rows: readonly NvsCsvRow[], size: number, options: NvsStepOptions): GeneratedNvs {
  const pages = new ToolOrderPages(usablePages(size, undefined), { typesApart: false });
  const { steps, warnings } = readNvsSteps(rows, options);
  const packer = new NvsPacker(pages, options.version);
  for (const step of steps) {
    inCell(step.row, 'key', () => (step.kind === 'namespace' ? packer.define(step.name) : packer.add(step.entry)));
  }
  return { image: pages.finish(size, options.version), warnings };
}
