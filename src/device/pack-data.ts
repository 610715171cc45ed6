/** Data on their way to the board: compressed where the loader takes that and it pays. */
import { type Clock } from '#clock.ts';
import { alignDown, alignUp, concatBytes } from '#formats/bytes.ts';
import { type CostMeter, type FlashCosts } from './flash-costs.ts';
import { BLOCK_SIZE, type FlashRange, SECTOR_SIZE } from './flash-memory.ts';
import { type LoaderFlash, type PackedData } from './loader-flash.ts';

/**
 * How much longer than the flash the line may take for the same bytes, and a stream is still better that is no shorter: while the stub
 * inflates it erases ahead, of plain data it erases only what it needs at once.
 */
const STREAM_PAYS = 1.6;

/** Bytes that the stub inflates before it writes them. */
const WINDOW = 0x8000;

/** Compresses in another thread, so that it can go on while something else is sent. */
export async function packData(
  { clock, flash, meter }: { clock: Clock; flash: Pick<LoaderFlash, 'inflates'>; meter: Pick<CostMeter, 'costs'> },
  { offset, data }: { offset: number; data: Uint8Array<ArrayBuffer> },
): Promise<PackedData> {
  if (!flash.inflates) return { length: data.length, body: data, compressed: false };
  const packed = await clock.outside(deflate(data));
  const compressed = packed.length < data.length || streamPays(meter.costs, { offset, length: data.length });
  return { length: data.length, body: compressed ? packed : data, compressed };
}

/**
 * The bytes as a zlib stream, made outside of the thread. A `Response` would gather the pieces as well, but Node takes 20 ms to load it, and all
 * waits for that.
 */
export async function deflate(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([data]).stream().pipeThrough(new CompressionStream('deflate')).getReader();
  const pieces: Uint8Array[] = [];
  for (let next = await reader.read(); !next.done; next = await reader.read()) pieces.push(next.value);
  return concatBytes(...pieces);
}

/**
 * Whether a stream is better that is no shorter: where the flash takes longer than the line for the same bytes, or longer by more for the
 * sectors at both ends, which are erased one by one, than for the last window at the end.
 */
function streamPays({ wire, program, eraseBlock, eraseSector }: FlashCosts, { offset, length }: FlashRange): boolean {
  if (wire < STREAM_PAYS * (program + eraseBlock / BLOCK_SIZE)) return true;
  const single = length - Math.max(0, alignDown(offset + length, BLOCK_SIZE) - alignUp(offset, BLOCK_SIZE));
  return single * (eraseSector / SECTOR_SIZE + program - wire) > WINDOW * program;
}
