/**
 * Whole jobs on the flash. What failed is not begun anew: the board's digests tell what is right already, and only the rest is done
 * again, in small pieces, so that a bad line gets through in the end. A loader cannot be asked where it is in a transfer.
 */
import { alignUp, hexAddress, isBlank, padBytes, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { md5OfBlank } from './blank-digest.ts';
import { holds, holdsEach, isErased, timedMd5 } from './board-digests.ts';
import { DeviceError } from './device-error.ts';
import { findDifferences } from './flash-differences.ts';
import { BLOCK_SIZE, type FlashPart, type FlashRange, type JobOptions, SECTOR_SIZE } from './flash-memory.ts';
import { splitBlank, splitLong, splitRange } from './flash-ranges.ts';
import { type PackedData } from './loader-flash.ts';
import { packData } from './pack-data.ts';
import { mayBeChance, persist } from './persist.ts';
import { type Session } from './session.ts';

/** Sectors that show where a long range was read from. */
const PROOFS = 4;
/** Bytes of a region of an erase. */
const ERASE_REGION = 0x4_0000;
type OnProgress = JobOptions['onProgress'];

/** Progress that never goes back, though a region may. */
class ProgressCount {
  readonly #total: number;
  readonly #onProgress: OnProgress;
  #reported = -1;

  constructor(total: number, onProgress: OnProgress) {
    this.#total = total;
    this.#onProgress = onProgress;
    this.report(0);
  }

  report(done: number): void {
    if (done <= this.#reported) return;
    this.#reported = done;
    this.#onProgress?.({ done, total: this.#total });
  }
}

export interface WriteJob {
  offset: number;
  data: Uint8Array;
  /** Compare the digest of each transfer. */
  verify: boolean;
  /** See `WriteOptions`. */
  differs: boolean;
}

export async function writeJob(session: Session, job: WriteJob, onProgress: OnProgress): Promise<void> {
  await new Writing(session, job, new ProgressCount(job.data.length, onProgress)).run();
}

class Writing {
  readonly #session: Session;
  readonly #job: WriteJob;
  readonly #progress: ProgressCount;
  /** Compressed while what comes before it is sent. */
  #ahead: { offset: number; packed: Promise<PackedData> } | undefined;

  constructor(session: Session, job: WriteJob, progress: ProgressCount) {
    this.#session = session;
    this.#job = job;
    this.#progress = progress;
  }

  async run(): Promise<void> {
    const { offset, data } = this.#job;
    const pieces = splitLong({ offset, length: data.length }, this.#session.flash.units.write);
    for (const [index, piece] of pieces.entries()) {
      await this.#write(piece, pieces[index + 1]);
      this.#progress.report(piece.offset + piece.length - offset);
    }
  }

  async #write(piece: FlashRange, next: FlashRange | undefined): Promise<void> {
    try {
      await persist(this.#session, () => this.#writeOnce(piece, { verify: this.#job.verify, next }), 1);
      return;
    } catch (error) {
      if (!mayBeChance(error)) throw error;
    }
    await doubtJob(this.#session, piece);
    const rest = await persist(this.#session, () => this.#differences(piece));
    for (const small of rest.flatMap((range) => splitRange(range, this.#session.flash.units.retry))) {
      await persist(this.#session, () => this.#writeOnce(small, { verify: true }));
    }
  }

  async #writeOnce(
    piece: FlashRange,
    { verify, next }: { verify: boolean; next?: FlashRange | undefined },
  ): Promise<void> {
    const stretches = splitBlank(piece.offset, this.#bytes(piece));
    for (const [index, stretch] of stretches.entries()) {
      if (stretch.blank) await eraseFilled(this.#session, stretch);
      else await this.#send(stretch, stretches.slice(index + 1).find(({ blank }) => !blank) ?? next);
    }
    if (verify) await this.#verify(piece);
  }

  async #send(stretch: FlashRange, next: FlashRange | undefined): Promise<void> {
    const { offset, length } = stretch;
    const headBefore = this.#job.differs ? undefined : await this.#makeDiffer(stretch);
    const packed = await this.#packed(stretch);
    if (next) this.#ahead = { offset: next.offset, packed: this.#pack(next) };
    // Given up when the transfer fails; nobody waits for it then.
    this.#ahead?.packed.catch(() => undefined);
    const from = offset - this.#job.offset;
    const onShare = (share: number): void => this.#progress.report(from + Math.floor(share * length));
    const transfer = { offset, length, data: this.#bytes(stretch), headBefore };
    await this.#session.sent.track(transfer, () => this.#session.flash.write({ offset, packed, onShare }));
  }

  /**
   * Sees to it that the place does not hold yet what is going to be sent there: else nobody could tell whether it got there.
   *
   * @returns the digest of its first sector.
   */
  async #makeDiffer(stretch: FlashRange): Promise<string> {
    const head = { offset: stretch.offset, length: Math.min(stretch.length, SECTOR_SIZE) };
    const before = await timedMd5(this.#session, head);
    if (before !== toHex(md5(this.#bytes(head)))) return before;
    if (!(await holds(this.#session, { offset: stretch.offset, data: this.#bytes(stretch) }))) return before;
    await eraseRegion(this.#session, { offset: stretch.offset, length: SECTOR_SIZE });
    return md5OfBlank(head.length);
  }

  async #packed(stretch: FlashRange): Promise<PackedData> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    const packed = ahead?.offset === stretch.offset ? await ahead.packed : undefined;
    // What was made ahead may have been for a longer range.
    return packed?.length === alignUp(stretch.length, 4) ? packed : this.#pack(stretch);
  }

  /** Up to whole words, as every stub takes them; what is added is what erased flash reads anyway. */
  async #pack(range: FlashRange): Promise<PackedData> {
    const data = padBytes(this.#bytes(range), alignUp(range.length, 4));
    return packData(this.#session, { offset: range.offset, data });
  }

  async #verify(piece: FlashRange): Promise<void> {
    if (await holds(this.#session, { offset: piece.offset, data: this.#bytes(piece) })) return;
    await this.#session.sent.doubt(piece, (range) => timedMd5(this.#session, range));
    const [first = piece] = await this.#differences(piece, { exact: true });
    throw new DeviceError('verify-failed', `The flash at ${hexAddress(first.offset)} does not hold what was written`, {
      details: { offset: first.offset, length: piece.length },
    });
  }

  #differences(piece: FlashRange, options: { exact?: boolean } = {}): Promise<FlashRange[]> {
    const digests = {
      costs: this.#session.meter.costs,
      md5: (offset: number, length: number): Promise<string> => timedMd5(this.#session, { offset, length }),
      holdsEach: (parts: readonly FlashPart[]): Promise<boolean[]> => holdsEach(this.#session, parts),
    };
    return findDifferences(digests, { offset: piece.offset, data: this.#bytes(piece) }, options);
  }

  #bytes({ offset, length }: FlashRange): Uint8Array {
    const from = offset - this.#job.offset;
    return this.#job.data.subarray(from, from + length);
  }
}

export async function eraseJob(session: Session, range: FlashRange, onProgress: OnProgress): Promise<void> {
  const progress = new ProgressCount(range.length, onProgress);
  for (const region of splitRange(range, ERASE_REGION)) {
    await persist(session, () => eraseRegion(session, region));
    progress.report(region.offset + region.length - range.offset);
  }
}

async function eraseRegion(session: Session, region: FlashRange): Promise<void> {
  await timedErase(session, region);
  if (await isErased(session, region)) return;
  await session.sent.doubt(region, (range) => timedMd5(session, range));
  throw new DeviceError('verify-failed', `The flash at ${hexAddress(region.offset)} is not blank after an erase`, {
    details: { ...region },
  });
}

/**
 * Erases what is not blank yet. An erase of what is blank would not show that it hit another place; nor one of which the first or the last
 * sector is, when the other place overlaps with it. Two blocks of 64 KiB never overlap by a turned bit.
 */
async function eraseFilled(session: Session, range: FlashRange): Promise<void> {
  const { offset, length } = range;
  const edges = [offset, offset + length - SECTOR_SIZE].map((at) => ({ offset: at, length: SECTOR_SIZE }));
  const hasFullEdges = !(await isErased(session, edges[0]!)) && !(await isErased(session, edges[1]!));
  if (!hasFullEdges && (await isErased(session, range))) return;
  if (hasFullEdges || length <= BLOCK_SIZE) return timedErase(session, range);
  for (const block of splitRange(range, BLOCK_SIZE)) await eraseFilled(session, block);
}

/** What was sent into that range is not there, or may not be: finds out what of it went elsewhere. */
export async function doubtJob(session: Session, range: FlashRange): Promise<void> {
  await persist(session, () => session.sent.doubt(range, (part) => timedMd5(session, part)));
}

export interface ReadJob extends FlashRange {
  /** Compare the digest of each transfer. */
  verify: boolean;
}

export async function readJob(
  session: Session,
  { offset, length, verify }: ReadJob,
  onProgress: OnProgress,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const progress = new ProgressCount(length, onProgress);
  for (const region of splitRange({ offset, length }, session.flash.units.read)) {
    const read = async (piece: FlashRange): Promise<void> => {
      const start = piece.offset - offset;
      const into = bytes.subarray(start, start + piece.length);
      const onRead = (received: number): void => progress.report(start + received);
      await session.flash.read({ into, offset: piece.offset, onRead });
      if (verify) await confirm(session, { offset: piece.offset, data: into });
    };
    await persistInPieces(session, region, read);
    progress.report(region.offset + region.length - offset);
  }
  return bytes;
}

/** The digest that comes with the bytes is that of the place they were read from, wherever that was. */
async function confirm(session: Session, read: FlashPart): Promise<void> {
  const proof = await holdsEach(session, proofOf(read));
  if (proof.every(Boolean)) return;
  throw new DeviceError('read-corrupt', `What was read is not what is at ${hexAddress(read.offset)}`, {
    details: { offset: read.offset, length: read.data.length },
  });
}

/**
 * What shows that bytes were read from that place and from no other: of long ones some sectors, as far apart as can be, that are not blank.
 * Hashing everything would take a quarter as long as reading it over native USB.
 */
function proofOf({ offset, data }: FlashPart): FlashPart[] {
  if (data.length <= BLOCK_SIZE) return [{ offset, data }];
  const sectors = splitRange({ offset: 0, length: data.length }, SECTOR_SIZE)
    .map((sector) => ({
      offset: offset + sector.offset,
      data: data.subarray(sector.offset, sector.offset + sector.length),
    }))
    .filter((sector) => !isBlank(sector.data));
  const last = sectors.length - 1;
  if (last < PROOFS) return [{ offset, data }];
  return Array.from({ length: PROOFS }, (_, index) => sectors[Math.round((index * last) / (PROOFS - 1))]!);
}

export async function md5Job(session: Session, range: FlashRange): Promise<string> {
  const digest = await persist(session, () => timedMd5(session, range));
  if (range.length > 0 && range.length <= BLOCK_SIZE && digest !== md5OfBlank(range.length))
    session.sent.noteFilled(range);
  return digest;
}

/**
 * Of the commands that read, the stub's differs in one bit from the one that erases the whole flash. What was seen before tells: a read
 * that failed must not be done again over a flash that is lost, and give the blank for its contents.
 */
async function failIfErased(session: Session): Promise<void> {
  const { filled } = session.sent;
  if (!filled || !(await persist(session, () => isErased(session, filled)))) return;
  throw new DeviceError('flash-erased', `The flash at ${hexAddress(filled.offset)} has become blank`, {
    details: { ...filled },
  });
}

export async function holdsJob(session: Session, parts: readonly FlashPart[]): Promise<boolean[]> {
  return persist(session, () => holdsEach(session, parts));
}

async function timedErase(session: Session, { offset, length }: FlashRange): Promise<void> {
  const started = session.clock.now();
  await session.sent.track({ offset, length }, () => session.flash.erase({ offset, length }));
  session.meter.noteErase(length, session.clock.now() - started);
}

/** Does a region as a whole if that succeeds, else in small pieces. */
async function persistInPieces(
  session: Session,
  region: FlashRange,
  work: (piece: FlashRange) => Promise<void>,
): Promise<void> {
  try {
    await persist(session, () => work(region), 1);
    return;
  } catch (error) {
    if (!mayBeChance(error)) throw error;
  }
  await failIfErased(session);
  for (const piece of splitRange(region, session.flash.units.retry)) await persist(session, () => work(piece));
}
