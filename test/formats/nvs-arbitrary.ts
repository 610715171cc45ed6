/** Random NVS entries for property tests. */
import fc from 'fast-check';
import { type NvsEntry } from '#formats/nvs/nvs.ts';

const name = fc.stringMatching(/^[a-z0-9._]{1,15}$/);
const namespace = fc.constantFrom('wifi', 'nvs.net80211', 'cfg', 'a', 'fifteen.letters');

const value = fc.oneof(
  ...(['u8', 'i8', 'u16', 'i16', 'u32', 'i32'] as const).map((type) => {
    const bits = Number(type.slice(1));
    const range = type.startsWith('u')
      ? { min: 0, max: 2 ** bits - 1 }
      : { min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 };
    return fc.record({ type: fc.constant(type), value: fc.integer(range) });
  }),
  fc.record({ type: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ type: fc.constant('i64' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ type: fc.constant('string' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ type: fc.constantFrom('string' as const, 'blob' as const), value: bytesOfLength(3999) }),
  fc.record({ type: fc.constant('blob' as const), value: bytesOfLength(9000) }),
);

/** Long values from a length and a seed: drawing every byte would be slow. */
function bytesOfLength(maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.integer({ min: 0, max: maxLength }), fc.nat(255))
    .map(([length, seed]) => Uint8Array.from({ length }, (_, index) => (seed + index * 7) & 0xff));
}

const entry: fc.Arbitrary<NvsEntry> = fc
  .tuple(fc.record({ namespace, key: name }), value)
  .map(([place, typed]) => ({ ...place, ...typed }));

export const nvsEntry = entry;

/** Sets of entries, each key at most once of a type. */
export const nvsEntries = (maxLength: number): fc.Arbitrary<NvsEntry[]> =>
  fc.uniqueArray(entry, { maxLength, selector: ({ namespace: owner, key, type }) => `${owner}/${key}/${type}` });

/** As a set: the order in an image is the writer's choice. */
export const sortedEntries = (entries: readonly NvsEntry[]): NvsEntry[] => {
  const order = ({ namespace: owner, key, type }: NvsEntry): string => `${owner}/${key}/${type}`;
  return entries.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
};
