/** Everything that the Provision screen shows: release, settings, board, plan, run, and which of them comes next. */
import { type Clock } from '#clock.ts';
import { type Bootloader } from '#device/bootloader.ts';
import { DeviceError, isDeviceError } from '#device/device-error.ts';
import { type BoardHints, type BoardState } from '#workflows/board-state.ts';
import { EVERYTHING, type FlashComparison } from '#workflows/flash-comparison.ts';
import { type FlashPlan, plannedBytes } from '#workflows/flash-plan.ts';
import { isDamageTold } from '#workflows/kept-guard.ts';
import { type BlockStore, isOverwritten, type SavedBlock } from '#workflows/probe-block.ts';
import { writtenBoard } from '#workflows/written-board.ts';
import { type DemoBoard } from '../demo/demo-board.ts';
import { DEMO_CHIPS, type DemoChip } from '../demo/demo-messages.ts';
import { type PickerSource, PortShelf, type ShelfPort } from '../ports/port-shelf.svelte.ts';
import { type Planner } from '../workers/planner.ts';
import { BackupJob } from './backup-job.svelte.ts';
import { type chooseBackupPlace } from './backup-place.ts';
import { BoardConnection } from './board-connection.svelte.ts';
import { DemoPlace } from './demo-place.svelte.ts';
import { KeptRuns, type KeptRun, type RunStore } from './kept-run.ts';
import { PlanComparison } from './plan-comparison.svelte.ts';
import { PlanState } from './plan-state.svelte.ts';
import { ProbeJob, type ProbePageFacts } from './probe-job.svelte.ts';
import { ProvisionJob } from './provision-job.svelte.ts';
import { ReleaseState } from './release-state.svelte.ts';
import { SettingsState } from './settings-state.svelte.ts';
import { type StationReport } from './updates/station-report.svelte.ts';

export interface ProvisioningParts {
  planner: Planner;
  clock: Clock;
  /** `undefined` where the browser gives no ports. */
  ports: PickerSource | undefined;
  startDemo: (chip: DemoChip) => DemoBoard;
  /** The user's choice of a place for a backup. */
  chooseBackupPlace?: typeof chooseBackupPlace;
  /** Where runs are kept for a later visit; nowhere unless given. */
  runs?: RunStore;
  /** Where blocks of measured boards are kept for a later visit; nowhere unless given. */
  blocks?: BlockStore;
  /** For the report of what was measured. */
  facts?: ProbePageFacts;
  /** Is told what a board holds when its run is done; nobody unless given. */
  report?: StationReport;
}

/** What the one filled button does. */
export type NextStep = 'choose' | 'connect' | 'settle' | 'write' | 'again' | 'next-board';

