// @vitest-environment happy-dom
/** How the page keeps in touch with the station, and what it knows by its events. */
import { StationState } from '#app/state/updates/station-state.svelte.ts';
import { type StationEvent } from '#api.ts';
import { sleep } from '#clock.ts';
import { ModelClock } from '#model-clock.ts';
import { describe, expect, test } from 'vitest';
import {
  sampleBoard,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../../../support/update-samples.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

const all = (): StationEvent => ({
  kind: 'all',
  boards: [sampleBoard()],
  releases: [sampleRelease()],
  updates: [],
  station: sampleStation(),
});

async function onScene(
  body: (scene: { station: ScriptedStation; state: StationState; clock: ModelClock }) => Promise<void>,
): Promise<void> {
  const clock = new ModelClock();
  const station = new ScriptedStation().on('POST session', () => ({})).on('POST pairing', () => ({}));
  const state = new StationState(station.client, clock);
  await clock.run(async () => {
    await body({ station, state, clock });
    state.stop();
  });
}

describe('contact', () => {
  test('begins with the full list; a session is asked for where it is given', async () => {
    await onScene(async ({ station, state }) => {
      station.on('GET station', () => sampleStation({ session: 'ask' }));
      await state.connect();
      expect(station.seen('POST session')).toHaveLength(1);
      expect(state.contact).toBe('looking');
      station.emit(all());
      expect(state.contact).toBe('live');
      expect(state.board('b1')?.name).toBe('workshop-1');
    });
  });

  test('a host of plain files is not asked again by itself', async () => {
    await onScene(async ({ station, state, clock }) => {
      station.page = { status: 404, text: 'no' };
      await state.connect();
      expect(state.contact).toBe('none');
      station.page = undefined;
      await sleep(clock, 600_000);
      expect(station.requests).toEqual([]);
      await state.connect();
      expect(station.streams).toHaveLength(1);
    });
  });

  test('a station that is silent at first is found when it starts', async () => {
    await onScene(async ({ station, state, clock }) => {
      station.silent = true;
      await state.connect();
      expect(state.contact).toBe('none');
      await sleep(clock, 60_000);
      station.silent = false;
      await sleep(clock, 20_000);
      station.emit(all());
      expect(state.contact).toBe('live');
    });
  });

  test('that is lost is said and tried again, ever more rarely; a return begins from the first pause', async () => {
    await onScene(async ({ station, state, clock }) => {
      await state.connect();
      station.emit(all());
      const pauses: number[] = [];
      let last = clock.now();
      station.on('GET station', () => {
        pauses.push(clock.now() - last);
        last = clock.now();
        throw new Refusal('station-failed');
      });
      station.breakOff();
      expect(state.contact).toBe('lost');
      expect(state.boards).toHaveLength(1);
      await sleep(clock, 100_000);
      expect(pauses.slice(0, 6)).toEqual([500, 1000, 2000, 4000, 8000, 15_000]);
      expect(new Set(pauses.slice(6))).toEqual(new Set([15_000]));
      station.on('GET station', () => sampleStation());
      await sleep(clock, 15_000);
      station.emit(all());
      expect(state.contact).toBe('live');
      station.breakOff();
      await sleep(clock, 499);
      const before = station.streams.length;
      await sleep(clock, 2);
      expect(station.streams).toHaveLength(before + 1);
    });
  });

  test('with a station that forgets everybody, the code is asked for again', async () => {
    await onScene(async ({ station, state, clock }) => {
      await state.connect();
      station.emit(all());
      station.on('GET station', () => sampleStation({ session: 'pair' }));
      station.breakOff();
      await sleep(clock, 1000);
      expect(state.contact).toBe('pairing');
      station.on('POST pairing', () => {
        throw new Refusal('pairing-wrong');
      });
      await state.pair('wrong');
      expect(state).toMatchObject({ contact: 'pairing', error: { code: 'pairing-wrong' } });
      station.on('POST pairing', () => ({})).on('GET station', () => sampleStation());
      await state.pair('right');
      station.emit(all());
      expect(state.contact).toBe('live');
      expect(station.seen('POST pairing').at(-1)).toEqual({ code: 'right' });
    });
  });

  test('ends with the screen: nothing is asked any more', async () => {
    await onScene(async ({ station, state, clock }) => {
      await state.connect();
      station.emit(all());
      state.stop();
      expect(station.streams[0]!.closed).toBe(true);
      const before = station.requests.length;
      await sleep(clock, 60_000);
      expect(station.requests).toHaveLength(before);
    });
  });
});

test('what changes takes the place of what was, what is new comes, what is gone goes; the latest run is first', async () => {
  await onScene(async ({ station, state }) => {
    await state.connect();
    station.emit(all());
    station.emit({ kind: 'board', board: sampleBoard({ name: 'bench' }) });
    station.emit({ kind: 'board', board: sampleBoard({ id: 'b2' }) });
    expect(state.boards.map(({ id, name }) => `${id} ${name}`)).toEqual(['b1 bench', 'b2 workshop-1']);
    station.emit({ kind: 'board-gone', id: 'b1' });
    expect(state.boards.map(({ id }) => id)).toEqual(['b2']);
    station.emit({ kind: 'release', release: sampleRelease({ id: 'r9' }) });
    station.emit({ kind: 'release-gone', id: 'r2' });
    expect(state.releases.map(({ id }) => id)).toEqual(['r9']);
    station.emit({ kind: 'update', update: sampleUpdate(stateAfter([]), { id: 'old', startedAt: 1 }) });
    station.emit({ kind: 'update', update: sampleUpdate(stateAfter([]), { id: 'new', startedAt: 2 }) });
    expect(state.updates.map(({ id }) => id)).toEqual(['new', 'old']);
    const listener = { ...sampleStation().boardsListener, state: 'failed' as const };
    station.emit({ kind: 'station', station: sampleStation({ boardsListener: listener }) });
    expect(state.info?.boardsListener.state).toBe('failed');
  });
});
