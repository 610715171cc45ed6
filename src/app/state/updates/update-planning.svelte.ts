/** What is to be updated with what, what that would do, what has to be agreed to, and which of it comes next. */
import { SvelteSet } from 'svelte/reactivity';
import { type OnFailure, type PlanRequest, type PlanView, type UpdateView } from '#api.ts';
import { isAbort } from '#messages/error-message.ts';
import { objectionsOf, sharedNotices, type SharedNotice } from './shared-notices.ts';
import { type StationState } from './station-state.svelte.ts';

export type StepsWish = 'all' | 'app' | 'data';

/** What the one filled button does. */
export type PlanningStep = 'find' | 'choose-board' | 'choose-release' | 'plan' | 'settle' | 'agree' | 'update';

export class UpdatePlanning {
  /** Boards that are to be updated. */
  readonly chosen = new SvelteSet<string>();
  releaseId = $state<string>();
  steps = $state<StepsWish>('all');
  /** Codes of what was agreed to. */
  readonly agreed = new SvelteSet<string>();
  /** The listener for boards may be opened. */
  listenerAgreed = $state(false);
  onFailure = $state<OnFailure>('ask');
  retries = $state(3);
  atOnce = $state(4);
  testGroup = $state(1);
  stopAfter = $state(3);
  plans = $state.raw<readonly PlanView[]>();
  planning = $state(false);
  starting = $state(false);
  /** Why there is no plan, or the update did not start. */
  error = $state.raw<unknown>();
  readonly #station: StationState;
  #controller: AbortController | undefined;

  /** Boards of the list that are chosen and have no run, in its order. */
  readonly boards: readonly string[] = $derived.by(() =>
    this.#station.boards.filter(({ id, updateId }) => this.chosen.has(id) && !updateId).map(({ id }) => id),
  );
  readonly release = $derived.by(() => this.#station.releases.find(({ id }) => id === this.releaseId));
  /** What a plan is asked for; nothing while something is missing. */
  readonly wish: PlanRequest | undefined = $derived.by(() => {
    const { boards, release, steps } = this;
    if (boards.length === 0 || !release) return undefined;
    return { release: release.id, boards: [...boards], ...(steps !== 'all' && { only: steps }) };
  });
  /** Changes with what a plan is made of, and with nothing else: a plan looks at the boards, which changes what is known of them. */
  readonly wishKey: string = $derived(JSON.stringify(this.wish ?? null));
  readonly listenerClosed = $derived.by(() => this.#station.info?.boardsListener.state !== 'open');
  readonly consents: readonly SharedNotice[] = $derived(
    sharedNotices(
      this.plans ?? [],
      ({ consents }) => consents,
      ({ code }) => code,
    ),
  );
  /** Boards that cannot be updated as they are. */
  readonly refused: readonly PlanView[] = $derived((this.plans ?? []).filter((plan) => objectionsOf(plan).length > 0));
  readonly agreedToAll = $derived.by(
    () =>
      this.consents.every(({ notice }) => this.agreed.has(notice.code)) &&
      (!this.listenerClosed || this.listenerAgreed),
  );
  readonly next: PlanningStep = $derived(this.#next());

  constructor(station: StationState) {
    this.#station = station;
  }

  /** That board alone. */
  choose(id: string): void {
    this.chosen.clear();
    this.chosen.add(id);
  }

  /** One board more or less. */
  toggle(id: string): void {
    if (!this.chosen.delete(id)) this.chosen.add(id);
  }

  /** Makes the plan anew; what was agreed to was for another one. The last wish counts. */
  async replan(): Promise<void> {
    this.#controller?.abort();
    this.plans = undefined;
    this.error = undefined;
    this.agreed.clear();
    const { wish } = this;
    if (!wish) {
      this.planning = false;
      return;
    }
    const { signal } = (this.#controller = new AbortController());
    this.planning = true;
    try {
      const plans = await this.#station.client.plan(wish, signal);
      if (signal.aborted) return;
      this.plans = plans;
      for (const { board } of plans) this.#station.take({ kind: 'board', board });
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      this.error = error;
    }
    this.planning = false;
  }

  /** Boards that cannot be updated are left out. */
  leaveOutRefused(): void {
    for (const { board } of this.refused) this.chosen.delete(board.id);
  }

  /** Opens the listener for boards if that was agreed to, and starts. Gives the runs; nothing when that failed. */
  async start(): Promise<readonly UpdateView[] | undefined> {
    const { wish } = this;
    if (!wish || this.starting) return undefined;
    this.starting = true;
    this.error = undefined;
    try {
      if (this.listenerClosed) await this.#station.client.openListener(true);
      const updates = await this.#station.client.start({
        ...wish,
        consents: [...this.agreed],
        onFailure: this.onFailure,
        retries: this.retries,
        atOnce: this.atOnce,
        // A test group as large as the whole is none.
        testGroup: wish.boards.length > 1 ? this.testGroup : 0,
        stopAfter: this.stopAfter,
      });
      for (const update of updates) this.#station.take({ kind: 'update', update });
      this.chosen.clear();
      // What it said of the boards was for the time before.
      this.plans = undefined;
      return updates;
    } catch (error) {
      this.error = error;
      return undefined;
    } finally {
      this.starting = false;
    }
  }

  #next(): PlanningStep {
    if (this.#station.boards.length === 0) return 'find';
    if (this.boards.length === 0) return 'choose-board';
    if (!this.release) return 'choose-release';
    if (!this.plans) return 'plan';
    if (this.refused.length > 0) return 'settle';
    return this.agreedToAll ? 'update' : 'agree';
  }
}
