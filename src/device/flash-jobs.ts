/**
 * Whole jobs on the flash: split into regions, each verified, and done again when the line failed.
 *
 * The stub cannot be asked where it is in a transfer, so after any doubt a region is done anew from its start. Regions
 * are small enough that this costs little.
 */
import { md5 } from '@noble/hashes/legacy.js';
import { alignDown, hexAddress, padBytes, alignUp, toHex } from '#formats/bytes.ts';
import { DeviceError, isDeviceError } from './device-error.ts';
import { type JobOptions, SECTOR_SIZE } from './flash-memory.ts';
import { eraseTransfer, md5Transfer, readTransfer, writeTransfer } from './flash-transfer.ts';
import { type Session } from './session.ts';

/** Bytes of a region of a write or erase, on multiples of which it ends: four of the blocks that flash erases fast. */
const WRITE_REGION = 0x4_0000;
/** Bytes of a region of a read. */
const READ_REGION = 0x1_0000;
/** Bytes of the pieces in which a region is done that failed: on a bad line small pieces get through. */
const SMALL_REGION = 0x1_0000;
/** How often a region is tried. */
const TRIES = 5;
/** The same before it is cut into small ones. */
const TRIES_WHOLE = 2;

/** Stub codes for a flash that does not do what it should. */
const STATUS_FLASH = new Set([0xc4, 0xc5]);

/** What may be chance, so that it is worth while to try again. */
const REPEATABLE = [
  'no-reply',
  'bad-reply',
  'command-refused',
  'command-unknown',
  'stub-failed',
  'verify-failed',
  'read-corrupt',
] as const;

type OnProgress = JobOptions['onProgress'];

interface Region {
  offset: number;
  length: number;
}

/** Cuts a range at the multiples of `unit`. */
export function splitRange(offset: number, length: number, unit: number): Region[] {
  const regions: Region[] = [];
  for (let at = offset; at < offset + length;) {
    const end = Math.min(alignDown(at, unit) + unit, offset + length);
    regions.push({ offset: at, length: end - at });
    at = end;
  }
  return regions;
}

/**
 * Checks that a range lies inside the flash, and on sector borders where `aligned` says so: past the end the stub goes on
 * at sector 0, and a start inside a sector erases what lies before it.
 *
 * @throws {DeviceError} `range-invalid`; nothing has been sent.
 */
export function checkRange(size: number, { offset, length }: Region, aligned: 'start' | 'both' | 'none'): void {
  const isWhole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  const isInside = isWhole && offset >= 0 && length >= 0 && offset + length <= size;
  const isAligned =
    (aligned === 'none' || offset % SECTOR_SIZE === 0) && (aligned !== 'both' || length % SECTOR_SIZE === 0);
  if (isInside && isAligned) return;
  const what = isInside ? 'is not on sector borders' : `is not inside the flash of ${size} bytes`;
  throw new DeviceError('range-invalid', `The range ${offset}+${length} ${what}`, { details: { offset, length } });
}

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

export async function writeJob(
  session: Session,
  { offset, data }: { offset: number; data: Uint8Array },
  onProgress: OnProgress,
): Promise<void> {
  const progress = new ProgressCount(data.length, onProgress);
  const write = async (region: Region): Promise<void> => {
    const from = region.offset - offset;
    // Up to whole words, as every stub takes them; what is added is what erased flash reads anyway.
    const padded = padBytes(data.subarray(from, from + region.length), alignUp(region.length, 4));
    const onShare = (share: number): void => progress.report(from + Math.floor(share * region.length));
    await writeRegion(session, { offset: region.offset, data: padded, onShare });
    progress.report(from + region.length);
  };
  for (const region of splitRange(offset, data.length, WRITE_REGION)) await persistInPieces(session, region, write);
}

async function writeRegion(
  session: Session,
  region: { offset: number; data: Uint8Array<ArrayBuffer>; onShare: (share: number) => void },
): Promise<void> {
  await writeTransfer(session.clock, session.commands, { ...region, blockSize: session.blockSize });
  const { offset, data } = region;
  if ((await md5Transfer(session.commands, offset, data.length)) === toHex(md5(data))) return;
  const sector = await firstBadSector(session, offset, data);
  throw new DeviceError('verify-failed', `The flash at ${hexAddress(sector)} does not hold what was written`, {
    details: { offset: sector, length: data.length },
  });
}

