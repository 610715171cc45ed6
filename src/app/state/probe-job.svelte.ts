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
import { findScratch, Scratch, type ScratchPlace } from '#workflows/probe-scratch.ts';
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
  mac: string | undefined;
  /** Where the board was. */
  source: PortSource | undefined;
  scratch: Scratch;
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
  /** What came of that. */
  settled = $state<'put-back' | 'given-up'>();
  readonly running = $derived(this.status === 'running');
  readonly text = $derived(this.report && probeReportText(this.report));
  readonly #clock: Clock;
  readonly #facts: ProbePageFacts;
  #controller: AbortController | undefined;
  #planning: AbortController | undefined;

  constructor(clock: Clock, facts: ProbePageFacts) {
    this.#clock = clock;
    this.#facts = facts;
  }

  /** Finds out what measuring would do; changes nothing. A failure is left to whatever is done next with the board. */
  async prepare({ idle }: BoardConnection, { before }: ReachOptions): Promise<void> {
    if (!idle || this.running) return;
    this.#planning?.abort();
    const { signal } = (this.#planning = new AbortController());
    const place = await findScratch(idle, signal).catch(() => undefined);
    if (!place || signal.aborted) return;
    const { costs, identity } = idle;
    const baud = isNativeUsb(identity.usb) ? undefined : idle.baud;
    const rates = probeRates(idle, before);
    const restarts = before !== 'none';
    const seconds = probeTime(place, costs, rates) / 1000 + (restarts ? RESTART_SECONDS : 0);
    this.plan = { place, baud, rates, restarts, seconds };
  }

  /** Measures as planned. Never throws: what went wrong stands in `error`. `reach`: how the board is connected again. */
  async run(connection: BoardConnection, reach: ReachOptions): Promise<void> {
    const { plan } = this;
    if (this.running || this.owed || !plan || !connection.idle) return;
    const scratch = new Scratch(plan.place);
    const { board, place } = connection;
    this.status = 'running';
    this.phase = 'latency';
    this.report = undefined;
    this.error = undefined;
    const { signal } = (this.#controller = new AbortController());
    try {
      await connection.lend((board) => this.#measure(board, scratch, { plan, signal, reach }), reach);
      this.status = 'done';
    } catch (error) {
      this.status = isAbort(error) ? 'cancelled' : 'failed';
      this.error = isAbort(error) ? undefined : error;
      if (scratch.touched) this.owed = { mac: board?.identity.mac, source: place?.source, scratch };
    }
    this.plan = undefined;
  }

  cancel(): void {
    this.#controller?.abort();
  }

  /**
   * Puts back what is owed to that board; to be called before anything else is done with one. A flash that does not take it is no reason
   * not to go on.
   *
   * @throws {DeviceError} when the board or the cable fails.
   */
  async settle(board: Bootloader): Promise<void> {
    const owed = this.owed;
    if (!owed || owed.mac !== board.identity.mac) return;
    try {
      await owed.scratch.putBack(board);
      this.settled = 'put-back';
    } catch (error) {
      if (!isDeviceError(error, 'verify-failed', 'flash-failed')) throw error;
      this.settled = 'given-up';
    }
    this.owed = undefined;
  }

  /** The boards of that place are gone for good. */
  forget(source: PortSource): void {
    if (this.owed?.source === source) this.owed = undefined;
  }

  /** For another board, or another plan. What is owed stays. */
  reset(): void {
    this.#planning?.abort();
    this.status = 'idle';
    this.plan = undefined;
    this.report = undefined;
    this.error = undefined;
    this.settled = undefined;
  }

  async #measure(
    board: Bootloader,
    scratch: Scratch,
    {
      plan: { rates, restarts },
      signal,
      reach: { baud },
    }: { plan: ProbePlan; signal: AbortSignal; reach: ReachOptions },
  ): Promise<void> {
    let measured;
    try {
      measured = await probeBoard(board, scratch, {
        clock: this.#clock,
        rates,
        signal,
        onStep: (step) => this.#at(PHASE_OF[step]),
      });
    } finally {
      // The user's own rate holds again.
      if (!scratch.touched && typeof baud === 'number' && board.baud !== baud) await board.tryBaud(baud);
    }
    const about = { ...this.#facts, board: probedBoard(board) };
    this.report = { ...about, ...measured, reset: undefined };
    if (!restarts) return;
    this.#at('restart');
    const reset = await hearRestart(board, { clock: this.#clock, signal });
    this.report = { ...about, ...measured, reset };
    this.phase = 'connect';
  }

  /** Never back: what is measured at the highest rate belongs to the ladder. */
  #at(phase: ProbePhase): void {
    if (PROBE_PHASES.indexOf(phase) > PROBE_PHASES.indexOf(this.phase)) this.phase = phase;
  }
}
