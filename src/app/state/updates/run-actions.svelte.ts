/** What the user has to say to a run: the decision after a failure, which board it is, stop. And what its journal says. */
import { type DecisionRequest, type JournalLine, type UpdateView } from '#api.ts';
import { type Choice, failedAttempt } from '#workflows/update-state.ts';
import { type StationState } from './station-state.svelte.ts';

export class RunActions {
  /** Runs that something was said to, until the station has answered. */
  sending = $state.raw<readonly string[]>([]);
  /** Why the last of it failed, and for which run. */
  failed = $state.raw<{ id: string; error: unknown }>();
  readonly #station: StationState;

  constructor(station: StationState) {
    this.#station = station;
  }

  /** Decides what follows the failure that this view of the run shows. @returns whether the station has taken it. */
  decide({ id, state }: UpdateView, choice: Choice): Promise<boolean> {
    const after = failedAttempt(state);
    return after ? this.#decide(id, { choice, after }) : Promise.resolve(false);
  }

  /** Says which board it is. @returns whether the station has taken it. */
  pick(id: string, address: string): Promise<boolean> {
    return this.#decide(id, { picked: address });
  }

  /** Ends what is under way; what becomes of it is decided then. */
  readonly stop = (id: string): Promise<boolean> => this.#say(id, () => this.#station.client.stop(id));

  readonly journal = (id: string): Promise<readonly JournalLine[]> => this.#station.client.journal(id);

  #decide(id: string, decision: DecisionRequest): Promise<boolean> {
    return this.#say(id, () => this.#station.client.decide(id, decision));
  }

  async #say(id: string, work: () => Promise<UpdateView>): Promise<boolean> {
    if (this.sending.includes(id)) return false;
    this.sending = [...this.sending, id];
    this.failed = undefined;
    try {
      this.#station.take({ kind: 'update', update: await work() });
      return true;
    } catch (error) {
      this.failed = { id, error };
      return false;
    } finally {
      this.sending = this.sending.filter((other) => other !== id);
    }
  }
}
