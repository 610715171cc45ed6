/** The vectors of test/fixtures/partitions and what the official tool said of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { type Partition } from '#formats/partition-table.ts';
import { type PartitionCsvOptions } from '#formats/partition-csv.ts';
import { parseFlashSize } from '#formats/chips.ts';

export interface PartitionVector {
  id: string;
  valid: boolean;
  inputs: string[];
  outputs: string[];
  args: string[];
  expected: {
    entries?: (Omit<Partition, 'name'> & { label: string })[];
    md5?: string;
    warnings?: string[];
  };
}

const folder = new URL('../fixtures/partitions/', import.meta.url);

export const readBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, folder)));
export const readText = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
export const fileNames = (): string[] => readdirSync(folder).filter((name) => /\.(bin|csv)$/.test(name));

export const vectors = (JSON.parse(readText('manifest.json')) as { vectors: PartitionVector[] }).vectors;

export const validVectors = vectors.filter(({ valid }) => valid);
export const invalidVectors = vectors.filter(({ valid }) => !valid);

export const partitionsOf = ({ expected }: PartitionVector): Partition[] =>
  (expected.entries ?? []).map(({ label, ...rest }) => ({ name: label, ...rest }));

/** The vector's command line as our options. */
export function optionsOf({ args }: PartitionVector): PartitionCsvOptions & { md5: boolean } {
  const after = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const number = (name: string): number | undefined => {
    const text = after(name);
    return text === undefined ? undefined : Number(text);
  };
  const extra = args.indexOf('--extra-partition-subtypes');
  return {
    tableOffset: number('-o'),
    primaryBootloaderOffset: number('--primary-bootloader-offset'),
    recoveryBootloaderOffset: number('--recovery-bootloader-offset'),
    flashSize: parseFlashSize(after('--flash-size') ?? ''),
    secure: after('--secure') as 'v1' | 'v2' | undefined,
    extraSubtypes: extra < 0 ? [] : args.slice(extra + 1, args.indexOf('--')),
    verify: !args.includes('--no-verify'),
    md5: !args.includes('--disable-md5sum'),
  };
}
