/** Files as somebody could pack them. */
import fc from 'fast-check';
import { clashingNames } from '#formats/data/asset-names.ts';
import { type AssetFile } from '#formats/data/assets.ts';

const part = fc.stringMatching(/^[a-zA-Z0-9_.-]{0,3}[a-z]$/);
const name = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });

/** One to twelve files whose names have less than 16 bytes. */
export const assetFiles: fc.Arbitrary<AssetFile[]> = fc
  .array(fc.record({ name, bytes }), { minLength: 1, maxLength: 12 })
  .map((files) => {
    const clashes = new Set(clashingNames(files.map((file) => file.name)));
    return files.filter((_, index) => !clashes.has(index));
  })
  // A folder can come after a file of its name; then one of them is left out too.
  .filter((files) => clashingNames(files.map((file) => file.name)).length === 0);
