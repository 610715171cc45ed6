/** The updates of the station: planned, started, carried out, taken up again after a restart. */
import { type DecisionRequest, type JournalLine, type PlanRequest, type PlanView, type UpdateView } from '#api.ts';
import { type Clock, sleep, withLimit } from '#clock.ts';
import { policyChoice } from '#workflows/failure-policy.ts';
import { RateMeter } from '#workflows/rate-meter.ts';
import { UpdateRun } from '#workflows/run-update.ts';
import { type UpdateTimes } from '#workflows/update-surroundings.ts';
import { nextStep } from '#workflows/two-step-ota.ts';
import { choicesOf, failedAttempt, type UpdateEvent, type UpdateState } from '#workflows/update-state.ts';
import { campaignStep } from '#workflows/update-campaign.ts';
import { isDeepStrictEqual } from 'node:util';
import { type BoardFiles } from '../board-files/board-files.ts';
import { type BoardRun, type Boards } from '../boards/boards.ts';
import { type StationEvents } from '../events.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { Refusal } from '../refusal.ts';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { type Database } from '../store/database.ts';
import { type UpdateRecord, type UpdateStore } from '../store/update-store.ts';
import { Turns } from '../turns.ts';
import { type Campaign, OpenUpdates } from './open-updates.ts';
import { planBoards, planView } from './plan-boards.ts';
import { surroundingsOf } from './run-surroundings.ts';
import { runningAfter, slotViews } from './slot-views.ts';
import { type StartWish, startRecords } from './start-records.ts';
import { type StepFiles } from './step-files.ts';
import { type BoardPlan, UpdatePlanner } from './update-planner.ts';
import { bytesServed, isBusy, journalLine, memberStatus, updateView } from './update-view.ts';

export interface UpdatesOptions {
  database: Database;
  store: UpdateStore;
  boards: Boards;
  library: ReleaseLibrary;
  network: BoardNetwork;
  files: BoardFiles;
  stepFiles: StepFiles;
  events: StationEvents;
  clock: Clock;
  /** Milliseconds since 1970. */
  now: () => number;
  log: (line: string) => void;
  times?: Partial<UpdateTimes> | undefined;
  /** Nothing needs the listener for boards any more. */
  onIdle: () => void;
}

/** Runs that are over and still told of. */
const HISTORY = 200;
/** Milliseconds until a run goes on whose journal could not be written. */
const TRY_AGAIN = 30_000;
/** Milliseconds that an answer waits for what was said to have its effect. */
const EFFECT = 2000;
/** A board fetches range by range. */
const RATE = { window: 10_000, least: 1000 };
/** Milliseconds without a byte after which a rate is told anew. */
const RATE_AGES = 5000;

interface ActiveRun {
  run: UpdateRun;
  record: UpdateRecord;
  campaign: Campaign;
  rate: RateMeter;
  cancelAging?: () => void;
}

export class Updates {
  readonly #options: UpdatesOptions;
  readonly #planner: UpdatePlanner;
  readonly #active = new Map<string, ActiveRun>();
  readonly #open: OpenUpdates;
  /** What one start writes must not be removed by another that ends. */
  readonly #turns = new Turns();
  readonly #closing = new AbortController();

  constructor(options: UpdatesOptions) {
    this.#options = options;
    this.#planner = new UpdatePlanner(options);
    this.#open = new OpenUpdates(options.store);
    options.boards.runOf = (id) => this.#boardRun(id);
  }

