import { describe, expect, test } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { type FlashPart, mergeFlash, type MergeOptions, patchBootloader } from '#formats/flash-merge.ts';
import { imageFixture } from './app-fixtures.ts';

const esp32 = chipByName('esp32')!;
const bootloader = imageFixture('esp32-bootloader.bin');
const table = imageFixture('pt.bin');
const MIB = 0x10_0000;

const part = (name: string, offset: number, data: Uint8Array | number): FlashPart => ({
  name,
  offset,
  data: typeof data === 'number' ? new Uint8Array(data).fill(7) : data,
});

test('parts in any order lie where they belong, with FF between', () => {
  const merged = mergeFlash([part('b', 6, 2), part('a', 1, 2)]);
  expect(toHex(merged)).toBe('ff0707ffffff0707');
});

test('parts may touch, share a sector, and be empty', () => {
  expect(toHex(mergeFlash([part('a', 0, 2), part('b', 2, 1), part('c', 4, 0)]))).toBe('070707ff');
});

test('the image can begin later, and be filled up', () => {
  expect(toHex(mergeFlash([part('a', 5, 1)], { targetOffset: 4, padTo: 8 }))).toBe('ff07ffff');
});

test.each<[string, FlashPart[], MergeOptions]>([
  ['image-merge-empty', [], {}],
  ['image-merge-overlap', [part('a', 0, 2), part('b', 1, 2)], {}],
  ['image-merge-overlap', [part('a', 0, 9), part('b', 1, 2), part('c', 5, 1)], {}],
  ['image-merge-before-target', [part('a', 3, 9)], { targetOffset: 4 }],
  ['image-merge-too-large', [part('a', 3, 2)], { padTo: 4 }],
  ['image-merge-too-large', [part('a', 128 * MIB, 1)], {}],
])('%s is refused', (code, parts, options) => {
  expect(() => mergeFlash(parts, options)).toThrow(expect.objectContaining({ code }));
});

describe('the flash settings', () => {
  const parts = [part('boot', 0x1000, bootloader), part('table', 0x8000, table)];

  test.each([
    ['merge-esp32-patch.bin', { mode: 'qio', frequency: '80m', size: 16 * MIB }] as const,
    ['merge-esp32-keep.bin', {}] as const,
  ])('%s comes out as esptool makes it', (file, change) => {
    const patched = patchBootloader(parts, esp32, change);
    expect(patched.issues).toEqual([]);
    expect(Buffer.compare(mergeFlash(patched.parts), imageFixture(file))).toBe(0);
  });

  test('are changed nowhere but at the offset of the boot loader', () => {
    const elsewhere = [part('boot', 0, bootloader), part('table', 0x8000, table), part('app', 0x1_0000, bootloader)];
    const patched = patchBootloader(elsewhere, esp32, { mode: 'qio' });
    expect(patched).toEqual({
      parts: elsewhere,
      issues: [expect.objectContaining({ code: 'image-merge-no-bootloader' })],
    });
  });

  test('are not changed in a damaged boot loader, or one for another chip', () => {
    const damaged = bootloader.slice();
    damaged[100]! ^= 1;
    const run = (data: Uint8Array) => (): unknown =>
      patchBootloader([part('boot', 0x1000, data)], esp32, { mode: 'qio' });
    expect(run(damaged)).toThrow(expect.objectContaining({ code: 'image-bad-checksum' }));
    const foreign = bootloader.slice();
    foreign[12] = 2;
    expect(run(foreign)).toThrow(
      expect.objectContaining({
        code: 'image-wrong-chip',
        place: expect.objectContaining({ file: 'boot' }) as unknown,
      }),
    );
  });
});
