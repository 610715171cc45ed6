import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { equalBytes } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { mergeNvs, type NvsChanges, type NvsKey } from '#formats/nvs/nvs-merge.ts';
import { entryOffset } from '#formats/nvs/nvs-page.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { ITEM_TYPE, nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import { nvsEntries, nvsEntry, sortedEntries } from './nvs-arbitrary.ts';
import { nvsFixtureBytes, nvsManifest } from './nvs-fixtures.ts';

const PAGE = 0x1000;
const u8 = (key: string, value: number, namespace = 'n'): NvsEntry => ({ namespace, key, type: 'u8', value });
const text = (key: string, length: number): NvsEntry => nvsString('n', key, 'x'.repeat(length));
const blob = (key: string, length: number): NvsEntry => ({
  namespace: 'n',
  key,
  type: 'blob',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});
const integers = (count: number): NvsEntry[] => Array.from({ length: count }, (_, index) => u8(`k${index}`, 1));
const key = (name: string): NvsKey => ({ namespace: 'n', key: name });

/** Offsets of the pages that differ. */
function differing(before: Uint8Array, after: Uint8Array): number[] {
  const offsets = Array.from({ length: before.length / PAGE }, (_, index) => index * PAGE);
  return offsets.filter((at) => !equalBytes(before.subarray(at, at + PAGE), after.subarray(at, at + PAGE)));
}

/** Merges, and checks what holds for every merge: the rules of the format, and the count of changed pages. */
function merge(existing: Uint8Array, changes: NvsChanges): Uint8Array {
  const before = existing.slice();
  const { bytes, changedPages } = mergeNvs(existing, changes);
  expect(equalBytes(existing, before)).toBe(true);
  expect(bytes).toHaveLength(existing.length);
  expect(changedPages).toBe(differing(existing, bytes).length);
  const { verdict, issues, pages } = decodeNvs(bytes);
  expect({ verdict, issues }).toEqual({ verdict: 'ok', issues: [] });
  expect(pages.filter(({ state }) => state === 'active')).toHaveLength(1);
  return bytes;
}

