/** The otadata partitions of test/fixtures/otadata and what ESP-IDF makes of them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ExpectedBoot {
  selected: string;
  booted: string;
  log: string[];
  otadata_after: 'unchanged' | string[];
}

interface ExpectedSelection {
  sectors: string[];
}

export interface OtadataVector {
  id: string;
  outputs: string[];
  expected: {
    entries: { ota_seq: number; state: string; state_raw: number; crc: number; crc_ok: boolean; seq_label: string }[];
    active: number;
    boot: Record<string, ExpectedBoot>;
    set_boot: Record<string, Record<'idf_4_4_to_5_5' | 'idf_6_0' | 'idf_5_1_rollback', ExpectedSelection>>;
  };
}

const folder = new URL('../fixtures/otadata/', import.meta.url);

export const otadataVectors = (
  JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as { vectors: OtadataVector[] }
).vectors;

export const otadataFiles = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.bin'));

export const readOtadata = ({ outputs }: OtadataVector): Uint8Array =>
  new Uint8Array(readFileSync(new URL(outputs[0]!, folder)));

export interface BootCase {
  title: string;
  vector: OtadataVector;
  expected: ExpectedBoot;
  table: { slotCount: number; hasFactory: boolean; rollback: boolean };
  /** The slots that can be loaded; all unless given. */
  bootable: number[] | undefined;
}

/** What the boot loader does with each vector, for each table. */
export const bootCases = otadataVectors.flatMap((vector) =>
  Object.entries(vector.expected.boot).map(([key, expected]): BootCase => {
    const [, slots, factory, rollback, , bootable] =
      /^slots=(\d+) factory=(\w+) rollback=(\w+)( bootable=\[([\d, ]*)\])?$/.exec(key)!;
    return {
      title: `${vector.id} ${key}`,
      vector,
      expected,
      table: { slotCount: Number(slots), hasFactory: factory === 'True', rollback: rollback === 'True' },
      bootable: bootable?.split(',').map(Number),
    };
  }),
);

/** What selecting each slot makes of each vector. */
export const selectionCases = otadataVectors.flatMap((vector) =>
  Object.entries(vector.expected.set_boot).map(([key, expected]) => {
    const [, slotCount, target] = /^slots=(\d+) target=ota_(\d+)$/.exec(key)!;
    return { title: `${vector.id} ${key}`, vector, expected, slotCount: Number(slotCount), target: Number(target) };
  }),
);
