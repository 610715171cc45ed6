import { describe, expect, test } from 'vitest';
import { writeU32 } from '#formats/bytes.ts';
import {
  EFUSE_REGISTERS,
  esp32c3Revision,
  esp32Revision,
  esp32s2Revision,
  esp32s3Revision,
  identifyEfuses,
  manualEncryptDisabled,
  OPEN_CHIP,
  revisionNumber,
  securityFromBlock0,
  securityFromEsp32Efuses,
  securityFromInfo,
} from '#formats/chip-security.ts';

/** Words with bits set: `{ 3: [15] }` is bit 15 of word 3. */
function words(count: number, set: Record<number, number[]>): number[] {
  return Array.from({ length: count }, (_, index) =>
    (set[index] ?? []).reduce((word, bit) => (word | (2 ** bit)) >>> 0, 0),
  );
}

function info(flags: number, cryptCount = 0, length = 20): Uint8Array {
  const bytes = new Uint8Array(length);
  writeU32(bytes, 0, flags);
  bytes[4] = cryptCount;
  bytes.set([9, 10, 11, 4, 0, 5], 5);
  if (length >= 20) writeU32(bytes, 12, 9);
  return bytes;
}

describe('GET_SECURITY_INFO', () => {
  test('without a flag is an open chip', () => {
    expect(securityFromInfo(info(0))).toEqual({ ...OPEN_CHIP, keyPurposes: [9, 10, 11, 4, 0, 5], chipId: 9 });
  });

  test('of 12 bytes (ESP32-S2) has no chip id, a status behind the data changes nothing', () => {
    expect(securityFromInfo(info(0, 0, 12))).not.toHaveProperty('chipId');
    expect(securityFromInfo(info(0, 0, 14))).not.toHaveProperty('chipId');
    expect(securityFromInfo(info(1, 0, 22))).toEqual(securityFromInfo(info(1)));
  });

  test('shorter is refused', () => {
    expect(() => securityFromInfo(new Uint8Array(11))).toThrowError(
      expect.objectContaining({ code: 'security-info-short' }) as Error,
    );
  });

  test.each([
    [1 << 0, { secureBoot: 'v2' }],
    [1 << 1, { aggressiveRevoke: true }],
    [1 << 2, { secureDownload: true }],
    [0b101 << 3, { revokedKeys: [0, 2] }],
    [1 << 6, { jtagDisabled: true }],
    [1 << 7, { jtagDisabled: true }],
    [1 << 8, { usbDisabled: true }],
  ])('flags %d', (flags, expected) => {
    const open = securityFromInfo(info(0));
    expect(securityFromInfo(info(flags))).toEqual({ ...open, ...expected });
  });

  test.each([
    [0, false, 'off', false],
    [1, false, 'development', false],
    [1, true, 'release', false],
    [3, true, 'off', true],
    [5, false, 'off', true],
    [4, false, 'development', false],
    [7, false, 'release', false],
  ])('crypt count %d, manual encryption disabled %s: %s', (count, manual, flashEncryption, flashEncryptionWasOn) => {
    expect(securityFromInfo(info(0, count), { manualEncryptDisabled: manual })).toMatchObject({
      flashEncryption,
      flashEncryptionWasOn,
    });
  });

  test('in secure download mode encryption counts as release: no encrypted write is possible', () => {
    expect(securityFromInfo(info(4, 1)).flashEncryption).toBe('release');
  });
});

describe('ESP32', () => {
  const v1 = { major: 1, minor: 0 };
  const v3 = { major: 3, minor: 1 };

  test.each([
    [{}, v3, {}],
    [{ 6: [4] }, v1, { secureBoot: 'v1' }],
    [{ 6: [5] }, v3, { secureBoot: 'v2' }],
    [{ 6: [5] }, v1, {}],
    [{ 6: [4, 5] }, v3, { secureBoot: 'v1' }],
    [{ 6: [6] }, v1, { jtagDisabled: true }],
    [{ 0: [27] }, v3, { downloadDisabled: true }],
    [{ 0: [27] }, v1, {}],
    [{ 0: [20] }, v1, { flashEncryption: 'development' }],
    [{ 0: [20], 6: [7] }, v1, { flashEncryption: 'release' }],
    [{ 0: [2, 26] }, v1, { flashEncryption: 'release' }],
    [{ 0: [20, 21, 22, 23, 24, 25, 26] }, v1, { flashEncryption: 'release' }],
    [{ 0: [20, 21] }, v1, { flashEncryptionWasOn: true }],
  ])('eFuses %j', (set, revision, expected) => {
    expect(securityFromEsp32Efuses(words(7, set), revision)).toEqual({ ...OPEN_CHIP, chipId: 0, ...expected });
  });

  test.each([
    [{}, 0x1604_2000, 0, 0],
    [{ 3: [15] }, 0x1604_2000, 1, 0],
    [{ 3: [15], 5: [20] }, 0x1604_2000, 2, 0],
    [{ 3: [15], 5: [20, 24] }, 0x9604_2000, 3, 1],
    [{ 5: [20] }, 0, 0, 0],
    [{ 3: [15] }, 0x8000_0000, 0, 0],
    [{}, 0x8000_0000, 0, 0],
    [{ 5: [20] }, 0x8000_0000, 0, 0],
    [{ 5: [25] }, 0, 0, 2],
  ])('revision of eFuses %j with APB_CTRL_DATE %d is v%d.%d', (set, date, major, minor) => {
    expect(esp32Revision(words(7, set), date)).toEqual({ major, minor });
  });
});

