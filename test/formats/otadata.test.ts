import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes, fromHex, isBlank, padBytes, readU32, toHex } from '#formats/bytes.ts';
import {
  type BootChoice,
  type BootTarget,
  chooseBootSlot,
  decodeOtadata,
  decodeSelectEntry,
  encodeOtadata,
  encodeSelectEntry,
  OTADATA_SIZE,
  OtaState,
  type OtadataRewrite,
  rewriteAfterLoading,
  SELECT_ENTRY_SIZE,
} from '#formats/otadata.ts';
import { rollBack, selectSlot } from '#formats/otadata-changes.ts';
import {
  bootCases,
  otadataFiles,
  otadataVectors as vectors,
  readOtadata as read,
  selectionCases,
} from './otadata-fixtures.ts';

/** The first 32 bytes of both sectors; all else must be blank. */
function sectors(otadata: Uint8Array): string[] {
  return [0, 0x1000].map((start) => {
    expect(isBlank(otadata.subarray(start + SELECT_ENTRY_SIZE, start + 0x1000))).toBe(true);
    return toHex(otadata.subarray(start, start + SELECT_ENTRY_SIZE));
  });
}

/** The partition after the boot loader has carried out `rewrites`. */
function applyRewrites(otadata: Uint8Array, rewrites: readonly OtadataRewrite[]): Uint8Array {
  const result = padBytes(otadata, OTADATA_SIZE);
  for (const { sector, bytes } of rewrites) {
    result.fill(0xff, sector * 0x1000, (sector + 1) * 0x1000);
    result.set(bytes, sector * 0x1000);
  }
  return result;
}

const nameOf = (target: BootTarget): string => (target === 'factory' ? target : `ota_${target}`);

test('every file of the fixtures belongs to a vector', () => {
  expect(vectors.flatMap(({ outputs }) => outputs).toSorted()).toEqual(otadataFiles().toSorted());
});

describe('bytes', () => {
  test.each(vectors)('$id decodes to its entries', (vector) => {
    const { entries } = decodeOtadata(read(vector));
    vector.expected.entries.forEach((expected, index) => {
      const entry = entries[index];
      if (expected.ota_seq === 0xffff_ffff) expect(entry).toBeUndefined();
      else {
        expect(entry).toEqual({
          sequence: expected.ota_seq,
          state: expected.state_raw,
          crcOk: expected.crc_ok,
          ...(expected.crc_ok ? {} : { wrongCrc: expected.crc }),
          ...(/^f+$/.test(expected.seq_label) ? {} : { label: fromHex(expected.seq_label) }),
        });
      }
    });
  });

  test.each(vectors)('$id encodes to the same bytes where its CRCs are right', (vector) => {
    const bytes = read(vector);
    const { entries } = decodeOtadata(bytes);
    const allRight = entries.every((entry) => entry?.crcOk !== false);
    expect(equalBytes(encodeOtadata({ entries }), bytes)).toBe(allRight);
  });

  test('entries of any kind read back', () => {
    const entry = fc.option(
      fc.record({
        sequence: fc.nat(0xffff_fffe),
        state: fc.constantFrom(...Object.values(OtaState)),
        label: fc.uint8Array({ minLength: 20, maxLength: 20 }).filter((label) => !isBlank(label)),
      }),
      { nil: undefined },
    );
    fc.assert(
      fc.property(fc.tuple(entry, entry), (entries) => {
        const decoded = decodeOtadata(encodeOtadata({ entries })).entries;
        expect(decoded).toEqual(entries.map((one) => one && { ...one, crcOk: true }));
      }),
    );
  });

  // CRCs as ESP-IDF computes them: zlib crc32(pack('<I', sequence), 0xFFFFFFFF)
  test.each([
    { sequence: 0, crc: 0xffff_ffff },
    { sequence: 1, crc: 0x4743_989a },
    { sequence: 2, crc: 0x55f6_3774 },
    { sequence: 3, crc: 0xed4a_5011 },
  ])('entry $sequence carries CRC $crc', ({ sequence, crc }) => {
    const bytes = encodeSelectEntry({ sequence, state: OtaState.Valid });
    expect(readU32(bytes, 28)).toBe(crc);
    expect(decodeSelectEntry(bytes)).toEqual({ sequence, state: OtaState.Valid, crcOk: true });
  });

  test("Arduino's boot_app0.bin is an entry 1 and an entry 0", () => {
    const state = OtaState.Undefined;
    const bytes = encodeOtadata({
      entries: [
        { sequence: 1, state },
        { sequence: 0, state },
      ],
    });
    expect(toHex(sha256(bytes))).toBe('f94c5d786a7a8fab06ac5d10e33bf37711a6697636dc037559ea19cc410a17f0');
    expect(chooseBootSlot(decodeOtadata(bytes), { slotCount: 2, hasFactory: false }).order).toEqual([0, 1]);
  });

  test.each<[string, () => unknown, string]>([
    ['a short entry', () => decodeSelectEntry(new Uint8Array(31)), 'otadata-too-short'],
    ['a short partition', () => decodeOtadata(new Uint8Array(0x1fff)), 'otadata-too-short'],
    ['the number of an erased sector', () => encodeOtadata({ sequence: 0xffff_ffff }), 'otadata-bad-sequence'],
    ['half a number', () => encodeOtadata({ sequence: 1.5 }), 'otadata-bad-sequence'],
    ['a slot that is not there', () => encodeOtadata({ slot: 2, slotCount: 2 }), 'otadata-bad-slot'],
    ['a table of 17 slots', () => encodeOtadata({ slot: 0, slotCount: 17 }), 'otadata-bad-slot'],
    [
      'a short label',
      () => encodeSelectEntry({ sequence: 1, state: OtaState.New, label: new Uint8Array(3) }),
      'otadata-bad-label',
    ],
  ])('%s is refused', (_, run, code) => {
    expect(run).toThrow(expect.objectContaining({ code }));
  });
});

