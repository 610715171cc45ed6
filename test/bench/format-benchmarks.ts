/** What formats and planning cost, against hashing the same bytes with the fastest hash at hand. */
import { createHash } from 'node:crypto';
import { type NvsEntry, nvsString } from '#formats/nvs/nvs.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { carryOver } from '#formats/nvs/nvs-merge.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { decodePartitionTable, encodePartitionTable } from '#formats/partition-table.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { appImage } from '../support/releases.ts';
import { readBoard, releaseFiles, sample, TWO_SLOTS } from '../workflows/boards.ts';
import { MIB } from './boards.ts';
import { type Benchmark, type Effort, type Figure, figure, shortWork } from './measure.ts';

const NVS_SIZE = 0x6000;
/** Milliseconds of one measurement. */
const MEASURED_MS = 80;

const sha256 = (...pieces: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
};

async function againstHash(
  name: string,
  { effort, bytes, work }: { effort: Effort; bytes: readonly Uint8Array[]; work: () => unknown },
): Promise<Figure> {
  const limits = { rounds: effort.rounds, ms: MEASURED_MS * effort.share };
  const { ours, other } = await shortWork(limits, work, () => sha256(...bytes));
  return figure(name, { ours: ours * 1000, other: other * 1000, against: 'sha256 of the same bytes', unit: 'CPU µs' });
}

/** Settings as a product has them, until the image is three quarters full. */
function settings(): NvsEntry[] {
  return Array.from({ length: 60 }, (_, index): NvsEntry[] => [
    { namespace: `part${index % 8}`, key: `count${index}`, type: 'u32', value: index * 977 },
    nvsString(`part${index % 8}`, `name${index}`, `A name of usual length, number ${index}`),
    { namespace: `part${index % 8}`, key: `blob${index}`, type: 'blob', value: new Uint8Array(60).fill(index) },
  ]).flat();
}

export const formats: Benchmark = {
  name: 'formats',
  run: async (effort) => {
    const nvs = encodeNvs(settings(), NVS_SIZE);
    const changed: NvsEntry = { namespace: 'part0', key: 'count0', type: 'u32', value: 1 };
    const table = encodePartitionTable(TWO_SLOTS);
    const image = appImage({ chip: 'esp32', appSize: Math.round(MIB * effort.share) });
    return [
      await againstHash('NVS decode', { effort, bytes: [nvs], work: () => decodeNvs(nvs) }),
      await againstHash('NVS carry over', {
        effort,
        bytes: [nvs],
        work: () => carryOver(nvs, { set: [changed] }, NVS_SIZE),
      }),
      await againstHash('partition table', { effort, bytes: [table], work: () => decodePartitionTable(table) }),
      await againstHash('image verification', {
        effort,
        bytes: [image],
        work: () => verifyImage(image, { chipId: 0, partitionSize: 2 * MIB }),
      }),
    ];
  },
};

export const plan: Benchmark = {
  name: 'plan',
  run: async (effort) => {
    const release = sample('idf-build');
    const board = await readBoard({ partitions: TWO_SLOTS, settings: settings().slice(0, 30), boots: 0 });
    const bytes = releaseFiles('idf-build').map((file) => file.bytes);
    return [await againstHash('plan', { effort, bytes, work: () => planProvision(release, board) })];
  },
};
