/**
 * Carries out a two-step update: acts in each position of the state machine, feeds it with what happens, and writes every state down
 * before acting on it. All that touches the world is handed in, so that campaigns run it in modelled time against virtual boards.
 */
import { sleep } from '#clock.ts';
import { OpenOffer } from './open-offer.ts';
import { nextStep } from './two-step-ota.ts';
import { type Outcome, type Position, type UpdateEvent, type UpdateState } from './update-state.ts';
import { type SeenPage, UPDATE_TIMES, type UpdateSurroundings, type UpdateTimes } from './update-surroundings.ts';

/** Milliseconds between two looks at a board while its user thinks. */
const LOOK_AGAIN = 10_000;

/** Positions in which the board may fetch the file. */
type OfferedAt = 'asking' | 'waiting' | 'downloading' | 'arriving' | 'searching' | 'picking';
const OFFERED: ReadonlySet<Position['at']> = new Set<OfferedAt>([
  'asking',
  'waiting',
  'downloading',
  'arriving',
  'searching',
  'picking',
]);

/** A run under way. */
export class UpdateRun {
  /** How it ended; rejects when it was halted or when the journal fails. */
  readonly ended: Promise<Outcome>;
  #state: UpdateState;
  readonly #env: UpdateSurroundings;
  readonly #times: UpdateTimes;
  readonly #halt = new AbortController();
  readonly #watchers = new Set<(state: UpdateState) => void>();
  readonly #queue: { event: UpdateEvent; from?: AbortSignal }[] = [];
  #wake: (() => void) | undefined;
  #activity: { key: string; abort: AbortController } | undefined;
  #offer: OpenOffer | undefined;
  /** By the clock. What an earlier run asked of the board may be alive until then. */
  readonly #quietUntil: number;

  /**
   * Begins, or goes on where the journal ended: with `resumed`, in a position that was written down by an earlier program. `leftFor`:
   * milliseconds since an earlier run left the board in the midst of a transfer.
   */
  constructor(state: UpdateState, env: UpdateSurroundings, { resumed = false, leftFor = Infinity } = {}) {
    this.#state = state;
    this.#env = env;
    this.#times = { ...UPDATE_TIMES, ...env.times };
    this.#quietUntil = env.clock.now() + this.#times.quiet - leftFor;
    this.ended = this.#run(resumed).finally(() => this.#rest());
    this.ended.catch(() => undefined); // whoever waits for it is told
  }

  get state(): UpdateState {
    return this.#state;
  }

  /** What the user, or another part of the program, has to say. */
  send(event: UpdateEvent): void {
    this.#push({ event });
  }

