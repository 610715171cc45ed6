/** The updates of the station: planned, started, carried out, taken up again after a restart. */
import { type DecisionRequest, type JournalLine, type PlanRequest, type PlanView, type UpdateView } from '#api.ts';
import { type Clock, sleep, withLimit } from '#clock.ts';
import { policyChoice } from '#workflows/failure-policy.ts';
import { UpdateRun } from '#workflows/run-update.ts';
import { type UpdateTimes } from '#workflows/update-surroundings.ts';
import { nextStep } from '#workflows/two-step-ota.ts';
import { choicesOf, failedAttempt, type UpdateEvent, type UpdateState } from '#workflows/update-state.ts';
import { isDeepStrictEqual } from 'node:util';
import { type BoardFiles } from '../board-files/board-files.ts';
import { type BoardRun } from '../boards/board-view.ts';
import { type Boards } from '../boards/boards.ts';
import { type StationEvents } from '../events.ts';
import { type BoardNetwork } from '../network/board-network.ts';
import { Refusal } from '../refusal.ts';
import { type ReleaseLibrary } from '../releases/release-library.ts';
import { type Database } from '../store/database.ts';
import { type UpdateRecord, type UpdateStore } from '../store/update-store.ts';
import { Turns } from '../turns.ts';
import { takeTurns } from './campaign-turns.ts';
import { DownloadRate } from './download-rate.ts';
import { noteEvent } from './note-event.ts';
import { type Campaign, OpenUpdates } from './open-updates.ts';
import { planBoards, planView } from './plan-boards.ts';
import { surroundingsOf } from './run-surroundings.ts';
import { slotViews } from './slot-views.ts';
import { type StartWish, startRecords } from './start-records.ts';
import { type StepFiles } from './step-files.ts';
import { type BoardPlan, UpdatePlanner } from './update-planner.ts';
import { isBusy, updateView } from './update-view.ts';

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

interface ActiveRun {
  run: UpdateRun;
  record: UpdateRecord;
  campaign: Campaign;
  rate: DownloadRate;
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
    for (const { run, rate } of runs) {
      rate.stop();
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
    const { begun, held } = takeTurns(campaign, this.#options);
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
    const rate = new DownloadRate(this.#options.clock, () => this.#tell(record));
    const active: ActiveRun = { run, record, campaign, rate };
    this.#active.set(record.id, active);
    rate.see(record.state.position);
    run.onState(() => this.#changed(active));
    this.#decideByPolicy(active);
    this.#tell(record);
    void run.ended.then(
      () => this.#finished(active),
      (error: unknown) => this.#broken(active, error).catch(() => undefined), // the station ends meanwhile
    );
  }

  async #note(record: UpdateRecord, event: UpdateEvent, state: UpdateState): Promise<void> {
    await noteEvent(record, { event, state }, this.#options);
    if (state.position.at === 'ended') this.#over(record);
  }

  #changed(active: ActiveRun): void {
    const { record, rate } = active;
    const { address, position } = record.state;
    rate.see(position);
    this.#options.boards.moved(record.board.id, address);
    this.#tell(record);
    this.#decideByPolicy(active);
    // Its place may be free for another, or it may stand in the way of one.
    this.#advance(record.campaign);
  }

  #decideByPolicy({ run, record, campaign }: ActiveRun): void {
    if (record.state.position.at !== 'deciding') return;
    const made = this.#options.store.journal(record.id).filter(({ event }) => event === 'decided').length;
    const choice = policyChoice(record.state, campaign.policy, made);
    if (choice) run.send({ event: 'decided', choice });
  }

  #finished(active: ActiveRun): void {
    active.rate.stop();
    this.#active.delete(active.record.id);
    this.#advance(active.record.campaign);
    void this.#sweep();
  }

  /** Halted, or its journal could not be written: then it goes on as after a restart. */
  async #broken({ record, rate }: ActiveRun, error: unknown): Promise<void> {
    rate.stop();
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
    return active ? updateView(active.record, active.rate.now) : updateView(record);
  }
}
