import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignUp, concatBytes, padBytes, writeU32 } from '#formats/bytes.ts';
import { crc32 } from '#formats/crc32.ts';
import { entryCrc, entryOffset, NvsPageBuilder } from '#formats/nvs/nvs-page.ts';
import { decodeNvs, type DecodedNvs, isNvsLoss } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { ITEM_TYPE, nvsString, type NvsEntry } from '#formats/nvs/nvs.ts';
import { nvsFixtureBytes, nvsManifest } from './nvs-fixtures.ts';

const PAGE = 0x1000;
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const u8 = (namespace: string, key: string, value: number): NvsEntry => ({ namespace, key, type: 'u8', value });
const codes = ({ issues }: DecodedNvs): string[] => issues.map(({ code }) => code);

const STATE_BITS = { empty: 3, written: 2, illegal: 1, erased: 0 };

/** Sets an entry's two bits in the bitmap of the page at `page`. */
function mark(image: Uint8Array, entry: number, state: keyof typeof STATE_BITS, page = 0): void {
  const at = page + 32 + (entry >> 2);
  const shift = (entry & 3) * 2;
  image[at] = (image[at]! & ~(3 << shift)) | (STATE_BITS[state] << shift);
}

/** Changes bytes of an entry and makes its CRC right again. */
function patchEntry(image: Uint8Array, entry: number, bytes: Record<number, number>): void {
  const target = image.subarray(entryOffset(entry), entryOffset(entry + 1));
  for (const [at, value] of Object.entries(bytes)) target[Number(at)] = value;
  writeU32(target, 4, entryCrc(target));
}

/** Changes bytes of a page header and makes its CRC right again. */
function patchHeader(image: Uint8Array, page: number, bytes: Record<number, number>): void {
  for (const [at, value] of Object.entries(bytes)) image[page + Number(at)] = value;
  writeU32(image, page + 28, crc32(image.subarray(page + 4, page + 28)));
}

/** A page of the namespace `n` (number 1), if told so, and of small items by key and value. */
function page(items: [string, number][], { namespace = false, type = ITEM_TYPE.u8 } = {}): NvsPageBuilder {
  const builder = new NvsPageBuilder();
  const add = (namespaceIndex: number, key: string, value: number, itemType: number): void =>
    builder.addSmall({ namespaceIndex, type: itemType, key: ascii(key), data: Uint8Array.of(value) }, '');
  if (namespace) add(0, 'n', 1, ITEM_TYPE.u8);
  for (const [key, value] of items) add(1, key, value, type);
  return builder;
}

const image = (...pages: Uint8Array[]): Uint8Array => padBytes(concatBytes(...pages), 4 * PAGE);

describe('verdicts', () => {
  it('an erased partition of any size is blank', () => {
    for (const size of [0, 100, PAGE, 5 * PAGE]) {
      expect(decodeNvs(new Uint8Array(size).fill(0xff))).toMatchObject({ verdict: 'blank', entries: [], issues: [] });
    }
  });

  it('an initialised partition without entries is no blank one', () => {
    expect(decodeNvs(encodeNvs([], 3 * PAGE))).toMatchObject({ verdict: 'ok', entries: [], issues: [] });
  });

  it('what is no NVS at all is damaged, page by page', () => {
    const decoded = decodeNvs(new Uint8Array(2 * PAGE));
    expect(decoded.verdict).toBe('damaged');
    expect(codes(decoded)).toEqual(['nvs-page-corrupt', 'nvs-page-corrupt']);
  });

  it('a later format version is told, and pages of known versions are read', () => {
    const bytes = image(
      page([['a', 1]], { namespace: true }).finish('full', 0, 2),
      page([['b', 2]]).finish('active', 1, 2),
    );
    patchHeader(bytes, PAGE, { 8: 0xfd });
    const decoded = decodeNvs(bytes);
    expect(decoded.verdict).toBe('newer-version');
    expect(decoded.pages[1]).toMatchObject({ version: 3 });
    expect(decoded.entries).toEqual([u8('n', 'a', 1)]);
  });

  it('one broken header in a tiny partition is damage, not encryption', () => {
    const bytes = encodeNvs([u8('n', 'a', 1)], 3 * PAGE);
    bytes[entryOffset(0) + 24]! ^= 1;
    bytes[entryOffset(1) + 24]! ^= 1;
    const decoded = decodeNvs(bytes);
    expect(decoded.verdict).toBe('damaged');
    expect(codes(decoded)).toEqual(['nvs-entry-crc']);
  });

  it('bytes after the last whole page are reported unless they are blank', () => {
    const bytes = encodeNvs([u8('n', 'a', 1)], 3 * PAGE);
    expect(decodeNvs(padBytes(bytes, bytes.length + 10))).toMatchObject({ verdict: 'ok', issues: [] });
    expect(codes(decodeNvs(padBytes(bytes, bytes.length + 10, 0)))).toEqual(['nvs-size']);
  });
});

