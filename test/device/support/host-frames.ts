/** What a host asked of a board's loader. */
import { concatBytes } from '#formats/bytes.ts';
import { decodeFrames } from '../../sim/support/frames.ts';
import { type Bench } from './bench.ts';

export interface HostCommand {
  op: number;
  payload: Uint8Array;
}

/** Listens to everything that the host sends from now on. @returns the commands so far, whenever it is called */
export function listenToHost({ board }: Bench): () => HostCommand[] {
  const sent: Uint8Array[] = [];
  const pass = board.hostWrites.bind(board);
  board.hostWrites = (bytes) => {
    sent.push(bytes.slice());
    pass(bytes);
  };
  return () =>
    decodeFrames(concatBytes(...sent))
      .filter((frame) => frame.length >= 8 && frame[0] === 0)
      .map((frame) => ({ op: frame[1]!, payload: frame.subarray(8) }));
}
