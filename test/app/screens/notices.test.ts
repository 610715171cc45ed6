// @vitest-environment happy-dom
/** Whatever a plan has to say is said once: by the card of the thing that it is about. */
import { render } from '@testing-library/svelte';
import { describe, expect, test } from 'vitest';
import { Provisioning } from '#app/state/provisioning.svelte.ts';
import { OBJECTIONS, WARNINGS } from '#messages/plan-messages.ts';
import { ModelClock } from '#model-clock.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type Objection, type PlanSubject, type Warning } from '#workflows/plan-notices.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import BoardCard from '../../../src/app/screens/Provision/BoardCard.svelte';
import PlanCard from '../../../src/app/screens/Provision/PlanCard.svelte';
import ReleaseCard from '../../../src/app/screens/Provision/ReleaseCard.svelte';
import SettingsCard from '../../../src/app/screens/Provision/SettingsCard.svelte';
import { readBoard, sample } from '../../workflows/boards.ts';
import { testPlanner } from '../state/support/planner.ts';

const SUBJECTS: readonly PlanSubject[] = [
  'release',
  'chip',
  'bootloader',
  'partition-table',
  'otadata',
  'nvs',
  'app',
  'data',
  'wifi',
  'other',
];

const board = await readBoard();
const plain = planProvision(sample('idf-build'), board);

/** All cards of the screen with that plan for a connected board. */
function showCards(plan: FlashPlan): void {
  const flow = new Provisioning({
    planner: testPlanner(),
    clock: new ModelClock(),
    ports: undefined,
    startDemo: () => {
      throw new Error('No demo here');
    },
  });
  flow.connection.board = board;
  flow.planning.answer = { plan, preview: false };
  render(ReleaseCard, { release: flow.release, plan, locked: false });
  const { settings } = flow;
  render(SettingsCard, {
    settings,
    plan,
    csvError: undefined,
    locked: false,
    hasSettings: false,
    onenter: () => undefined,
  });
  render(BoardCard, { flow, ability: 'ready', system: 'linux', locked: false });
  render(PlanCard, { answer: flow.planning.answer, error: undefined });
}

const shown = (selector: string): number => document.querySelectorAll(selector).length;

describe.each(SUBJECTS)('about %s', (subject) => {
  test('every objection is shown by one card, which can be jumped to', () => {
    const codes = Object.keys(OBJECTIONS) as Objection['code'][];
    showCards({ ...plain, warnings: [], objections: codes.map((code) => ({ code, subject, values: {} })) });
    const times = Object.fromEntries(codes.map((code) => [code, shown(`[tabindex="-1"][data-objection=${code}]`)]));
    // At its own card this one is said by the fields themselves.
    const expected = codes.map((code) => [code, code === 'wifi-refused' && ['wifi', 'nvs'].includes(subject) ? 0 : 1]);
    expect(times).toEqual(Object.fromEntries(expected));
  });

  test('every warning is shown by one card', () => {
    const codes = Object.keys(WARNINGS) as Warning['code'][];
    showCards({ ...plain, objections: [], warnings: codes.map((code) => ({ code, subject, values: {} })) });
    expect(shown('.notice.warning')).toBe(codes.length);
  });
});
