import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BoardView, type JournalLine, type ReleaseView, type StationInfo, type UpdateView } from '#api.ts';
import { UPDATE_TIMES } from '#workflows/update-surroundings.ts';
import { failedAttempt } from '#workflows/update-state.ts';
import { type FakeBoard, FakeLan } from './support/fake-lan.ts';
import { at, isEnded, StationRig } from './support/station-rig.ts';

let rig: StationRig;
let fake: FakeBoard;
let board: BoardView;
let release: ReleaseView;

beforeEach(async () => {
  rig = await StationRig.start();
  await rig.session();
  fake = rig.lan.add('192.168.7.50');
  board = await rig.addBoard('192.168.7.50');
  release = await rig.upload('2.0.0');
});

afterEach(() => rig.end());

const wish = (more: object = {}) => ({ release: release.id, boards: [board.id], ...more });
const boardNow = async (): Promise<BoardView> => (await rig.get<BoardView[]>('GET', '/api/boards'))[0]!;
const outcome = ({ state: { position } }: UpdateView): string | undefined =>
  position.at === 'ended' ? position.outcome : undefined;

describe('one board', () => {
  test('an app, a restart, new data: and the station knows what the board holds', async () => {
    const [plan] = await rig.plan(release.id, board.id);
    expect(plan).toMatchObject({ objections: [], steps: ['app', 'data'], consents: [{ code: 'no-way-back' }] });
    expect(plan?.between.map(({ role }) => role)).toEqual(['app', 'app']);
    expect(plan?.after.map(({ role }) => role)).toEqual(['data', 'app']);
    expect(fake.asked).toEqual([]);

    const [update] = await rig.startUpdate(wish());
    expect((await boardNow()).updateId).toBe(update?.id);
    const done = await rig.until(update!.id, isEnded);
    expect(outcome(done)).toBe('complete');
    expect(fake.asked).toHaveLength(2);
    expect(await boardNow()).toMatchObject({
      running: 'PB',
      slots: [
        { slot: 'PA', role: 'data', project: 'Voice box' },
        { slot: 'PB', role: 'app', project: 'voice_box', version: '2.0.0' },
      ],
    });
    expect((await boardNow()).updateId).toBeUndefined();
  });

  test('the next update has the old data as its way back, and knows the firmware that runs', async () => {
    const [first] = await rig.startUpdate(wish());
    await rig.until(first!.id, isEnded);
    const next = await rig.upload('3.0.0');
    fake.nextVersion = '3.0.0';
    const [plan] = await rig.plan(next.id, board.id);
    expect(plan?.wayBack?.name).toBe('Voice box 2.0.0');
    expect(plan?.consents).toEqual([]);
    expect(plan?.warnings.map(({ code }) => code)).not.toContain('running-firmware-unknown');

    fake.fates.push('breaks');
    const [update] = await rig.startUpdate({ release: next.id, boards: [board.id], onFailure: 'restore' });
    const done = await rig.until(update!.id, isEnded);
    expect(outcome(done)).toBe('restored');
    expect((await boardNow()).slots).toMatchObject([
      { role: 'data', sha256: plan!.before[0]!.sha256 },
      { version: '2.0.0' },
    ]);
    const [again] = await rig.startUpdate({ release: next.id, boards: [board.id] });
    expect(outcome(await rig.until(again!.id, isEnded))).toBe('complete');
    expect(await boardNow()).toMatchObject({
      running: 'PA',
      slots: [{ role: 'app', version: '3.0.0' }, { role: 'data' }],
    });
  });

  test('somebody else has updated it: what was written down counts no more', async () => {
    const [first] = await rig.startUpdate(wish());
    await rig.until(first!.id, isEnded);
    Object.assign(fake, { running: 'PA', version: '7.7.7' });
    const next = await rig.upload('3.0.0');
    const [plan] = await rig.plan(next.id, board.id);
    expect(plan?.wayBack).toBeUndefined();
    expect(plan?.before).toMatchObject([{ role: 'app', version: '7.7.7' }, { role: 'data' }]);
    expect(plan?.before[1]?.sha256).toBeUndefined();
  });

  test('a failure is decided by the user, in words that are offered only', async () => {
    fake.fates.push('breaks');
    const [update] = await rig.startUpdate(wish());
    const failed = await rig.until(update!.id, at('deciding'));
    expect(failed.choices).toEqual(['retry', 'leave']);
    const decide = (body: unknown) => rig.ask<UpdateView>('POST', `/api/updates/${update!.id}/decision`, { body });
    const after = { transfer: 'app', attempt: 1, failure: 'broken-off' };
    const refused = { status: 409, body: { error: 'choice-not-offered' } };
    expect(await decide({ choice: 'restore', after })).toMatchObject(refused);
    expect(await decide({ picked: '192.168.7.51' })).toMatchObject(refused);
    expect((await decide({ choice: 'retry', after })).body.state.position).toMatchObject({
      at: 'preparing',
      attempt: 2,
    });
    expect(await decide({ choice: 'retry', after })).toMatchObject(refused);
    expect(outcome(await rig.until(update!.id, isEnded))).toBe('complete');
  });

  test('an answer to an earlier failure decides nothing about this one', async () => {
    fake.fates.push('breaks', 'refused');
    const [update] = await rig.startUpdate(wish());
    const first = await rig.until(update!.id, at('deciding'));
    await rig.decide(first.id, 'retry');
    await rig.until(first.id, (one) => at('deciding')(one) && JSON.stringify(one.state).includes('"attempt":2'));
    const body = { choice: 'leave', after: failedAttempt(first.state) };
    const late = await rig.ask('POST', `/api/updates/${first.id}/decision`, { body });
    expect(late).toMatchObject({ status: 409, body: { error: 'choice-not-offered' } });
    expect((await rig.update(first.id)).state.position).toMatchObject({ at: 'deciding', failure: 'refused' });
    await rig.decide(first.id, 'retry');
    expect(outcome(await rig.until(first.id, isEnded))).toBe('complete');
  });

  test.each([
    { onFailure: 'retry', retries: 2, fates: ['breaks', 'refused'], asked: 4, ends: 'complete' },
    { onFailure: 'retry', retries: 1, fates: ['breaks', 'breaks', 'breaks'], asked: 2, ends: 'left' },
    { onFailure: 'stop', retries: 3, fates: ['refused'], asked: 1, ends: 'left' },
    { onFailure: 'restore', retries: 1, fates: ['breaks'], asked: 3, ends: 'complete' },
  ] as const)('$onFailure, $retries times: $ends', async ({ onFailure, retries, fates, asked, ends }) => {
    fake.fates.push(...fates);
    const [update] = await rig.startUpdate(wish({ onFailure, retries }));
    expect(outcome(await rig.until(update!.id, isEnded))).toBe(ends);
    expect(fake.asked).toHaveLength(asked);
  });

  test('stopping breaks the download off, whatever the policy', async () => {
    const [update] = await rig.startUpdate(wish({ onFailure: 'retry' }));
    await rig.until(update!.id, at('downloading'));
    const stopped = await rig.get<UpdateView>('POST', `/api/updates/${update!.id}/stop`);
    expect(stopped.state.position).toMatchObject({ at: 'deciding', failure: 'stopped' });
    expect(rig.lan.offers.size).toBe(0);
    await rig.decide(update!.id, 'leave');
    expect(outcome(await rig.until(update!.id, isEnded))).toBe('left');
    expect((await boardNow()).slots).toMatchObject([{ role: 'app', version: '1.0.0' }, { role: 'data' }]);
  });

  test('a run that is left may still be alive on the board: the next one waits for it to die', async () => {
    const [first] = await rig.startUpdate(wish());
    await rig.until(first!.id, at('downloading'));
    await rig.get('POST', `/api/updates/${first!.id}/stop`);
    await rig.decide(first!.id, 'leave');
    await rig.until(first!.id, isEnded);
    const left = rig.clock.now();
    const [second] = await rig.startUpdate(wish());
    await rig.until(second!.id, at('waiting'));
    expect(rig.clock.now() - left).toBeGreaterThanOrEqual(UPDATE_TIMES.quiet - 1000);
    expect(outcome(await rig.until(second!.id, isEnded))).toBe('complete');
  });

  test('a board that comes back elsewhere is found, or picked', async () => {
    const [update] = await rig.startUpdate(wish());
    await rig.until(update!.id, at('arriving'));
    rig.lan.boards.delete('192.168.7.50');
    rig.lan.boards.set('192.168.7.77', fake);
    rig.lan.candidates = [{ address: '192.168.7.77' }, { address: '192.168.7.78' }];
    const picking = await rig.until(update!.id, at('picking'));
    expect(picking.state.position).toMatchObject({ candidates: rig.lan.candidates });
    await rig.get('POST', `/api/updates/${update!.id}/decision`, { picked: '192.168.7.77' });
    expect(outcome(await rig.until(update!.id, isEnded))).toBe('complete');
    expect((await boardNow()).address).toBe('192.168.7.77');
  });

  test('a board that becomes another product is found by its new name, and no third one is', async () => {
    const lamp = await rig.upload('2.0.0', { project: 'lamp' });
    const consents = ['no-way-back', 'other-project'];
    const [update] = await rig.startUpdate(wish({ release: lamp.id, consents }));
    await rig.until(update!.id, at('arriving'));
    rig.lan.boards.delete('192.168.7.50');
    rig.lan.boards.set('192.168.7.77', fake);
    const wanted: unknown[] = [];
    rig.lan.find = async (...args: unknown[]) => {
      wanted.push(args[0]);
      fake.project = 'lamp';
      return [
        { address: '192.168.7.77', project: 'lamp' },
        { address: '192.168.7.78', project: 'door_bell' },
      ];
    };
    expect(outcome(await rig.until(update!.id, isEnded))).toBe('complete');
    expect(wanted[0]).toEqual({ lastAddress: '192.168.7.50' });
  });

  test('a board of another product that came to its address gets nothing', async () => {
    const other = Object.assign(rig.lan.add('192.168.7.60'), { project: 'door_bell', running: 'PB' });
    const [update] = await rig.startUpdate(wish());
    await rig.until(update!.id, at('arriving'));
    rig.lan.boards.set('192.168.7.50', other);
    const failed = await rig.until(update!.id, (one) => at('deciding')(one) || isEnded(one));
    expect(failed.state.position).toMatchObject({ failure: 'gone' });
    expect(other.asked).toEqual([]);
  });

  test('a board that is another one of the list is not taken for it', async () => {
    const other = rig.lan.add('192.168.7.51');
    await rig.addBoard('192.168.7.51');
    const [update] = await rig.startUpdate(wish());
    await rig.until(update!.id, at('arriving'));
    rig.lan.boards.delete('192.168.7.50');
    rig.lan.candidates = [{ address: '192.168.7.51' }];
    const failed = await rig.until(update!.id, (one) => at('deciding')(one) || isEnded(one));
    expect(failed.state).toMatchObject({ address: '192.168.7.50', position: { failure: 'gone' } });
    expect(other.asked).toEqual([]);
  });

  test('the journal tells how it went, and not each byte', async () => {
    const [update] = await rig.startUpdate(wish());
    await rig.until(update!.id, isEnded);
    const lines = await rig.get<JournalLine[]>('GET', `/api/updates/${update!.id}/journal`);
    expect(lines.map(({ event, position }) => `${event} ${position}`)).toEqual([
      'start preparing',
      'prepared asking',
      'answered waiting',
      'served downloading',
      'served arriving',
      'page preparing',
      'prepared asking',
      'answered waiting',
      'served downloading',
      'served arriving',
      'page ended',
    ]);
    expect(lines.every(({ at: time }) => time >= 1_700_000_000_000)).toBe(true);
  });

  test('how fast it goes is told while it goes', async () => {
    rig.lan.rangeMs = 2000;
    const [update] = await rig.startUpdate(wish());
    const later = await rig.until(update!.id, ({ rate }) => rate !== undefined);
    expect(later.rate).toBeGreaterThan(20_000);
    expect(later.rate).toBeLessThan(40_000);
    expect((await rig.until(update!.id, at('arriving'))).rate).toBeUndefined();
  });

  test('what should not happen is told, and the run goes on as after a restart', async () => {
    const offer = rig.lan.offer.bind(rig.lan);
    rig.lan.offer = (...args) => {
      rig.lan.offer = offer;
      throw new Error(`No room for ${args[0].name}`);
    };
    const [update] = await rig.startUpdate(wish({ onFailure: 'retry' }));
    await expect.poll(() => rig.said).toHaveLength(1);
    expect(rig.said[0]).toContain('192.168.7.50');
    expect(outcome(await rig.until(update!.id, isEnded))).toBe('complete');
    expect(fake.asked).toHaveLength(2);
  });

  test('files are there while a run needs them', async () => {
    const files = (): string[] => readdirSync(join(rig.data, 'files'));
    const [update] = await rig.startUpdate(wish());
    expect(files()).toHaveLength(2);
    await rig.until(update!.id, isEnded);
    await expect.poll(files).toEqual([]);
  });
});