export class Provisioning {
  readonly release: ReleaseState;
  readonly settings = new SettingsState();
  readonly connection: BoardConnection;
  readonly job: ProvisionJob;
  readonly backup: BackupJob;
  readonly probe: ProbeJob;
  readonly planning: PlanState;
  /** The virtual board. */
  readonly demo: DemoPlace;
  readonly shelf: PortShelf | undefined;
  readonly report: StationReport | undefined;
  /** A run of an earlier visit that did not come to its end. */
  unfinished = $state.raw<KeptRun>();
  /** The board that is awaited, because such a run is gone on with. */
  awaited = $state<string>();
  /** Why no port could be had; a closed picker is no failure. */
  portError = $state.raw<unknown>();
  readonly plan: FlashPlan | undefined = $derived(this.#plan());
  /** Something is done with the board: nothing else may begin. */
  readonly busy: boolean = $derived(this.#isBusy());
  /** Bytes of the plan that have to be sent to the connected board; `undefined` while that is not known. */
  readonly toSend = $derived(this.#toSend());
  /**
   * A block that was measured in is to be put back, or not, before anything else: the plan was made of what is in its place, settings perhaps.
   * Not so where the plan writes all of it anyway.
   */
  readonly asksForBlock: boolean = $derived(this.#asksForBlock());
  readonly blocked: boolean = $derived(this.#isBlocked());
  readonly next: NextStep = $derived(this.#next());
  readonly #runs: KeptRuns;
  readonly #comparison = new PlanComparison();

  constructor(parts: ProvisioningParts) {
    const { planner, clock, ports, startDemo, chooseBackupPlace: choosePlace, runs, blocks, facts, report } = parts;
    this.report = report;
    this.#runs = new KeptRuns(runs);
    this.release = new ReleaseState(planner);
    this.shelf = ports && new PortShelf(ports);
    this.connection = new BoardConnection(clock, {
      onKnown: (port, board) => this.shelf?.note(port, board),
      onReached: (bootloader) => this.probe.settle(bootloader),
      hintsFor: (chip) => this.#hintsFor(chip),
    });
    this.planning = new PlanState(planner, this.settings, () => this.connection.board);
    this.demo = new DemoPlace(startDemo, (board) => this.#leaveDemo(board));
    this.job = new ProvisionJob(clock);
    this.backup = new BackupJob(clock, choosePlace);
    this.probe = new ProbeJob(clock, facts ?? { version: 'unknown', system: 'unknown' }, blocks);
  }

  /** The chip of the virtual board: as chosen, else one that the release is for. */
  get suggestedChip(): DemoChip {
    const chips = this.release.summary?.builds.map(({ chip }) => chip) ?? [];
    return this.demo.chip ?? DEMO_CHIPS.find((chip) => chips.includes(chip)) ?? 'esp32';
  }

  /** Makes the plan anew; to be called whenever release, data, wishes or board change. */
  replan(): void {
    if (!this.job.running) this.planning.renew();
  }

  /** Compares the plan with the connected board; to be called whenever one of them changes. */
  compare(): void {
    const { connection, job, settings } = this;
    const { answer } = this.planning;
    const board = connection.idle;
    const isWanted = job.status === 'idle' && answer && !answer.preview && answer.plan.objections.length === 0;
    if (board && isWanted && settings.sends === 'differing') this.#comparison.begin({ board, plan: answer.plan });
    else this.#comparison.stop();
  }

  /** Another release has its table elsewhere: a connected board is looked at again. */
  async releaseChanged(): Promise<void> {
    const store = this.release.summary?.wifiStore;
    if (store) this.settings.takeStore(store);
    if (this.job.status === 'idle') await this.connection.readAgain();
  }

  /** Looks for a run of an earlier visit. */
  async findUnfinished(): Promise<void> {
    this.unfinished = await this.#runs.load();
  }

  /** Takes release, data and settings of that run; its board is still to be connected. */
  async goOn(): Promise<void> {
    const run = this.unfinished;
    if (!run) return;
    this.unfinished = undefined;
    await Promise.all([this.release.take(run.files), this.release.takeData(run.data)]);
    this.settings.takeKept(run.settings, run);
    this.awaited = run.mac;
  }

  async forgetUnfinished(): Promise<void> {
    this.unfinished = undefined;
    await this.#runs.end();
  }

  /** Lets the user choose a port and connects to its board. Inside a click. */
  async choosePort({ all = false } = {}): Promise<void> {
    if (!this.shelf) return;
    this.portError = undefined;
    try {
      const port = await this.shelf.source.request({ all });
      void this.shelf.refresh();
      await this.#connect({ port, source: this.shelf.source, virtual: false });
    } catch (error) {
      if (!isDeviceError(error, 'no-port-chosen')) this.portError = error;
    }
  }

  /** Connects to the board on a port that the page may use already. */
  async connectTo({ port }: ShelfPort): Promise<void> {
    if (this.shelf) await this.#connect({ port, source: this.shelf.source, virtual: false });
  }

  /** Connects to the virtual board: the one that was there before, if it is of the chip that is wanted now. */
  async connectDemo(chip: DemoChip = this.suggestedChip): Promise<void> {
    const place = await this.demo.portOf(chip);
    if (place) await this.#connect(place);
  }

  /** Another virtual board, with nothing in its flash. */
  async blankDemo(): Promise<void> {
    if (this.probe.asked) await this.leaveBlock();
    await this.connection.disconnect();
    const { board } = this.demo;
    await board?.act('blank');
    if (board) this.probe.forget(board);
    await this.connectDemo(board?.chip);
  }

  /** Writes, verifies, starts; after a failure the same again. */
  async write(): Promise<void> {
    const { connection, settings, job } = this;
    if (this.busy || this.asksForBlock) return;
    const { asked } = this.probe;
    let overwritten: SavedBlock | undefined;
    this.probe.reset();
    const first = connection.board?.identity.mac;
    const again = connection.status !== 'connected';
    await job.run({
      connect: (signal) => connection.reach(settings.connectOptions, signal),
      compare: async (board, signal) => {
        const state = again ? await connection.read(board, signal) : connection.board;
        if (!state) throw new DeviceError('port-closed', 'Nothing was read from the board');
        if (first !== undefined && state.identity.mac !== first) {
          throw new DeviceError('wrong-board', `Board ${state.identity.mac ?? 'without a MAC'} answers, not ${first}`);
        }
        const plan = await this.planning.freshFor(state);
        // A board that is reached anew was asked of anew.
        const { block } = this.probe.asked ?? asked ?? {};
        if (block && isOverwritten(block, plan.writes)) overwritten = block;
        this.#keep(state, plan);
        const earlier = this.#runs.watchedOn(state.identity.mac);
        return { plan, comparison: await this.#compared(board, plan, signal), earlier };
      },
      onStep: (step) => this.#runs.noteStep(step),
      onWatch: (watched) => {
        this.#runs.noteWatched(watched);
        if (overwritten) void this.probe.leave(overwritten.mac);
      },
    });
    // It was told, and is not told again by a run that harms nothing.
    if (isDamageTold(job.error)) this.#runs.noteWatched(undefined);
    if (job.status === 'done') this.#tellStation();
    if (job.progress.finished) await this.#runs.end();
    await connection.release();
  }

  /** Measures the connected board as planned. */
  async measure(): Promise<void> {
    if (!this.busy) await this.probe.run(this.connection, this.settings.connectOptions);
  }

  /** Puts back what an earlier measurement had to leave. */
  async putBlockBack(): Promise<void> {
    if (!this.busy) await this.probe.putBack(this.connection);
  }

  /** The place of an earlier measurement stays as it is. */
  async leaveBlock(): Promise<void> {
    if (!this.busy) await this.probe.leave(this.connection.board?.identity.mac);
  }

  /** Release and settings stay, the board goes. */
  async nextBoard(): Promise<void> {
    this.job.reset();
    this.report?.forget();
    this.awaited = undefined;
    await this.#runs.end();
    await this.connection.disconnect();
  }

  /** The virtual board is on no network: no station could update it. */
  #tellStation(): void {
    const { connection, plan, job, release } = this;
    const { board, place } = connection;
    if (!this.report || !board || !plan || place?.virtual) return;
    const address = job.verdict?.address;
    const held = writtenBoard({ board, plan, release: release.summary?.name, address });
    if (held) void this.report.tell(held);
  }

  #keep({ identity }: BoardState, plan: FlashPlan): void {
    const { summary, files, dataFile } = this.release;
    this.unfinished = undefined;
    this.#runs.begin(plan, {
      release: [summary?.name, summary?.version].filter(Boolean).join(' '),
      mac: identity.mac,
      files: [...files],
      data: dataFile,
      settings: this.settings.toKeep(),
      wifiWritten: false,
    });
  }

  async #connect(place: Parameters<BoardConnection['connect']>[0]): Promise<void> {
    this.job.reset();
    this.backup.reset();
    this.probe.reset();
    await this.connection.connect(place, this.settings.connectOptions);
  }

  async #leaveDemo(board: DemoBoard): Promise<void> {
    if (this.connection.place?.source === board) await this.connection.disconnect();
    this.probe.forget(board);
  }

  #asksForBlock(): boolean {
    const { asked } = this.probe;
    return asked !== undefined && !isOverwritten(asked.block, this.plan?.writes ?? []);
  }

  #plan(): FlashPlan | undefined {
    return this.planning.answer?.plan;
  }

