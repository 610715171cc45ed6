// @vitest-environment happy-dom
/** What the card of a run says of the board when the run was cancelled. */
import RunCard from '#app/screens/Provision/RunCard.svelte';
import { ProvisionJob } from '#app/state/provision-job.svelte.ts';
import { ModelClock } from '#model-clock.ts';
import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test } from 'vitest';

afterEach(cleanup);

test.each([
  ['nothing was written', { touched: false, finished: false }, 'Nothing on the board was changed.'],
  ['half of it was', { touched: true, finished: false }, /half-written/],
  ['the board was starting', { touched: true, finished: true }, 'All of it is written and verified.'],
])('cancelled when %s', (_name, { touched, finished }, text) => {
  const job = new ProvisionJob(new ModelClock());
  job.status = 'cancelled';
  job.touched = touched;
  job.progress = { ...job.progress, finished };
  render(RunCard, { job, connectDetail: '', onwifi: () => undefined });
  expect(screen.getByText(text)).toBeTruthy();
});
