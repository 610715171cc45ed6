// @vitest-environment happy-dom
/** What the card of the plan says of a board that has some of it, or all. */
import PlanCard from '#app/screens/Provision/PlanCard.svelte';
import { planProvision } from '#workflows/provision-plan.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test } from 'vitest';
import { MemoryFlash } from '../../support/memory-flash.ts';
import { identity, readBoard, sample } from '../../workflows/boards.ts';

afterEach(cleanup);

test('where nothing has to be sent, nothing is replaced', async () => {
  const flash = new MemoryFlash(0x40_0000);
  const release = sample('idf-build');
  await runFlashPlan(flash, planProvision(release, await readBoard()));
  const plan = planProvision(release, await readBoardState(flash, identity()));
  expect(plan.lost.map(({ why }) => why)).toContain('replaced');
  const answer = { plan, preview: false };
  const { rerender } = render(PlanCard, { answer, error: undefined, toSend: 4096 });
  expect(screen.queryByText('Replaces')).not.toBeNull();
  await rerender({ toSend: 0 });
  expect(screen.queryByText('Replaces')).toBeNull();
  expect(screen.getByText(/^nothing: the board holds all/)).toBeTruthy();
});
