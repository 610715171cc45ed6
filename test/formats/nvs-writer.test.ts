import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, isBlank } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs, type NvsImageOptions } from '#formats/nvs/nvs-writer.ts';
import { nvsString, type NvsEntry, nvsText } from '#formats/nvs/nvs.ts';
import { nvsEntries, sortedEntries } from './nvs-arbitrary.ts';

const PAGE = 0x1000;
const u8 = (key: string, value = 0, namespace = 'n'): NvsEntry => ({ namespace, key, type: 'u8', value });
const blob = (key: string, length: number): NvsEntry => ({
  namespace: 'n',
  key,
  type: 'blob',
  value: Uint8Array.from({ length }, (_, index) => index & 0xff),
});
const text = (key: string, length: number): NvsEntry => nvsString('n', key, 'x'.repeat(length));
const integers = (count: number, prefix = 'k'): NvsEntry[] =>
  Array.from({ length: count }, (_, index) => u8(`${prefix}${index}`));

/** The code of the error, or `undefined` when there is none. */
function refusal(entries: NvsEntry[], size = 3 * PAGE, options?: NvsImageOptions): string | undefined {
  try {
    encodeNvs(entries, size, options);
    return undefined;
  } catch (error) {
    if (error instanceof FormatError) return error.code;
    throw error;
  }
}

const usedPages = (bytes: Uint8Array): number[] =>
  decodeNvs(bytes)
    .pages.map(({ written }) => written)
    .filter((written) => written > 0);

describe('what is refused', () => {
  const cases: [string, NvsEntry, string][] = [
    ['a namespace without a name', u8('k', 0, ''), 'nvs-bad-namespace'],
    ['a namespace of 16 bytes', u8('k', 0, 'sixteen_letters_'), 'nvs-bad-namespace'],
    ['a key without a name', u8(''), 'nvs-bad-key'],
    ['a key of 16 bytes in 8 letters', u8('äöüäöüäö'), 'nvs-bad-key'],
    ['a key with a NUL', u8('a\0b'), 'nvs-bad-key'],
    ['256 as u8', u8('k', 256), 'nvs-value-range'],
    ['-1 as u8', u8('k', -1), 'nvs-value-range'],
    ['a fraction', u8('k', 1.5), 'nvs-value-range'],
    ['no number', u8('k', Number.NaN), 'nvs-value-range'],
    ['128 as i8', { namespace: 'n', key: 'k', type: 'i8', value: 128 }, 'nvs-value-range'],
    ['2^32 as u32', { namespace: 'n', key: 'k', type: 'u32', value: 2 ** 32 }, 'nvs-value-range'],
    ['2^64 as u64', { namespace: 'n', key: 'k', type: 'u64', value: 2n ** 64n }, 'nvs-value-range'],
    ['2^63 as i64', { namespace: 'n', key: 'k', type: 'i64', value: 2n ** 63n }, 'nvs-value-range'],
    ['a string of 4000 bytes', text('k', 4000), 'nvs-value-too-long'],
    ['a blob of 508001 bytes', blob('k', 508_001), 'nvs-value-too-long'],
  ];
  it.each(cases)('%s', (_, entry, code) => {
    expect(refusal([entry])).toBe(code);
  });

  it('a key that is there twice, unless its types differ', () => {
    expect(refusal([u8('k', 1), u8('k', 2)])).toBe('nvs-duplicate-key');
    const both = [u8('k', 1), text('k', 5)];
    expect(decodeNvs(encodeNvs(both, 4 * PAGE))).toMatchObject({ verdict: 'ok', issues: [], entries: both });
  });

  it('sizes that are no row of pages, or too few to write to', () => {
    for (const size of [0, -PAGE, 100, PAGE + 1, Number.NaN]) expect(refusal([], size)).toBe('nvs-size');
    expect(refusal([], PAGE, { readOnly: false })).toBe('nvs-size');
    expect(refusal([], 2 * PAGE, { readOnly: false })).toBe('nvs-size');
    expect(refusal([], 2 * PAGE)).toBeUndefined();
  });

  it('values that version 1 cannot hold', () => {
    expect(refusal([text('k', 1983)], 3 * PAGE, { version: 1 })).toBeUndefined();
    expect(refusal([text('k', 1984)], 3 * PAGE, { version: 1 })).toBe('nvs-value-too-long');
    expect(refusal([blob('k', 1984)], 3 * PAGE, { version: 1 })).toBeUndefined();
    expect(refusal([blob('k', 1985)], 3 * PAGE, { version: 1 })).toBe('nvs-value-too-long');
  });

  it('the 255th namespace', () => {
    const namespaces = Array.from({ length: 255 }, (_, index) => `n${index}`);
    expect(refusal([], 8 * PAGE, { namespaces })).toBe('nvs-too-many-namespaces');
    expect(refusal([], 8 * PAGE, { namespaces: namespaces.slice(1) })).toBeUndefined();
  });
});

