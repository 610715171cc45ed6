/** Measuring the connected board: what it will do, how far it is, the report; and putting back what was there, if the board was lost. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { isDeviceError } from '#device/device-error.ts';
import { type PortSource } from '#device/port.ts';
import { isNativeUsb } from '#device/reset.ts';
import { isAbort } from '#messages/error-message.ts';
import { type ProbeRecord, probeReportText } from '#messages/probe-report.ts';
import { probeBoard, probedBoard, probeRates, type ProbeStep, probeTime } from '#workflows/probe.ts';
import { hearRestart } from '#workflows/probe-restart.ts';
import {
  type BlockKeeper,
  type BlockState,
  type BlockStore,
  lookAround,
  lookAtBlock,
  putBlockBack,
  type SavedBlock,
} from '#workflows/probe-block.ts';
import { isDamageTold } from '#workflows/kept-guard.ts';
import { type BoardState, isLocked } from '#workflows/board-state.ts';
import { findScratch, type ScratchPlace } from '#workflows/probe-scratch.ts';
import { type WorkflowError } from '#workflows/workflow-error.ts';
import { type BoardConnection, type ReachOptions } from './board-connection.svelte.ts';
import { type JobStatus } from './provision-job.svelte.ts';

export const PROBE_PHASES = ['latency', 'save', 'measure', 'ladder', 'restore', 'restart', 'connect'] as const;
export type ProbePhase = (typeof PROBE_PHASES)[number];

/** What measuring will do. */
export interface ProbePlan {
  place: ScratchPlace;
  /** Bits a second now; `undefined` on the chip's own USB, which has no rate. */
  baud: number | undefined;
  /** Higher ones that are tried. */
  rates: readonly number[];
  /** The board is restarted, and connected again. */
  restarts: boolean;
  /** That it takes at most. */
  seconds: number;
}

/** A block that a board was lost with. */
interface OwedBlock {
  /** Where the board was. */
  source: PortSource | undefined;
  block: SavedBlock;
}

/** A block of an earlier visit, or one whose place was written since: the user decides. */
export interface AskedBlock {
  block: SavedBlock;
  /** What is in its place now. */
  found: Exclude<BlockState, 'as-before'>;
}

interface MeasureOptions {
  plan: ProbePlan;
  signal: AbortSignal;
  reach: ReachOptions;
  source: PortSource | undefined;
}

/** Where the page runs, for the report. */
export type ProbePageFacts = Pick<ProbeRecord, 'version' | 'system'>;

const PHASE_OF: Readonly<Record<ProbeStep, ProbePhase>> = {
  latency: 'latency',
  save: 'save',
  erase: 'measure',
  write: 'measure',
  read: 'measure',
  md5: 'measure',
  ladder: 'ladder',
  restore: 'restore',
};

/** Seconds for the restart, what is heard after it, and connecting again. */
const RESTART_SECONDS = 4;

