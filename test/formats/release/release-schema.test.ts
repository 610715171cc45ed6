/** docs/release.schema.json and the reader's own schema judge every description alike. */
import Fastify from 'fastify';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { FormatError } from '#formats/format-error.ts';
import { decodeReleaseJson } from '#formats/release/release-json.ts';
import { json } from './support.ts';

const SCHEMA = JSON.parse(
  readFileSync(new URL('../../../docs/release.schema.json', import.meta.url), 'utf8'),
) as object;

/** The validator that a server checks its requests with: an implementation of JSON Schema that is not ours. */
let bySchema: (value: object) => boolean;
beforeAll(async () => {
  const customOptions = {
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    allowUnionTypes: true,
  } as const;
  const server = Fastify({ ajv: { customOptions } });
  server.get('/', (request) => {
    bySchema = request.compileValidationSchema(SCHEMA);
    return 'compiled';
  });
  await server.inject('/');
  await server.close();
});

function byReader(value: object): boolean {
  try {
    decodeReleaseJson({ file: json('release.json', value), value });
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

const PART = { file: 'esp32/a.bin', size: 4, sha256: 'ab'.repeat(32) };
const ROW = { label: 'nvs', type: 1, subtype: 2, offset: 0x9000, size: 0x4000, flags: 0 };
const FIELD = { name: 'Serial', namespace: 'unit', key: 'serial', type: 'string' };

const LEAST = {
  format: 'twostep-release',
  formatVersion: 1,
  product: 'Heater',
  builds: [{ chip: 'esp32', parts: [{ role: 'app', ...PART }] }],
};

const MOST = {
  ...LEAST,
  $schema: './release.schema.json',
  version: '2.1.0',
  firmwareProfile: {
    dataHeader: 'none',
    urlLimit: 2000,
    urlDecoding: 'percent',
    headerLimit: 1024,
    rangeSize: 0,
    keepAlive: true,
    indexPage: 'none',
  },
  builds: [
    {
      chip: 'esp32s3',
      serialType: 'cdc',
      flashSize: 0x40_0000,
      partitionTable: { address: 0x8000, partitions: [ROW] },
      parts: [
        { role: 'bootloader', address: 0, ...PART },
        { role: 'partition-table', address: 0x8000, ...PART },
        { role: 'otadata', address: 0xd000, ...PART },
        { role: 'nvs', address: 0x9000, ...PART },
        { role: 'other', address: 0x30_0000, ...PART },
        { role: 'app', address: 0x10_0000, ...PART },
        { role: 'data', address: 0x20_0000, ...PART, layout: 'assets', tag: 'voices 2.4' },
      ],
      flashSettings: { mode: 'dio', frequency: '80m' },
      consoleBaud: 115_200,
      ignoresNvs: false,
    },
  ],
  nvsTemplate: [
    { ...FIELD, required: true },
    { ...FIELD, type: 'u64', default: '18446744073709551615' },
    { ...FIELD, type: 'u8', default: 7 },
  ],
  wifiStore: 'wifi:ssid:password',
  bootCheck: { line: 'ready', timeoutSeconds: 12.5 },
};

type Path = (string | number)[];

/** The value with what lies at the path replaced, or with `undefined` taken away. */
function replacedAt(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  const inner = replacedAt(copy[key], rest, by);
  if (inner !== undefined) copy[key] = inner;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else delete copy[key];
  return copy;
}

/** Every place of a value. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, child]) =>
    placesOf(child, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return [path, ...inner];
}

/** Nothing, other types, and the ends of all the ranges that there are. */
const OTHERS = [
  undefined,
  null,
  true,
  'text',
  '',
  'x'.repeat(201),
  'x'.repeat(256),
  [],
  {},
  -1,
  0,
  0.5,
  1,
  255,
  256,
  0x7ff_ffff,
  0x800_0000,
  0x800_0001,
  0xffff_ffff,
  2 ** 32,
  'app',
  'data',
  'other',
  'none',
  'idf',
  'esp32',
  'esp8266',
  'string',
  'AB'.repeat(32),
  'a:b:c',
  'a:b',
];

describe.each([
  ['the least', LEAST],
  ['the most', MOST],
])('%s that a description may hold', (_, value) => {
  test('is fine for both', () => {
    expect(byReader(value)).toBe(true);
    expect(bySchema(value)).toBe(true);
  });

  test('with anything else anywhere is judged alike', () => {
    const verdicts = { good: 0, bad: 0 };
    for (const path of placesOf(value).filter(({ length }) => length > 0)) {
      for (const other of OTHERS) {
        const changed = replacedAt(value, path, other) as object;
        const verdict = byReader(changed);
        verdicts[verdict ? 'good' : 'bad']++;
        expect(bySchema(changed), `${path.join('.')} = ${JSON.stringify(other)}`).toBe(verdict);
      }
    }
    expect(verdicts.good).toBeGreaterThan(20);
    expect(verdicts.bad).toBeGreaterThan(100);
  });

  test('with one key more in any object is fine for none', () => {
    const objects = placesOf(value).filter((path) => isRecord(at(value, path)));
    for (const path of objects) {
      const changed = replacedAt(value, [...path, 'more'], 1) as object;
      expect([byReader(changed), bySchema(changed)], path.join('.')).toEqual([false, false]);
    }
  });
});

const at = (value: unknown, path: Path): unknown =>
  path.reduce((inner, key) => (inner as Record<string | number, unknown>)[key], value);
const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