function refusal(existing: Uint8Array, changes: NvsChanges): string | undefined {
  try {
    mergeNvs(existing, changes);
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
}

describe('merging into the vectors', () => {
  const vectors = nvsManifest.images.filter(({ encrypted }) => !encrypted);

  test.each(vectors)('$id: nothing changes no byte, and what is there already neither', ({ image }) => {
    const existing = nvsFixtureBytes(image);
    const { entries } = decodeNvs(existing);
    for (const changes of [{}, { set: entries, delete: [key('is-not-there')] }]) {
      expect(mergeNvs(existing, changes)).toEqual({ bytes: existing, changedPages: 0 });
    }
  });

  test.each(vectors)('$id: a new entry keeps all others as they are, and changes one page', ({ image }) => {
    const existing = nvsFixtureBytes(image);
    const { entries, namespaces, pages } = decodeNvs(existing);
    const namespace = namespaces.at(-1)!.name;
    const added = u8('added', 7, namespace);
    const after = merge(existing, { set: [added] });
    expect(decodeNvs(after)).toMatchObject({ namespaces });
    expect(sortedEntries(decodeNvs(after).entries)).toEqual(sortedEntries([...entries, added]));
    const isFull = pages.every(({ state, empty }) => state === 'blank' || empty === 0);
    // Where no entry is free a page is begun, and the one before it is marked as full.
    expect(differing(existing, after)).toHaveLength(isFull ? 2 : 1);
    expect(mergeNvs(after, { delete: [{ namespace, key: 'added' }] }).changedPages).toBe(1);
  });
});

describe('what changes', () => {
  const existing = encodeNvs([...integers(100), text('s', 60), blob('b', 5000), u8('last', 1)], 5 * PAGE);

  it('stays in its place when it needs no more entries', () => {
    const changes = { set: [u8('k3', 2), text('s', 40), blob('b', 4000)] };
    const after = merge(existing, changes);
    const before = decodeNvs(existing).entries;
    const expected = before.map((entry) => changes.set.find((set) => set.key === entry.key) ?? entry);
    expect(decodeNvs(after).entries).toEqual(expected);
    expect(after[entryOffset(4) + 24]).toBe(2);
    expect(differing(existing, merge(existing, { set: [u8('k3', 2)] }))).toEqual([0]);
  });

  it('may become another type', () => {
    const after = merge(existing, { set: [text('k3', 5), u8('s', 1), u8('b', 1)] });
    const { entries } = decodeNvs(after);
    expect(entries).toHaveLength(decodeNvs(existing).entries.length);
    const types = Object.fromEntries(entries.map(({ key: name, type }) => [name, type]));
    expect(types).toMatchObject({ k3: 'string', s: 'u8', b: 'u8' });
  });

  it('goes to pages that change anyway', () => {
    // Page 0 is full; what is deleted there makes room for what is new, without another page.
    const full = encodeNvs(integers(200), 4 * PAGE);
    const after = merge(full, { delete: [key('k5'), key('k9')], set: [text('new', 31)] });
    expect(differing(full, after)).toEqual([0]);
    expect(decodeNvs(after).entries).toHaveLength(199);
  });

  it('is erased as the firmware erases: in the bitmap only', () => {
    const after = merge(existing, { delete: [key('s')] });
    const changed = [...after.keys()].filter((at) => after[at] !== existing[at]);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every((at) => at >= 32 && at < 64)).toBe(true);
  });

  it('takes all parts of a blob along', () => {
    const { pages, entries } = decodeNvs(merge(existing, { delete: [key('b')] }));
    expect(entries).toHaveLength(102);
    // A namespace, 101 integers, 3 entries of the string.
    expect(pages.reduce((sum, { written }) => sum + written, 0)).toBe(105);
  });

  it('begins a page when no other has room, and never the last blank one', () => {
    const full = encodeNvs(integers(125), 4 * PAGE);
    const more = Array.from({ length: 200 }, (_, index) => u8(`m${index}`, 2));
    const after = merge(full, { set: more });
    expect(decodeNvs(after).pages.map(({ state, sequence }) => [state, sequence])).toEqual([
      ['full', 0],
      ['full', 1],
      ['active', 2],
      ['blank', 0],
    ]);
    expect(refusal(after, { set: [text('s', 2000)] })).toBe('nvs-no-room');
    expect(refusal(after, { set: [text('s', 1000)] })).toBeUndefined();
  });

  it('defines the namespaces that it needs, under numbers that are free', () => {
    const image = nvsFixtureBytes('no-namespace.bin');
    const after = merge(image, { set: [u8('a', 1, 'x'), u8('a', 2, 'y'), u8('b', 3, 'x')] });
    expect(decodeNvs(after).namespaces.map(({ name, index }) => [name, index])).toEqual([
      ['k', 9],
      ['n', 1],
      ['x', 2],
      ['y', 3],
    ]);
  });

  it('is written anew where the pieces do not fit', () => {
    // In each page strings with gaps between them; the new one fits only when strings move to other pages.
    const strings = Array.from({ length: 6 }, (_, index) => text(`s${index}`, 62 * 32 - 1));
    const crowded = encodeNvs(
      strings.flatMap((entry, index) => [entry, u8(`k${index}`, 1)]),
      8 * PAGE,
    );
    const after = merge(crowded, { set: [text('new', 3990), text('other', 62 * 32 - 1)] });
    expect(decodeNvs(after).entries).toHaveLength(14);
  });

  it('begins a fresh image where there is none', () => {
    const blank = new Uint8Array(3 * PAGE).fill(0xff);
    expect(merge(blank, { set: [u8('k', 1)] })).toEqual(encodeNvs([u8('k', 1)], 3 * PAGE));
    expect(mergeNvs(blank, {}).bytes).toEqual(blank);
  });

  it('keeps version 1, where a blob is one item', () => {
    const old = encodeNvs([blob('b', 100), u8('k', 1)], 3 * PAGE, { version: 1 });
    const after = merge(old, { set: [blob('b', 200), blob('c', 10)] });
    expect(after[8]).toBe(0xff);
    expect(after[entryOffset(7) + 1]).toBe(ITEM_TYPE.oldBlob);
    expect(sortedEntries(decodeNvs(after).entries)).toEqual([blob('b', 200), blob('c', 10), u8('k', 1)]);
    expect(refusal(old, { set: [blob('c', 1985)] })).toBe('nvs-value-too-long');
  });
});

