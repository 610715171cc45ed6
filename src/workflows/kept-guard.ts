/**
 * What a plan keeps is still what it was when the plan is done, or it is named.
 *
 * The commands that begin a write or an erase have no checksum, so one that arrives damaged may erase what nobody named, and is answered as if
 * all were well. Digests of all that is kept would tell, at four seconds for 16 MB, in every run. It is told by three things that cost next to
 * nothing while all goes well:
 *
 * - A damaged length, and an erase of a part that became one of everything: erases go upwards without a gap, so whatever they reach
 *   loses its beginning first. The digest of that much of each kept part is taken before the first write and after the last (the tripwire).
 * - A damaged offset: the place that was meant does not change. That is seen at the latest when everything is verified, because nothing is sent to
 *   a place that holds it already (device/flash-jobs.ts). Where it went instead is found among the offsets that differ in one byte: what
 *   was written is there. A transfer that was broken off may have erased only, as an erase does; then a kept place that is blank, and
 *   that one turned bit leads to, is in doubt. What was blank has nothing to lose, but is named where something was written to it.
 * - A command to read that erases everything: device/flash-jobs.ts, `failIfErased`.
 *
 * A run may end before it can look, because the cable was pulled or the user stopped it. Whoever keeps what it watched gives it to the next
 * one: what has lost its beginning since is in doubt. No more can be said then, as the app may have run and written in between.
 *
 * What this does not find: an offset that is damaged in several bytes at once, while frame and answers are right; and, of a run that ended
 * before it could look, what went into the middle of a part.
 */
