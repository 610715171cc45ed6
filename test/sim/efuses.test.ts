import { burnEfuses, type EfuseSettings } from '#sim/board/efuses.ts';
import { simChip } from '#sim/board/sim-chips.ts';
import { readU32 } from '#formats/bytes.ts';
import { describe, expect, test } from 'vitest';

const word = (chip: string, settings: EfuseSettings, address: number): number =>
  burnEfuses(simChip(chip), settings).words.get(address) ?? 0;

describe('eFuse words of the ESP32', () => {
  test('read as those of the chip that was looked at', () => {
    const { words } = burnEfuses(simChip('esp32'));
    const seen = [
      0x3ff5_a000, 0x3ff5_a004, 0x3ff5_a008, 0x3ff5_a00c, 0x3ff5_a010, 0x3ff5_a014, 0x3ff5_a018, 0x3ff6_607c,
    ];
    expect(seen.map((address) => words.get(address))).toEqual([
      0, 0xc412_3456, 0x00f5_240a, 0x8000, 0, 0x10_0000, 0, 0x9604_2000,
    ]);
  });

  test.each<{ what: string; settings: EfuseSettings; address: number; bits: number }>([
    {
      what: 'flash encryption, development',
      settings: { flashEncryption: 'development' },
      address: 0x3ff5_a000,
      bits: 1 << 20,
    },
    {
      what: 'flash encryption, crypt config',
      settings: { flashEncryption: 'release' },
      address: 0x3ff5_a014,
      bits: 0xf010_0000,
    },
    { what: 'flash encryption, release', settings: { flashEncryption: 'release' }, address: 0x3ff5_a018, bits: 0x380 },
    { what: 'download mode off', settings: { downloadDisabled: true }, address: 0x3ff5_a000, bits: 1 << 27 },
    { what: 'secure boot v1', settings: { secureBoot: 'v1' }, address: 0x3ff5_a018, bits: 1 << 4 },
    { what: 'secure boot v2', settings: { secureBoot: true }, address: 0x3ff5_a018, bits: 1 << 5 },
    { what: 'JTAG off', settings: { jtagDisabled: true }, address: 0x3ff5_a018, bits: 1 << 6 },
    { what: 'coding scheme', settings: { codingScheme: 1 }, address: 0x3ff5_a018, bits: 1 },
    { what: 'flash supply 3.3 V', settings: { flashVoltage: '3.3V' }, address: 0x3ff5_a010, bits: 0x1_c000 },
    { what: 'package with its third bit', settings: { package: 9 }, address: 0x3ff5_a00c, bits: 0x8204 },
    { what: 'revision 1', settings: { revision: { major: 1, minor: 0 } }, address: 0x3ff5_a014, bits: 0 },
    { what: 'revision 3.1', settings: { revision: { major: 3, minor: 1 } }, address: 0x3ff5_a014, bits: 0x110_0000 },
  ])('$what', ({ settings, address, bits }) => {
    expect(word('esp32', settings, address)).toBe(bits >>> 0);
  });

  test('there is no secure download mode, and no GET_SECURITY_INFO', () => {
    expect(() => burnEfuses(simChip('esp32'), { secureDownload: true })).toThrow(RangeError);
    expect(burnEfuses(simChip('esp32')).securityInfo).toBeUndefined();
  });
});

describe.each([
  { chip: 'esp32c3', base: 0x6000_8800, id: 5 },
  { chip: 'esp32s3', base: 0x6000_7000, id: 9 },
])('eFuse words of the $chip', ({ chip, base, id }) => {
  test.each<{ what: string; settings: EfuseSettings; offset: number; bits: number }>([
    { what: 'encryption count 1', settings: { flashEncryption: 'development' }, offset: 0x34, bits: 0x0404_0000 },
    { what: 'encryption count 7', settings: { flashEncryption: 'release' }, offset: 0x34, bits: 0x041c_0000 },
    { what: 'no manual encryption', settings: { flashEncryption: 'release' }, offset: 0x30, bits: 1 << 20 },
    { what: 'secure boot', settings: { secureBoot: 'v2' }, offset: 0x38, bits: 1 << 20 },
    { what: 'purpose of key 1', settings: { secureBoot: 'v2' }, offset: 0x34, bits: 0x9000_0000 },
    { what: 'download mode off', settings: { downloadDisabled: true }, offset: 0x3c, bits: 1 },
    { what: 'secure download mode', settings: { secureDownload: true }, offset: 0x3c, bits: 1 << 5 },
    { what: 'revision 1.2', settings: { revision: { major: 1, minor: 2 } }, offset: 0x50, bits: 2 << 18 },
    { what: 'major revision', settings: { revision: { major: 1, minor: 2 } }, offset: 0x58, bits: 1 << 24 },
    { what: 'minor revision above 7', settings: { revision: { major: 0, minor: 9 } }, offset: 0x58, bits: 1 << 23 },
  ])('$what', ({ settings, offset, bits }) => {
    expect(word(chip, settings, base + offset)).toBe(bits >>> 0);
  });

  test('the answer of GET_SECURITY_INFO tells the same', () => {
    const info = burnEfuses(simChip(chip), {
      secureBoot: true,
      flashEncryption: 'development',
      secureDownload: true,
    }).securityInfo!;
    expect(readU32(info, 0)).toBe(0b101);
    expect(info[4]).toBe(1);
    expect([...info.subarray(5, 12)]).toEqual([4, 9, 0, 0, 0, 0, 0x0c]);
    expect(readU32(info, 12)).toBe(id);
  });

  test('a setting of the ESP32 is refused', () => {
    expect(() => burnEfuses(simChip(chip), { secureBoot: 'v1' })).toThrow(RangeError);
    expect(() => burnEfuses(simChip(chip), { flashVoltage: '1.8V' })).toThrow(RangeError);
    expect(() => burnEfuses(simChip(chip), { mac: 'nonsense' })).toThrow(RangeError);
  });
});
