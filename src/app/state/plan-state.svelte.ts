/** The plan of what stands on the screen, for the connected board or as a preview on a blank one; made in the planner's worker. */
import { type BoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type Planner } from '../workers/planner.ts';
import { type PlanAnswer } from '../workers/planner-messages.ts';
import { type SettingsState } from './settings-state.svelte.ts';

export class PlanState {
  answer = $state.raw<PlanAnswer>();
  /** Why there is none. */
  error = $state.raw<unknown>();
  readonly #planner: Planner;
  readonly #settings: SettingsState;
  readonly #board: () => BoardState | undefined;
  #making: Promise<void> | undefined;
  #stale = false;

  /** `board`: the connected one, whenever a plan is made. */
  constructor(planner: Planner, settings: SettingsState, board: () => BoardState | undefined) {
    this.#planner = planner;
    this.#settings = settings;
    this.#board = board;
  }

  /** Makes it anew. While one is made, the next waits. */
  renew(): void {
    this.#stale = true;
    this.#making ??= this.#makeUntilFresh().finally(() => (this.#making = undefined));
  }

  /** Done when none is being made. */
  async settled(): Promise<void> {
    await this.#making;
  }

  /** With what stands in the fields at this moment: the plan on the screen may be older than the last key. */
  async freshFor(board: BoardState): Promise<FlashPlan> {
    await this.#making;
    const answer = await this.#planner.plan(board, this.#settings.wishes);
    if (!answer) throw new Error('There is no release to write');
    this.answer = answer;
    this.error = undefined;
    return answer.plan;
  }

  async #makeUntilFresh(): Promise<void> {
    while (this.#stale) {
      this.#stale = false;
      try {
        const answer = await this.#planner.plan(this.#board(), this.#settings.wishes);
        this.error = undefined;
        this.answer = answer;
      } catch (error) {
        this.error = error;
        this.answer = undefined;
      }
    }
  }
}
