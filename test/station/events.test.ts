import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StationEvent } from '#api.ts';
import { ModelClock } from '#model-clock.ts';
import { StationEvents } from '../../src/station/events.ts';
import { StationRig } from './support/station-rig.ts';

describe('what is told', () => {
  const board = (id: string, name: string) => ({ id, name }) as never;

  test('of each thing the last, a few times a second', async () => {
    const clock = new ModelClock();
    const events = new StationEvents(clock);
    const heard: StationEvent[] = [];
    events.board(board('a', 'before anybody listens'));
    const forget = events.listen({ station: () => ({ version: '1' }) as never, send: (event) => heard.push(event) });
    for (let time = 0; time < 50; time++) events.board(board('a', `${time}`));
    events.board(board('b', 'b'));
    events.boardGone('b');
    events.station();
    expect(heard).toEqual([]);
    await clock.advance(1000);
    expect(heard).toEqual([
      { kind: 'board', board: { id: 'a', name: '49' } },
      { kind: 'board-gone', id: 'b' },
      { kind: 'station', station: { version: '1' } },
    ]);
    forget();
    events.boardGone('a');
    await clock.advance(1000);
    expect(heard).toHaveLength(3);
  });
});

describe('the stream', () => {
  let rig: StationRig;
  let address: string;
  let headers: Record<string, string>;
  beforeEach(async () => {
    rig = await StationRig.start();
    address = await rig.station.server.listen({ host: '127.0.0.1', port: 0 });
    const opened = await fetch(`${address}/api/session`, { method: 'POST', headers: { origin: address } });
    headers = { origin: address, cookie: opened.headers.getSetCookie()[0]!.split(';')[0]! };
  });
  afterEach(() => rig.end());

  test('everything first, then what changes; it ends with the station', async () => {
    const response = await fetch(`${address}/api/events`, { headers });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const next = async (): Promise<StationEvent | undefined> => {
      while (!text.includes('\n\n')) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        text += value;
      }
      const [block = '', ...rest] = text.split('\n\n');
      text = rest.join('\n\n');
      return block.startsWith('data: ') ? (JSON.parse(block.slice(6)) as StationEvent) : next();
    };
    expect(await next()).toMatchObject({
      kind: 'all',
      boards: [],
      releases: [],
      updates: [],
      station: { session: 'open' },
    });
    rig.lan.add('192.168.7.50');
    await fetch(`${address}/api/boards`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ address: '192.168.7.50' }),
    });
    await rig.clock.advance(200);
    expect(await next()).toMatchObject({ kind: 'board', board: { address: '192.168.7.50', reach: 'online' } });
    // So that nobody on the way takes it for dead.
    await rig.clock.advance(20_000);
    const closing = rig.station.close();
    expect(await next()).toBeUndefined();
    await closing;
    await rig.open();
  });

  test('more than a hundred do not listen at once, and who goes makes room', async () => {
    const aborts = Array.from({ length: 100 }, () => new AbortController());
    const listen = (signal?: AbortSignal) => fetch(`${address}/api/events`, { headers, ...(signal && { signal }) });
    for (const { signal } of aborts) expect((await listen(signal)).status).toBe(200);
    expect((await listen()).status).toBe(500);
    aborts[0]!.abort();
    await expect.poll(async () => (await listen()).status).toBe(200);
  });
});