describe.each(['esp32s2', 'esp32s3', 'esp32c3'] as const)('%s', (chip) => {
  const s2 = chip === 'esp32s2';

  test.each([
    [{}, {}],
    [{ 3: [20] }, { secureBoot: 'v2' }],
    [{ 3: [21] }, { aggressiveRevoke: true }],
    [{ 2: [21, 23] }, { revokedKeys: [0, 2] }],
    [{ 2: [18] }, { flashEncryption: 'development' }],
    [{ 2: [18], 1: [s2 ? 19 : 20] }, { flashEncryption: 'release' }],
    [{ 2: [18, 19, 20] }, { flashEncryption: 'release' }],
    [{ 2: [18, 19] }, { flashEncryptionWasOn: true }],
    [{ 4: [0] }, { downloadDisabled: true }],
    [{ 4: [5] }, { secureDownload: true }],
    [{ 2: [24, 27, 31], 3: [2, 13] }, { keyPurposes: [9, 8, 4, 0, 0, 2] }],
  ])('BLOCK0 %j', (set, expected) => {
    const open = { ...OPEN_CHIP, keyPurposes: [0, 0, 0, 0, 0, 0] };
    expect(securityFromBlock0(chip, words(5, set))).toEqual({ ...open, ...expected });
  });

  test('manual encryption is found at its own bit', () => {
    expect(manualEncryptDisabled(chip, words(5, { 1: [s2 ? 19 : 20] }))).toBe(true);
    expect(manualEncryptDisabled(chip, words(5, { 1: [21] }))).toBe(false);
  });
});

test.each([
  ['esp32s2', [17], true],
  ['esp32s2', [18], true],
  ['esp32s3', [16], true],
  ['esp32s3', [16, 17], false],
  ['esp32s3', [16, 17, 18], true],
  ['esp32c3', [19], true],
  ['esp32c3', [13], false],
] as const)('%s with bits %j of its second word: JTAG off is %s', (chip, set, jtagDisabled) => {
  expect(securityFromBlock0(chip, words(5, { 1: [...set] }))).toMatchObject({ jtagDisabled });
});

test('USB can be off where there is one', () => {
  expect(securityFromBlock0('esp32s3', words(5, { 1: [13] }))).toMatchObject({ usbDisabled: true });
});

test.each([
  [{}, 0, 0, 0],
  [{ 3: [18], 5: [] }, 0, 0, 1],
  [{ 3: [19], 5: [24] }, 0, 1, 2],
  [{ 3: [18], 5: [23, 25] }, 0, 2, 9],
  // Blocks of version 1.1 with an empty minor field: the first silicon, whatever the other fields say.
  [{ 3: [24], 5: [24] }, 1, 0, 0],
  [{ 3: [24], 5: [24] }, 2, 1, 0],
])('ESP32-S3 BLOCK1 %j, block version %d: v%d.%d', (set, block2, major, minor) => {
  expect(esp32s3Revision(words(6, set), block2)).toEqual({ major, minor });
});

test('ESP32-C3 and -S2 revisions come from their own bits', () => {
  expect(esp32c3Revision(words(6, { 3: [18, 19] }))).toEqual({ major: 0, minor: 3 });
  expect(esp32c3Revision(words(6, { 3: [18], 5: [23, 24] }))).toEqual({ major: 1, minor: 9 });
  expect(esp32s2Revision(words(6, { 3: [18, 20], 4: [4] }))).toEqual({ major: 1, minor: 9 });
  expect(revisionNumber({ major: 3, minor: 1 })).toBe(301);
});

test('the registers to read are those that the chips have', () => {
  expect(EFUSE_REGISTERS.esp32).toEqual({
    block0: [0x3ff5a000, 0x3ff5a004, 0x3ff5a008, 0x3ff5a00c, 0x3ff5a010, 0x3ff5a014, 0x3ff5a018],
    block1: [],
    extra: [0x3ff6607c],
  });
  expect(EFUSE_REGISTERS.esp32s3).toMatchObject({
    block0: [0x6000702c, 0x60007030, 0x60007034, 0x60007038, 0x6000703c],
  });
  expect(EFUSE_REGISTERS.esp32s3!.block1.at(-1)).toBe(0x60007058);
  expect(EFUSE_REGISTERS.esp32c3!.block1[0]).toBe(0x60008844);
});

test('all registers together give revision and security', () => {
  const none = words(6, {});
  expect(
    identifyEfuses('esp32', { block0: words(7, { 3: [15], 5: [20], 6: [5] }), block1: [], extra: [0x8000_0000] }),
  ).toEqual({
    revision: { major: 3, minor: 0 },
    security: { ...OPEN_CHIP, secureBoot: 'v2', chipId: 0 },
  });
  expect(
    identifyEfuses('esp32s3', { block0: words(5, { 3: [20] }), block1: words(6, { 3: [19] }), extra: [0] }),
  ).toMatchObject({
    revision: { major: 0, minor: 2 },
    security: { secureBoot: 'v2' },
  });
  expect(identifyEfuses('esp32c3', { block0: none, block1: words(6, { 3: [18] }), extra: [] })).toMatchObject({
    revision: { minor: 1 },
  });
  expect(identifyEfuses('esp32s2', { block0: none, block1: none, extra: [] })).toMatchObject({
    revision: { major: 0 },
  });
  expect(identifyEfuses('esp32c6', { block0: none, block1: none, extra: [] })).toBeUndefined();
});
