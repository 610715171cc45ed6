/** What becomes of a failure without asking anybody: a pure function of where the run stands. */
import { type Choice, choicesOf, type UpdateState } from './update-state.ts';

export interface FailurePolicy {
  /**
   * `ask`: the user decides. `retry`: again, and after so many times it is left. `restore`: the old data are put back; where that cannot be
   * done any more, as `retry`. `stop`: left as it is.
   */
  readonly onFailure: 'ask' | 'retry' | 'restore' | 'stop';
  /** How often a transfer is tried again, 1 or more. */
  readonly retries: number;
}

/**
 * The choice that the policy makes; `undefined` where nothing is to be decided, or only the user can.
 *
 * @param made how many choices it has made in this run: attempts are counted for each transfer, and a board that goes back to its old app
 *   again and again must not be written to for ever.
 */
export function policyChoice(state: UpdateState, policy: FailurePolicy, made: number): Choice | undefined {
  const { onFailure, retries } = policy;
  const { position } = state;
  if (position.at !== 'deciding' || onFailure === 'ask') return undefined;
  // Whoever stops a run by hand wants to say what comes next.
  if (position.failure === 'stopped') return undefined;
  // Nobody has agreed to lose the data that somebody else has put there.
  if (onFailure === 'stop' || position.failure === 'changed') return 'leave';
  if (made > 2 * retries) return 'leave';
  const choices = choicesOf(state);
  if (onFailure === 'restore' && choices.includes('restore')) return 'restore';
  // Attempts of a restore go on counting from those of the app, of which this policy allows one.
  const first = position.transfer === 'restore' && onFailure === 'restore' ? 2 : 1;
  return position.attempt - first < retries && choices.includes('retry') ? 'retry' : 'leave';
}
