/** What a run of an update acts on, handed in: the board, the files that it fetches, the journal, time. */
import { type Clock } from '#clock.ts';
import { type BoardPage } from '#device/board-page.ts';
import { type ByteRange } from './byte-ranges.ts';
import { type Candidate, type Transfer, type UpdateEvent, type UpdateState } from './update-state.ts';

/** What a run reads of the board's page. */
export type SeenPage = Pick<BoardPage, 'running' | 'shown'>;

/** A file that boards can fetch under a name of its own. */
export interface FileOffer {
  /** What a board is told to download. */
  readonly url: string;
  /** Whether a board holds a connection on which it is being sent the file. */
  readonly open: boolean;
  /** Bytes that were sent, whether the board has them or not: something moves within a long range too. */
  readonly sent?: number;
  /** Nothing is served any more, open connections are broken. */
  withdraw(): void;
}

export interface UpdateSurroundings {
  readonly clock: Clock;
  /** Resolves when it is kept for good. */
  readonly journal: (event: UpdateEvent, state: UpdateState) => Promise<void>;
  /** The page of the board at that address; `undefined` when it does not answer, or not with such a page. */
  readonly readPage: (address: string, signal: AbortSignal) => Promise<SeenPage | undefined>;
  /**
   * Asks the board to download, once.
   *
   * @returns whether the board took it, or whether it may have got the request although it did not say so.
   */
  readonly startDownload: (
    request: { address: string; url: string },
    signal: AbortSignal,
  ) => Promise<'taken' | 'not-delivered' | 'unknown'>;
  /**
   * Serves the file of a transfer under that name. `onServed` is told each range once the board has closed its connection behind it, or asked
   * for more over it: ESP-IDF closes the last one after it has written everything, while what was only sent may still be on its way when the
   * power fails.
   */
  readonly offer: (
    request: { transfer: Transfer; file: string; address: string },
    onServed: (range: ByteRange) => void,
  ) => Promise<FileOffer>;
  /** Boards on the network that could be the one that is looked for. */
  readonly find: (state: UpdateState, signal: AbortSignal) => Promise<readonly Candidate[]>;
  /** A name that nobody can guess and that was not used before. */
  readonly newFileName: () => string;
  readonly times?: Partial<UpdateTimes>;
}

/** Milliseconds. */
export interface UpdateTimes {
  /** Between two looks at the board's page. */
  poll: number;
  /** Before a transfer is tried again, nothing of the one before may be alive: longer than the board's own network timeouts. */
  quiet: number;
  /** For the board to be there when a transfer begins. */
  preparing: number;
  /** For the first request of the file. */
  waiting: number;
  /** Without a byte while the connection is open: the board may be erasing a whole slot. */
  stalled: number;
  /** Without a byte and without a connection. */
  brokenOff: number;
  /** For writing the rest, verifying, and for an app restarting and joining the network. */
  arriving: number;
  /** For finding the board again. */
  searching: number;
}

/** Erasing 8 MB takes 20 s by the data sheet's typical figure and five times that by its worst. esp_http_client gives up after 5 s. */
export const UPDATE_TIMES: UpdateTimes = {
  poll: 2000,
  quiet: 15_000,
  preparing: 60_000,
  waiting: 60_000,
  stalled: 120_000,
  brokenOff: 20_000,
  arriving: 60_000,
  searching: 180_000,
};
