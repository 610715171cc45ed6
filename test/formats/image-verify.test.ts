import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import { parseImage } from '#formats/app-image.ts';
import { writeU16, writeU32 } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { type VerifyOptions, verifyImage } from '#formats/image-verify.ts';
import { imageFixture, imageVectors } from './app-fixtures.ts';

const MIB = 0x10_0000;
const ESP32 = 0;

/** The same slot as the compiled ESP-IDF had: 1 MiB at 0x200000, erased behind the image. */
function slotOf(bytes: Uint8Array): Uint8Array {
  const slot = new Uint8Array(MIB).fill(0xff);
  slot.set(bytes);
  return slot;
}

/** The line that the boot loader prints for a fault, where the vectors have one. */
function logLine(verdict: ReturnType<typeof verifyImage>): string[] {
  if (verdict.ok) return [];
  switch (verdict.code) {
    case 'image-bad-magic':
      return ['image at 0x200000 has invalid magic byte (nothing flashed here?)'];
    case 'image-too-many-segments':
      return [`image at 0x200000 segment count ${verdict.found} exceeds max ${verdict.limit}`];
    case 'image-bad-segment-length':
      return [`invalid segment length 0x${verdict.length.toString(16)}`];
    case 'image-bad-checksum':
      return [`Checksum failed. Calculated 0x${verdict.calculated.toString(16)} read 0x${verdict.read.toString(16)}`];
    case 'image-bad-sha':
      return ['Image hash failed - image is corrupt'];
    default:
      return [verdict.code];
  }
}

const compared = imageVectors.filter(({ expected }) => expected.log !== undefined);

describe.each(compared)('$id', ({ id, file, chip, expected }) => {
  const bytes = imageFixture(file);
  const chipId = id === 'app-seed-data' ? 5 : chipByName(chip ?? 'esp32')!.imageChipId;
  const options: VerifyOptions = {
    chipId,
    chipRevision: chipId === 0 ? 301 : 4,
    partitionSize: MIB,
    partitionOffset: 0x20_0000,
  };

  test('a slot that holds it gets the verdict of ESP-IDF, with its numbers', () => {
    const verdict = verifyImage(slotOf(bytes), options);
    expect(verdict.ok).toBe(expected.idf_verify === 'ESP_OK');
    expect(logLine(verdict)).toEqual(expected.log);
  });

  test('the file alone gets the same verdict', () => {
    expect(verifyImage(bytes, options)).toMatchObject({ ok: verifyImage(slotOf(bytes), options).ok });
  });
});

test('all vectors of the compiled ESP-IDF are compared', () => expect(compared.length).toBeGreaterThanOrEqual(18));

const small = (): Uint8Array => imageFixture('esp32-small.bin');

/** `esp32-small.bin` with changes, its digest made right again. */
function changed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = small();
  change(bytes);
  bytes.set(sha256(bytes.subarray(0, bytes.length - 32)), bytes.length - 32);
  return bytes;
}

const verdictOf = (bytes: Uint8Array, options: Partial<VerifyOptions> = {}): unknown =>
  verifyImage(bytes, { chipId: ESP32, ...options });

test('a good image is handed back', () => {
  expect(verdictOf(small())).toEqual({ ok: true, image: parseImage(small()) });
});

test('an image for another chip is refused before its revision is looked at', () => {
  const bytes = changed((image) => {
    writeU16(image, 12, 5);
    writeU16(image, 15, 900);
  });
  expect(verdictOf(bytes, { chipRevision: 0 })).toMatchObject({ code: 'image-wrong-chip', found: 5, expected: 0 });
});

test.each([
  [299, { ok: false, code: 'image-chip-too-old', found: 299, expected: 300 }],
  [300, { ok: true }],
  [399, { ok: true }],
  [400, { ok: false, code: 'image-chip-too-new', found: 400, expected: 399 }],
  [undefined, { ok: true }],
])('chip revision %s against an image for 3.0 to 3.99', (chipRevision, verdict) => {
  expect(verdictOf(imageFixture('esp32-rev.bin'), { ...(chipRevision && { chipRevision }) })).toMatchObject(verdict);
});