describe("the boot loader's choice", () => {
  const selectedName = (choice: BootChoice): string =>
    choice.reason === 'bad-otadata-no-factory' ? 'try all' : nameOf(choice.order[0]!);

  test.each(bootCases)('$title', ({ vector, expected, table, bootable }) => {
    const before = read(vector);
    const choice = chooseBootSlot(decodeOtadata(before), table);
    const log = choice.log ? [choice.log.text] : [];
    const rewrites = [...choice.rewrites];
    const booted = choice.order.find((target) => {
      if (!bootable || (target !== 'factory' && bootable.includes(target))) return true;
      log.push(
        `${target === 'factory' ? 'Factory app partition' : `OTA app partition slot ${target}`} is not bootable`,
      );
      return false;
    })!;
    const actual = rewriteAfterLoading(choice, booted);
    if (actual) {
      rewrites.push(actual);
      log.push(`Set actual ota_seq=${readU32(actual.bytes, 0)} in otadata[0]`);
    }
    expect({ selected: selectedName(choice), booted: nameOf(booted), log }).toEqual({
      selected: expected.selected,
      booted: expected.booted,
      log: expected.log,
    });
    const after = applyRewrites(before, rewrites);
    expect(sectors(after)).toEqual(expected.otadata_after === 'unchanged' ? sectors(before) : expected.otadata_after);
  });

  test.each(vectors)('$id: the active entry is the one that the tools name', (vector) => {
    const choice = chooseBootSlot(decodeOtadata(read(vector)), { slotCount: 2, hasFactory: false });
    expect(choice.activeSector ?? -1).toBe(vector.expected.active);
  });

  test.each([
    { slotCount: 2, hasFactory: true, order: ['factory', 0, 1] },
    { slotCount: 2, hasFactory: false, order: [0, 1] },
    { slotCount: 0, hasFactory: true, order: ['factory'] },
  ])('without otadata the order is $order', ({ order, ...table }) => {
    expect(chooseBootSlot(undefined, table)).toMatchObject({ reason: 'no-otadata', order, initialContents: false });
  });

  test('a table without any app leaves nothing to try', () => {
    const blank = decodeOtadata(encodeOtadata({ entries: [undefined, undefined] }));
    const choice = chooseBootSlot(blank, { slotCount: 0, hasFactory: false });
    expect(choice).toMatchObject({ reason: 'nothing-selected-no-factory', order: [] });
  });

  test('from a slot in the middle it tries downwards to factory, then upwards', () => {
    const otadata = decodeOtadata(encodeOtadata({ slot: 2, slotCount: 5 }));
    expect(chooseBootSlot(otadata, { slotCount: 5, hasFactory: true }).order).toEqual([2, 1, 0, 'factory', 3, 4]);
  });

  test('of two equal entries the first counts', () => {
    const entry = { sequence: 2, state: OtaState.Valid };
    const otadata = decodeOtadata(encodeOtadata({ entries: [entry, entry] }));
    expect(chooseBootSlot(otadata, { slotCount: 2, hasFactory: false }).activeSector).toBe(0);
  });

  test('aborting an unconfirmed entry does not mend its CRC', () => {
    const bytes = encodeOtadata({ slot: 1, slotCount: 2, state: OtaState.PendingVerify });
    bytes[28] = 0;
    const { rewrites } = chooseBootSlot(decodeOtadata(bytes), { slotCount: 2, hasFactory: false, rollback: true });
    expect(rewrites).toMatchObject([{ sector: 0, why: 'aborted' }]);
    const after = applyRewrites(bytes, rewrites);
    expect(decodeOtadata(after).entries[0]).toMatchObject({ state: OtaState.Aborted, crcOk: false });
  });

  test('an entry on trial becomes pending, then aborted, then the other slot comes back', () => {
    const table = { slotCount: 2, hasFactory: false, rollback: true };
    let bytes: Uint8Array = selectSlot(encodeOtadata({ slot: 0, slotCount: 2 }), 1, {
      slotCount: 2,
      state: OtaState.New,
    });
    const started = [0, 1, 2].map(() => {
      const choice = chooseBootSlot(decodeOtadata(bytes), table);
      bytes = applyRewrites(bytes, choice.rewrites);
      return [choice.order[0], ...choice.rewrites.map(({ why }) => why)];
    });
    expect(started).toEqual([[1, 'first-start'], [0, 'aborted'], [0]]);
  });
});

