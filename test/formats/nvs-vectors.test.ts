import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toHex } from '#formats/bytes.ts';
import { FormatError } from '#formats/format-error.ts';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { nvsText, type NvsEntry } from '#formats/nvs/nvs.ts';
import { entriesOfCsv, type NvsFixtureItem, nvsFixtureBytes, nvsFixtureFiles, nvsManifest } from './nvs-fixtures.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An entry in the words of the manifest, as far as the manifest goes. */
function describeEntry(entry: NvsEntry, like: NvsFixtureItem): Partial<NvsFixtureItem> {
  const { namespace, key, type } = entry;
  if (entry.type === 'string') {
    const size = entry.value.length + 1;
    if (like.value_sha256 !== undefined) return { namespace, key, type, size, value_sha256: sha256(entry.value) };
    return { namespace, key, type, size, value: nvsText(entry) };
  }
  if (entry.type === 'blob') {
    const size = entry.value.length;
    if (like.hex !== undefined) return { namespace, key, type, size, hex: toHex(entry.value) };
    return { namespace, key, type, size, sha256: sha256(entry.value) };
  }
  return { namespace, key, type, value: String(entry.value) };
}

describe('reading images of the NVS partition generator', () => {
  for (const { id, image, encrypted, expected } of nvsManifest.images) {
    it(`${id}: ${encrypted ? 'is recognised as encrypted' : 'has the pages, namespaces and items of the tool'}`, () => {
      const decoded = decodeNvs(nvsFixtureBytes(image));
      const pages = decoded.pages
        .map(({ state, sequence, version }, index) => ({ index, state: state.toUpperCase(), seq: sequence, version }))
        .filter(({ state }) => state !== 'BLANK');
      expect(pages).toEqual(expected.pages.map(({ index, state, seq, version }) => ({ index, state, seq, version })));
      expect(decoded.pages.filter(({ state }) => state === 'blank')).toHaveLength(expected.blank_pages.length);
      expect(decoded.pages.map(({ written }) => written).filter((written) => written > 0)).toEqual(
        expected.pages.map(({ used }) => used),
      );
      if (encrypted) {
        expect(decoded.verdict).toBe('encrypted');
        expect(decoded.entries).toEqual([]);
        expect(decoded.issues.map(({ code }) => code)).toEqual(['nvs-encrypted']);
        return;
      }
      expect(decoded.verdict).toBe('ok');
      expect(decoded.issues).toEqual([]);
      expect(Object.fromEntries(decoded.namespaces.map(({ index, name }) => [index, name]))).toEqual(
        expected.namespaces,
      );
      const items = expected.items.toSorted((a, b) => a.page - b.page || a.entry - b.entry);
      expect(decoded.entries).toHaveLength(items.length);
      for (const [index, item] of items.entries()) {
        expect(item).toMatchObject(describeEntry(decoded.entries[index]!, item));
      }
    });
  }
});

describe('writing what the NVS partition generator wrote', () => {
  for (const { id, image, inputs, expected } of nvsManifest.images) {
    if (!inputs) continue;
    it(`${id}: gives the same bytes`, () => {
      const version = expected.pages[0]!.version as 1 | 2;
      const bytes = encodeNvs(entriesOfCsv(inputs[0]!), expected.size, { version });
      expect(toHex(bytes)).toBe(toHex(nvsFixtureBytes(image)));
    });
  }

  for (const { id, image, encrypted, expected } of nvsManifest.images) {
    // Its namespace k has the number 9, which no writer gives to the first of two.
    if (encrypted || id === 'nvs-no-namespace') continue;
    it(`${id}: read and written again is the same`, () => {
      const original = nvsFixtureBytes(image);
      const { entries, namespaces } = decodeNvs(original);
      const names = namespaces.map(({ name }) => name);
      const version = expected.pages[0]!.version as 1 | 2;
      expect(toHex(encodeNvs(entries, expected.size, { version, namespaces: names }))).toBe(toHex(original));
    });
  }
});

const REFUSALS: Record<string, string> = {
  'nvs-bad-key-long': 'nvs-bad-key',
  'nvs-bad-blob-v1-long': 'nvs-value-too-long',
  'nvs-bad-u8-range': 'nvs-value-range',
  'nvs-bad-size-align': 'nvs-size',
  'nvs-bad-blob-too-much': 'nvs-no-room',
};

describe('inputs that the NVS partition generator refuses', () => {
  for (const { id, command, input } of nvsManifest.refused) {
    const size = Number(/ (0x[0-9a-f]+)/.exec(command)?.[1]);
    const version = command.includes('--version 1') ? 1 : 2;
    if (id === 'nvs-bad-string-3999') {
      it(`${id}: is written nevertheless, for only the tool cannot`, () => {
        const entries = entriesOfCsv(input);
        expect(decodeNvs(encodeNvs(entries, size))).toMatchObject({ verdict: 'ok', entries });
      });
      continue;
    }
    it(`${id}: is refused`, () => {
      expect(() => encodeNvs(entriesOfCsv(input), size, { version })).toThrow(FormatError);
      expect(() => encodeNvs(entriesOfCsv(input), size, { version })).toThrow(
        expect.objectContaining({ code: REFUSALS[id] }) as Error,
      );
    });
  }
});

it('uses every file of the fixtures', () => {
  const used = nvsManifest.images.flatMap(({ image, inputs }) => [image, ...(inputs ?? [])]);
  const refused = nvsManifest.refused.map(({ input }) => input);
  expect(nvsFixtureFiles().toSorted()).toEqual(
    [...new Set([...used, ...refused, 'README.md', 'manifest.json'])].toSorted(),
  );
});