describe('what is refused', () => {
  const refused = async (body: object): Promise<unknown> => {
    const answer = await rig.ask<{ detail: string }>('POST', '/api/updates', { body: { ...wish(), ...body } });
    return [answer.status, answer.body.detail];
  };

  test('boards must be able to download, and the user must have agreed', async () => {
    expect(await refused({ consents: ['no-way-back'] })).toEqual([409, 'boards-listener-closed']);
    await rig.get('POST', '/api/boards-listener', { open: true });
    expect(await refused({})).toEqual([409, 'no-way-back']);
    expect(await refused({ consents: ['no-way-back'] })).toEqual([200, undefined]);
    expect(await refused({ consents: ['no-way-back'] })).toEqual([409, 'update-in-progress']);
  });

  test('a listener that is closed while the files are written', async () => {
    const { state } = rig.lan;
    const written = (): boolean => readdirSync(join(rig.data, 'files')).length > 0;
    Object.defineProperty(rig.lan, 'state', { get: () => ({ ...state, state: written() ? 'closed' : 'open' }) });
    expect(await refused({ consents: ['no-way-back'] })).toEqual([409, 'boards-listener-closed']);
    expect(await rig.get<UpdateView[]>('GET', '/api/updates')).toEqual([]);
  });

  test('the plan is made anew: what has changed since counts', async () => {
    expect((await rig.plan(release.id, board.id))[0]?.objections).toEqual([]);
    fake.reachable = false;
    expect(await refused({ consents: ['no-way-back'] })).toEqual([409, 'board-silent']);
    expect(await rig.get<UpdateView[]>('GET', '/api/updates')).toEqual([]);
  });

  test('two at the same time for one board: one begins', async () => {
    await rig.get('POST', '/api/boards-listener', { open: true });
    const both = await Promise.all([1, 2].map(() => refused({ consents: ['no-way-back'] })));
    expect(both.map((one) => (one as [number])[0]).sort()).toEqual([200, 409]);
  });

  test('a board that is in the list a second time, by the address of the first', async () => {
    rig.lan.add('192.168.7.51');
    const second = await rig.addBoard('192.168.7.51');
    fake.fates.push('refused');
    const [update] = await rig.startUpdate(wish());
    await rig.until(update!.id, at('deciding'));
    const moved = await rig.ask('PATCH', `/api/boards/${second.id}`, { body: { address: '192.168.7.50' } });
    expect(moved).toMatchObject({ status: 409, body: { error: 'in-use' } });
    // Whoever says that another board was provisioned there knows it.
    const other = await rig.get<BoardView>('POST', '/api/boards/provisioned', {
      ...{ mac: '24:0a:c4:00:00:10', chip: 'esp32', address: '192.168.7.50', running: 'PA', slots: [] },
    });
    expect(await refused({ boards: [other.id], consents: ['no-way-back'] })).toEqual([409, 'update-in-progress']);
  });

  test('no address in the network of the board', async () => {
    rig.lan.add('10.9.9.9');
    const far = await rig.addBoard('10.9.9.9');
    const [plan] = await rig.plan(release.id, far.id);
    expect(plan?.objections).toMatchObject([{ code: 'no-address-for-board' }]);
  });

  test('the listener is at an address where the board cannot reach it', async () => {
    rig.lan.urlFor = () => undefined;
    const [plan] = await rig.plan(release.id, board.id);
    expect(plan?.objections).toMatchObject([{ code: 'no-address-for-board' }]);
  });

  test('another board has the address now', async () => {
    await rig.get('POST', '/api/boards/provisioned', {
      ...{ mac: '24:0a:c4:00:00:10', chip: 'esp32', address: '192.168.7.50', running: 'PA', slots: [] },
    });
    fake.mac = '24:0a:c4:99:99:99';
    const boards = await rig.get<BoardView[]>('GET', '/api/boards');
    const provisioned = boards.find(({ from }) => from === 'provisioned')!;
    const [plan] = await rig.plan(release.id, provisioned.id);
    expect(plan?.objections).toMatchObject([{ code: 'board-page-unknown' }]);
    expect(plan?.board.reach).toBe('other');
  });

  test.each([
    { atOnce: 0 },
    { retries: 0 },
    { boards: [] },
    { release: '' },
    { onFailure: 'whatever' },
    { consents: 'no-way-back' },
    { more: 1 },
  ])('%o', async (body) => expect((await refused(body)) as unknown[]).toContain(400));

  test('what an update needs stays', async () => {
    const [update] = await rig.startUpdate(wish());
    for (const url of [`/api/releases/${release.id}`, `/api/boards/${board.id}`]) {
      expect(await rig.ask('DELETE', url)).toMatchObject({ status: 409, body: { error: 'in-use' } });
    }
    const close = () => rig.ask<StationInfo>('POST', '/api/boards-listener', { body: { open: false } });
    expect((await close()).status).toBe(409);
    await rig.until(update!.id, isEnded);
    // Nothing needs it any more: it closes by itself.
    await rig.pass(400_000);
    expect((await rig.get<StationInfo>('GET', '/api/station')).boardsListener.state).toBe('closed');
    expect((await rig.ask('DELETE', `/api/releases/${release.id}`)).status).toBe(204);
    expect((await rig.ask('DELETE', `/api/boards/${board.id}`)).status).toBe(204);
    expect(existsSync(join(rig.data, 'releases', release.id))).toBe(false);
    expect((await rig.update(update!.id)).release.name).toBe('Voice box');
  });

  test('a listener that cannot be opened is told', async () => {
    rig.lan.canOpen = false;
    expect(await rig.ask('POST', '/api/boards-listener', { body: { open: true } })).toMatchObject({
      status: 503,
      body: { error: 'listener-failed' },
    });
  });
});

