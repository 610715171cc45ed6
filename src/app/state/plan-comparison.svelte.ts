/** How much of a plan the connected board has already: found out while nothing else is done with it, and handed to the run. */
import { type FlashCosts } from '#device/flash-costs.ts';
import { type ComparableFlash } from '#device/flash-memory.ts';
import { compareWithFlash, type FlashComparison, KnownDifferences } from '#workflows/flash-comparison.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';

/** One plan on one board. */
interface Subject {
  /** Another object each time that it is connected. */
  board: ComparableFlash;
  plan: FlashPlan;
}

export class PlanComparison {
  #found = $state.raw<{ plan: FlashPlan; toSend: number }>();
  #subject: Subject | undefined;
  #controller: AbortController | undefined;
  /** Of `#board`: plans follow each other with every key, and most of what they write is the same. */
  #known = new KnownDifferences();
  #board: ComparableFlash | undefined;

  /** Bytes of the plan that have to be sent; `undefined` while that is not known. */
  bytesToSend(plan: FlashPlan): number | undefined {
    return this.#found?.plan === plan ? this.#found.toSend : undefined;
  }

  /** Compares in the background, in place of what is compared there now. A failure is left to the run, which meets it again. */
  begin(subject: Subject): void {
    if (this.#subject?.board === subject.board && this.#subject.plan === subject.plan) return;
    this.stop();
    this.#subject = subject;
    const { signal } = (this.#controller = new AbortController());
    const { board, plan } = subject;
    compareWithFlash(untilAborted(board, signal), plan, { known: this.#knownOf(board) }).then(
      (comparison) => {
        if (!signal.aborted) this.#found = { plan, toSend: comparison.bytesToSend(plan) };
      },
      () => undefined,
    );
  }

  stop(): void {
    this.#controller?.abort();
    this.#subject = undefined;
  }

  /**
   * For a run that writes next: what was found in the background is not looked for again.
   *
   * @throws {DeviceError} when the board or the cable fails.
   * @throws {DOMException} `AbortError` when `signal` aborts.
   */
  async forRun({ board, plan }: Subject, signal: AbortSignal): Promise<FlashComparison> {
    this.stop();
    const known = this.#knownOf(board);
    this.#board = undefined;
    return compareWithFlash(board, plan, { known, signal });
  }

  #knownOf(board: ComparableFlash): KnownDifferences {
    if (board !== this.#board) this.#known = new KnownDifferences();
    this.#board = board;
    return this.#known;
  }
}

/** Stopped between two digests and never within one, so that the board stays in step. */
const untilAborted = (board: ComparableFlash, signal: AbortSignal): ComparableFlash => ({
  get costs(): FlashCosts {
    return board.costs;
  },
  md5: async (offset, length) => {
    signal.throwIfAborted();
    return board.md5(offset, length);
  },
  holdsEach: async (parts) => {
    signal.throwIfAborted();
    return board.holdsEach(parts);
  },
});
