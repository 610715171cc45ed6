// @vitest-environment happy-dom
/** What is looked at: after a reload, while a run goes on, after it; and the way back to the old release. */
import { type BoardView, type ReleaseView, type UpdateView } from '#api.ts';
import { type Shown, UpdateScreen } from '#app/state/updates/update-screen.svelte.ts';
import { ModelClock } from '#model-clock.ts';
import { nextStep } from '#workflows/two-step-ota.ts';
import { expect, test } from 'vitest';
import {
  oldRelease,
  PATHS,
  sampleBoard,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../../../support/update-samples.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

interface Given {
  boards?: BoardView[];
  updates?: UpdateView[];
  releases?: ReleaseView[];
  shown?: Shown;
}

function scene({ boards, updates = [], releases, shown }: Given): { station: ScriptedStation; screen: UpdateScreen } {
  const station = new ScriptedStation();
  const startPlanner = (): never => {
    throw new Error('No files here');
  };
  const screen = new UpdateScreen({ client: station.client, clock: new ModelClock(), startPlanner }, shown);
  screen.station.contact = 'live';
  screen.station.take({
    kind: 'all',
    boards: boards ?? [sampleBoard()],
    releases: releases ?? [sampleRelease(), oldRelease()],
    updates,
    station: sampleStation(),
  });
  screen.follow();
  return { station, screen };
}

const run = (path: string, change: Partial<UpdateView> = {}): UpdateView =>
  sampleUpdate(stateAfter(PATHS[path]!), change);

test('the only board is looked at, with the newest release', () => {
  const { screen } = scene({});
  expect(screen.board?.id).toBe('b1');
  expect(screen.planning.boards).toEqual(['b1']);
  expect(screen.planning.releaseId).toBe('r2');
});

test('of several boards the one that waits for a decision is looked at first, then one whose run goes on', () => {
  const boards = ['b1', 'b2', 'b3'].map((id) => sampleBoard({ id }));
  const going = run('downloading', { id: 'u2', board: { id: 'b2', name: '' }, startedAt: 9 });
  const waiting = run('broken-off', { id: 'u3', board: { id: 'b3', name: '' }, startedAt: 5 });
  expect(scene({ boards, updates: [going, waiting] }).screen.run?.id).toBe('u3');
  expect(scene({ boards, updates: [going] }).screen.run?.id).toBe('u2');
  expect(scene({ boards }).screen.board).toBeUndefined();
});

test('a run stays in view when it ends, and in the address; after that the board can be planned for again', () => {
  const { screen } = scene({ updates: [run('step 2 arriving')] });
  expect(screen.shown).toEqual({ board: 'b1', run: 'u1' });
  screen.station.take({ kind: 'update', update: run('complete') });
  screen.follow();
  expect(screen.run?.state.position).toMatchObject({ outcome: 'complete' });
  const again = scene({ updates: [run('complete')], shown: screen.shown });
  expect(again.screen.run?.id).toBe('u1');
  screen.dismiss();
  expect(screen.run).toBeUndefined();
  expect(screen.planning.boards).toEqual(['b1']);
  expect(scene({ updates: [run('complete')] }).screen.run).toBeUndefined();
});

test('looking at one of several boards that are chosen leaves the choice; any other is chosen alone', () => {
  const { screen } = scene({ boards: ['b1', 'b2', 'b3'].map((id) => sampleBoard({ id })) });
  screen.toggle('b1');
  screen.toggle('b2');
  screen.show('b1');
  expect([screen.boardId, screen.planning.boards]).toEqual(['b1', ['b1', 'b2']]);
  screen.show('b3');
  expect(screen.planning.boards).toEqual(['b3']);
  screen.toggle('b3');
  expect(screen.planning.boards).toEqual([]);
});

test('the release before is the one that the app came from, or that of the last complete run', () => {
  expect(scene({ updates: [run('step 2 broken-off')] }).screen.older?.id).toBe('r1');
  const { before, ...unknown } = run('step 2 broken-off', { startedAt: 100 });
  expect(before).toBeDefined();
  expect(scene({ updates: [unknown] }).screen.older).toBeUndefined();
  const earlier = run('complete', { id: 'u0', startedAt: 50, release: { id: 'r1', name: '' } });
  expect(scene({ updates: [unknown, earlier] }).screen.older?.id).toBe('r1');
  expect(scene({ updates: [unknown, earlier], releases: [sampleRelease()] }).screen.older).toBeUndefined();
});

test('going back leaves the run first, then plans with the old release; nothing of it when the station refuses', async () => {
  const failed = run('step 2 broken-off');
  const { station, screen } = scene({ updates: [failed] });
  station.on('POST updates/u1/decision', () => {
    throw new Refusal('choice-not-offered');
  });
  await screen.goBack();
  expect(screen.run?.id).toBe('u1');
  expect(screen.actions.failed).toMatchObject({ id: 'u1', error: { code: 'choice-not-offered' } });
  station.on('POST updates/u1/decision', () =>
    sampleUpdate(nextStep(failed.state, { event: 'decided', choice: 'leave' })),
  );
  await screen.goBack();
  expect(station.seen('POST updates/u1/decision').at(-1)).toEqual({
    choice: 'leave',
    after: { transfer: 'data', attempt: 1, failure: 'broken-off' },
  });
  expect([screen.run, screen.planning.releaseId, screen.planning.boards]).toEqual([undefined, 'r1', ['b1']]);
});

test('a campaign is stopped from its end: no board begins while the others are stopped', async () => {
  const updates = ['downloading', 'ready', 'broken-off', 'ready'].map((path, index) =>
    run(path, {
      id: `u${index}`,
      board: { id: `b${index}`, name: '' },
      place: index,
      ...(path === 'ready' && { queued: 'waiting' as const }),
    }),
  );
  const { station, screen } = scene({ boards: updates.map(({ board }) => sampleBoard(board)), updates });
  for (const { id } of updates) station.on(`POST updates/${id}/stop`, () => run('cancelled', { id }));
  expect(screen.campaign.map(({ id }) => id)).toEqual(['u0', 'u1', 'u2', 'u3']);
  await screen.stopCampaign();
  expect(station.requests.map(({ what }) => what)).toEqual(['u1', 'u3', 'u0'].map((id) => `POST updates/${id}/stop`));
});

test('while the station has not answered, the same is not said to a run twice', async () => {
  const failed = run('broken-off');
  const { station, screen } = scene({ updates: [failed] });
  let answer: (update: UpdateView) => void = () => undefined;
  station.on('POST updates/u1/decision', () => new Promise((resolve) => (answer = resolve)));
  const first = screen.actions.decide(failed, 'retry');
  expect(await screen.actions.decide(failed, 'leave')).toBe(false);
  answer(run('preparing'));
  expect(await first).toBe(true);
  expect(station.seen('POST updates/u1/decision')).toEqual([
    { choice: 'retry', after: { transfer: 'app', attempt: 1, failure: 'broken-off' } },
  ]);
});
