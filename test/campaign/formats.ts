/**
 * Readers of every format on damaged input: files of the fixtures with bytes changed, cut out, put in twice or cut off. Each has to
 * answer, or to refuse by a `FormatError`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readDataImage } from '#formats/data/data-reader.ts';
import { FormatError } from '#formats/format-error.ts';
import { inspectImage } from '#formats/image-inspection.ts';
import { decodeNvsKeys, nvsKeysOf } from '#formats/nvs/nvs-keys.ts';
import { readNvsCsv, readNvsSteps } from '#formats/nvs/nvs-csv.ts';
import { decryptNvs } from '#formats/nvs/nvs-encryption.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { decodeOtadata } from '#formats/otadata.ts';
import { parsePartitionCsv } from '#formats/partition-csv.ts';
import { decodePartitionTable } from '#formats/partition-table.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { splitFlash } from '#formats/release/split-flash.ts';
import { encodeZip } from '#formats/zip.ts';
import { seededRandom } from '#sim/faults.ts';
import { releaseFiles } from '../workflows/boards.ts';

interface Reader {
  name: string;
  inputs: readonly Uint8Array[];
  read: (bytes: Uint8Array) => unknown;
  /** It shows whatever it can and refuses nothing. */
  lenient?: boolean;
}

const FIXTURES = join(import.meta.dirname, '..', 'fixtures');
/** Damage in what is larger would seldom hit anything that is looked at, and copying it takes the time of many others. */
const LARGEST_INPUT = 0x2_0000;

/** The fixtures of a folder with that ending. */
function inputs(folder: string, ending: RegExp): Uint8Array[] {
  return readdirSync(join(FIXTURES, folder))
    .filter((name) => ending.test(name))
    .map((name) => join(FIXTURES, folder, name))
    .filter((path) => statSync(path).size <= LARGEST_INPUT)
    .map((path) => new Uint8Array(readFileSync(path)));
}

const KEYS = nvsKeysOf(new Uint8Array(64).fill(0x5a));

const READERS: readonly Reader[] = [
  { name: 'partition table', inputs: inputs('partitions', /\.bin$/), read: (bytes) => decodePartitionTable(bytes) },
  {
    name: 'partition table, leniently',
    inputs: inputs('partitions', /\.bin$/),
    read: (bytes) => decodePartitionTable(bytes, { lenient: true }),
    lenient: true,
  },
  { name: 'partition CSV', inputs: inputs('partitions', /\.csv$/), read: (bytes) => parsePartitionCsv(bytes) },
  { name: 'otadata', inputs: inputs('otadata', /\.bin$/), read: (bytes) => decodeOtadata(bytes) },
  { name: 'NVS', inputs: inputs('nvs', /\.bin$/), read: (bytes) => decodeNvs(bytes), lenient: true },
  { name: 'encrypted NVS', inputs: inputs('nvs', /^enc.*\.bin$/), read: (bytes) => decryptNvs(bytes, KEYS) },
  { name: 'NVS keys', inputs: inputs('nvs', /^keys.*\.bin$/), read: (bytes) => decodeNvsKeys(bytes) },
  {
    name: 'NVS CSV',
    inputs: inputs('nvs', /\.csv$/),
    read: (bytes) => readNvsSteps(readNvsCsv(bytes), { version: 2, files: new Map() }),
  },
  { name: 'image', inputs: inputs('app', /\.bin$/), read: (bytes) => inspectImage(bytes), lenient: true },
  { name: 'packed data', inputs: inputs('app', /data.*\.bin$/), read: (bytes) => readDataImage(bytes), lenient: true },
  {
    name: 'flash image',
    inputs: inputs('app', /^merge.*\.bin$/),
    read: (bytes) => splitFlash(bytes, { file: 'flash.bin' }),
  },
  {
    name: 'archive',
    inputs: ['idf-build', 'arduino-build'].map((folder) => encodeZip(releaseFiles(folder))),
    read: (bytes) => recogniseRelease([{ path: 'release.zip', bytes }]),
  },
];

/** Bytes that mean something in one format or another. */
const TELLING = [0, 1, 0x22, 0x2c, 0x7f, 0x80, 0xaa, 0xe9, 0xeb, 0xef, 0xfe, 0xff];

function damaged(input: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number): number => Math.floor(random() * limit);
  let bytes = input.slice();
  for (let change = 0, changes = 1 + below(6); change < changes && bytes.length > 0; change++) {
    const kind = below(10);
    // Most of what is looked at stands at the start.
    const at = random() < 0.5 ? below(Math.min(bytes.length, 0x200)) : below(bytes.length);
    const length = 1 + below(64);
    if (kind < 3) bytes[at] = below(256);
    else if (kind < 6) bytes[at] = TELLING[below(TELLING.length)]!;
    else if (kind < 7) bytes[at]! ^= 1 << below(8);
    else if (kind < 8) bytes.copyWithin(below(bytes.length), at, at + length);
    else if (kind < 9) bytes.fill(TELLING[below(TELLING.length)]!, at, at + length);
    else bytes = bytes.slice(0, random() < 0.5 ? at : bytes.length - length);
  }
  return bytes;
}

export interface FormatPoint {
  reader: string;
  /** `answered`, or the code of the refusal. */
  outcome: string;
  violation?: string;
}

/** One reader on one damaged input, both chosen by the seed. */
export function runFormatPoint(seed: number): FormatPoint {
  const reader = READERS[seed % READERS.length]!;
  const random = seededRandom(seed);
  const input = reader.inputs[Math.floor(random() * reader.inputs.length)]!;
  const bytes = damaged(input, random);
  try {
    reader.read(bytes);
    return { reader: reader.name, outcome: 'answered' };
  } catch (error) {
    if (error instanceof FormatError && !reader.lenient) return { reader: reader.name, outcome: error.code };
    return { reader: reader.name, outcome: 'failed', violation: (error as Error).stack ?? String(error) };
  }
}

export const FORMAT_READERS = READERS.map(({ name, lenient = false }) => ({ name, lenient }));