export class ProbeJob {
  status = $state<JobStatus>('idle');
  plan = $state.raw<ProbePlan>();
  phase = $state<ProbePhase>('latency');
  report = $state.raw<ProbeRecord>();
  error = $state.raw<unknown>();
  /** What could not be put back: done as soon as that board is reached again, and nothing is measured before. */
  owed = $state.raw<OwedBlock>();
  /** What may have to be put back to the connected board. */
  asked = $state.raw<AskedBlock>();
  /** That is done now. */
  restoring = $state(false);
  /** Should the page be reloaded or closed while it measures, the next visit knows of the block. */
  outlives = $state(true);
  /** What else on the board a measurement has hit, or may have. */
  damage = $state.raw<WorkflowError>();
  /** What came of that. */
  settled = $state<'put-back' | 'given-up'>();
  /** What the flash did not take, for the user to save. */
  refused = $state.raw<SavedBlock>();
  /** What was owed and is asked of now: this page may be the only one that has it. */
  #asked = $state.raw<OwedBlock>();
  readonly running = $derived(this.status === 'running');
  /** There is a block that this page alone knows of. */
  readonly isOnlyHere: boolean = $derived(!this.outlives && (this.owed !== undefined || this.#asked !== undefined));
  readonly text = $derived(this.report && probeReportText(this.report));
  readonly #clock: Clock;
  readonly #facts: ProbePageFacts;
  readonly #store: BlockStore | undefined;
  #held: OwedBlock | undefined;
  #controller: AbortController | undefined;
  #planning: AbortController | undefined;

  /** `store`: where blocks are kept for a later visit; nowhere unless given. */
  constructor(clock: Clock, facts: ProbePageFacts, store?: BlockStore) {
    this.#clock = clock;
    this.#facts = facts;
    this.#store = store;
  }

  /** Finds out what measuring would do; changes nothing. A failure is left to whatever is done next with the board. */
  async prepare({ idle }: BoardConnection, { before }: ReachOptions): Promise<void> {
    if (!idle || this.running) return;
    this.#planning?.abort();
    const { signal } = (this.#planning = new AbortController());
    const place = await findScratch(idle, signal).catch(() => undefined);
    if (!place || signal.aborted) return;
    const { identity } = idle;
    const baud = isNativeUsb(identity.usb) ? undefined : idle.baud;
    const rates = probeRates(idle, before);
    const restarts = before !== 'none';
    const seconds = probeTime(place, idle, rates) / 1000 + (restarts ? RESTART_SECONDS : 0);
    this.plan = { place, baud, rates, restarts, seconds };
  }

  /** Measures as planned. Never throws: what went wrong stands in `error`. `reach`: how the board is connected again. */
  async run(connection: BoardConnection, reach: ReachOptions): Promise<void> {
    const { plan } = this;
    const { board: state, place } = connection;
    if (this.running || this.owed || this.asked || !plan || !state || !connection.idle) return;
    this.status = 'running';
    this.phase = 'latency';
    this.report = undefined;
    this.error = undefined;
    this.outlives = true;
    this.damage = undefined;
    this.#held = undefined;
    const { signal } = (this.#controller = new AbortController());
    try {
      await connection.lend(
        (board) => this.#measure(board, state, { plan, signal, reach, source: place?.source }),
        reach,
      );
      this.status = 'done';
    } catch (error) {
      this.status = isAbort(error) ? 'cancelled' : 'failed';
      this.error = isAbort(error) ? undefined : error;
      this.owed = this.#held;
      if (isDamageTold(error)) {
        this.damage = error;
        await connection.readAgain();
      }
    }
    this.plan = undefined;
  }

  cancel(): void {
    this.#controller?.abort();
  }

  /**
   * Looks for what is to be put back to that board; to be called before anything else is done with one. What this page owes is put back at
   * once; of what an earlier visit left, and where the place was written since, the user is asked.
   *
   * @throws {DeviceError} when the board or the cable fails.
   */
  async settle(board: Bootloader): Promise<void> {
    const { mac } = board.identity;
    if (isLocked(board.identity)) return;
    if (this.asked?.block.mac !== undefined && this.asked.block.mac === mac) return;
    this.asked = undefined;
    const owed = this.owed?.block.mac === mac ? this.owed : undefined;
    const own = owed ?? (this.#asked?.block.mac === mac ? this.#asked : undefined);
    const block = own?.block ?? (mac === undefined ? undefined : await this.#store?.load(mac));
    if (!block) return;
    const found = await lookAtBlock(board, block);
    if (found !== 'other') this.damage = await lookAround(board, block);
    if (found === 'as-before') {
      if (owed) this.settled = 'put-back';
      await this.#forget(block);
    } else if (owed && found === 'test-bytes') await this.#putBack(board, block);
    else {
      this.asked = { block, found };
      if (own) this.#asked = own;
    }
    if (owed) this.owed = undefined;
  }

  /** Puts back what was asked for. Never throws: a failure stands in the connection, and it is asked again then. */
  async putBack(connection: BoardConnection): Promise<void> {
    const { asked } = this;
    if (!asked || !connection.idle) return;
    this.restoring = true;
    this.asked = undefined;
    try {
      await connection.lend((board) => this.#putBack(board, asked.block));
      // The plan was made of what stood there before.
      await connection.readAgain();
    } catch (error) {
      if (!isDeviceError(error)) throw error;
    } finally {
      this.restoring = false;
    }
  }

  /** What is in the place of that board's block is to stay, or is written anew anyway. */
  async leave(mac: string | undefined): Promise<void> {
    this.asked = undefined;
    await this.#forget({ mac });
  }

  /** The boards of that place are gone for good. */
  forget(source: PortSource): void {
    for (const held of [this.owed, this.#asked]) if (held?.source === source) void this.#forget(held.block);
    if (this.owed?.source === source) this.owed = undefined;
  }

  /** For another board, or another plan. What is owed, or was until it was asked of, stays. */
  reset(): void {
    this.#planning?.abort();
    this.status = 'idle';
    this.plan = undefined;
    this.report = undefined;
    this.error = undefined;
    this.asked = undefined;
    this.damage = undefined;
    this.settled = undefined;
    this.refused = undefined;
  }

  /** A flash that does not take it is no reason not to go on. */
  async #putBack(board: Bootloader, block: SavedBlock): Promise<void> {
    try {
      await putBlockBack(board, block);
      this.settled = 'put-back';
    } catch (error) {
      if (!isDeviceError(error, 'verify-failed', 'flash-failed')) throw error;
      this.settled = 'given-up';
      this.refused = block;
    }
    await this.#forget(block);
  }

  async #forget(block: Pick<SavedBlock, 'mac'>): Promise<void> {
    if (this.#asked?.block.mac === block.mac) this.#asked = undefined;
    await this.#store?.release(block);
  }

  async #measure(
    board: Bootloader,
    state: BoardState,
    { plan: { place, rates, restarts }, signal, reach: { baud }, source }: MeasureOptions,
  ): Promise<void> {
    let measured;
    try {
      measured = await probeBoard(board, place, {
        clock: this.#clock,
        rates,
        signal,
        state,
        onStep: (step) => this.#at(PHASE_OF[step]),
        keeper: this.#keeper(source),
      });
    } finally {
      // The user's own rate holds again.
      if (!this.#held && typeof baud === 'number' && board.baud !== baud) await board.tryBaud(baud);
    }
    const about = { ...this.#facts, board: probedBoard(board) };
    this.report = { ...about, ...measured, reset: undefined };
    if (!restarts) return;
    this.#at('restart');
    const reset = await hearRestart(board, { clock: this.#clock, signal });
    this.report = { ...about, ...measured, reset };
    this.phase = 'connect';
  }

  #keeper(source: PortSource | undefined): BlockKeeper {
    return {
      hold: async (block) => {
        this.#held = { block, source };
        this.outlives = (await this.#store?.hold(block)) ?? false;
        return this.outlives;
      },
      release: async (block) => {
        this.#held = undefined;
        await this.#forget(block);
      },
    };
  }

  /** Never back: what is measured at the highest rate belongs to the ladder. */
  #at(phase: ProbePhase): void {
    if (PROBE_PHASES.indexOf(phase) > PROBE_PHASES.indexOf(this.phase)) this.phase = phase;
  }
}