  #push(entry: { event: UpdateEvent; from?: AbortSignal }): void {
    this.#queue.push(entry);
    this.#wake?.();
  }

  /** Called after each change of state. */
  onState(callback: (state: UpdateState) => void): () => void {
    this.#watchers.add(callback);
    return () => this.#watchers.delete(callback);
  }

  /** Leaves everything as it is, for another program to go on. */
  halt(): void {
    this.#halt.abort();
    this.#wake?.();
  }

  async #run(resumed: boolean): Promise<Outcome> {
    // Whether the request went out before the program ended is not known: it is not sent again.
    if (resumed && this.#state.position.at === 'asking') await this.#take({ event: 'unanswered', delivered: true });
    for (;;) {
      const { position } = this.#state;
      if (position.at === 'ended') return position.outcome;
      await this.#settle();
      await this.#take(await this.#nextEvent());
    }
  }

  async #take(event: UpdateEvent): Promise<void> {
    const next = nextStep(this.#state, event);
    if (next === this.#state) return;
    await this.#env.journal(event, next);
    this.#state = next;
    for (const watcher of this.#watchers) watcher(next);
  }

  async #nextEvent(): Promise<UpdateEvent> {
    for (;;) {
      this.#halt.signal.throwIfAborted();
      const next = this.#queue.shift();
      // What an activity said of the position before says nothing of this one.
      if (next && !next.from?.aborted) return next.event;
      if (next) continue;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Has the file served that this position needs, and the activity run that belongs to it; ends those of the position before. */
  async #settle(): Promise<void> {
    const { position } = this.#state;
    const key = activityKey(position);
    if (this.#activity && this.#activity.key !== key) this.#activity.abort.abort();
    await this.#settleOffer(position);
    if (this.#activity?.key === key) return;
    const abort = new AbortController();
    this.#activity = { key, abort };
    const { signal } = abort;
    const emit = (event: UpdateEvent): void => this.#push({ event, from: signal });
    void this.#act(position, emit, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#fail(error);
    });
  }

  #fail(error: unknown): void {
    this.#halt.abort(error);
    this.#wake?.();
  }

  async #settleOffer(position: Position): Promise<void> {
    const wanted = 'file' in position && position.file !== '' && OFFERED.has(position.at) ? position : undefined;
    if (this.#offer && this.#offer.file !== wanted?.file) {
      this.#offer.withdraw();
      this.#offer = undefined;
    }
    if (!wanted || this.#offer) return;
    const { transfer, file, served } = wanted;
    const size = this.#state.facts.sizes[transfer] ?? 0;
    const offer = new OpenOffer({ file, size, served }, this.#env.clock, (ranges, signal) =>
      this.#push({ event: { event: 'served', ranges }, from: signal }),
    );
    this.#offer = offer;
    offer.opened = await this.#env.offer({ transfer, file, address: this.#state.address }, (range) =>
      offer.served(range),
    );
  }

  #rest(): void {
    this.#activity?.abort.abort();
    this.#offer?.withdraw();
  }

  async #act(position: Position, emit: (event: UpdateEvent) => void, signal: AbortSignal): Promise<void> {
    switch (position.at) {
      case 'ready':
        return emit({ event: 'start' });
      case 'preparing':
        return this.#prepare(position.attempt, emit, signal);
      case 'asking':
        return this.#ask(emit, signal);
      case 'waiting':
      case 'downloading':
        return this.#watchDownload(emit, signal);
      case 'arriving':
        return this.#watchPage({ limit: this.#times.arriving, emit, signal });
      case 'confirming':
        return this.#watchPage({ limit: this.#state.facts.trialMs, emit, signal });
      case 'searching':
        return this.#search(emit, signal);
      case 'deciding':
        return this.#watchPage({ every: LOOK_AGAIN, emit, signal });
      case 'picking':
      case 'ended':
        return;
    }
  }

  async #prepare(attempt: number, emit: (event: UpdateEvent) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    const wait = attempt > 1 ? this.#times.quiet : this.#quietUntil - clock.now();
    if (wait > 0) await sleep(clock, wait, signal);
    const end = clock.now() + this.#times.preparing;
    for (;;) {
      const page = await this.#page(signal);
      if (page?.running !== undefined) return emit({ event: 'prepared', ...page, file: this.#env.newFileName() });
      if (clock.now() >= end) return emit({ event: 'expired', answers: page !== undefined });
      await sleep(clock, this.#times.poll, signal);
    }
  }

  async #ask(emit: (event: UpdateEvent) => void, signal: AbortSignal): Promise<void> {
    const url = this.#offer?.opened?.url ?? '';
    const said = await this.#env.startDownload({ address: this.#state.address, url }, signal);
    emit(said === 'taken' ? { event: 'answered' } : { event: 'unanswered', delivered: said === 'unknown' });
  }

  /** Tells when nothing has moved for too long. The board's page is looked at then only: while it downloads it has enough to do. */
  async #watchDownload(emit: (event: UpdateEvent) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    let since = clock.now();
    let sent = this.#sent;
    for (;;) {
      await sleep(clock, this.#times.poll, signal);
      if (this.#sent !== sent) {
        sent = this.#sent;
        since = clock.now();
      }
      const open = this.#offer?.opened?.open ?? false;
      const limit = open ? this.#times.stalled : sent === 0 ? this.#times.waiting : this.#times.brokenOff;
      if (clock.now() - since < limit) continue;
      const page = await this.#page(signal);
      if (page) emit({ event: 'page', ...page });
      return emit({ event: 'expired', answers: page !== undefined, open, sent: sent > 0 });
    }
  }

  /** Changes whenever something moves. */
  get #sent(): number {
    return (this.#offer?.bytes ?? 0) + (this.#offer?.opened?.sent ?? 0);
  }

  /** Shows the machine every page; without a limit for ever. */
  async #watchPage({ limit = Infinity, every = this.#times.poll, emit, signal }: Watching): Promise<void> {
    const { clock } = this.#env;
    const end = clock.now() + limit;
    for (;;) {
      const page = await this.#page(signal);
      if (page) emit({ event: 'page', ...page });
      if (clock.now() >= end) return emit({ event: 'expired', answers: page !== undefined });
      await sleep(clock, every, signal);
    }
  }

  /** At the address where it was, and everywhere else. */
  async #search(emit: (event: UpdateEvent) => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env;
    const end = clock.now() + this.#times.searching;
    for (;;) {
      const page = await this.#page(signal);
      if (page) return emit({ event: 'page', ...page });
      const candidates = await this.#env.find(this.#state, signal);
      if (candidates.length > 0) return emit({ event: 'found', candidates });
      if (clock.now() >= end) return emit({ event: 'expired', answers: false });
      await sleep(clock, this.#times.poll, signal);
    }
  }

  #page(signal: AbortSignal): Promise<SeenPage | undefined> {
    return this.#env.readPage(this.#state.address, signal);
  }
}

interface Watching {
  limit?: number;
  every?: number;
  emit: (event: UpdateEvent) => void;
  signal: AbortSignal;
}

/** Positions with the same key share one activity. */
function activityKey(position: Position): string {
  const attempt = 'attempt' in position ? `${position.transfer} ${position.attempt}` : '';
  const at = position.at === 'downloading' ? 'waiting' : position.at;
  return `${at} ${attempt}`;
}