describe('damage is skipped and reported where it is', () => {
  const entries = [u8('n', 'a', 1), nvsString('n', 's', 'x'.repeat(100)), u8('n', 'b', 2)];
  const fresh = (): Uint8Array => encodeNvs(entries, 3 * PAGE);

  it('a wrong CRC of a header takes that item, and its value counts as one place', () => {
    const bytes = fresh();
    bytes[entryOffset(2) + 9]! ^= 1;
    const decoded = decodeNvs(bytes);
    expect(decoded.entries).toEqual([entries[0], entries[2]]);
    expect(decoded.issues).toMatchObject([{ code: 'nvs-entry-crc', place: { offset: entryOffset(2) } }]);
    expect(decoded.verdict).toBe('damaged');
  });

  it('a wrong CRC of a value takes that value', () => {
    const bytes = fresh();
    bytes[entryOffset(4)]! ^= 1;
    const decoded = decodeNvs(bytes);
    expect(decoded.entries).toEqual([entries[0], entries[2]]);
    expect(decoded.issues).toMatchObject([{ code: 'nvs-data-crc', place: { offset: entryOffset(2) } }]);
  });

  it.each([
    ['an unknown type', { 1: 0x77 }, 'nvs-unknown-type'],
    ['a span that does not fit the size', { 2: 9 }, 'nvs-bad-span'],
    ['a span of nothing', { 2: 0 }, 'nvs-bad-span'],
    ['a key without an end', Object.fromEntries(Array.from({ length: 16 }, (_, i) => [8 + i, 0x41])), 'nvs-bad-key'],
    ['a key that is no UTF-8', { 8: 0xff }, 'nvs-bad-key'],
    ['a namespace that nobody defined', { 0: 9 }, 'nvs-unknown-namespace'],
  ])('%s is reported', (_, bytes, code) => {
    const broken = fresh();
    patchEntry(broken, 1, bytes);
    const decoded = decodeNvs(broken);
    expect(codes(decoded)).toContain(code);
    expect(decoded.verdict).toBe('damaged');
    expect(decoded.entries).not.toContainEqual(entries[0]);
  });

  it('a page with a broken header, or marked as corrupt, loses what is in it', () => {
    for (const at of [0, 5, 8, 28]) {
      const bytes = fresh();
      bytes[at]! ^= 0x10;
      expect(codes(decodeNvs(bytes))).toEqual(['nvs-page-corrupt']);
    }
    const marked = fresh();
    writeU32(marked, 0, 0xffff_fff0);
    expect(codes(decodeNvs(marked))).toEqual(['nvs-page-corrupt']);
  });

  it('a page that says blank and is not is corrupt', () => {
    const bytes = fresh();
    bytes[PAGE + 100] = 0;
    expect(decodeNvs(bytes)).toMatchObject({ verdict: 'damaged', entries, issues: [{ place: { offset: PAGE } }] });
  });

  it('a blob without one of its chunks is left out', () => {
    const bytes = encodeNvs([{ namespace: 'n', key: 'b', type: 'blob', value: new Uint8Array(6000) }], 4 * PAGE);
    mark(bytes, 0, 'erased', PAGE);
    const decoded = decodeNvs(bytes);
    expect(decoded.entries).toEqual([]);
    expect(codes(decoded)).toContain('nvs-blob-incomplete');
    expect(decoded.verdict).toBe('damaged');
  });

  it('a namespace stays without its entries', () => {
    const bytes = fresh();
    for (let entry = 1; entry < 8; entry++) mark(bytes, entry, 'erased');
    expect(decodeNvs(bytes)).toMatchObject({ verdict: 'ok', entries: [], namespaces: [{ index: 1, name: 'n' }] });
  });
});

