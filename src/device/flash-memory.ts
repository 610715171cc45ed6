/** Flash as the workflows see it: a live chip, a backup in memory, a file. All offsets and lengths are bytes. */
import { type FlashCosts } from './flash-costs.ts';

/** How far a job is, in bytes that are done for good (acknowledged, not merely sent). */
export interface Progress {
  done: number;
  total: number;
}

export interface JobOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface WriteOptions extends JobOptions {
  /** False leaves it to the caller to compare digests when all is written. What fails on the way is noticed all the same. */
  verify?: boolean | undefined;
  /** The caller knows by a digest that the flash holds something else there. Otherwise the board is asked before each transfer. */
  differs?: boolean | undefined;
}

export interface ReadOptions extends JobOptions {
  /** False leaves it to the caller to compare digests. That bytes were lost or turned on the way is noticed all the same. */
  verify?: boolean | undefined;
}

/** Part of the flash. */
export interface FlashRange {
  offset: number;
  length: number;
}

/** Bytes at a place in the flash. */
export interface FlashPart {
  offset: number;
  data: Uint8Array;
}

/** A write or an erase that may have hit another place than was meant. */
export interface StrayTransfer extends FlashRange {
  /** What was written; `undefined` for an erase. */
  data?: Uint8Array | undefined;
  /** All of it was acknowledged: wherever it went, it is there as a whole. */
  finished: boolean;
}

/** Smallest unit that NOR flash erases. */
export const SECTOR_SIZE = 0x1000;
/** The unit that it erases fastest for its size. */
export const BLOCK_SIZE = 0x1_0000;

export interface FlashMemory {
  /** Bytes from 0 to the end of the chip. */
  readonly size: number;
  /** What work costs here, as far as is known by now. */
  readonly costs: FlashCosts;

  /**
   * How often something went wrong so far and was done again. A command that arrives damaged may erase what nobody named, so after any trouble
   * more has to be looked at than what was written.
   */
  readonly troubles: number;

  /** What was sent and may have hit another place than was meant. */
  readonly strays: readonly StrayTransfer[];

  /** To be called when the range does not hold what was written there, before that is mended: what did not get there is among `strays` then. */
  noteMissing(range: FlashRange, options?: JobOptions): Promise<void>;

  /**
   * Reads any range inside the chip, and has the board confirm it by digests, of a long one that of some sectors: a command to read that arrives
   * damaged reads another place.
   */
  read(offset: number, length: number, options?: ReadOptions): Promise<Uint8Array>;

  /**
   * Writes `data`; `offset` must be a multiple of `SECTOR_SIZE`. What the last sector holds behind the data is erased to FF.
   * After an abort the range is half-written.
   */
  write(offset: number, data: Uint8Array, options?: WriteOptions): Promise<void>;

  /** Erases to FF; `offset` and `length` must be multiples of `SECTOR_SIZE`. */
  erase(offset: number, length: number, options?: JobOptions): Promise<void>;

  /** MD5 of a range as the board itself computes it, 32 lower-case hex digits. */
  md5(offset: number, length: number, options?: JobOptions): Promise<string>;

  /** Which of these parts the flash holds just so, by MD5, which the board computes while the host does. Those of one call cost less than each alone. */
  holdsEach(parts: readonly FlashPart[], options?: JobOptions): Promise<boolean[]>;
}

/** A flash that can be compared with something. */
export type ComparableFlash = Pick<FlashMemory, 'md5' | 'holdsEach' | 'costs'>;