describe('several boards', () => {
  let boards: BoardView[];
  beforeEach(async () => {
    boards = [board];
    for (let last = 51; last < 56; last++) {
      rig.lan.add(`192.168.7.${last}`);
      boards.push(await rig.addBoard(`192.168.7.${last}`));
    }
  });
  const startAll = (more: object = {}) =>
    rig.startUpdate({ release: release.id, boards: boards.map(({ id }) => id), ...more });

  test('the test group first, then as many as may', async () => {
    const updates = await startAll({ atOnce: 2, testGroup: 1 });
    expect(updates.map(({ queued }) => queued)).toEqual([undefined, ...Array<string>(5).fill('waiting')]);
    await rig.until(updates[0]!.id, isEnded);
    expect(
      (await rig.get<UpdateView[]>('GET', '/api/updates')).filter(({ queued }) => queued === 'waiting'),
    ).toHaveLength(3);
    for (const { id } of updates) expect(outcome(await rig.until(id, isEnded))).toBe('complete');
    expect(rig.lan.mostAtOnce).toBe(2);
    expect(new Set(updates.map(({ campaign }) => campaign)).size).toBe(1);
  });

  test('a tester that fails spares the others', async () => {
    fake.fates.push('refused');
    const updates = await startAll({ onFailure: 'stop' });
    expect(outcome(await rig.until(updates[0]!.id, isEnded))).toBe('left');
    for (const { id } of updates.slice(1))
      expect(await rig.update(id)).toMatchObject({ queued: 'held', state: { position: { at: 'ready' } } });
    expect([...rig.lan.boards.values()].slice(1).flatMap(({ asked }) => asked)).toEqual([]);
    // They are free for another one.
    expect((await rig.plan(release.id, boards[1]!.id))[0]?.objections).toEqual([]);
  });

  test('one whose turn has not come can be taken out', async () => {
    const updates = await startAll({ atOnce: 1 });
    const last = updates.at(-1)!.id;
    expect(outcome(await rig.get<UpdateView>('POST', `/api/updates/${last}/stop`))).toBe('cancelled');
    for (const { id } of updates) await rig.until(id, isEnded);
    expect(rig.lan.boards.get('192.168.7.55')?.asked).toEqual([]);
  });
});

