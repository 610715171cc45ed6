/** Whatever the bytes are, reading them answers, and changing them refuses by a code or gives an image without faults. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { padBytes, writeU32 } from '#formats/bytes.ts';
import { crc32 } from '#formats/crc32.ts';
import { FormatError } from '#formats/format-error.ts';
import { readNvsCsv, readNvsSteps } from '#formats/nvs/nvs-csv.ts';
import { mergeNvs } from '#formats/nvs/nvs-merge.ts';
import { entryCrc, entryOffset } from '#formats/nvs/nvs-page.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import { nvsFixtureBytes, nvsFixtureFiles } from './nvs-fixtures.ts';

const PAGE = 0x1000;
const blob = (key: string, length: number): NvsEntry => ({
  namespace: 'n',
  key,
  type: 'blob',
  value: new Uint8Array(length).fill(7),
});
const entries: NvsEntry[] = [
  { namespace: 'n', key: 'a', type: 'u8', value: 1 },
  { namespace: 'm', key: 'a', type: 'i64', value: -1n },
  nvsString('n', 's', 'a string of more than one entry, and some more'),
  blob('b', 3900),
  blob('c', 50),
];
/** Versions 1 and 2, one page and two, and one that was changed, with erased entries in it. */
const IMAGES = [
  encodeNvs(entries, 3 * PAGE),
  encodeNvs(entries.toSpliced(3, 1), PAGE, { version: 1 }),
  mergeNvs(encodeNvs(entries, 3 * PAGE), {
    set: [blob('b', 20), blob('d', 200)],
    delete: [{ namespace: 'n', key: 's' }],
  }).bytes,
];

/** Most changes go to the first entries, which are in use, or to the header and the bitmap. */
const position = fc.oneof(fc.nat(64 + 12 * 32), fc.nat(PAGE - 1));
const mutation = fc.record({
  page: fc.nat(2),
  position,
  value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x42, 0x48, 0x80, 0xff)),
  /** Makes the CRC right again, of the header or the entry, so that what it says is believed. */
  repair: fc.boolean(),
});
const image = fc
  .record({
    base: fc.constantFrom(...IMAGES),
    mutations: fc.array(mutation, { minLength: 1, maxLength: 6 }),
    cut: fc.nat(20),
  })
  .map(({ base, mutations, cut }) => {
    const bytes = base.slice();
    for (const one of mutations) mutate(bytes.subarray((one.page * PAGE) % bytes.length), one);
    return cut === 0 ? bytes.subarray(0, -100) : bytes;
  });

function mutate(
  page: Uint8Array,
  { position: at, value, repair }: { position: number; value: number; repair: boolean },
): void {
  page[at] = value;
  if (!repair) return;
  if (at < 32) writeU32(page, 28, crc32(page.subarray(4, 28)));
  const entry = Math.floor((at - entryOffset(0)) / 32);
  const bytes = page.subarray(entryOffset(entry), entryOffset(entry + 1));
  if (entry >= 0) writeU32(bytes, 4, entryCrc(bytes));
}

test('5000 mutated images are read, whatever they say', () => {
  const verdicts = new Set<string>();
  const codes = new Set<string>();
  fc.assert(
    fc.property(image, (bytes) => {
      const { verdict, issues } = decodeNvs(bytes);
      verdicts.add(verdict);
      for (const { code } of issues) codes.add(code);
    }),
    { numRuns: 5000 },
  );
  // The mutations reach what they are meant to reach.
  expect([...verdicts]).toEqual(expect.arrayContaining(['ok', 'damaged', 'newer-version']));
  expect([...codes]).toEqual(
    expect.arrayContaining(['nvs-entry-crc', 'nvs-data-crc', 'nvs-orphan-chunk', 'nvs-page-corrupt', 'nvs-bad-span']),
  );
});

test('changes to mutated images are refused by a code, or leave no fault behind', () => {
  const set = [nvsString('n', 's', 'new'), blob('c', 300), { namespace: 'x', key: 'y', type: 'u8', value: 1 } as const];
  let merged = 0;
  fc.assert(
    fc.property(image, (bytes) => {
      try {
        const result = mergeNvs(bytes, { set, acceptLoss: true });
        expect(decodeNvs(result.bytes)).toMatchObject({ verdict: 'ok', issues: [] });
        merged++;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
  expect(merged).toBeGreaterThan(500);
});

test('mutated CSV files are read, or refused by a code', () => {
  const inputs = nvsFixtureFiles()
    .filter((name) => name.endsWith('.csv'))
    .map(nvsFixtureBytes)
    .filter(({ length }) => length < 1000);
  const change = fc.tuple(fc.nat(999), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('",#\n\r;()0x='))));
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...inputs), fc.array(change, { minLength: 1, maxLength: 4 }), (input, changes) => {
      const bytes = padBytes(input, 0);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        readNvsSteps(readNvsCsv(bytes), { version: 2 });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        refused++;
      }
    }),
    { numRuns: 1000 },
  );
  expect(refused).toBeGreaterThan(100);
});
