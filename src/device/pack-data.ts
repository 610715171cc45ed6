/** Data on their way to the board: compressed where the loader takes that and it pays. */
import { type Clock } from '#clock.ts';
import { type CostMeter } from './flash-costs.ts';
import { BLOCK_SIZE } from './flash-memory.ts';
import { type LoaderFlash, type PackedData } from './loader-flash.ts';

/**
 * How much longer than the flash the line may take for the same bytes, and a stream is still better that is no shorter: while the stub
 * inflates it erases ahead, of plain data it erases only what it needs at once.
 */
const STREAM_PAYS = 1.6;

/** Compresses in another thread, so that it can go on while something else is sent. */
export async function packData(
  { clock, flash, meter }: { clock: Clock; flash: Pick<LoaderFlash, 'inflates'>; meter: Pick<CostMeter, 'costs'> },
  data: Uint8Array<ArrayBuffer>,
): Promise<PackedData> {
  if (!flash.inflates) return { length: data.length, body: data, compressed: false };
  const stream = new Blob([data]).stream().pipeThrough(new CompressionStream('deflate'));
  const packed = new Uint8Array(await clock.outside(new Response(stream).arrayBuffer()));
  const { wire, program, eraseBlock } = meter.costs;
  const isFast = wire < STREAM_PAYS * (program + eraseBlock / BLOCK_SIZE);
  const compressed = packed.length < data.length || isFast;
  return { length: data.length, body: compressed ? packed : data, compressed };
}
