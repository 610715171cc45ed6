import { expect, test } from 'vitest';
import { type FailurePolicy, policyChoice } from '#workflows/failure-policy.ts';
import { type Failure, initialState, type RunFacts, type Transfer, type UpdateState } from '#workflows/update-state.ts';

const FACTS: RunFacts = {
  steps: ['app', 'data'],
  from: 'PA',
  sizes: { app: 100, data: 100, restore: 100 },
  shown: {},
  trialMs: 0,
};
const WITHOUT_WAY_BACK: RunFacts = { ...FACTS, sizes: { app: 100, data: 100 } };

const failed = (transfer: Transfer, attempt: number, failure: Failure = 'broken-off', facts = FACTS): UpdateState => ({
  ...initialState(facts, 'a'),
  position: { at: 'deciding', transfer, attempt, failure, file: 'f', served: [] },
});
const policy = (onFailure: FailurePolicy['onFailure'], retries = 2): FailurePolicy => ({ onFailure, retries });

test.each([
  { what: 'ask', state: failed('app', 1), by: policy('ask'), choice: undefined },
  { what: 'stop', state: failed('app', 1), by: policy('stop'), choice: 'leave' },
  { what: 'retry the first time', state: failed('app', 1), by: policy('retry'), choice: 'retry' },
  { what: 'retry the last time', state: failed('app', 2), by: policy('retry'), choice: 'retry' },
  { what: 'retry no more', state: failed('app', 3), by: policy('retry'), choice: 'leave' },
  { what: 'retry the data, counted by themselves', state: failed('data', 1), by: policy('retry'), choice: 'retry' },
  { what: 'restore', state: failed('app', 1), by: policy('restore'), choice: 'restore' },
  {
    what: 'restore without a way back',
    state: failed('app', 1, 'broken-off', WITHOUT_WAY_BACK),
    by: policy('restore'),
    choice: 'retry',
  },
  { what: 'restore when only the data failed', state: failed('data', 1), by: policy('restore'), choice: 'retry' },
  { what: 'restore when that fails itself', state: failed('restore', 2), by: policy('restore'), choice: 'retry' },
  {
    what: 'restore when that fails again and again',
    state: failed('restore', 4),
    by: policy('restore'),
    choice: 'leave',
  },
  { what: 'whatever the user stopped', state: failed('app', 1, 'stopped'), by: policy('retry'), choice: undefined },
  { what: 'data of somebody else', state: failed('app', 1, 'changed'), by: policy('retry'), choice: 'leave' },
  { what: 'nothing to decide', state: initialState(FACTS, 'a'), by: policy('stop'), choice: undefined },
])('$what → $choice', ({ state, by, choice }) => {
  expect(policyChoice(state, by, 0)).toBe(choice);
});

test('a board that goes back to its old app again and again is left in the end', () => {
  expect(policyChoice(failed('app', 1, 'back-on-old'), policy('retry'), 4)).toBe('retry');
  expect(policyChoice(failed('app', 1, 'back-on-old'), policy('retry'), 5)).toBe('leave');
});
