/** Finding by digests what has to be sent. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FlashCosts, TYPICAL_COSTS } from '#device/flash-costs.ts';
import { findDifferences } from '#device/flash-differences.ts';
import { type FlashRange, SECTOR_SIZE } from '#device/flash-memory.ts';
import { rangesLength } from '#device/flash-ranges.ts';
import { equalBytes } from '#formats/bytes.ts';
import { MemoryFlash } from '../support/memory-flash.ts';
import { noise } from './support/bench.ts';

const MIB = 0x10_0000;
const OFFSET = 0x1_0000;

/** A flash that counts what it hashes. */
class CountingFlash extends MemoryFlash {
  override readonly costs: FlashCosts;
  hashed = 0;
  digests = 0;

  constructor(size: number, costs: FlashCosts = TYPICAL_COSTS) {
    super(size);
    this.costs = costs;
  }

  override async md5(offset: number, length: number): Promise<string> {
    this.hashed += length;
    this.digests++;
    return super.md5(offset, length);
  }
}

function flashWith(data: Uint8Array, costs?: FlashCosts): CountingFlash {
  const flash = new CountingFlash(8 * MIB, costs);
  flash.bytes.set(data, OFFSET);
  return flash;
}

/** Changes one byte in each of the sectors, counted from the start of the data. */
function change(flash: MemoryFlash, ...sectors: number[]): void {
  for (const sector of sectors) flash.bytes[OFFSET + sector * SECTOR_SIZE + 77]! ^= 1;
}

const covers = (ranges: readonly FlashRange[], at: number): boolean =>
  ranges.some(({ offset, length }) => at >= offset && at < offset + length);

test('what lies outside of the ranges is the same, and they begin at sectors and end there or with the data', async () => {
  const data = noise(300_001);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(73), { maxLength: 74 }), fc.boolean(), async (sectors, exact) => {
      const flash = flashWith(data);
      change(flash, ...sectors);
      const ranges = await findDifferences(flash, { offset: OFFSET, data }, { exact });
      let end = OFFSET;
      for (const range of ranges) {
        expect(range.offset).toBeGreaterThanOrEqual(end);
        expect(range.offset % SECTOR_SIZE).toBe(0);
        end = range.offset + range.length;
        expect(end % SECTOR_SIZE === 0 || end === OFFSET + data.length).toBe(true);
        flash.bytes.set(data.subarray(range.offset - OFFSET, end - OFFSET), range.offset);
      }
      expect(equalBytes(flash.bytes.subarray(OFFSET, OFFSET + data.length), data)).toBe(true);
      if (exact) expect(Math.ceil(rangesLength(ranges) / SECTOR_SIZE)).toBe(sectors.length);
    }),
    { numRuns: 30 },
  );
});

test('of a flash that holds everything each byte is hashed once, and nothing is to be sent', async () => {
  const data = noise(2 * MIB + 100);
  const flash = flashWith(data);
  expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([]);
  // And the first sector, to see whether there is anything; all of the last one.
  expect(flash.hashed).toBe(2 * MIB + 2 * SECTOR_SIZE);
});

test('what stands behind the data in their last sector is to be blank', async () => {
  const data = noise(0x1_0100);
  const flash = flashWith(data);
  flash.bytes[OFFSET + data.length + 9] = 0;
  expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([
    { offset: OFFSET + 0x1_0000, length: 0x100 },
  ]);
});

test('no data, nothing to be sent', async () => {
  expect(await findDifferences(new MemoryFlash(MIB), { offset: 0, data: new Uint8Array() })).toEqual([]);
});

test('a flash that was never written is asked for one sector', async () => {
  const flash = new CountingFlash(8 * MIB);
  const data = noise(MIB);
  expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([{ offset: OFFSET, length: data.length }]);
  expect(flash.hashed).toBe(SECTOR_SIZE);
});

test('a flash that differs everywhere is asked for a few sectors', async () => {
  const data = noise(4 * MIB);
  const flash = flashWith(noise(4 * MIB, 9));
  expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([{ offset: OFFSET, length: data.length }]);
  expect(flash.hashed).toBe(5 * SECTOR_SIZE);
});

test('a flash that differs nearly everywhere is not hashed everywhere', async () => {
  const data = noise(4 * MIB);
  const flash = flashWith(noise(4 * MIB, 9));
  flash.bytes.set(data.subarray(3 * MIB), OFFSET + 3 * MIB);
  const ranges = await findDifferences(flash, { offset: OFFSET, data });
  expect(rangesLength(ranges)).toBeLessThan(3.1 * MIB);
  expect(flash.hashed).toBeLessThan(0.65 * data.length);
});

test('the same part behind a part that differs is found all the same', async () => {
  const data = noise(4 * MIB);
  const flash = flashWith(data);
  flash.bytes.fill(0, OFFSET, OFFSET + 2 * MIB);
  const ranges = await findDifferences(flash, { offset: OFFSET, data });
  expect(ranges).toHaveLength(1);
  expect(ranges[0]!.offset).toBe(OFFSET);
  expect(rangesLength(ranges)).toBeGreaterThanOrEqual(2 * MIB);
  expect(rangesLength(ranges)).toBeLessThanOrEqual(2 * MIB + 0x1_0000);
});

test('of scattered sectors little more than they are sent', async () => {
  const data = noise(4 * MIB);
  const flash = flashWith(data);
  const sectors = [3, 111, 230, 307, 404, 512, 633, 700, 871, 1002];
  change(flash, ...sectors);
  const ranges = await findDifferences(flash, { offset: OFFSET, data });
  for (const sector of sectors) expect(covers(ranges, OFFSET + sector * SECTOR_SIZE)).toBe(true);
  expect(rangesLength(ranges)).toBeLessThanOrEqual(2 * sectors.length * SECTOR_SIZE);
  expect(flash.hashed).toBeLessThan(1.4 * data.length);
});

describe('what is cheaper decides', () => {
  const data = noise(MIB);

  test('a block of which most sectors differ is sent whole where erasing it sector by sector takes longer', async () => {
    // Native USB: the flash is what takes time.
    const flash = flashWith(data, { ...TYPICAL_COSTS, wire: 1 / 800 });
    change(flash, 0, 2, 4, 6, 8, 10, 12, 14);
    expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([{ offset: OFFSET, length: 0x1_0000 }]);
  });

  test.each([
    { overlaps: true, most: 0.6 },
    // Asked one at a time, each waits for the line.
    { overlaps: false, most: 0.35 },
  ])('where a command takes long, fewer are asked (ahead: $overlaps)', async ({ overlaps, most }) => {
    const quick = flashWith(data, { ...TYPICAL_COSTS, overlaps });
    const slow = flashWith(data, { ...TYPICAL_COSTS, roundTrip: 35, overlaps });
    for (const flash of [quick, slow]) expect(await findDifferences(flash, { offset: OFFSET, data })).toEqual([]);
    expect(slow.digests).toBeLessThan(quick.digests * most);
  });
});

test('progress goes up to all of it, and an abort ends it', async () => {
  const data = noise(MIB);
  const seen: number[] = [];
  await findDifferences(flashWith(data), { offset: OFFSET, data }, { onProgress: ({ done }) => seen.push(done) });
  expect(seen.at(-1)).toBe(data.length);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
});
