/** The block of the flash that a probe measures in: chosen, saved, put back. */
import { md5OfBlank } from '#device/blank-digest.ts';
import { BLOCK_SIZE, type FlashMemory } from '#device/flash-memory.ts';

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
    if (await isBlankBlock(flash, offset)) return { offset, size: BLOCK_SIZE, isBlank: true };
  }
  return { offset: last, size: BLOCK_SIZE, isBlank: false };
}

/** What was in the block, until it is there again: also on a later connection, when the board was lost in between. */
export class Scratch {
  readonly place: ScratchPlace;
  /** The block may hold something else than it did. */
  touched = false;
  #before: Uint8Array | undefined;

  constructor(place: ScratchPlace) {
    this.place = place;
  }

  /** Whether nothing was in it when it was saved. */
  get wasBlank(): boolean {
    return this.#before === undefined;
  }

  /** Reads what is there; to be called before anything is written. */
  async save(flash: FlashMemory, signal?: AbortSignal): Promise<void> {
    const { offset, size } = this.place;
    this.#before = (await isBlankBlock(flash, offset)) ? undefined : await flash.read(offset, size, { signal });
  }

  /** Puts back what was there, if it is not. */
  async putBack(flash: FlashMemory): Promise<void> {
    if (!this.touched) return;
    const { offset, size } = this.place;
    if (this.#before) await flash.write(offset, this.#before);
    else await flash.erase(offset, size);
    this.touched = false;
  }
}

const isBlankBlock = async (flash: FlashMemory, offset: number): Promise<boolean> =>
  (await flash.md5(offset, BLOCK_SIZE)) === md5OfBlank(BLOCK_SIZE);
