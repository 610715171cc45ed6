/** The block of the flash that a probe measures in, and what is around it. */
import { md5OfBlank } from '#device/blank-digest.ts';
import { BLOCK_SIZE, type FlashMemory } from '#device/flash-memory.ts';
import { commonRanges, type FlashLayout, flashRegions } from './flash-regions.ts';
import { type KeptPart } from './kept-guard.ts';

/** A flash of which perhaps not all can be reached. */
export interface ReachableFlash extends FlashMemory {
  /** Bytes from 0 that can be worked on. */
  readonly reach: number;
}

export interface ScratchPlace {
  offset: number;
  /** Bytes. */
  size: number;
  /** Nothing is in it. */
  isBlank: boolean;
}

/**
 * The last block of 64 KiB that is blank, else the last of all. Changes nothing, and is stopped between two digests and never within one.
 *
 * @throws {DeviceError} when the board or the cable fails.
 * @throws {DOMException} `AbortError` when `signal` aborts.
 */
export async function findScratch(flash: ReachableFlash, signal?: AbortSignal): Promise<ScratchPlace> {
  const last = flash.reach - BLOCK_SIZE;
  for (let offset = last; offset > flash.reach / 2; offset -= BLOCK_SIZE) {
    signal?.throwIfAborted();
    const isBlank = (await flash.md5(offset, BLOCK_SIZE)) === md5OfBlank(BLOCK_SIZE);
    if (isBlank) return { offset, size: BLOCK_SIZE, isBlank };
  }
  return { offset: last, size: BLOCK_SIZE, isBlank: false };
}

/** All of the flash but the block, by the names of its parts: measuring leaves it as it is. */
export function partsAround(
  layout: FlashLayout,
  { offset, size }: Pick<ScratchPlace, 'offset' | 'size'>,
  reach: number,
): KeptPart[] {
  const end = offset + size;
  const around = [
    { offset: 0, length: offset },
    { offset: end, length: reach - end },
  ];
  return flashRegions(layout).flatMap(({ label, ...region }) =>
    commonRanges([region], around).map((range) => ({ ...range, label })),
  );
}