describe('selecting a slot', () => {
  test.each(selectionCases)('$title', ({ vector, expected, slotCount, target }) => {
    const before = read(vector);
    const copy = before.slice();
    const results = {
      idf_4_4_to_5_5: selectSlot(before, target, { slotCount, idf: 'before-6.0' }),
      idf_6_0: selectSlot(before, target, { slotCount, idf: '6.0' }),
      idf_5_1_rollback: selectSlot(before, target, { slotCount, idf: 'before-6.0', state: OtaState.New }),
    };
    for (const [version, after] of Object.entries(results)) {
      expect(sectors(after), version).toEqual(expected[version as keyof typeof results].sectors);
      const selected = chooseBootSlot(decodeOtadata(after), { slotCount, hasFactory: true }).order[0];
      // ESP-IDF's own slip, see `selectSlot`: 0 is in the series of the last slot, and wraps to another where 3 slots are.
      const slips = vector.id === 'od-seq-zero' && slotCount === 3 && target === 2;
      expect(selected).toBe(slips ? 0 : target);
    }
    expect(before).toEqual(copy);
  });

  test('the factory app is selected by erasing both sectors', () => {
    const after = selectSlot(encodeOtadata({ slot: 1, slotCount: 2 }), 'factory', { slotCount: 2 });
    expect(after).toEqual(new Uint8Array(OTADATA_SIZE).fill(0xff));
  });

  test('a fresh partition selects its slot, in one sector', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.nat(15), (slotCount, any) => {
        const slot = any % slotCount;
        const bytes = encodeOtadata({ slot, slotCount });
        expect(isBlank(bytes.subarray(SELECT_ENTRY_SIZE))).toBe(true);
        const choice = chooseBootSlot(decodeOtadata(bytes), { slotCount, hasFactory: true, rollback: true });
        expect(choice).toMatchObject({ reason: 'selected', activeSector: 0, rewrites: [] });
        expect(choice.order[0]).toBe(slot);
      }),
    );
  });

  test('any number of switches leaves the slot selected that was asked for last', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.array(fc.nat(15), { minLength: 1 }), (slotCount, targets) => {
        let bytes: Uint8Array = encodeOtadata({ entries: [undefined, undefined] });
        for (const any of targets) {
          const target = any % slotCount;
          bytes = selectSlot(bytes, target, { slotCount });
          expect(chooseBootSlot(decodeOtadata(bytes), { slotCount, hasFactory: false }).order[0]).toBe(target);
        }
      }),
    );
  });

  test('a counter at its end is refused rather than wrapped', () => {
    const bytes = encodeOtadata({ sequence: 0xffff_fffe });
    expect(() => selectSlot(bytes, 0, { slotCount: 2 })).toThrow(
      expect.objectContaining({ code: 'otadata-bad-sequence' }),
    );
  });
});

