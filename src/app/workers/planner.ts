/** Plans for the page, made in a worker that also keeps the bytes of the release and of the data file. */
import { FormatError } from '#formats/format-error.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type Channel } from './channel.ts';
import { type PickedFile } from './pick-files.ts';
import {
  type DataSummary,
  type PackedRelease,
  type PlanAnswer,
  type PlannerCall,
  type PlannerReply,
  type PlannerRequest,
  type PlanWishes,
  type SentFailure,
} from './planner-messages.ts';
import { type ReleaseSummary } from './release-summary.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class Planner {
  readonly #channel: Channel;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onmessage = ({ data: { id, value, failure } }: MessageEvent<PlannerReply>) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failure) waiting?.reject(rebuilt(failure));
      else waiting?.resolve(value);
    };
  }

  /**
   * Reads what of the files belongs to a release, and remembers it.
   *
   * @throws {FormatError} `release-…`; the release before stays.
   */
  take(files: readonly PickedFile[]): Promise<ReleaseSummary> {
    return this.#call({ kind: 'release', files: [...files] }) as Promise<ReleaseSummary>;
  }

  /**
   * Reads the data for the second slot; `undefined` forgets them.
   *
   * @throws {FormatError} `file-unreadable`; the data before stay.
   */
  takeData(file: File | undefined): Promise<DataSummary | undefined> {
    return this.#call({ kind: 'data', file }) as Promise<DataSummary | undefined>;
  }

  /**
   * The plan for the board, or for a blank one of the release's chip; `undefined` without a release.
   *
   * @throws {FormatError} `partition-…` when the partition CSV of the wishes is wrong.
   */
  plan(board: BoardState | undefined, wishes: PlanWishes): Promise<PlanAnswer | undefined> {
    return this.#call({ kind: 'plan', board, wishes }) as Promise<PlanAnswer | undefined>;
  }

  /**
   * One file of a release that was picked as one or many, checked; with data, a release file that brings them. Nothing is remembered.
   *
   * @throws {FormatError} `release-…`, `data-…`.
   */
  pack(files: readonly PickedFile[], data?: File): Promise<PackedRelease> {
    return this.#call({ kind: 'pack', files: [...files], data }) as Promise<PackedRelease>;
  }

  #call(call: PlannerCall): Promise<unknown> {
    const id = this.#lastId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#channel.postMessage({ ...call, id } satisfies PlannerRequest);
    });
  }
}

/** The class of the error is lost on the way; what it carries is not. */
function rebuilt({ name, message, code, place }: SentFailure): Error {
  if (code !== undefined) return new FormatError(code, message, place ? { place } : {});
  return name === 'NotReadableError' || name === 'NotFoundError'
    ? new FormatError('file-unreadable', 'A file changed or went away after it was chosen. Choose it again')
    : Object.assign(new Error(message), { name });
}

/** A planner in a worker of its own. */
export const startPlanner = (): Planner =>
  new Planner(new Worker(new URL('./planner.worker.ts', import.meta.url), { type: 'module' }));