  #isBlocked(): boolean {
    const { plan, planning, settings, asksForBlock } = this;
    const isObjected = plan !== undefined && plan.objections.length > 0;
    return isObjected || asksForBlock || planning.error !== undefined || Object.keys(settings.problems).length > 0;
  }

  #isBusy(): boolean {
    return this.job.running || this.backup.running || this.probe.running || this.probe.restoring;
  }

  #hintsFor(chip: string): BoardHints {
    const builds = this.release.summary?.builds.filter((build) => build.chip === chip) ?? [];
    const tables = builds.flatMap(({ table }) => table ?? []);
    return {
      ...(tables[0] && { tableOffset: tables[0].offset }),
      tables: tables.map(({ partitions }) => partitions),
    };
  }

  /** Nothing where the plan is refused anyway. */
  async #compared(board: Bootloader, plan: FlashPlan, signal: AbortSignal): Promise<FlashComparison | undefined> {
    if (plan.objections.length > 0) return undefined;
    return this.settings.sends === 'everything' ? EVERYTHING : this.#comparison.forRun({ board, plan }, signal);
  }

  #toSend(): number | undefined {
    const { settings } = this;
    const { answer } = this.planning;
    if (!answer || answer.preview) return undefined;
    return settings.sends === 'everything' ? plannedBytes(answer.plan) : this.#comparison.bytesToSend(answer.plan);
  }

  #next(): NextStep {
    const { job, connection, release } = this;
    if (job.status === 'done') return 'next-board';
    if (job.status === 'failed' || job.status === 'cancelled') return this.blocked ? 'settle' : 'again';
    if (!release.summary) return 'choose';
    if (connection.status !== 'connected' && connection.status !== 'working') return 'connect';
    return this.blocked ? 'settle' : 'write';
  }
}