describe('traces of a power failure are no damage', () => {
  it('an entry that was not marked as written yet does not count', () => {
    const bytes = encodeNvs([u8('n', 'a', 1), u8('n', 'b', 2)], 3 * PAGE);
    mark(bytes, 2, 'empty');
    const decoded = decodeNvs(bytes);
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [u8('n', 'a', 1)] });
    expect(codes(decoded)).toEqual(['nvs-interrupted-write']);
  });

  it('a string that was written halfway does not count', () => {
    const bytes = encodeNvs([u8('n', 'a', 1), nvsString('n', 's', 'x'.repeat(60))], 3 * PAGE);
    mark(bytes, 4, 'empty');
    bytes.fill(0xff, entryOffset(4), entryOffset(5));
    const decoded = decodeNvs(bytes);
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [u8('n', 'a', 1)] });
    expect(codes(decoded)).toEqual(['nvs-interrupted-write']);
  });

  it('a whole value with a hole in the bitmap is kept, unless there is a better copy', () => {
    const bytes = encodeNvs([nvsString('n', 's', 'x'.repeat(60))], 3 * PAGE);
    mark(bytes, 3, 'erased');
    const decoded = decodeNvs(bytes);
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [nvsString('n', 's', 'x'.repeat(60))] });
    expect(codes(decoded)).toEqual(['nvs-partial-item']);
  });

  it('in the page that is written to, the later copy counts', () => {
    const bytes = image(
      page(
        [
          ['a', 1],
          ['b', 5],
          ['a', 2],
        ],
        { namespace: true },
      ).finish('active', 0, 2),
    );
    const decoded = decodeNvs(bytes);
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [u8('n', 'b', 5), u8('n', 'a', 2)] });
    expect(codes(decoded)).toEqual(['nvs-duplicate']);
  });

  it('the very last item replaces an earlier copy in another page', () => {
    const full = page(
      [
        ['a', 1],
        ['b', 1],
      ],
      { namespace: true },
    ).finish('full', 0, 2);
    const decoded = decodeNvs(
      image(
        full,
        page([
          ['b', 2],
          ['a', 2],
        ]).finish('active', 1, 2),
      ),
    );
    expect(decoded.entries).toEqual([u8('n', 'b', 1), u8('n', 'a', 2)]);
  });

  it('pages count in the order of their sequence numbers', () => {
    const first = page(
      [
        ['a', 1],
        ['b', 1],
      ],
      { namespace: true },
    ).finish('full', 7, 2);
    const last = page([['c', 2]]).finish('active', 9, 2);
    const middle = page([['a', 3]]).finish('full', 8, 2);
    const decoded = decodeNvs(image(last, middle, first));
    expect(decoded.entries).toEqual([u8('n', 'a', 1), u8('n', 'b', 1), u8('n', 'c', 2)]);
  });

  it('what was copied from a page that is being freed counts once', () => {
    const freeing = page(
      [
        ['a', 1],
        ['b', 2],
      ],
      { namespace: true },
    ).finish('full', 0, 2);
    writeU32(freeing, 0, 0xffff_fff8);
    const copy = page([['a', 1]], { namespace: true }).finish('active', 1, 2);
    const decoded = decodeNvs(image(freeing, copy));
    expect(decoded).toMatchObject({
      verdict: 'ok',
      entries: expect.arrayContaining([u8('n', 'a', 1), u8('n', 'b', 2)]) as [],
    });
    expect(decoded.entries).toHaveLength(2);
    expect(codes(decoded).filter((code) => code !== 'nvs-duplicate')).toEqual(['nvs-page-freeing']);
  });

  it('chunks without an index are no blob', () => {
    const builder = page([['a', 1]], { namespace: true });
    builder.addLarge(
      { namespaceIndex: 1, type: ITEM_TYPE.blobChunk, chunkIndex: 0x80, key: ascii('b') },
      ascii('lost'),
    );
    const decoded = decodeNvs(image(builder.finish('active', 0, 2)));
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [u8('n', 'a', 1)] });
    expect(codes(decoded)).toEqual(['nvs-orphan-chunk']);
  });

  it('no blank page left is told, because firmware refuses such a partition', () => {
    const pages = (['full', 'full', 'active'] as const).map((state, index) => page([]).finish(state, index, 2));
    expect(decodeNvs(concatBytes(...pages))).toMatchObject({ verdict: 'ok', issues: [{ code: 'nvs-no-free-page' }] });
  });

  it('pages that are numbered as no firmware does are told', () => {
    const order = (...pages: ['full' | 'active', number][]): string[] =>
      codes(decodeNvs(image(...pages.map(([state, sequence]) => page([]).finish(state, sequence, 2)))));
    expect(order(['active', 0], ['full', 1])).toEqual(['nvs-page-order']);
    expect(order(['active', 0], ['active', 1])).toEqual(['nvs-page-order']);
    expect(order(['full', 1], ['active', 1])).toEqual(['nvs-page-order']);
    expect(order(['active', 7], ['full', 3])).toEqual([]);
  });
});

