/** What the board itself says that its flash holds, by MD5. Without a second try: persist.ts has that. */
import { type Clock } from '#clock.ts';
import { md5OfBlank } from './blank-digest.ts';
import { type FlashPart, type FlashRange } from './flash-memory.ts';
import { md5InTurns } from './host-digest.ts';
import { type Session } from './session.ts';

/** Whether the flash holds just that. */
export async function holds(session: Session, part: FlashPart): Promise<boolean> {
  return (await holdsEach(session, [part])).every(Boolean);
}

/** Which of the parts the flash holds, by digests that the board computes while the host does. */
export async function holdsEach(session: Session, parts: readonly FlashPart[]): Promise<boolean[]> {
  const ranges = parts.map(({ offset, data }) => ({ offset, length: data.length }));
  const [ofFlash, ofData] = await Promise.all([timedDigests(session, ranges), digestsInTurns(session.clock, parts)]);
  return ofFlash.map((digest, index) => digest === ofData[index]);
}

async function digestsInTurns(clock: Clock, parts: readonly FlashPart[]): Promise<string[]> {
  const digests: string[] = [];
  for (const { data } of parts) digests.push(await md5InTurns(clock, data));
  return digests;
}

/** Digests of several ranges; on a line on which nothing has gone wrong, each is asked for while the board computes the one before. */
async function timedDigests(session: Session, ranges: readonly FlashRange[]): Promise<string[]> {
  const { flash, clock, meter } = session;
  const digests: string[] = [];
  if (!flash.md5Each || ranges.length < 2 || session.troubles > 0) {
    for (const range of ranges) digests.push(await timedMd5(session, range));
    return digests;
  }
  let since = clock.now();
  await flash.md5Each(ranges, (digest) => {
    const now = clock.now();
    meter.noteMd5(ranges[digests.length]!.length, now - since, { ahead: digests.length > 0 });
    since = now;
    digests.push(digest);
  });
  return digests;
}

/** The board's digest of a range; how long it took is learnt from. */
export async function timedMd5(session: Session, range: FlashRange): Promise<string> {
  const started = session.clock.now();
  const digest = await session.flash.md5(range);
  session.meter.noteMd5(range.length, session.clock.now() - started);
  return digest;
}

export const isErased = async (session: Session, range: FlashRange): Promise<boolean> =>
  (await timedMd5(session, range)) === md5OfBlank(range.length);