describe('what is refused', () => {
  const existing = encodeNvs([u8('a', 1), u8('b', 2)], 3 * PAGE);

  test.each<[string, Uint8Array, NvsChanges, string]>([
    ['a key that is set twice', existing, { set: [u8('x', 1), text('x', 2)] }, 'nvs-duplicate-key'],
    ['a value out of its range', existing, { set: [u8('x', 256)] }, 'nvs-value-range'],
    ['a size that is none', existing.subarray(1), { set: [u8('x', 1)] }, 'nvs-size'],
    ['encryption', nvsFixtureBytes('enc-minimal.bin'), { set: [u8('x', 1)] }, 'nvs-encrypted'],
    ['what cannot fit', existing, { set: [text('s', 3999), text('t', 3999)] }, 'nvs-no-room'],
  ])('%s', (_, image, changes, code) => {
    expect(refusal(image, changes)).toBe(code);
  });

  it('damage, unless the loss is accepted', () => {
    const damaged = existing.slice();
    damaged[entryOffset(1) + 24]! ^= 1;
    expect(refusal(damaged, { set: [u8('c', 3)] })).toBe('nvs-damaged');
    const after = merge(damaged, { set: [u8('c', 3)], acceptLoss: true });
    expect(decodeNvs(after).entries).toEqual([u8('b', 2), u8('c', 3)]);
  });
});

/** Entries as lines of text: comparing long values byte by byte would take seconds. */
const fingerprints = (entries: readonly NvsEntry[]): string[] =>
  entries
    .map(({ namespace, key: name, type, value }) => {
      const text = typeof value === 'object' ? Buffer.from(value).toString('base64') : String(value);
      return [namespace, name, type, text].join('/');
    })
    .toSorted();

it('a partition that is changed again and again holds what was last set, and never breaks a rule', () => {
  const nameOf = (entry: NvsKey): string => `${entry.namespace}/${entry.key}`;
  const step = fc.record({
    set: fc.uniqueArray(nvsEntry, { maxLength: 6, selector: nameOf }),
    /** Positions among what is there. */
    replace: fc.array(fc.tuple(fc.nat(99), nvsEntry), { maxLength: 3 }),
    remove: fc.array(fc.nat(99), { maxLength: 3 }),
  });
  let done = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      nvsEntries(12),
      fc.array(step, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 3, max: 7 }),
      (entries, steps, pages) => {
        const start = [...new Map(entries.map((entry) => [nameOf(entry), entry])).values()];
        const model = new Map<string, NvsEntry>();
        let image = new Uint8Array(pages * PAGE).fill(0xff) as Uint8Array;
        for (const { set, replace, remove } of [{ set: start, replace: [], remove: [] }, ...steps]) {
          const present = [...model.values()];
          const at = (position: number): NvsEntry | undefined => present[position % Math.max(1, present.length)];
          const wanted = new Map(set.map((entry) => [nameOf(entry), entry]));
          for (const [position, entry] of replace) {
            const old = at(position);
            if (old) wanted.set(nameOf(old), { ...entry, namespace: old.namespace, key: old.key });
          }
          const gone = remove.flatMap((position) => at(position) ?? []);
          const changes = { set: [...wanted.values()], delete: gone };
          const code = refusal(image, changes);
          if (code !== undefined) {
            refused++;
            expect(code).toBe('nvs-no-room');
            continue;
          }
          done++;
          for (const entry of gone) model.delete(nameOf(entry));
          for (const [name, entry] of wanted) model.set(name, entry);
          const nothing = changes.set.length === 0 && gone.length === 0;
          image = nothing ? mergeNvs(image, changes).bytes : merge(image, changes);
          expect(fingerprints(decodeNvs(image).entries)).toEqual(fingerprints([...model.values()]));
        }
      },
    ),
    { numRuns: 40 },
  );
  expect(done).toBeGreaterThan(40);
  expect(refused).toBeGreaterThan(0);
});
