import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { toHex } from '#formats/bytes.ts';
import { type Chip, CHIPS, chipByName, FLASH_MODES } from '#formats/chips.ts';
import { type FlashHeaderChange, flashFrequencyName, patchFlashHeader } from '#formats/image-header-patch.ts';
import { imageFixture, imageVectors } from './app-fixtures.ts';

const esp32 = chipByName('esp32')!;
const MIB = 0x10_0000;

const CHANGES: Record<string, FlashHeaderChange> = {
  'app-merge-esp32-patch': { mode: 'qio', frequency: '80m', size: 16 * MIB },
  'app-merge-esp32-keep': {},
};

describe.each(imageVectors.filter(({ kind }) => kind === 'merged_flash'))('$id', ({ id, file, expected }) => {
  test('the boot loader comes out as esptool writes it', () => {
    const bootloader = imageFixture('esp32-bootloader.bin');
    const patched = patchFlashHeader(bootloader, esp32, CHANGES[id]!);
    const merged = imageFixture(file).subarray(0x1000, 0x1000 + patched.length);
    expect(toHex(patched)).toBe(toHex(merged));
    expect(toHex(patched.subarray(0, 24))).toBe(expected.header_after);
  });
});

test('one setting changes alone, and the input stays as it is', () => {
  const bootloader = imageFixture('esp32-bootloader.bin');
  const patched = patchFlashHeader(bootloader, esp32, { size: 2 * MIB });
  expect(parseImage(patched).header).toMatchObject({ flashMode: 'dio', frequencyCode: 0, flashSize: 2 * MIB });
  expect(bootloader).toEqual(imageFixture('esp32-bootloader.bin'));
});

test('bytes behind the digest are kept', () => {
  const signed = new Uint8Array(4096).fill(0x5a);
  signed.set(imageFixture('esp32-bootloader.bin'));
  const patched = patchFlashHeader(signed, esp32, { mode: 'qio' });
  expect(patched.length).toBe(4096);
  expect(patched.subarray(2064).every((byte) => byte === 0x5a)).toBe(true);
});

test('without an appended digest only the header changes', () => {
  const before = imageFixture('esp32-nodigest.bin');
  const after = patchFlashHeader(before, esp32, { mode: 'dout', frequency: '20m' });
  expect([after[2], after[3]]).toEqual([3, 0x22]);
  after.set(before.subarray(2, 4), 2);
  expect(after).toEqual(before);
});

test.each<[string, FlashHeaderChange & { chip?: Chip; file?: string }]>([
  ['image-bad-flash-frequency', { frequency: '48m' }],
  ['image-bad-flash-frequency', { frequency: 'toString' }],
  ['image-bad-flash-mode', { mode: 'opi' as never }],
  ['image-bad-flash-size', { size: 3 * MIB }],
  ['image-bad-flash-size', { size: 256 * MIB }],
  ['image-bad-flash-size', { size: MIB / 2 }],
  ['image-wrong-chip', { chip: chipByName('esp32s3')! }],
  ['image-bad-checksum', { file: 'bad-checksum-sha-ok.bin' }],
  ['image-bad-sha', { file: 'bad-sha.bin' }],
  ['image-bad-magic', { file: 'pt.bin' }],
])('%s is refused', (code, { chip = esp32, file = 'esp32-bootloader.bin', ...change }) => {
  expect(() => patchFlashHeader(imageFixture(file), chip, change)).toThrowError(
    expect.objectContaining({ code }) as Error,
  );
});

test('every mode, frequency and size of every chip can be set, and the digest is right', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...CHIPS).chain((chip) =>
        fc.record({
          chip: fc.constant(chip),
          mode: fc.constantFrom(...FLASH_MODES),
          frequency: fc.constantFrom(...Object.keys(chip.flashFrequencies)),
          sizeCode: fc.nat(7),
        }),
      ),
      ({ chip, mode, frequency, sizeCode }) => {
        const own = imageFixture('esp32-nodigest.bin');
        own[12] = chip.imageChipId;
        const patched = patchFlashHeader(own, chip, { mode, frequency, size: MIB * 2 ** sizeCode });
        const { header } = parseImage(patched);
        expect(header).toMatchObject({ flashMode: mode, flashSize: MIB * 2 ** sizeCode });
        expect(chip.flashFrequencies[flashFrequencyName(header.frequencyCode, chip)!]).toBe(
          chip.flashFrequencies[frequency],
        );
        const digested = parseImage(
          patchFlashHeader(imageFixture('esp32-bootloader.bin'), esp32, { mode, size: MIB * 2 ** sizeCode }),
        );
        expect(digested.sha256!.stored).toBe(digested.sha256!.computed);
      },
    ),
    { numRuns: 60 },
  );
});