/** Offset in flash of the first sector that differs. */
async function firstBadSector(session: Session, offset: number, data: Uint8Array): Promise<number> {
  for (let at = 0; at < data.length; at += SECTOR_SIZE) {
    const sector = data.subarray(at, at + SECTOR_SIZE);
    if ((await md5Transfer(session.commands, offset + at, sector.length)) !== toHex(md5(sector))) return offset + at;
  }
  // The digest of the whole was the one that arrived wrong.
  return offset;
}

export async function eraseJob(session: Session, { offset, length }: Region, onProgress: OnProgress): Promise<void> {
  const progress = new ProgressCount(length, onProgress);
  for (const region of splitRange(offset, length, WRITE_REGION)) {
    await persistInPieces(session, region, (piece) => eraseRegion(session, piece));
    progress.report(region.offset + region.length - offset);
  }
}

async function eraseRegion(session: Session, { offset, length }: Region): Promise<void> {
  await eraseTransfer(session.commands, offset, length);
  const blank = toHex(md5(new Uint8Array(length).fill(0xff)));
  if ((await md5Transfer(session.commands, offset, length)) === blank) return;
  throw new DeviceError('verify-failed', `The flash at ${hexAddress(offset)} is not blank after an erase`, {
    details: { offset, length },
  });
}

export async function readJob(
  session: Session,
  { offset, length }: Region,
  onProgress: OnProgress,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const progress = new ProgressCount(length, onProgress);
  for (const region of splitRange(offset, length, READ_REGION)) {
    const from = region.offset - offset;
    const into = bytes.subarray(from, from + region.length);
    await persist(session, () =>
      readTransfer(session.commands, {
        into,
        offset: region.offset,
        onRead: (received) => progress.report(from + received),
      }),
    );
    progress.report(from + region.length);
  }
  return bytes;
}

export async function md5Job(session: Session, { offset, length }: Region): Promise<string> {
  return persist(session, () => md5Transfer(session.commands, offset, length));
}

/** Does a region as a whole if that succeeds, else in small pieces. */
async function persistInPieces(
  session: Session,
  region: Region,
  work: (piece: Region) => Promise<void>,
): Promise<void> {
  const pieces = splitRange(region.offset, region.length, SMALL_REGION);
  if (pieces.length > 1) {
    try {
      await persist(session, () => work(region), TRIES_WHOLE);
      return;
    } catch (error) {
      if (!isDeviceError(error, ...REPEATABLE)) throw error;
    }
  }
  for (const piece of pieces) await persist(session, () => work(piece));
}

/** Does a piece of work until it succeeds, a few times: back in step first, and at a lower rate when it fails again. */
async function persist<T>(session: Session, work: () => Promise<T>, tries = TRIES): Promise<T> {
  let lineErrors = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      if (!session.inStep) await session.regain();
      // True again when the work ended as it should, or with an error that leaves nothing under way.
      session.inStep = false;
      // Once could be chance; twice, and the rate is too high for this cable.
      if (lineErrors >= 2) await session.lowerBaud();
      const result = await work();
      session.inStep = true;
      return result;
    } catch (error) {
      session.inStep ||= isDeviceError(error, 'verify-failed', 'read-corrupt');
      if (!isDeviceError(error, ...REPEATABLE)) throw error;
      if (attempt >= tries) throw finalError(error);
      if (!isFlashError(error)) lineErrors++;
    }
  }
}

const isFlashError = (error: DeviceError): boolean =>
  error.code === 'verify-failed' || (error.details.status !== undefined && STATUS_FLASH.has(error.details.status));

function finalError(error: DeviceError): DeviceError {
  if (error.code !== 'command-refused' || !isFlashError(error)) return error;
  return new DeviceError('flash-failed', 'The flash chip does not write, erase or read', {
    details: error.details,
    cause: error,
  });
}