describe('formats of the firmware that the generator does not write', () => {
  const blob = (key: string, text: string): NvsEntry => ({ namespace: 'n', key, type: 'blob', value: ascii(text) });
  const index = (size: number, [count, start]: [number, number]): Uint8Array =>
    Uint8Array.of(size, 0, 0, 0, count, start, 255, 255);

  it('a blob of the second generation begins with chunk 0x80', () => {
    const builder = page([], { namespace: true });
    const chunk = { namespaceIndex: 1, type: ITEM_TYPE.blobChunk, key: ascii('b') };
    builder.addLarge({ ...chunk, chunkIndex: 0x80 }, ascii('one'));
    builder.addLarge({ ...chunk, chunkIndex: 0x81 }, ascii('two'));
    builder.addSmall({ ...chunk, type: ITEM_TYPE.blobIndex, data: index(6, [2, 0x80]) }, '');
    expect(decodeNvs(image(builder.finish('active', 0, 2)))).toMatchObject({
      issues: [],
      entries: [blob('b', 'onetwo')],
    });
  });

  it('a blob in one piece is read in pages of both versions, and counts after one with an index', () => {
    for (const version of [1, 2] as const) {
      const builder = page([], { namespace: true });
      const item = { namespaceIndex: 1, key: ascii('b') };
      builder.addLarge({ ...item, type: ITEM_TYPE.oldBlob }, ascii('old'));
      expect(decodeNvs(image(builder.finish('active', 0, version))).entries).toEqual([blob('b', 'old')]);
      builder.addLarge({ ...item, type: ITEM_TYPE.blobChunk, chunkIndex: 0 }, ascii('new'));
      builder.addSmall({ ...item, type: ITEM_TYPE.blobIndex, data: index(3, [1, 0]) }, '');
      expect(decodeNvs(image(builder.finish('active', 0, version))).entries).toEqual([blob('b', 'new')]);
    }
  });

  it('an empty blob is a blob', () => {
    const builder = page([], { namespace: true });
    builder.addSmall({ namespaceIndex: 1, type: ITEM_TYPE.blobIndex, key: ascii('b'), data: index(0, [0, 0]) }, '');
    expect(decodeNvs(image(builder.finish('active', 0, 2)))).toMatchObject({ verdict: 'ok', entries: [blob('b', '')] });
  });

  it('a string without its NUL is kept whole', () => {
    const builder = page([], { namespace: true });
    builder.addLarge({ namespaceIndex: 1, type: ITEM_TYPE.string, key: ascii('s') }, ascii('abc'));
    const decoded = decodeNvs(image(builder.finish('active', 0, 2)));
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [nvsString('n', 's', 'abc')] });
    expect(codes(decoded)).toEqual(['nvs-string-end']);
  });

  it('two types under one key are two entries', () => {
    const builder = page([['k', 1]], { namespace: true });
    builder.addLarge({ namespaceIndex: 1, type: ITEM_TYPE.string, key: ascii('k') }, ascii('abc\0'));
    expect(decodeNvs(image(builder.finish('full', 0, 2))).entries).toEqual([
      u8('n', 'k', 1),
      nvsString('n', 'k', 'abc'),
    ]);
  });

  it('two namespaces of one number both have its entries', () => {
    const builder = page([], { namespace: true });
    builder.addSmall({ namespaceIndex: 0, type: ITEM_TYPE.u8, key: ascii('m'), data: Uint8Array.of(1) }, '');
    builder.addSmall({ namespaceIndex: 1, type: ITEM_TYPE.u8, key: ascii('a'), data: Uint8Array.of(7) }, '');
    const decoded = decodeNvs(image(builder.finish('active', 0, 2)));
    expect(decoded).toMatchObject({ verdict: 'ok', entries: [u8('n', 'a', 7), u8('m', 'a', 7)] });
    expect(codes(decoded)).toEqual(['nvs-shared-namespace']);
  });

  it('a namespace numbered 0 or 255, or of another type, is none', () => {
    const patches: Record<number, number>[] = [{ 24: 0 }, { 24: 255 }, { 1: 0x11 }];
    for (const patch of patches) {
      const bytes = encodeNvs([], 3 * PAGE, { namespaces: ['n'] });
      patchEntry(bytes, 0, patch);
      const decoded = decodeNvs(bytes);
      expect(decoded.namespaces).toEqual([]);
      expect(codes(decoded)).toEqual(['nvs-bad-namespace']);
    }
  });
});

