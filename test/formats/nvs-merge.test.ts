import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '#formats/format-error.ts';
import { carryOver, type NvsChanges } from '#formats/nvs/nvs-merge.ts';
import { entryOffset, NvsPageBuilder } from '#formats/nvs/nvs-page.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { ITEM_TYPE, nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import { nvsEntries, nvsEntry, sortedEntries } from './nvs-arbitrary.ts';
import { nvsFixtureBytes, nvsManifest } from './nvs-fixtures.ts';

const PAGE = 0x1000;
const u8 = (key: string, value: number, namespace = 'n'): NvsEntry => ({ namespace, key, type: 'u8', value });
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function refusal(existing: Uint8Array, changes: NvsChanges, size: number): FormatError | undefined {
  try {
    carryOver(existing, changes, size);
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

describe('carrying over', () => {
  for (const { id, image, encrypted, expected } of nvsManifest.images) {
    it(`${id}: ${encrypted ? 'is refused as encrypted' : 'keeps all, with one entry added, in a larger partition'}`, () => {
      const existing = nvsFixtureBytes(image);
      const size = expected.size + 3 * PAGE;
      if (encrypted) {
        expect(refusal(existing, {}, size)?.code).toBe('nvs-encrypted');
        expect(refusal(existing, { acceptLoss: true }, size)?.code).toBe('nvs-encrypted');
        return;
      }
      const before = decodeNvs(existing);
      const added = nvsString('added', 'key', 'value');
      const after = decodeNvs(carryOver(existing, { set: [added] }, size));
      expect(after.verdict).toBe('ok');
      expect(after.entries).toEqual([...before.entries, added]);
      expect(after.namespaces.map(({ name }) => name)).toEqual([...before.namespaces.map(({ name }) => name), 'added']);
    });
  }

  it('begins a fresh image where there is none', () => {
    const blank = new Uint8Array(3 * PAGE).fill(0xff);
    expect(carryOver(blank, { set: [u8('k', 1)] }, 5 * PAGE)).toEqual(encodeNvs([u8('k', 1)], 5 * PAGE));
  });

  it('replaces a key of whatever type, and leaves out what is to be deleted', () => {
    const existing = encodeNvs([u8('a', 1), u8('b', 2), u8('a', 3, 'other'), u8('c', 4)], 3 * PAGE);
    const changes = {
      set: [nvsString('n', 'a', 'text')],
      delete: [
        { namespace: 'n', key: 'c' },
        { namespace: 'n', key: 'none' },
      ],
    };
    const { entries, namespaces } = decodeNvs(carryOver(existing, changes, 3 * PAGE));
    expect(entries).toEqual([u8('b', 2), u8('a', 3, 'other'), nvsString('n', 'a', 'text')]);
    expect(namespaces.map(({ name }) => name)).toEqual(['n', 'other']);
  });

  it('keeps a namespace whose last entry goes', () => {
    const existing = encodeNvs([u8('a', 1)], 3 * PAGE);
    const decoded = decodeNvs(carryOver(existing, { delete: [{ namespace: 'n', key: 'a' }] }, 3 * PAGE));
    expect(decoded).toMatchObject({ entries: [], namespaces: [{ index: 1, name: 'n' }] });
  });

  it('turns a blob of the old format into one of the new', () => {
    const existing = encodeNvs([{ namespace: 'n', key: 'b', type: 'blob', value: ascii('old') }], 3 * PAGE, {
      version: 1,
    });
    const after = carryOver(existing, {}, 3 * PAGE);
    expect(decodeNvs(after).entries).toEqual(decodeNvs(existing).entries);
    expect(after[entryOffset(1) + 1]).toBe(ITEM_TYPE.blobChunk);
    expect(after[8]).toBe(0xfe);
  });

  it('refuses what is too large for the new size, and changes that no NVS can hold', () => {
    const existing = encodeNvs(
      Array.from({ length: 200 }, (_, index) => u8(`k${index}`, 1)),
      4 * PAGE,
    );
    expect(refusal(existing, {}, 3 * PAGE)).toBeUndefined();
    expect(refusal(existing, {}, PAGE)?.code).toBe('nvs-no-room');
    expect(refusal(existing, { set: [u8('k0', 256)] }, 4 * PAGE)?.code).toBe('nvs-value-range');
    expect(refusal(existing, { set: [u8('x', 1), u8('x', 2)] }, 4 * PAGE)?.code).toBe('nvs-duplicate-key');
  });

  it('takes traces of a power failure for what they are', () => {
    const builder = new NvsPageBuilder();
    const add = (namespaceIndex: number, key: string, value: number): void =>
      builder.addSmall({ namespaceIndex, type: ITEM_TYPE.u8, key: ascii(key), data: Uint8Array.of(value) }, '');
    add(0, 'n', 1);
    add(1, 'a', 1);
    add(1, 'a', 2);
    const existing = new Uint8Array(3 * PAGE).fill(0xff);
    existing.set(builder.finish('active', 0, 2));
    expect(decodeNvs(carryOver(existing, {}, 3 * PAGE))).toMatchObject({ issues: [], entries: [u8('a', 2)] });
  });
});

describe('images that cannot be read whole', () => {
  const damaged = (): Uint8Array => {
    const bytes = encodeNvs([u8('a', 1), u8('b', 2)], 3 * PAGE);
    bytes[entryOffset(1) + 24]! ^= 1;
    return bytes;
  };

  it('are refused with what is wrong, unless the loss is accepted', () => {
    const error = refusal(damaged(), {}, 3 * PAGE);
    expect(error?.code).toBe('nvs-damaged');
    expect(error?.cause).toMatchObject([{ code: 'nvs-entry-crc', place: { offset: entryOffset(1) } }]);
    const after = decodeNvs(carryOver(damaged(), { acceptLoss: true, set: [u8('c', 3)] }, 3 * PAGE));
    expect(after).toMatchObject({ verdict: 'ok', issues: [], entries: [u8('b', 2), u8('c', 3)] });
  });

  it('are refused whatever is accepted when a newer format wrote them', () => {
    const bytes = encodeNvs([u8('a', 1)], 3 * PAGE);
    const page = new NvsPageBuilder().finish('active', 1, 3 as 2);
    bytes.set(page, PAGE);
    expect(refusal(bytes, { acceptLoss: true }, 3 * PAGE)?.code).toBe('nvs-newer-version');
  });
});

it('keeps everything or refuses for lack of room, at any size', () => {
  let kept = 0;
  fc.assert(
    fc.property(
      fc.record({
        entries: nvsEntries(25),
        set: fc.array(nvsEntry, { maxLength: 1 }),
        pages: fc.integer({ min: 1, max: 40 }),
      }),
      ({ entries, set, pages }) => {
        const existing = encodeNvs(entries, 80 * PAGE);
        const error = refusal(existing, { set }, pages * PAGE);
        if (error) {
          expect(error.code).toBe('nvs-no-room');
          return;
        }
        kept++;
        const after = decodeNvs(carryOver(existing, { set }, pages * PAGE));
        const replaced = new Set(set.map(({ namespace, key }) => `${namespace}/${key}`));
        const expected = [...entries.filter(({ namespace, key }) => !replaced.has(`${namespace}/${key}`)), ...set];
        expect(sortedEntries(after.entries)).toEqual(sortedEntries(expected));
        expect(after.verdict).toBe('ok');
      },
    ),
    { numRuns: 150 },
  );
  expect(kept).toBeGreaterThan(50);
});

it('what a partition holds fits a partition of the same size', () => {
  fc.assert(
    fc.property(nvsEntries(40), fc.integer({ min: 3, max: 20 }), (entries, pages) => {
      let existing: Uint8Array;
      try {
        existing = encodeNvs(entries, pages * PAGE);
      } catch {
        return; // did not fit to begin with
      }
      expect(sortedEntries(decodeNvs(carryOver(existing, {}, pages * PAGE)).entries)).toEqual(sortedEntries(entries));
    }),
    { numRuns: 100 },
  );
});