describe('a station that is started again', () => {
  /** Everything stops as it is; another process opens the same folder. */
  async function restart(): Promise<void> {
    await rig.station.close();
    const lan = new FakeLan(rig.clock);
    for (const [address, one] of rig.lan.boards) lan.boards.set(address, one);
    Object.assign(rig, { lan });
    await rig.open(lan);
  }

  test.each(['preparing', 'waiting', 'downloading', 'arriving', 'deciding'] as const)(
    'goes on from %s',
    async (position) => {
      const again = position === 'preparing';
      if (position === 'deciding' || again) fake.fates.push('breaks');
      const [update] = await rig.startUpdate(wish({ onFailure: again ? 'retry' : 'ask' }));
      if (again) await rig.until(update!.id, at('downloading'));
      await rig.until(update!.id, at(position));
      await restart();
      expect((await rig.get<StationInfo>('GET', '/api/station')).boardsListener.state).toBe('open');
      for (let time = 0; time < 5; time++) {
        const now = await rig.until(update!.id, (one) => isEnded(one) || at('deciding')(one));
        if (isEnded(now)) break;
        await rig.decide(update!.id, 'retry');
      }
      expect(outcome(await rig.update(update!.id))).toBe('complete');
      expect([fake.running, fake.version]).toEqual(['PB', '2.0.0']);
    },
  );

  test('what was decided for a campaign holds', async () => {
    rig.lan.add('192.168.7.51');
    const other = await rig.addBoard('192.168.7.51');
    const updates = await rig.startUpdate(wish({ boards: [board.id, other.id], onFailure: 'retry' }));
    await rig.until(updates[0]!.id, at('downloading'));
    await restart();
    expect((await rig.update(updates[1]!.id)).queued).toBe('waiting');
    for (const { id } of updates) expect(outcome(await rig.until(id, isEnded))).toBe('complete');
  });

  test('a listener that nobody needs stays closed', async () => {
    await rig.get('POST', '/api/boards-listener', { open: true });
    await restart();
    expect((await rig.get<StationInfo>('GET', '/api/station')).boardsListener.state).toBe('closed');
  });
});
