/** One run: writes, verifies, starts, and what is seen of it. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { type ConsoleLine } from '#device/console.ts';
import { isAbort } from '#messages/error-message.ts';
import { type BootVerdict } from '#workflows/boot-watch.ts';
import { type FlashComparison } from '#workflows/flash-comparison.ts';
import { type FlashPlan, plannedBytes } from '#workflows/flash-plan.ts';
import { type FlashStep, type PlanProgress, type RunPlanOptions } from '#workflows/run-flash-plan.ts';
import { provision } from '#workflows/provision.ts';
import { RateMeter } from '#workflows/rate-meter.ts';

export const RUN_PHASES = ['connect', 'compare', 'write', 'verify', 'start'] as const;
export type RunPhase = (typeof RUN_PHASES)[number];

export type JobStatus = 'idle' | 'running' | 'done' | 'failed' | 'cancelled';

export interface ComparedPlan {
  plan: FlashPlan;
  comparison: FlashComparison | undefined;
  /** Of a run on this board that ended before its time. */
  earlier?: RunPlanOptions['earlier'];
}

/** What the run needs of the others. */
export interface RunParts {
  /** The board in its loader. */
  connect: (signal: AbortSignal) => Promise<Bootloader>;
  /** The plan for what is on the board now, and what of it is there already. */
  compare: (board: Bootloader, signal: AbortSignal) => Promise<ComparedPlan>;
  onStep?: (step: FlashStep) => void;
  onWatch?: RunPlanOptions['onWatch'];
}

/** How far the writes are. */
export interface WriteProgress {
  /** What is done now; nothing before the first write. */
  step?: FlashStep;
  /** Bytes of all writes that the flash holds, as far as the board has acknowledged them. */
  done: number;
  total: number;
  /** The same of those that had to be sent. */
  sent: number;
  toSend: number;
  /** Every digest was compared at the end. */
  finished: boolean;
}

const NOTHING: WriteProgress = { done: 0, total: 0, sent: 0, toSend: 0, finished: false };
/** Milliseconds that lines of the console are collected: a board that crashes again and again prints thousands. */
const LINES_MS = 60;
const MAX_LINES = 5000;

export class ProvisionJob {
  status = $state<JobStatus>('idle');
  phase = $state<RunPhase>('connect');
  progress = $state.raw<WriteProgress>(NOTHING);
  /** Bytes a second, while known. */
  rate = $state<number>();
  secondsLeft = $state<number>();
  lines = $state.raw<readonly ConsoleLine[]>([]);
  verdict = $state.raw<BootVerdict>();
  error = $state.raw<unknown>();
  /** Milliseconds of the whole run, once it is over. */
  took = $state(0);
  /** Something was written: the board is not what it was. */
  touched = $state(false);
  readonly running = $derived(this.status === 'running');
  /** How much of what has to be sent is acknowledged, 0 to 1; `undefined` while nothing is written or verified. */
  readonly share = $derived(this.#share());
  readonly #clock: Clock;
  #controller: AbortController | undefined;
  #meter = new RateMeter();
  #waitingLines: ConsoleLine[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Carries everything out. Never throws: what went wrong stands in `error`. The board's port is closed at the end. */
  async run({ connect, compare, onStep, onWatch }: RunParts): Promise<void> {
    if (this.running) return;
    this.reset();
    const { signal } = (this.#controller = new AbortController());
    const started = this.#clock.now();
    this.status = 'running';
    try {
      const board = await connect(signal);
      const { plan, comparison, earlier } = await closingOnError(board, async () => {
        this.phase = 'compare';
        return compare(board, signal);
      });
      this.progress = { ...NOTHING, total: plannedBytes(plan) };
      this.verdict = await provision(board, plan, {
        signal,
        comparison,
        earlier,
        onWatch,
        onStep: (step) => {
          this.#step(step);
          onStep?.(step);
        },
        onProgress: (progress) => this.#wrote(progress),
        onRestart: () => this.#restarted(),
        onLine: (line) => this.#addLine(line),
      });
      this.status = 'done';
    } catch (error) {
      this.status = isAbort(error) ? 'cancelled' : 'failed';
      this.error = isAbort(error) ? undefined : error;
    } finally {
      this.#flushLines();
      this.took = this.#clock.now() - started;
      this.#forgetRate();
    }
  }

  cancel(): void {
    this.#controller?.abort();
  }

  /** Back to the beginning. */
  reset(): void {
    this.status = 'idle';
    this.phase = 'connect';
    this.progress = NOTHING;
    this.lines = [];
    this.verdict = undefined;
    this.error = undefined;
    this.took = 0;
    this.touched = false;
    this.#meter = new RateMeter();
    this.#waitingLines = [];
  }

  #share(): number | undefined {
    const { sent, toSend } = this.progress;
    if (this.phase === 'verify') return 1;
    return this.phase === 'write' && toSend > 0 ? sent / toSend : undefined;
  }

  #step(step: FlashStep): void {
    this.phase = step.kind;
    this.touched ||= step.kind === 'write' && step.toSend > 0;
    this.progress = { ...this.progress, step };
    if (step.kind === 'verify') this.#forgetRate();
  }

  #wrote(progress: PlanProgress): void {
    this.#meter.add(this.#clock.now(), progress.sent);
    this.progress = { ...this.progress, ...progress };
    this.rate = this.#meter.rate();
    this.secondsLeft = this.#meter.secondsLeft(progress.toSend);
  }

  #restarted(): void {
    this.phase = 'start';
    this.progress = { ...this.progress, finished: true };
  }

  #forgetRate(): void {
    this.rate = undefined;
    this.secondsLeft = undefined;
  }

  #addLine(line: ConsoleLine): void {
    if (this.#waitingLines.length === 0) this.#clock.after(LINES_MS, () => this.#flushLines());
    this.#waitingLines.push(line);
  }

  #flushLines(): void {
    if (this.#waitingLines.length === 0) return;
    this.lines = [...this.lines, ...this.#waitingLines].slice(-MAX_LINES);
    this.#waitingLines = [];
  }
}

/** Until the run itself takes the board over, nobody else closes it. */
async function closingOnError<T>(board: Bootloader, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await board.close();
    throw error;
  }
}
