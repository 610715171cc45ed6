/** What formats and planning cost, against a plain copy of the same bytes, or hashing them, in the same run. */
import { createHash } from 'node:crypto';
import { type NvsEntry, nvsString } from '#formats/nvs/nvs.ts';
import { readNvsCsv } from '#formats/nvs/nvs-csv.ts';
import { generateNvs } from '#formats/nvs/nvs-generator.ts';
import { mergeNvs } from '#formats/nvs/nvs-merge.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { decodePartitionTable, encodePartitionTable } from '#formats/partition-table.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { appImage } from '../support/releases.ts';
import { readBoard, releaseFiles, row, sample, TWO_SLOTS } from '../workflows/boards.ts';
import { MIB } from './flash/images.ts';
import { type Benchmark, type Effort, type Figure, figure, shortWork } from './measure.ts';

const NVS_SIZE = 0x1_0000;
/** Most that go into it, with the pages that a fresh image leaves blank. */
const NVS_ENTRIES = 2000;
const TABLE_ROWS = 90;
/** Milliseconds of one measurement. */
const MEASURED_MS = 80;

const sha256 = (...pieces: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return new Uint8Array(hash.digest());
};

interface Work {
  effort: Effort;
  bytes: readonly Uint8Array[];
  work: () => unknown;
}

async function against(
  name: string,
  { effort, bytes, work }: Work,
  [peer, other]: [string, (bytes: readonly Uint8Array[]) => unknown],
): Promise<Figure> {
  const limits = { rounds: effort.rounds, ms: MEASURED_MS * effort.share };
  const spent = await shortWork(limits, work, () => other(bytes));
  return figure(name, { ours: spent.ours * 1000, other: spent.other * 1000, against: peer, unit: 'CPU µs' });
}

const COPY: [string, (bytes: readonly Uint8Array[]) => unknown] = [
  'a copy of the same bytes',
  (bytes) => bytes.map((piece) => piece.slice()),
];
const HASH: [string, (bytes: readonly Uint8Array[]) => unknown] = [
  'sha256 of the same bytes',
  (bytes) => sha256(...bytes),
];

const settingsCsv = (count: number): Uint8Array =>
  new TextEncoder().encode(
    ['key,type,encoding,value', 'part,namespace,,']
      .concat(Array.from({ length: count }, (_, index) => `count${index},data,u32,${index * 977}`))
      .join('\n'),
  );

/** Settings as a product has them. */
const settings = (count: number): NvsEntry[] =>
  Array.from({ length: count }, (_, index) =>
    nvsString(`part${index % 8}`, `name${index}`, `A name of usual length, number ${index}`),
  );

const tableOf = (count: number): Uint8Array =>
  encodePartitionTable(
    Array.from({ length: count }, (_, index) => row(`part${index}`, [1, 0x99], [0x1_0000 + index * 0x1000, 0x1000])),
  );

export const formats: Benchmark = {
  name: 'formats',
  run: async (effort) => {
    const csv = settingsCsv(Math.min(NVS_ENTRIES, 1 + Math.round(NVS_ENTRIES * effort.share)));
    // 126 entries a page, and one page stays blank: 64 KiB hold 1890.
    const nvsSize = NVS_SIZE + 0x1000;
    const nvs = generateNvs(readNvsCsv(csv), nvsSize, { version: 2, files: new Map() }).image;
    const changed: NvsEntry = { namespace: 'part', key: 'count0', type: 'u32', value: 1 };
    const table = tableOf(TABLE_ROWS);
    const { partitions } = decodePartitionTable(table);
    const image = appImage({ chip: 'esp32', appSize: 4 * Math.round(MIB * effort.share) });
    return [
      await against(
        'NVS generate',
        {
          effort,
          bytes: [nvs],
          work: () => generateNvs(readNvsCsv(csv), nvsSize, { version: 2, files: new Map() }),
        },
        COPY,
      ),
      await against('NVS read', { effort, bytes: [nvs], work: () => decodeNvs(nvs) }, COPY),
      await against('NVS change', { effort, bytes: [nvs], work: () => mergeNvs(nvs, { set: [changed] }) }, COPY),
      await against('table encode', { effort, bytes: [table], work: () => encodePartitionTable(partitions) }, COPY),
      await against('table decode', { effort, bytes: [table], work: () => decodePartitionTable(table) }, COPY),
      await against('image verification', { effort, bytes: [image], work: () => verified(image) }, COPY),
      await against('image verification', { effort, bytes: [image], work: () => verified(image) }, HASH),
    ];
  },
};

function verified(image: Uint8Array): void {
  const verdict = verifyImage(image, { chipId: 0, partitionSize: 8 * MIB, sha256 });
  if (!verdict.ok) throw new Error(verdict.message);
}

export const plan: Benchmark = {
  name: 'plan',
  run: async (effort) => {
    const release = sample('idf-build');
    const board = await readBoard({ partitions: TWO_SLOTS, settings: settings(30), boots: 0 });
    const bytes = releaseFiles('idf-build').map((file) => file.bytes);
    return [await against('plan', { effort, bytes, work: () => planProvision(release, board) }, HASH)];
  },
};
