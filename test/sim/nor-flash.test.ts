import { FLASH_TIMES, NorFlash } from '#sim/board/nor-flash.ts';
import { describe, expect, test } from 'vitest';

describe('a NOR flash', () => {
  test('programs by clearing bits only', () => {
    const flash = new NorFlash(0x2_0000);
    flash.program(0x100, Uint8Array.of(0xf0, 0x0f));
    flash.program(0x100, Uint8Array.of(0xaa, 0xff));
    expect([...flash.bytes.subarray(0xff, 0x103)]).toEqual([0xff, 0xa0, 0x0f, 0xff]);
  });

  test('erases every sector that the range touches, and nothing else', () => {
    const flash = new NorFlash(new Uint8Array(0x2_0000));
    flash.erase(0x1fff, 2);
    expect(flash.isBlank(0x1000, 0x2000)).toBe(true);
    expect(flash.bytes[0xfff]).toBe(0);
    expect(flash.bytes[0x3000]).toBe(0);
  });

  test('takes block time for whole blocks and sector time for the rest', () => {
    const flash = new NorFlash(0x4_0000);
    expect(flash.erase(0x1_0000, 0x1_1000)).toBe(FLASH_TIMES.block + FLASH_TIMES.sector);
    expect(flash.erase(0x1000, 0x1_0000)).toBe(16 * FLASH_TIMES.sector);
    expect(flash.erase(0, 0)).toBe(0);
  });

  test('programs in pages of 256 bytes', () => {
    const flash = new NorFlash(0x2_0000);
    expect(flash.program(0xff, new Uint8Array(2))).toBe(2 * FLASH_TIMES.page);
  });

  test('takes other times when told so', () => {
    const flash = new NorFlash(0x10_0000, { page: 0.5, block: 7 });
    expect(flash.program(0, new Uint8Array(0x400))).toBe(2);
    expect(flash.erase(0, 0x1_1000)).toBe(7 + FLASH_TIMES.sector);
    expect(flash.eraseChip()).toBe(FLASH_TIMES.chipPerMegabyte);
  });

  test('ignores the address bits it does not have when it erases, and drops what it cannot program', () => {
    const flash = new NorFlash(new Uint8Array(0x2_0000));
    flash.erase(0x2_1000, 0x1000);
    expect(flash.isBlank(0x1000, 0x1000)).toBe(true);
    flash.program(0x1_ffff, Uint8Array.of(0, 0));
    expect(flash.bytes.length).toBe(0x2_0000);
    expect(flash.bytes[0x1000]).toBe(0xff);
  });

  test('keeps a bad sector as it is', () => {
    const flash = new NorFlash(0x2_0000);
    flash.badSectors.add(2);
    flash.program(0x1ff0, new Uint8Array(0x2000));
    expect(flash.isBlank(0x2000, 0x1000)).toBe(true);
    expect(flash.bytes[0x1ff0]).toBe(0);
    expect(flash.bytes[0x3000]).toBe(0);
  });

  test('leaves the last operation half done when the supply fails', () => {
    const flash = new NorFlash(new Uint8Array(0x2_0000).fill(0x5a));
    flash.erase(0x3000, 0x1000);
    flash.interruptLast(0.5);
    expect(flash.isBlank(0x3000, 0x800)).toBe(true);
    expect([...flash.bytes.subarray(0x3801, 0x4000)].every((byte) => byte === 0x5a)).toBe(true);
  });

  test('lives in the bytes it is given', () => {
    const bytes = new Uint8Array(0x1_0000).fill(0xff);
    new NorFlash(bytes).program(0, Uint8Array.of(1));
    expect(bytes[0]).toBe(1);
    expect(() => new NorFlash(0x1_2345)).toThrow(RangeError);
  });
});