import { isBlankRange, md5OfBlank } from '#device/blank-digest.ts';
import { isDeviceError } from '#device/device-error.ts';
import {
  type FlashMemory,
  type FlashRange,
  type JobOptions,
  SECTOR_SIZE,
  type StrayTransfer,
} from '#device/flash-memory.ts';
import { alignDown, alignUp, isBlank, toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { WorkflowError } from './workflow-error.ts';

/** A part of the flash that is to stay as it is, on whole sectors. */
export interface KeptPart extends FlashRange {
  label: string;
  /** Known to hold nothing: only what is written there by mistake can do harm. */
  blank?: boolean;
}

type GuardedFlash = Pick<FlashMemory, 'md5' | 'size' | 'strays'>;

interface Tripwire extends FlashRange {
  digest: string;
}

/** A kept part as it was before the first write. */
export interface WatchedPart extends KeptPart {
  /** From its beginning as far as something is in it; nothing where it is blank. */
  tripwire?: Tripwire | undefined;
  /** It was that in an earlier run, which ended before it could look, and is blank now. */
  emptied?: Tripwire | undefined;
}

/** By how much more is looked at, when the beginning of a part is blank. */
const WIDER = 4;

/** Whether the board can be asked after that failure: what happened to it would not be known to the next run. */
export const stillAnswers = (error: unknown): boolean =>
  error instanceof WorkflowError || isDeviceError(error, 'verify-failed', 'flash-failed');

/** Whether that names what of the kept parts was hit, or may have been. */
export const isDamageTold = (error: unknown): error is WorkflowError =>
  error instanceof WorkflowError && (error.code === 'kept-damaged' || error.code === 'kept-in-doubt');

export class KeptGuard {
  readonly #flash: GuardedFlash;
  readonly #parts: readonly WatchedPart[];

  private constructor(flash: GuardedFlash, parts: readonly WatchedPart[]) {
    this.#flash = flash;
    this.#parts = parts;
  }

  /** To be called before the first write. `earlier`: what a run on this board watched that ended before it could look. */
  static async set(
    flash: GuardedFlash,
    parts: readonly KeptPart[],
    { earlier = [], ...options }: Pick<JobOptions, 'signal'> & { earlier?: readonly WatchedPart[] | undefined } = {},
  ): Promise<KeptGuard> {
    const emptied = await findEmptied(flash, earlier, options);
    const watched: WatchedPart[] = [];
    for (const part of parts) {
      const tripwire = part.blank ? undefined : await findTripwire(flash, part, options);
      const before = emptied.find(({ offset }) => offset === part.offset)?.emptied;
      watched.push({ ...part, tripwire, ...(before && { emptied: before }) });
    }
    return new KeptGuard(flash, watched);
  }

  /** What is watched, for whoever looks after it should this session end before its time. */
  get watched(): readonly WatchedPart[] {
    return this.#parts;
  }

  /**
   * To be called after the last write.
   *
   * @throws {WorkflowError} `kept-damaged` or `kept-in-doubt`, with the names of the parts. `cause`: what else went wrong.
   */
  async check(options: Pick<JobOptions, 'signal'> = {}, cause?: unknown): Promise<void> {
    const found = { damaged: new Set<string>(), doubtful: new Set<string>() };
    for (const part of this.#parts) {
      const state = await this.#stateOf(part, options);
      if (state !== 'whole') found[state].add(part.label);
    }
    // A part may be watched in pieces.
    const doubtful = [...found.doubtful].filter((label) => !found.damaged.has(label));
    if (found.damaged.size + doubtful.length > 0) throw damageError([...found.damaged], doubtful, cause);
  }

  async #stateOf(part: WatchedPart, options: Pick<JobOptions, 'signal'>): Promise<'whole' | 'damaged' | 'doubtful'> {
    const now = digestsOf(this.#flash, options);
    const { tripwire } = part;
    if (tripwire && (await now(tripwire)) !== tripwire.digest) return 'damaged';
    let state: 'whole' | 'doubtful' = part.emptied ? 'doubtful' : 'whole';
    for (const hit of possibleHits(this.#flash.strays, part, this.#flash.size)) {
      // What is blank has nothing to lose, and what the tripwire covers has just been found as it was.
      const canBe = hit.state === 'damaged' || tripwire;
      if (!canBe || (tripwire && contains(tripwire, hit.range))) continue;
      if ((await now(hit.range)) !== hit.digest) continue;
      if (hit.state === 'damaged') return 'damaged';
      state = 'doubtful';
    }
    return state;
  }
}

/** Digests of ranges, each asked for once. */
function digestsOf(flash: Pick<FlashMemory, 'md5'>, options: Pick<JobOptions, 'signal'>) {
  const known = new Map<string, Promise<string>>();
  return ({ offset, length }: FlashRange): Promise<string> => {
    const key = `${offset} ${length}`;
    const digest = known.get(key) ?? flash.md5(offset, length, options);
    known.set(key, digest);
    return digest;
  };
}

/** `damaged`, `doubtful`: labels of parts. */
export function damageError(damaged: readonly string[], doubtful: readonly string[], cause?: unknown): WorkflowError {
  const values = { damaged: damaged.join(', '), doubtful: doubtful.join(', ') };
  const code = values.damaged === '' ? 'kept-in-doubt' : 'kept-damaged';
  const text = `A damaged command has hit ${values.damaged || 'nothing for sure'}, and perhaps ${values.doubtful || 'nothing else'}`;
  return new WorkflowError(code, text, { values, cause });
}

/**
 * Those of the parts that are blank now as far as something was in them, with what they were. An erase that went too far leaves that; an app
 * that ran in between hardly ever does.
 */
export async function findEmptied(
  flash: Pick<FlashMemory, 'md5'>,
  watched: readonly WatchedPart[],
  options: Pick<JobOptions, 'signal'> = {},
): Promise<WatchedPart[]> {
  const found: WatchedPart[] = [];
  for (const { tripwire, ...part } of watched) {
    const emptied = part.emptied ?? tripwire;
    if (!emptied) continue;
    if (await isBlankRange(flash, emptied, options)) found.push({ ...part, emptied });
  }
  return found;
}

const contains = (outer: FlashRange, inner: FlashRange): boolean =>
  outer.offset <= inner.offset && inner.offset + inner.length <= outer.offset + outer.length;

async function findTripwire(
  flash: GuardedFlash,
  part: KeptPart,
  options: Pick<JobOptions, 'signal'>,
): Promise<WatchedPart['tripwire']> {
  for (let length = SECTOR_SIZE; ; length *= WIDER) {
    const range = { offset: part.offset, length: Math.min(length, part.length) };
    const digest = await flash.md5(range.offset, range.length, options);
    if (digest !== md5OfBlank(range.length)) return { ...range, digest };
    if (range.length === part.length) return undefined;
  }
}

/** Where a stray may have begun to change a kept part. */
interface PossibleHit {
  range: FlashRange;
  /** Digest of what is there then: what was written, or erased flash. */
  digest: string;
  state: 'damaged' | 'doubtful';
}

function possibleHits(strays: readonly StrayTransfer[], part: KeptPart, flashSize: number): PossibleHit[] {
  return strays.flatMap((stray) =>
    damagedOffsets(stray)
      .filter((offset) => offset < flashSize)
      .flatMap((offset) => {
        const at = Math.max(alignDown(offset, SECTOR_SIZE), part.offset);
        const end = Math.min(alignUp(offset + stray.length, SECTOR_SIZE), part.offset + part.length);
        return at < end ? [...writtenHits(stray, { offset, at, end }), ...erasedHits(stray, at)] : [];
      }),
  );
}

function writtenHits(
  { data }: StrayTransfer,
  { offset, at, end }: { offset: number; at: number; end: number },
): PossibleHit[] {
  const from = Math.max(offset, at);
  const bytes = data?.subarray(from - offset, Math.min(from + SECTOR_SIZE, end) - offset) ?? new Uint8Array(0);
  if (isBlank(bytes)) return [];
  return [{ range: { offset: from, length: bytes.length }, digest: toHex(md5(bytes)), state: 'damaged' }];
}

function erasedHits({ data, finished }: StrayTransfer, at: number): PossibleHit[] {
  if (data && finished) return [];
  return [{ range: { offset: at, length: SECTOR_SIZE }, digest: md5OfBlank(SECTOR_SIZE), state: 'doubtful' }];
}

/** Where it may have gone: offsets that differ in one byte where what it wrote tells, else in one bit. */
function damagedOffsets({ offset, data, finished }: StrayTransfer): number[] {
  const masks = Array.from({ length: 0xff }, (_, index) => index + 1);
  const wanted = data && finished ? masks : masks.filter((mask) => (mask & (mask - 1)) === 0);
  return [0, 8, 16, 24].flatMap((shift) => wanted.map((mask) => (offset ^ (mask << shift)) >>> 0));
}
