import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '@noble/hashes/sha2.js';
import { parseImage } from '#formats/app-image.ts';
import { chipByName } from '#formats/chips.ts';
import { inspectImage } from '#formats/image-inspection.ts';
import { verifyImage } from '#formats/image-verify.ts';
import { imageFixture, imageVectors } from './app-fixtures.ts';

const images = imageVectors.filter(({ kind }) => kind !== 'merged_flash');

describe.each(images)('$id', ({ file, expected }) => {
  const bytes = imageFixture(file);
  const inspection = inspectImage(bytes);

  test('its segments are listed as far as they can be read', () => {
    expect(inspection.segments).toEqual(
      expected.parsed!.segments.map(({ load_addr, length, file_offset }) => ({
        loadAddress: load_addr,
        length,
        fileOffset: file_offset,
      })),
    );
    expect(inspection.image === undefined).toBe(expected.parsed!.truncated === true);
  });

  test('the verdict is that of the boot loader', () => {
    const chipId = inspection.header!.chipId;
    const verdict = verifyImage(bytes, { chipId });
    expect(inspection.verdict).toEqual(
      verdict.ok ? { ok: true } : { ok: false, code: verdict.code, message: verdict.message },
    );
  });
});

const small = imageFixture('esp32-small.bin');
const bootloader = imageFixture('esp32-bootloader.bin');
const changed = (image: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = image.slice();
  change(bytes);
  return bytes;
};

test('chip and revision can be asked for', () => {
  const rev = imageFixture('esp32-rev.bin');
  expect(inspectImage(rev, { chip: chipByName('esp32s3')! }).verdict).toMatchObject({ code: 'image-wrong-chip' });
  expect(inspectImage(rev, { chipRevision: 299 }).verdict).toMatchObject({ code: 'image-chip-too-old' });
  expect(inspectImage(rev, { chipRevision: 400 }).verdict).toMatchObject({ code: 'image-chip-too-new' });
  expect(inspectImage(rev, { chipRevision: 300 }).verdict).toEqual({ ok: true });
});

test('a chip that nobody knows is told, after what is wrong with the image itself', () => {
  const foreign = changed(small, (bytes) => {
    bytes[12] = 99;
    bytes.set(sha256(bytes.subarray(0, bytes.length - 32)), bytes.length - 32);
  });
  expect(inspectImage(foreign).verdict).toMatchObject({ ok: false, code: 'image-unknown-chip' });
  foreign[foreign.length - 1]! ^= 1;
  expect(inspectImage(foreign).verdict).toMatchObject({ code: 'image-bad-sha' });
});

test('the digest of a boot loader counts, though its ROM does not compare it', () => {
  const damaged = changed(bootloader, (bytes) => (bytes[bytes.length - 1]! ^= 1));
  expect(inspectImage(damaged).verdict).toMatchObject({ code: 'image-bad-sha' });
});

test('a boot loader of a chip with a selectable MMU page needs no description of an app', () => {
  const c6 = changed(bootloader, (bytes) => {
    bytes[12] = chipByName('esp32c6')!.imageChipId;
    bytes.set(sha256(bytes.subarray(0, bytes.length - 32)), bytes.length - 32);
  });
  expect(inspectImage(c6)).toMatchObject({ image: { kind: 'bootloader' }, verdict: { ok: true } });
});

test('less than a header has none', () => {
  expect(inspectImage(small.subarray(0, 23))).toEqual({
    segments: [],
    verdict: expect.objectContaining({ code: 'image-too-short' }) as unknown,
  });
});

test('where the bytes lie in memory does not matter', () => {
  for (let shift = 0; shift < 4; shift++) {
    const shifted = new Uint8Array(small.length + shift).subarray(shift);
    shifted.set(small);
    expect(inspectImage(shifted)).toEqual(inspectImage(small));
  }
});

test('the digest is computed once, by the function that is given', () => {
  let calls = 0;
  const counted = (bytes: Uint8Array): Uint8Array => {
    calls++;
    return sha256(bytes);
  };
  expect(inspectImage(small, { sha256: counted })).toEqual(inspectImage(small));
  expect(calls).toBe(1);
});

test('whatever bytes come, the verdict is a code or good, and what is good can be parsed', () => {
  const originals = [small, bootloader, imageFixture('esp32c6-small.bin'), imageFixture('data-byte31-ef.bin')];
  fc.assert(
    fc.property(
      fc.constantFrom(...originals),
      fc.array(fc.tuple(fc.oneof(fc.nat(64), fc.nat(2100)), fc.nat(255)), { maxLength: 6 }),
      fc.option(fc.nat(2100)),
      (original, changes, length) => {
        const bytes = original.slice(0, length ?? original.length);
        for (const [offset, value] of changes) if (offset < bytes.length) bytes[offset] = value;
        const { verdict } = inspectImage(bytes);
        if (verdict.ok) expect(parseImage(bytes).segments.length).toBeLessThanOrEqual(16);
        else expect(verdict.code).toMatch(/^image-[a-z-]+$/);
      },
    ),
    { numRuns: 5000 },
  );
});
