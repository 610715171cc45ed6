/** How far a run is: its bytes, its phases, what is said of it in its row and in the bar. */
import { phasesOf } from '#app/screens/Update/run-phases.ts';
import { progressWords } from '#app/screens/Update/next-words.ts';
import { addressOf, shownByAddress } from '#app/screens/Update/shown-address.ts';
import { isOver, needsUser, runBytes, secondsLeft, transferBytes } from '#app/state/updates/run-progress.ts';
import { type UpdateView } from '#api.ts';
import { describe, expect, test } from 'vitest';
import {
  APP_SIZE,
  DATA_SIZE,
  OLD_DATA_SIZE,
  PATHS,
  confirmingState,
  sampleFacts,
  sampleUpdate,
  stateAfter,
} from '../../../support/update-samples.ts';

const run = (path: string, change: Partial<UpdateView> = {}): UpdateView =>
  sampleUpdate(stateAfter(PATHS[path]!), change);
const TOTAL = APP_SIZE + DATA_SIZE;

test.each([
  ['preparing', 0, TOTAL],
  ['downloading', 600_000, TOTAL],
  ['arriving', APP_SIZE, TOTAL],
  ['step 2 preparing', APP_SIZE, TOTAL],
  ['step 2 downloading', APP_SIZE + 1_200_000, TOTAL],
  ['complete', TOTAL, TOTAL],
  ['restore downloading', 800_000, OLD_DATA_SIZE],
  ['cancelled', 0, TOTAL],
])('%s: %i of %i bytes', (path, done, total) => {
  expect(runBytes(run(path))).toEqual({ done, total });
});

test('nothing is done twice: the share never goes back on the way to the end', () => {
  const way = ['preparing', 'waiting', 'downloading', 'arriving', 'step 2 preparing', 'step 2 downloading', 'complete'];
  const done = way.map((path) => runBytes(run(path)).done);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
});

test('time left is known only while something moves, and not from the first bytes', () => {
  expect(secondsLeft(run('downloading', { rate: 78_000 }))).toBeCloseTo(10);
  const { rate, ...still } = run('downloading');
  expect(rate).toBeDefined();
  expect(secondsLeft(still)).toBeUndefined();
  expect(secondsLeft(run('arriving', { rate: 1000 }))).toBeUndefined();
  const early = sampleUpdate(stateAfter([...PATHS['waiting']!, { event: 'served', ranges: [[0, 10_000]] }]));
  expect(secondsLeft(early)).toBeUndefined();
  expect(progressWords(early).right).not.toMatch(/left/);
});

test('ranges that were fetched in any order count once', () => {
  const ranges = [
    [500_000, 600_000],
    [0, 100_000],
  ] as const;
  expect(transferBytes(sampleUpdate(stateAfter([...PATHS['waiting']!, { event: 'served', ranges }])))?.done).toBe(
    200_000,
  );
});

test('which runs are over, and which wait for the user', () => {
  const over = Object.keys(PATHS).filter((path) => isOver(run(path)));
  expect(over).toEqual(['complete', 'restored', 'left', 'cancelled']);
  expect(isOver(run('ready', { queued: 'held' }))).toBe(true);
  const waiting = Object.keys(PATHS).filter((path) => needsUser(run(path)));
  expect(waiting).toContain('picking');
  expect(waiting).toHaveLength(11);
});

describe('phases', () => {
  const states = (path: string): string =>
    phasesOf(run(path))
      .map(({ state }) => state)
      .join(' ');
  test.each([
    ['ready', 'waiting waiting waiting waiting'],
    ['asking', 'running waiting waiting waiting'],
    ['downloading', 'running waiting waiting waiting'],
    ['arriving', 'done running waiting waiting'],
    ['picking', 'done running waiting waiting'],
    ['step 2 downloading', 'done done running waiting'],
    ['step 2 arriving', 'done done done running'],
    ['complete', 'done done done done'],
    ['broken-off', 'failed waiting waiting waiting'],
    ['back-on-old', 'done failed waiting waiting'],
    ['step 2 other-data', 'done done done failed'],
    ['restore downloading', 'failed skipped running waiting'],
    ['restored', 'failed skipped done done'],
    ['left', 'done done skipped skipped'],
    ['cancelled', 'skipped skipped skipped skipped'],
  ])('%s: %s', (path, expected) => {
    expect(states(path)).toBe(expected);
  });

  test('the way back of data alone stands behind the data', () => {
    const state = stateAfter(PATHS['restore downloading']!, sampleFacts({ steps: ['data'] }));
    const phases = phasesOf(sampleUpdate(state)).map(({ id, state: of }) => `${id} ${of}`);
    expect(phases).toEqual([
      'data-download failed',
      'data-arrive skipped',
      'restore-download running',
      'restore-arrive waiting',
    ]);
  });

  test('with rollback the new app has one more: it confirms itself', () => {
    const phases = phasesOf(sampleUpdate(confirmingState()));
    expect(phases.map(({ state }) => state)).toEqual(['done', 'done', 'running', 'waiting', 'waiting']);
  });
});

test('the address names board and run, whatever their ids hold; other places name none', () => {
  const shown = { board: 'b&1=?', run: 'u#2' };
  expect(shownByAddress(addressOf(shown))).toEqual(shown);
  expect(addressOf({})).toBe('#/update');
  expect(shownByAddress('#/')).toBeUndefined();
  expect(shownByAddress('#/updates?board=b1')).toBeUndefined();
});