test('an eFuse may lift the greatest revision', () => {
  expect(verdictOf(imageFixture('esp32-rev.bin'), { chipRevision: 400, ignoreMaxRevision: true })).toMatchObject({
    ok: true,
  });
});

test('an image of before ESP-IDF 5.0 asks with the old byte: major, on the C3 minor', () => {
  const old = changed((image) => {
    image[14] = 3;
    writeU16(image, 17, 0);
  });
  expect(verdictOf(old, { chipRevision: 201 })).toMatchObject({ code: 'image-chip-too-old', expected: 300 });
  expect(verdictOf(old, { chipRevision: 300 })).toMatchObject({ ok: true });
  const c3 = imageFixture('esp32c3-full.bin');
  c3[14] = 3;
  writeU16(c3, 17, 0);
  expect(verifyImage(c3, { chipId: 5, chipRevision: 2 })).toMatchObject({ code: 'image-chip-too-old', expected: 3 });
});

test('a cut-off image in an erased slot ends in the length of a segment that is not there', () => {
  expect(verdictOf(slotOf(small().subarray(0, 888)))).toMatchObject({
    code: 'image-bad-segment-length',
    segment: 1,
    length: 0xffff_ffff,
  });
});

test('a cut-off file is told as such', () => {
  expect(verdictOf(small().subarray(0, 1000))).toMatchObject({ code: 'image-truncated', segment: 1, available: 1000 });
  expect(verdictOf(small().subarray(0, 20))).toMatchObject({ code: 'image-too-short', available: 20 });
  expect(verdictOf(small().subarray(0, 1930))).toMatchObject({ code: 'image-truncated', needed: 1936 });
});

test('size is compared after the checksum and before the digest', () => {
  const bytes = small();
  bytes[bytes.length - 1]! ^= 1;
  expect(verdictOf(bytes, { partitionSize: 1967 })).toMatchObject({
    code: 'image-too-large',
    length: 1968,
    partitionSize: 1967,
  });
  expect(verdictOf(bytes, { partitionSize: 1968 })).toMatchObject({ code: 'image-bad-sha' });
  bytes[100]! ^= 1;
  expect(verdictOf(bytes, { partitionSize: 1967 })).toMatchObject({ code: 'image-bad-checksum' });
});

test('a slot above 16 MiB is refused whatever it holds', () => {
  expect(verdictOf(small(), { partitionSize: 0x100_0001 })).toMatchObject({ code: 'image-partition-too-large' });
  expect(verdictOf(small(), { partitionSize: 0x100_0000 })).toMatchObject({ ok: true });
});

test("a boot loader's digest is not compared, its checksum is", () => {
  const bytes = imageFixture('esp32-bootloader.bin');
  bytes[bytes.length - 1]! ^= 1;
  expect(verdictOf(bytes, { isBootloader: true })).toMatchObject({ ok: true });
  expect(verdictOf(bytes)).toMatchObject({ code: 'image-bad-sha' });
  bytes[100]! ^= 1;
  expect(verdictOf(bytes, { isBootloader: true })).toMatchObject({ code: 'image-bad-checksum' });
});

test('a mapped segment must lie at the same place of its page in flash', () => {
  const address = { segment: 0, loadAddress: 0x3f40_0024 };
  const bytes = changed((image) => writeU32(image, 24, address.loadAddress));
  expect(verdictOf(bytes)).toMatchObject({ code: 'image-bad-segment-address', ...address, flashOffset: 32 });
  expect(verdictOf(small(), { partitionOffset: 0x1_1000 })).toMatchObject({ code: 'image-bad-segment-address' });
});

test('chips with a selectable MMU page need the description', () => {
  const bytes = imageFixture('esp32c6-small.bin');
  bytes[32]! ^= 1;
  expect(verifyImage(bytes, { chipId: 13 })).toMatchObject({ code: 'image-no-description' });
});
