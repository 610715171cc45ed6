/** The compressor that the peers bring with them. */
import { createRequire } from 'node:module';

type Deflate = (data: Uint8Array, options: { level: number }) => Uint8Array;

/** The `deflate` that a package compresses with: pako, a dependency of its own. */
export function deflateOf(packageName: string): Deflate {
  const ours = createRequire(import.meta.url);
  const theirs = createRequire(ours.resolve(packageName));
  return (theirs('pako') as { deflate: Deflate }).deflate;
}
