/**
 * What was sent to the flash in a session, and whether it went where it was meant to go.
 *
 * The commands that begin a write or an erase carry no checksum. When a bit of the offset is turned on the line, the loader erases and
 * writes elsewhere and answers as if all were well. What tells is the place that was meant: it stays as it was. So nothing is sent to a
 * place that holds it already (flash-jobs.ts sees to that), and whoever finds by a digest that something is not there tells it here.
 */
import { isBlank, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { md5OfBlank } from './blank-digest.ts';
import { isDeviceError } from './device-error.ts';
import { type FlashRange, SECTOR_SIZE, type StrayTransfer } from './flash-memory.ts';
import { Op } from './loader-commands.ts';

/** What is about to be sent. */
export interface Transfer extends FlashRange {
  data?: Uint8Array | undefined;
  /** Digest of what its first sector held before, where that is known. */
  headBefore?: string | undefined;
}

interface SentTransfer extends Transfer {
  finished: boolean;
  landed: boolean;
}

type Md5 = (range: FlashRange) => Promise<string>;

/** Commands that erase at once: refused, they did nothing. */
const ERASING: ReadonlySet<number> = new Set([Op.FlashBegin, Op.DeflateBegin, Op.EraseRegion]);

export class SentTransfers {
  #sent: SentTransfer[] = [];
  #filled: FlashRange | undefined;

  /** A part of the flash that was seen not to be blank, and to which nothing was sent since. */
  get filled(): FlashRange | undefined {
    return this.#filled;
  }

  noteFilled(range: FlashRange): void {
    this.#filled = range;
  }

  get strays(): readonly StrayTransfer[] {
    return this.#sent.filter(({ landed }) => !landed);
  }

  /** Does the work of a transfer and takes down how it ended. */
  async track(transfer: Transfer, work: () => Promise<void>): Promise<void> {
    const sent = { ...transfer, finished: false, landed: false };
    this.#sent.push(sent);
    if (this.#filled && overlap(this.#filled, sent)) this.#filled = undefined;
    try {
      await work();
      sent.finished = sent.landed = true;
    } catch (error) {
      const isRefused = isDeviceError(error, 'command-refused') && ERASING.has(error.details.command ?? 0);
      if (isRefused) this.#sent = this.#sent.filter((other) => other !== sent);
      throw error;
    }
  }

  /**
   * The range does not hold what was sent there: of each transfer that touched it, finds out whether it went there. What was sent over
   * by a later one cannot be told any more.
   */
  async doubt(range: FlashRange, digest: Md5): Promise<void> {
    const later: SentTransfer[] = [];
    for (const sent of this.#sent.toReversed()) {
      const isCovered = later.some((other) => overlap(other, sent));
      if (overlap(sent, range) && !isCovered) sent.landed = await isThere(sent, digest);
      later.push(sent);
    }
  }
}

const overlap = (a: FlashRange, b: FlashRange): boolean =>
  a.offset < b.offset + b.length && b.offset < a.offset + a.length;

/** Only what the place did not hold before proves anything; blank flash may be what a write that goes elsewhere has passed over. */
async function isThere(transfer: Transfer, digest: Md5): Promise<boolean> {
  const { offset, length, data, headBefore } = transfer;
  if (!data) return (await digest({ offset, length })) === md5OfBlank(length);
  const head = data.subarray(0, SECTOR_SIZE);
  const wanted = toHex(md5(head));
  if (headBefore === undefined || headBefore === wanted || isBlank(head)) return false;
  return (await digest({ offset, length: head.length })) === wanted;
}