describe('room', () => {
  it('the last page stays blank, unless the partition is only read', () => {
    // One entry defines the namespace; two pages have 252.
    expect(usedPages(encodeNvs(integers(251), 3 * PAGE))).toEqual([126, 126]);
    expect(refusal(integers(252))).toBe('nvs-no-room');
    expect(usedPages(encodeNvs(integers(252), 3 * PAGE, { readOnly: true }))).toEqual([126, 126, 1]);
    expect(usedPages(encodeNvs(integers(251), 2 * PAGE))).toEqual([126, 126]);
    expect(isBlank(encodeNvs(integers(251), 3 * PAGE).subarray(2 * PAGE))).toBe(true);
  });

  it('a string that would end with the page goes to the next page, and stays where there is no other', () => {
    // 1 for the namespace, 121 integers, 4 for a string of 65 to 96 bytes: exactly 126.
    const entries = [...integers(121), text('s', 80)];
    expect(usedPages(encodeNvs(entries, 4 * PAGE))).toEqual([122, 4]);
    expect(usedPages(encodeNvs(entries, PAGE))).toEqual([126]);
    expect(refusal([...entries, u8('one-more')], PAGE)).toBe('nvs-no-room');
  });

  it('the longest string fills a page of its own', () => {
    const entries = [text('s', 3999), u8('k')];
    expect(usedPages(encodeNvs(entries, 5 * PAGE))).toEqual([1, 126, 1]);
    expect(decodeNvs(encodeNvs(entries, 5 * PAGE))).toMatchObject({ verdict: 'ok', entries });
  });

  it('a blob takes what room there is, to the last entry', () => {
    // 1 namespace + 1 chunk + 123 data + 1 index = 126
    expect(usedPages(encodeNvs([blob('b', 123 * 32)], 3 * PAGE))).toEqual([126]);
    expect(usedPages(encodeNvs([blob('b', 124 * 32)], 3 * PAGE))).toEqual([126, 1]);
    expect(usedPages(encodeNvs([blob('b', 124 * 32 + 1)], 3 * PAGE))).toEqual([126, 3]);
    expect(refusal([blob('b', 124 * 32)], PAGE)).toBe('nvs-no-room');
    expect(usedPages(encodeNvs([...integers(124), blob('b', 32)], 3 * PAGE))).toEqual([126, 3]);
  });

  it('empty values are values', () => {
    const entries = [text('s', 0), blob('b', 0)];
    expect(decodeNvs(encodeNvs(entries, 3 * PAGE))).toMatchObject({ verdict: 'ok', issues: [], entries });
  });

  it('what does not fit in its order is packed into the gaps', () => {
    // Six strings of 63 entries, each followed by an integer: in order only one fits a page.
    const entries = Array.from({ length: 6 }, (_, index) => [text(`s${index}`, 62 * 32 - 1), u8(`k${index}`)]).flat();
    const bytes = encodeNvs(entries, 5 * PAGE);
    expect(sortedEntries(decodeNvs(bytes).entries)).toEqual(sortedEntries(entries));
    expect(refusal(entries, 4 * PAGE)).toBe('nvs-no-room');
  });

  it('a blob has at most 127 pieces, so one of the largest size needs pages of its own', () => {
    const entry = blob('b', 507_000);
    const decoded = decodeNvs(encodeNvs([entry], 130 * PAGE));
    expect(decoded.issues).toEqual([]);
    // Not toEqual: comparing half a million elements one by one takes seconds.
    expect(equalBytes(decoded.entries[0]!.value as Uint8Array, entry.value as Uint8Array)).toBe(true);
    expect(refusal([blob('b', 508_000)], 130 * PAGE)).toBe('nvs-no-room');
  });

  it('what fills every page to its last entry fits in its order', () => {
    // 60 + 40 + 26 entries a page; the namespace takes one of the first.
    const spans = [60, 40, 25, 60, 40, 26, 60, 40, 26];
    const entries = spans.map((span, index) => text(`s${index}`, (span - 1) * 32 - 1));
    const bytes = encodeNvs(entries, 4 * PAGE);
    expect(usedPages(bytes)).toEqual([126, 126, 126]);
    expect(decodeNvs(bytes).entries).toEqual(entries);
    expect(refusal([...entries, u8('k')], 4 * PAGE)).toBe('nvs-no-room');
  });
});

describe('what is written', () => {
  it('namespaces without entries are there, in the order asked for', () => {
    const bytes = encodeNvs([u8('k', 1, 'c')], 3 * PAGE, { namespaces: ['a', 'b', 'c', 'd'] });
    expect(decodeNvs(bytes).namespaces.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('strings keep bytes that are no UTF-8, and a byte order mark', () => {
    const entries: NvsEntry[] = [
      { namespace: 'n', key: 'raw', type: 'string', value: Uint8Array.of(0xff, 0xc0, 0x41) },
      nvsString('n', 'mark', '\ufeffa'),
    ];
    const decoded = decodeNvs(encodeNvs(entries, 3 * PAGE)).entries;
    expect(decoded).toEqual(entries);
    expect(decoded[1]?.type === 'string' && nvsText(decoded[1])).toBe('\ufeffa');
  });

  it('any set of entries is read back as it was, or refused for lack of room', () => {
    let fitted = 0;
    fc.assert(
      fc.property(nvsEntries(40), fc.integer({ min: 3, max: 20 }), fc.boolean(), (entries, pages, readOnly) => {
        const code = refusal(entries, pages * PAGE, { readOnly });
        if (code !== undefined) {
          expect(code).toBe('nvs-no-room');
          return;
        }
        fitted++;
        const bytes = encodeNvs(entries, pages * PAGE, { readOnly });
        const decoded = decodeNvs(bytes);
        expect(bytes).toHaveLength(pages * PAGE);
        expect(decoded.issues.filter(({ code: issue }) => issue !== 'nvs-no-free-page')).toEqual([]);
        expect(decoded.verdict).toBe('ok');
        expect(sortedEntries(decoded.entries)).toEqual(sortedEntries(entries));
        if (!readOnly) expect(isBlank(bytes.subarray(-PAGE))).toBe(true);
      }),
      { numRuns: 200 },
    );
    expect(fitted).toBeGreaterThan(50);
  });
});