describe('robustness', () => {
  const plain = nvsManifest.images.filter(({ encrypted }) => !encrypted).map(({ image: name }) => name);

  it('any flipped bit is survived; what is lost is reported unless the bit says that it was erased', () => {
    for (const name of ['wifi-explicit-65.bin', 'blob-5000.bin', 'string-skips-page.bin']) {
      const whole = nvsFixtureBytes(name);
      const used = whole.findLastIndex((byte) => byte !== 0xff) + 1;
      const original = whole.subarray(0, alignUp(used, PAGE));
      const before = decodeNvs(original).entries;
      for (let bit = 0; bit < used * 8; bit += name === 'wifi-explicit-65.bin' ? 1 : 13) {
        const bytes = original.slice();
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const decoded = decodeNvs(bytes);
        const inBitmap = ((bit >> 3) & 0xfff) >= 32 && ((bit >> 3) & 0xfff) < 64;
        const kept = decoded.entries.length === before.length;
        expect(kept || inBitmap || decoded.verdict !== 'ok', `bit ${bit} of ${name}`).toBe(true);
      }
    }
  });

  it('never throws, and never calls damaged what it reads without loss, whatever is overwritten', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...plain),
        fc.array(fc.tuple(fc.nat(0x5fff), fc.uint8Array({ minLength: 1, maxLength: 64 })), { maxLength: 6 }),
        (name, writes) => {
          const bytes = nvsFixtureBytes(name);
          for (const [at, data] of writes) {
            const start = at % bytes.length;
            bytes.set(data.subarray(0, bytes.length - start), start);
          }
          const decoded = decodeNvs(bytes);
          expect(decoded.verdict === 'damaged').toBe(
            decoded.issues.some(isNvsLoss) && !['newer-version', 'encrypted'].includes(decoded.verdict),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('tells as many issues as there are, of a file as large as a whole flash', () => {
    const full = new NvsPageBuilder().finish('full', 0, 2);
    // Entries that are illegal and written in turn, so that no two issues can be told as one.
    for (let entry = 0; entry < 126; entry++) mark(full, entry, entry % 2 === 0 ? 'illegal' : 'written');
    const pages = 1200;
    const readable = encodeNvs([u8('n', 'a', 1)], PAGE);
    const decoded = decodeNvs(concatBytes(readable, ...Array.from({ length: pages }, () => full)));
    expect(decoded.issues.filter(({ code }) => code === 'nvs-entry-state')).toHaveLength(pages * 63);
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2 * PAGE }), (bytes) => {
        expect(decodeNvs(bytes).entries).toEqual([]);
      }),
    );
  });
});
