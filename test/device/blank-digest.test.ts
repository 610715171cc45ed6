/** Reading what may be blank. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { md5OfBlank, SparseReader } from '#device/blank-digest.ts';
import { MemoryFlash } from '../support/memory-flash.ts';

/** A flash that counts what is read of it. */
class CountingFlash extends MemoryFlash {
  bytesRead = 0;

  override async read(offset: number, length: number): Promise<Uint8Array> {
    this.bytesRead += length;
    return super.read(offset, length);
  }
}

test('reads what is there, wherever it is', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(0x1_0000),
      fc.nat(0x1_8000),
      fc.array(fc.nat(0x2_ffff), { maxLength: 5 }),
      async (offset, length, filled) => {
        const flash = new CountingFlash(0x4_0000);
        for (const at of filled) flash.bytes[at] = 7;
        expect(await new SparseReader(flash).read(offset, length)).toEqual(flash.bytes.slice(offset, offset + length));
      },
    ),
    { numRuns: 40 },
  );
});

test('what is blank is not read', async () => {
  const flash = new CountingFlash(0x4_0000);
  const reader = new SparseReader(flash);
  await reader.read(0, 0x2_0000);
  expect(flash.bytesRead).toBe(0);
  flash.bytes[0x9000] = 0;
  await reader.read(0, 0x2_0000);
  expect(flash.bytesRead).toBe(0x4000);
});

test('of many short reads those behind a blank one are made only where something is', async () => {
  const flash = new CountingFlash(0x4_0000);
  flash.bytes[0x2_0003] = 7;
  const reader = new SparseReader(flash);
  for (let at = 0; at < flash.size; at += 0x1000) {
    expect(await reader.read(at, 16)).toEqual(flash.bytes.slice(at, at + 16));
  }
  // The first, that one, and the one behind it.
  expect(flash.bytesRead).toBe(3 * 16);
});

test('the digest of blank flash is that of so many FF', async () => {
  for (const length of [1, 0x1000, 0x1001, 0x2_5000]) {
    expect(md5OfBlank(length)).toBe(await new MemoryFlash(0x4_0000).md5(0, length));
  }
});
