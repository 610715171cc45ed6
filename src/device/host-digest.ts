/** Digests that the host computes while the board computes its own. */
import { type Clock, turn } from '#clock.ts';
import { toHex } from '#formats/bytes.ts';
import { md5 } from '@noble/hashes/legacy.js';

/** Bytes that are hashed in one go, which takes a few milliseconds; all else on the event loop waits for them. */
const SLICE = 0x2_0000;

/**
 * MD5, 32 lower-case hex digits. Hashed in slices, with turns of the event loop before each: what was sent before is on its way by then.
 */
export async function md5InTurns(clock: Clock, data: Uint8Array): Promise<string> {
  const digest = md5.create();
  for (let at = 0; at < data.length; at += SLICE) {
    await clock.outside(turn());
    digest.update(data.subarray(at, at + SLICE));
  }
  return toHex(digest.digest());
}