describe('going back', () => {
  const table = { slotCount: 2, hasFactory: false };
  const valid = (sequence: number) => ({ sequence, state: OtaState.Valid });
  const firstChoice = (bytes: Uint8Array, hasFactory = false): BootTarget | undefined =>
    chooseBootSlot(decodeOtadata(bytes), { ...table, hasFactory }).order[0];

  test.each<[string, Parameters<typeof encodeOtadata>[0], number]>([
    ['the second sector', { entries: [valid(1), valid(2)] }, 0],
    ['the first sector', { entries: [valid(3), valid(2)] }, 1],
  ])('from %s', (_, content, slot) => {
    const before = encodeOtadata(content);
    const after = rollBack(before, table);
    expect(firstChoice(before)).toBe(1 - slot);
    expect(firstChoice(after)).toBe(slot);
    const states = decodeOtadata(after).entries.map((entry) => entry!.state);
    expect(states.toSorted()).toEqual([OtaState.Valid, OtaState.Invalid]);
  });

  test('to the factory app, when the other entry is not good', () => {
    const after = rollBack(encodeOtadata({ slot: 1, slotCount: 2 }), { hasFactory: true });
    expect(firstChoice(after, true)).toBe('factory');
  });

  test('keeps the label, and all of the other sector', () => {
    const before = encodeOtadata({ entries: [{ ...valid(4), label: new Uint8Array(20).fill(65) }, valid(3)] });
    const after = rollBack(before, table);
    expect(decodeOtadata(after).entries[0]).toMatchObject({ label: new Uint8Array(20).fill(65), crcOk: true });
    expect(equalBytes(after.subarray(0x1000), before.subarray(0x1000))).toBe(true);
  });

  test.each<[string, Parameters<typeof encodeOtadata>[0], boolean]>([
    ['otadata-nothing-active', { entries: [undefined, undefined] }, true],
    ['otadata-no-rollback', { slot: 0, slotCount: 2 }, false],
    ['otadata-no-rollback', { entries: [{ sequence: 1, state: OtaState.Invalid }, valid(2)] }, false],
  ])('is refused as %s', (code, content, hasFactory) => {
    expect(() => rollBack(encodeOtadata(content), { hasFactory })).toThrow(expect.objectContaining({ code }));
  });

  test('never throws anything but a FormatError, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (a, b) => {
          const bytes = encodeOtadata({ entries: [undefined, undefined] });
          bytes.set(a);
          bytes.set(b, 0x1000);
          // Right CRCs now and then, or nothing would ever be active.
          if (a[0]! % 2) bytes.set(encodeSelectEntry({ sequence: readU32(a, 0) >>> 1, state: OtaState.Valid }));
          const choice = chooseBootSlot(decodeOtadata(bytes), { ...table, rollback: b[0]! % 2 === 0 });
          expect(choice.order.length).toBe(2);
          for (const run of [() => rollBack(bytes, table), () => selectSlot(bytes, 1, table)]) {
            try {
              expect(decodeOtadata(run()).entries.length).toBe(2);
            } catch (error) {
              expect(error).toMatchObject({ name: 'FormatError' });
            }
          }
        },
      ),
      { numRuns: 5000 },
    );
  });
});
