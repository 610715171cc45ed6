// @vitest-environment happy-dom
import { BoardKeeping, isBoardAddress } from '#app/state/updates/board-keeping.svelte.ts';
import { StationState } from '#app/state/updates/station-state.svelte.ts';
import { ModelClock } from '#model-clock.ts';
import { expect, test } from 'vitest';
import { sampleBoard } from '../../../support/update-samples.ts';
import { Refusal, ScriptedStation } from '../support/station.ts';

test.each([
  ['192.168.1.57', true],
  ['192.168.1.57:8080', true],
  ['[fe80::1]:80', true],
  ['', false],
  ['voice-box.local', false],
  ['192.168.1', false],
  ['192.168.1.256', false],
  ['192.168.1.57:0', false],
  ['192.168.1.57:65536', false],
  ['http://192.168.1.57', false],
  ['192.168.1.57/ota', false],
])('%s as an address of a board: %s', (text, good) => {
  expect(isBoardAddress(text)).toBe(good);
});

function scene(): { station: ScriptedStation; state: StationState; keeping: BoardKeeping } {
  const station = new ScriptedStation();
  const state = new StationState(station.client, new ModelClock());
  state.boards = [sampleBoard()];
  return { station, state, keeping: new BoardKeeping(state) };
}

test('a found board that is added is in the list, and known as such among the found', async () => {
  const { station, state, keeping } = scene();
  station
    .on('POST boards/search', () => [{ address: '10.0.0.9' }, { address: '10.0.0.8', id: 'b1' }])
    .on('POST boards', () => sampleBoard({ id: 'b7', address: '10.0.0.9' }));
  await keeping.search('scan');
  expect(station.seen('POST boards/search')).toEqual([{ how: 'scan' }]);
  await keeping.add('10.0.0.9', 'attic');
  expect(station.seen('POST boards')).toEqual([{ address: '10.0.0.9', name: 'attic' }]);
  expect(keeping.found?.map(({ id }) => id)).toEqual(['b7', 'b1']);
  expect(state.boards.map(({ id }) => id)).toEqual(['b1', 'b7']);
});

test('what is refused is said, and leaves the list as it was', async () => {
  const { station, state, keeping } = scene();
  const refuse = (): never => {
    throw new Refusal('in-use');
  };
  station.on('DELETE boards/b1', refuse).on('PATCH boards/b1', refuse);
  await keeping.remove('b1');
  expect(keeping).toMatchObject({ error: { code: 'in-use' }, busy: [] });
  expect(await keeping.change('b1', { name: 'x' })).toBe(false);
  expect(state.boards).toEqual([sampleBoard()]);
});

test('renaming, looking and removing change the list at once', async () => {
  const { station, state, keeping } = scene();
  station
    .on('PATCH boards/b1', (body) => sampleBoard(body as object))
    .on('POST boards/b1/look', () => sampleBoard({ reach: 'silent' }))
    .on('DELETE boards/b1', () => ({}));
  expect(await keeping.change('b1', { name: 'attic' })).toBe(true);
  expect(state.board('b1')?.name).toBe('attic');
  await keeping.look('b1');
  expect(state.board('b1')?.reach).toBe('silent');
  await keeping.remove('b1');
  expect(state.boards).toEqual([]);
});