  #boardRun(id: string): BoardRun | undefined {
    const record = this.#open.ofBoard(id);
    if (!record) return undefined;
    const { state, carried } = record;
    return { id: record.id, slots: slotViews(state.slots, carried), busy: isBusy(state.position) };
  }

  /** Whether a run needs the listener for boards. */
  get areOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Whether a run that is not over is of this release. */
  usesRelease(id: string): boolean {
    return this.#open.all().some(({ release }) => release.id === id);
  }

  list(): UpdateView[] {
    return this.#options.store.recent(HISTORY).map((record) => this.#view(record));
  }

  /** @throws {Refusal} `not-found`. */
  view(id: string): UpdateView {
    return this.#view(this.#record(id));
  }

  /** @throws {Refusal} `not-found`. */
  journal(id: string): JournalLine[] {
    this.#record(id);
    return this.#options.store.journal(id);
  }

  /** @throws {Refusal} `not-found`. */
  async plan(wish: PlanRequest, signal?: AbortSignal): Promise<PlanView[]> {
    const view = this.#options.library.view(wish.release);
    const plans = await planBoards(wish, { planner: this.#planner, library: this.#options.library }, signal);
    return plans.map((plan) => planView(plan, { release: view, board: this.#options.boards.view(plan.board.id) }));
  }

  /**
   * Plans again, and begins.
   *
   * @throws {Refusal} `not-found`; `plan-refused` with the codes of what stands against it or was not agreed to.
   */
  async start(wish: StartWish): Promise<UpdateView[]> {
    const { library, now } = this.#options;
    const plans = await planBoards(wish, { planner: this.#planner, library });
    const { campaign, records } = startRecords(plans, { wish, release: library.view(wish.release), now: now() });
    await this.#turns.take(() => this.#begin({ ...campaign, members: records }, plans));
    for (const record of records) {
      this.#options.boards.changed(record.board.id);
      this.#tell(record);
    }
    this.#advance(campaign.id);
    return records.map(({ id }) => this.view(id));
  }

  async #begin(campaign: Campaign, plans: readonly BoardPlan[]): Promise<void> {
    const { database, store, files, stepFiles } = this.#options;
    for (const image of new Set(plans.flatMap(({ plan }) => Object.values(plan.files).map((file) => file.image)))) {
      await stepFiles.write(image);
    }
    // Meanwhile another request may have closed the listener, or begun one of them.
    if (files.state.state !== 'open') throw new Refusal('plan-refused', 'boards-listener-closed');
    if (this.#isClosed || campaign.members.some((member) => this.#open.isUnderWay(member))) {
      throw new Refusal('plan-refused', 'update-in-progress');
    }
    database.transaction(() => store.addCampaign(campaign, campaign.members));
    this.#open.add(campaign);
  }

  /** Goes on with everything that was under way when the station ended. */
  resume(): void {
    for (const record of this.#open.all()) if (!record.queued) this.#launch(record, { resumed: true });
    for (const { id } of this.#open.campaigns()) this.#advance(id);
    void this.#sweep();
  }

  /** @throws {Refusal} `not-found`; `choice-not-offered`, also for an answer to an earlier failure. */
  async decide(id: string, decision: DecisionRequest): Promise<UpdateView> {
    const { state } = this.#record(id);
    const event: UpdateEvent =
      'choice' in decision
        ? { event: 'decided', choice: decision.choice }
        : { event: 'picked', address: decision.picked };
    const offered =
      'choice' in decision
        ? choicesOf(state).includes(decision.choice) && isDeepStrictEqual(failedAttempt(state), decision.after)
        : nextStep(state, event) !== state;
    if (!offered) throw new Refusal('choice-not-offered');
    return this.#say(id, event);
  }

  /** Breaks off what is under way; a run whose turn did not come is cancelled. @throws {Refusal} `not-found`. */
  async stop(id: string): Promise<UpdateView> {
    const record = this.#record(id);
    const event: UpdateEvent = { event: 'stop' };
    if (nextStep(record.state, event) === record.state || record.queued === 'held') return this.#view(record);
    return this.#say(id, event);
  }

  /** Leaves everything as it is, for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    const runs = [...this.#active.values()];
    for (const { run, cancelAging } of runs) {
      cancelAging?.();
      run.halt();
    }
    await Promise.allSettled(runs.map(({ run }) => run.ended));
    await this.#turns.take(async () => undefined);
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #say(id: string, event: UpdateEvent): Promise<UpdateView> {
    const active = this.#active.get(id);
    if (active) {
      const { run } = active;
      const changed = new Promise<void>((resolve) => {
        const forget = run.onState(() => (forget(), resolve()));
      });
      run.send(event);
      await withLimit(this.#options.clock, changed, { ms: EFFECT }).catch(() => undefined); // it is told as it is
      return this.view(id);
    }
    const record = this.#record(id);
    await this.#note(record, event, nextStep(record.state, event));
    this.#tell(record);
    this.#advance(record.campaign);
    await this.#sweep();
    return this.#view(record);
  }

  #record(id: string): UpdateRecord {
    const record = this.#open.get(id) ?? this.#options.store.get(id);
    if (!record) throw new Refusal('not-found', 'There is no such update');
    return record;
  }

  /** Begins those whose turn has come. */
  #advance(campaignId: string): void {
    const campaign = this.#open.campaign(campaignId);
    if (!campaign || this.#isClosed) return;
    const { members, rules } = campaign;
    const step = campaignStep(members.map(memberStatus), rules);
    const at = (places: readonly number[]): UpdateRecord[] => places.flatMap((place) => members[place] ?? []);
    const [begun, held] = [at(step.begin), at(step.hold)];
    if (begun.length + held.length === 0) return;
    const { store, now, database } = this.#options;
    for (const record of held) Object.assign(record, { queued: 'held', changedAt: now(), endedAt: now() });
    for (const record of begun) delete record.queued;
    database.transaction(() => {
      for (const record of [...begun, ...held]) store.change(record);
      for (const { id } of held) store.note(id, { at: now(), event: 'held', position: 'ready' });
    });
    for (const record of held) this.#over(record);
    for (const record of begun) this.#launch(record, { resumed: false });
    if (held.length > 0) void this.#sweep();
  }

  #launch(record: UpdateRecord, { resumed }: { resumed: boolean }): void {
    const campaign = this.#open.campaign(record.campaign);
    if (!campaign || this.#isClosed) return;
    const surroundings = surroundingsOf(record, {
      ...this.#options,
      journal: (one) => (event, state) => this.#note(one, event, state),
      takenBy: (one) => this.#addressesBut(one),
    });
    const { now, store } = this.#options;
    const leftFor = now() - (store.lastLeft(record) ?? -Infinity);
    const run = new UpdateRun(record.state, surroundings, { resumed, leftFor });
    const active: ActiveRun = { run, record, campaign, rate: new RateMeter(RATE) };
    this.#active.set(record.id, active);
    active.rate.add(this.#options.clock.now(), bytesServed(record.state.position));
    run.onState(() => this.#changed(active));
    this.#decideByPolicy(active);
    this.#tell(record);
    void run.ended.then(
      () => this.#finished(active),
      (error: unknown) => this.#broken(active, error).catch(() => undefined), // the station ends meanwhile
    );
  }

  /** Writes down what happened, before anything follows from it. */
  #note(record: UpdateRecord, event: UpdateEvent, state: UpdateState): Promise<void> {
    const { database, store, boards, clock, now } = this.#options;
    const at = now();
    const ended = state.position.at === 'ended';
    // Each range that was fetched would be a line of its own.
    const isLine = event.event !== 'served' || state.position.at !== record.state.position.at;
    const next: UpdateRecord = { ...record, state, changedAt: at, ...(ended && { endedAt: at }) };
    if (ended) delete next.queued;
    const written = database.soon(() => {
      store.change(next);
      if (isLine) store.note(record.id, journalLine(at, event, state.position));
      if (ended && state.position.at === 'ended' && state.position.outcome !== 'cancelled') {
        boards.keepHoldings(record.board.id, slotViews(state.slots, record.carried), runningAfter(state));
      }
    });
    return clock.outside(written).then(() => {
      if (ended) delete record.queued;
      Object.assign(record, next);
      if (ended) this.#over(record);
    });
  }

  #changed(active: ActiveRun): void {
    const { record, rate } = active;
    const { address, position } = record.state;
    if (position.at === 'downloading') rate.add(this.#options.clock.now(), bytesServed(position));
    else rate.clear();
    this.#options.boards.moved(record.board.id, address);
    this.#tell(record);
    this.#ageRate(active);
    this.#decideByPolicy(active);
    // Its place may be free for another, or it may stand in the way of one.
    this.#advance(record.campaign);
  }

  /** A download that stands still has no rate any more. */
  #ageRate(active: ActiveRun): void {
    active.cancelAging?.();
    delete active.cancelAging;
    if (this.#rate(active) === undefined) return;
    active.cancelAging = this.#options.clock.after(RATE_AGES, () => {
      this.#tell(active.record);
      this.#ageRate(active);
    });
  }

  #decideByPolicy({ run, record, campaign }: ActiveRun): void {
    if (record.state.position.at !== 'deciding') return;
    const made = this.#options.store.journal(record.id).filter(({ event }) => event === 'decided').length;
    const choice = policyChoice(record.state, campaign.policy, made);
    if (choice) run.send({ event: 'decided', choice });
  }

  #finished(active: ActiveRun): void {
    active.cancelAging?.();
    this.#active.delete(active.record.id);
    this.#advance(active.record.campaign);
    void this.#sweep();
  }

  /** Halted, or its journal could not be written: then it goes on as after a restart. */
  async #broken({ record, cancelAging }: ActiveRun, error: unknown): Promise<void> {
    cancelAging?.();
    this.#active.delete(record.id);
    if (this.#isClosed) return;
    this.#options.log(`The update of ${record.board.name} stands still: ${String(error)}`);
    await sleep(this.#options.clock, TRY_AGAIN, this.#closing.signal);
    if (this.#open.get(record.id)) this.#launch(record, { resumed: true });
  }

  #over(record: UpdateRecord): void {
    this.#open.remove(record);
    this.#tell(record);
    this.#options.boards.changed(record.board.id);
  }

  /** Removes what no run needs any more. */
  #sweep(): Promise<void> {
    const { stepFiles, onIdle } = this.#options;
    return this.#turns.take(async () => {
      const needed = this.#open
        .all()
        .flatMap(({ carried }) => Object.values(carried.files).map(({ sha256 }) => sha256));
      await stepFiles.keepOnly(new Set(needed)).catch(() => undefined); // they are in nobody's way
      if (needed.length === 0 && !this.#isClosed) onIdle();
    });
  }

  /** Where other runs know their boards to be. */
  #addressesBut(record: UpdateRecord): ReadonlySet<string> {
    return new Set(this.#open.all().flatMap(({ id, state }) => (id === record.id ? [] : [state.address])));
  }

  #tell(record: UpdateRecord): void {
    this.#options.events.update(this.#view(record));
  }

  #view(record: UpdateRecord): UpdateView {
    const active = this.#active.get(record.id);
    return active ? updateView(active.record, this.#rate(active)) : updateView(record);
  }

  /** Bytes a second, or nothing while that is not known. */
  #rate({ rate }: ActiveRun): number | undefined {
    return rate.rate(this.#options.clock.now());
  }
}
