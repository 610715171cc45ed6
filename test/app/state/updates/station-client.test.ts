import { isStationFailure, type StationFailure } from '#app/state/updates/station-client.ts';
import { describe, expect, test } from 'vitest';
import { sampleBoard, sampleRelease } from '../../../support/update-samples.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

const failure = async (work: Promise<unknown>): Promise<StationFailure> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isStationFailure(error)) throw new Error(`No failure of the station: ${String(error)}`);
  return error;
};

describe('who answers', () => {
  test('a station tells of itself', async () => {
    expect((await new ScriptedStation().client.station()).boardsListener.port).toBe(4601);
  });

  test.each([
    ['a front page for everything', 200, '<!doctype html><title>Shop</title>'],
    ['other JSON', 200, '{"hello":1}'],
    ['JSON that is no object', 200, 'null'],
    ['no such page', 404, '<h1>Not found</h1>'],
    ['an empty answer', 200, ''],
  ])('%s is no station', async (_, status, text) => {
    const station = new ScriptedStation();
    station.page = { status, text };
    expect((await failure(station.client.station())).code).toBe('station-absent');
  });

  test('nothing at all is silence', async () => {
    const station = new ScriptedStation();
    station.silent = true;
    expect((await failure(station.client.station())).code).toBe('station-silent');
  });
});

describe('the session', () => {
  /** Wants one before it removes a board. */
  function wary(): ScriptedStation {
    const station = new ScriptedStation();
    let open = false;
    return station
      .on('POST session', () => (open = true))
      .on('DELETE boards/b1', () => {
        if (!open) throw new Refusal('session-needed');
      });
  }

  test('that has run out is asked for once, and the request sent again', async () => {
    const station = wary();
    await station.client.removeBoard('b1');
    expect(station.requests.map(({ what }) => what)).toEqual(['DELETE boards/b1', 'POST session', 'DELETE boards/b1']);
  });

  test('that is not given fails with that', async () => {
    const station = wary().on('POST session', () => {
      throw new Refusal('session-needed');
    });
    expect((await failure(station.client.removeBoard('b1'))).code).toBe('session-needed');
    expect(station.seen('DELETE boards/b1')).toHaveLength(1);
  });

  test('an upload asks for it as well, with all of its bytes both times', async () => {
    const station = new ScriptedStation();
    let open = false;
    station
      .on('POST session', () => (open = true))
      .on('POST releases', () => {
        if (!open) throw new Refusal('session-needed');
        return sampleRelease();
      });
    const release = await station.client.uploadRelease({ name: 'a b&c.zip', file: new Blob(['12345']) });
    expect(release.id).toBe('r2');
    expect(station.seen('POST releases')).toEqual([5, 5]);
  });
});

test('what the station refuses keeps its code and its detail', async () => {
  const station = new ScriptedStation().on('POST boards', () => {
    throw new Refusal('address-refused');
  });
  expect(await failure(station.client.addBoard('8.8.8.8'))).toMatchObject({ code: 'address-refused', detail: 'why' });
});

test('ids stay inside of their part of the path', async () => {
  const station = new ScriptedStation().on('POST boards/..%2Fupdates%3Fx/look', () => sampleBoard());
  await station.client.look('../updates?x');
  expect(station.seen('POST boards/..%2Fupdates%3Fx/look')).toHaveLength(1);
});

test('an abort is the platform’s, not a failure', async () => {
  const station = new ScriptedStation().on('POST updates/plan', () => new Promise(() => undefined));
  station.routes.fetch = (_path, init) =>
    new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error)));
  const controller = new AbortController();
  const planned = station.client.plan({ release: 'r', boards: ['b'] }, controller.signal);
  controller.abort();
  await expect(planned).rejects.toMatchObject({ name: 'AbortError' });
});
