/** Everything that the Update screen shows: the station, which board and which of its runs is looked at, the plan, what can be done. */
import { type Clock } from '#clock.ts';
import { type UpdateView } from '#api.ts';
import { type Planner } from '../../workers/planner.ts';
import { BoardKeeping } from './board-keeping.svelte.ts';
import { ReleaseUpload } from './release-upload.svelte.ts';
import { RunActions } from './run-actions.svelte.ts';
import { isOver, needsUser, olderRelease, openRun } from './run-progress.ts';
import { type StationClient } from './station-client.ts';
import { StationState } from './station-state.svelte.ts';
import { UpdatePlanning } from './update-planning.svelte.ts';

export interface UpdateScreenParts {
  client: StationClient;
  clock: Clock;
  startPlanner: () => Planner;
}

/** What the address says that is looked at. */
export interface Shown {
  board?: string | undefined;
  run?: string | undefined;
}

export class UpdateScreen {
  readonly station: StationState;
  readonly keeping: BoardKeeping;
  readonly upload: ReleaseUpload;
  readonly planning: UpdatePlanning;
  readonly actions: RunActions;
  /** The board whose slots are shown. */
  boardId = $state<string>();
  /** A run of it that is over, and still looked at. */
  #runId = $state<string>();
  readonly board = $derived.by(() => this.station.board(this.boardId));
  /** The run of the board that is shown in place of a plan. */
  readonly run: UpdateView | undefined = $derived.by(() => this.#run());
  /** Runs that were started together with it, in the order in which they begin. */
  readonly campaign: readonly UpdateView[] = $derived.by(() => this.#campaign());
  /** What the board had before the run, to go back to. */
  readonly older = $derived.by(() => this.run && olderRelease(this.run, this.station));
  readonly release = $derived.by(() => {
    const id = this.run?.release.id ?? this.planning.releaseId;
    return this.station.releases.find((release) => release.id === id);
  });
  /** Of the board that is looked at. */
  readonly plan = $derived.by(() => this.planning.plans?.find(({ board }) => board.id === this.boardId));

  constructor({ client, clock, startPlanner }: UpdateScreenParts, { board, run }: Shown = {}) {
    this.station = new StationState(client, clock);
    this.keeping = new BoardKeeping(this.station);
    this.upload = new ReleaseUpload(client, startPlanner);
    this.planning = new UpdatePlanning(this.station);
    this.actions = new RunActions(this.station);
    this.boardId = board;
    this.#runId = run;
    if (board !== undefined && run === undefined) this.planning.choose(board);
  }

  /** For the address: a reload, or another tab, shows the same. */
  get shown(): Shown {
    return { board: this.boardId, run: this.run?.id };
  }

  /** Looks at that board. Unless it is one of several that are to be updated, only it is to be. */
  show(id: string): void {
    if (id !== this.boardId) this.#runId = undefined;
    this.boardId = id;
    if (!this.planning.boards.includes(id)) this.planning.choose(id);
  }

  /** Looks at a run, also at one that is long over. */
  showRun({ id, board }: UpdateView): void {
    this.boardId = board.id;
    this.#runId = id;
  }

  /** One board more or less that is to be updated. */
  toggle(id: string): void {
    this.planning.toggle(id);
    if (this.planning.chosen.has(id)) {
      this.boardId = id;
      this.#runId = undefined;
    } else if (this.boardId === id) {
      this.boardId = [...this.planning.chosen].at(-1) ?? id;
    }
  }

  /** To be called when what the station tells has changed: finds something to look at, and stays with a run that ends. */
  follow(): void {
    const { boards, updates, contact } = this.station;
    if (contact !== 'live') return;
    if (!this.board) {
      const first = updates.find(needsUser) ?? updates.find((update) => !isOver(update));
      const only = boards.length === 1 ? boards[0]?.id : undefined;
      const id = boards.find((board) => board.id === first?.board.id)?.id ?? only;
      if (id !== undefined) this.show(id);
    }
    const open = this.boardId === undefined ? undefined : openRun(updates, this.boardId);
    if (open) this.#runId = open.id;
    const [newest] = this.station.releases.toSorted((a, b) => b.addedAt - a.addedAt);
    if (!this.planning.release) this.planning.releaseId = newest?.id;
  }

  async start(): Promise<void> {
    const updates = await this.planning.start();
    const shown = updates?.find(({ board }) => board.id === this.boardId) ?? updates?.[0];
    if (shown) this.showRun(shown);
  }

  /** Those that wait come first: none of them begins while the others are stopped. */
  async stopCampaign(): Promise<void> {
    const going = this.campaign.filter((run) => !isOver(run) && !needsUser(run));
    const inOrder = going.toSorted((a, b) => Number(b.queued === 'waiting') - Number(a.queued === 'waiting'));
    for (const { id } of inOrder) await this.actions.stop(id);
  }

  /** The run has been read: its board can be updated again. */
  dismiss(): void {
    this.#runId = undefined;
    if (this.boardId !== undefined) this.planning.choose(this.boardId);
  }

  /** Gives the run up and plans another one, with the release that the board had before. */
  async goBack(): Promise<void> {
    const { run, older } = this;
    if (!run || !older) return;
    if (!isOver(run) && !(await this.actions.decide(run, 'leave'))) return;
    this.planning.releaseId = older.id;
    this.planning.steps = 'all';
    this.dismiss();
  }

  #run(): UpdateView | undefined {
    const { boardId } = this;
    if (boardId === undefined) return undefined;
    const looked = this.station.update(this.#runId);
    return openRun(this.station.updates, boardId) ?? (looked?.board.id === boardId ? looked : undefined);
  }

  #campaign(): readonly UpdateView[] {
    const { run } = this;
    const all = this.station.updates.filter(({ campaign }) => campaign === run?.campaign);
    return all.length > 1 ? all.toSorted((a, b) => a.place - b.place) : [];
  }
}
