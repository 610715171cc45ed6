/** Data on their way to the board: compressed where the loader takes that and it pays. */
import { type Clock } from '#clock.ts';
import { type LoaderFlash, type PackedData } from './loader-flash.ts';

/** Compresses in another thread, so that it can go on while something else is sent. */
export async function packData(
  { clock, flash }: { clock: Clock; flash: Pick<LoaderFlash, 'inflates'> },
  data: Uint8Array<ArrayBuffer>,
): Promise<PackedData> {
  if (!flash.inflates) return { length: data.length, body: data, compressed: false };
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream('deflate'));
  const packed = new Uint8Array(await clock.outside(new Response(stream).arrayBuffer()));
  const compressed = packed.length < data.length;
  return { length: data.length, body: compressed ? packed : data, compressed };
}
