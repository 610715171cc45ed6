// @vitest-environment happy-dom
/** From boards and a release to a started update: what comes next, what has to be agreed to, what is sent. */
import { type PlanView, type StationInfo } from '#api.ts';
import { StationState } from '#app/state/updates/station-state.svelte.ts';
import { UpdatePlanning } from '#app/state/updates/update-planning.svelte.ts';
import { ModelClock } from '#model-clock.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { expect, test } from 'vitest';
import {
  PATHS,
  sampleBoard,
  samplePlan,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../../../support/update-samples.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

interface Scene {
  station: ScriptedStation;
  state: StationState;
  planning: UpdatePlanning;
}

const CLOSED: Partial<StationInfo> = { boardsListener: { ...sampleStation().boardsListener, state: 'closed' } };

function scene({
  plans = {},
  info = {},
}: { plans?: Record<string, Partial<PlanView>>; info?: Partial<StationInfo> } = {}): Scene {
  const station = new ScriptedStation()
    .on('POST updates/plan', (body) =>
      (body as { boards: string[] }).boards.map((id) =>
        samplePlan({ board: sampleBoard({ id, name: id }), ...plans[id] }),
      ),
    )
    .on('POST updates', (body) =>
      (body as { boards: string[] }).boards.map((id) =>
        sampleUpdate(stateAfter(PATHS['preparing']!), { id: `u-${id}`, board: { id, name: id } }),
      ),
    )
    .on('POST boards-listener', () => ({}));
  const state = new StationState(station.client, new ModelClock());
  state.info = sampleStation(info);
  state.boards = ['b1', 'b2', 'b3'].map((id) => sampleBoard({ id, name: id }));
  state.releases = [sampleRelease()];
  return { station, state, planning: new UpdatePlanning(state) };
}

test('one thing after the other is next: board, release, plan, update', async () => {
  const { state, planning } = scene();
  const boards = state.boards;
  state.boards = [];
  expect(planning.next).toBe('find');
  state.boards = boards;
  expect(planning.next).toBe('choose-board');
  planning.choose('b1');
  expect(planning.next).toBe('choose-release');
  planning.releaseId = 'r2';
  expect(planning.next).toBe('plan');
  await planning.replan();
  expect(planning.next).toBe('update');
  expect((await planning.start())?.map(({ id }) => id)).toEqual(['u-b1']);
  expect(state.updates.map(({ id }) => id)).toEqual(['u-b1']);
});

test('every consent has to be given by itself, and only those that were are sent', async () => {
  const consents = [updateNotice('no-way-back', 'way-back'), updateNotice('other-project', 'board')];
  const { station, planning } = scene({ plans: { b1: { consents }, b2: { consents: consents.slice(0, 1) } } });
  planning.choose('b1');
  planning.toggle('b2');
  planning.releaseId = 'r2';
  await planning.replan();
  expect(planning.consents.map(({ notice, boards }) => [notice.code, boards])).toEqual([
    ['no-way-back', ['b1', 'b2']],
    ['other-project', ['b1']],
  ]);
  planning.agreed.add('no-way-back');
  expect(planning.next).toBe('agree');
  planning.agreed.add('other-project');
  expect(planning.next).toBe('update');
  await planning.start();
  expect(station.seen('POST updates')).toMatchObject([
    { release: 'r2', boards: ['b1', 'b2'], consents: ['no-way-back', 'other-project'], testGroup: 1 },
  ]);
});

test('what was agreed to for one plan does not hold for the next', async () => {
  const { planning } = scene({ plans: { b1: { consents: [updateNotice('no-way-back', 'way-back')] } } });
  planning.choose('b1');
  planning.releaseId = 'r2';
  await planning.replan();
  planning.agreed.add('no-way-back');
  await planning.replan();
  expect(planning.next).toBe('agree');
});

test('the listener for boards is opened before the update, once the user agreed, and only if it is closed', async () => {
  const closed = [updateNotice('boards-listener-closed', 'other')];
  const { station, state, planning } = scene({ info: CLOSED, plans: { b1: { objections: closed } } });
  planning.choose('b1');
  planning.releaseId = 'r2';
  await planning.replan();
  expect(planning.refused).toEqual([]);
  expect(planning.next).toBe('agree');
  planning.listenerAgreed = true;
  expect(planning.next).toBe('update');
  await planning.start();
  expect(station.requests.map(({ what }) => what).slice(-2)).toEqual(['POST boards-listener', 'POST updates']);
  expect(station.seen('POST boards-listener')).toEqual([{ open: true }]);
  state.info = sampleStation();
  planning.choose('b2');
  await planning.replan();
  await planning.start();
  expect(station.seen('POST boards-listener')).toHaveLength(1);
});

test('a listener that cannot be opened starts nothing', async () => {
  const { station, planning } = scene({ info: CLOSED });
  station.on('POST boards-listener', () => {
    throw new Refusal('listener-failed');
  });
  planning.choose('b1');
  planning.releaseId = 'r2';
  await planning.replan();
  planning.listenerAgreed = true;
  expect(await planning.start()).toBeUndefined();
  expect(planning).toMatchObject({ error: { code: 'listener-failed' }, starting: false });
  expect(station.seen('POST updates')).toEqual([]);
});

test('boards that cannot be updated are in the way until they are left out', async () => {
  const { planning } = scene({ plans: { b2: { objections: [updateNotice('board-silent', 'board')] } } });
  planning.choose('b1');
  planning.toggle('b2');
  planning.releaseId = 'r2';
  await planning.replan();
  expect(planning.next).toBe('settle');
  planning.leaveOutRefused();
  expect(planning.boards).toEqual(['b1']);
  await planning.replan();
  expect(planning.next).toBe('update');
});

test('a board that is being updated is not planned for', () => {
  const { state, planning } = scene();
  planning.choose('b1');
  planning.releaseId = 'r2';
  state.boards = state.boards.map((board) => ({ ...board, updateId: 'u9' }));
  expect(planning.wish).toBeUndefined();
});

test('the last wish counts, however late the answer to an earlier one comes', async () => {
  const { station, planning } = scene();
  const answers: ((plans: PlanView[]) => void)[] = [];
  station.on('POST updates/plan', () => new Promise<PlanView[]>((resolve) => answers.push(resolve)));
  planning.choose('b1');
  planning.releaseId = 'r2';
  const first = planning.replan();
  planning.steps = 'app';
  const second = planning.replan();
  answers[1]!([samplePlan({ steps: ['app'] })]);
  await second;
  answers[0]!([samplePlan()]);
  await first;
  expect(planning.plans?.[0]?.steps).toEqual(['app']);
  expect(station.seen('POST updates/plan')).toMatchObject([{ release: 'r2' }, { only: 'app' }]);
});

test('what is learnt of a board while planning does not ask for another plan', async () => {
  const { state, planning } = scene();
  planning.choose('b1');
  planning.releaseId = 'r2';
  const before = planning.wishKey;
  await planning.replan();
  state.boards = state.boards.map((board) => ({ ...board, seenAt: 99, reach: 'online' as const }));
  expect(planning.wishKey).toBe(before);
});

test('one board alone is no campaign: there is no test group', async () => {
  const { station, planning } = scene();
  planning.choose('b3');
  planning.releaseId = 'r2';
  planning.onFailure = 'retry';
  planning.retries = 5;
  await planning.replan();
  await planning.start();
  expect(station.seen('POST updates')).toMatchObject([
    { boards: ['b3'], testGroup: 0, onFailure: 'retry', retries: 5 },
  ]);
});
