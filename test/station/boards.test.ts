import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BoardView, type FoundBoard, type ProvisionedBoard } from '#api.ts';
import { type BoardPage } from '#device/board-page.ts';
import { currentSlots } from '../../src/station/boards/current-slots.ts';
import { isSameBoard } from '../../src/station/boards/same-mac.ts';
import { type BoardRecord } from '../../src/station/store/board-store.ts';
import { StationRig } from './support/station-rig.ts';

const MAC = '24:0a:c4:00:00:10';
const PROVISIONED: ProvisionedBoard = {
  mac: MAC,
  chip: 'ESP32',
  running: 'PA',
  slots: [
    { slot: 'PA', size: 0x8_0000, role: 'app', project: 'voice_box', version: '1.0.0', sha256: 'a'.repeat(64) },
    { slot: 'PB', size: 0x8_0000, role: 'data', project: 'Voice box', version: 'tag', sha256: 'b'.repeat(64) },
  ],
};

describe('the list', () => {
  let rig: StationRig;
  beforeEach(async () => {
    rig = await StationRig.start();
    await rig.session();
  });
  afterEach(() => rig.end());

  const list = () => rig.get<BoardView[]>('GET', '/api/boards');
  const provision = (more: Partial<ProvisionedBoard> = {}) =>
    rig.get<BoardView>('POST', '/api/boards/provisioned', { ...PROVISIONED, ...more });

  test('a board is added by its address, and looked at', async () => {
    rig.lan.add('192.168.7.50');
    expect(await rig.addBoard('192.168.7.50:80')).toMatchObject({
      ...{ name: '192.168.7.50', address: '192.168.7.50', from: 'added', reach: 'online', running: 'PA' },
      slots: [
        { slot: 'PA', role: 'app', project: 'voice_box', version: '1.0.0' },
        { slot: 'PB', role: 'data', shown: 'old data' },
      ],
    });
    expect(await rig.addBoard('192.168.7.51')).toMatchObject({ reach: 'silent', slots: [] });
    await rig.addBoard('192.168.7.50');
    expect(await list()).toHaveLength(2);
  });

  test('what was written over serial is known when the board is found on the network', async () => {
    const written = await provision();
    expect(written).toMatchObject({ name: MAC, chip: 'esp32', from: 'provisioned', reach: 'unknown', running: 'PA' });
    rig.lan.add('192.168.7.50', { mac: MAC });
    const added = await rig.addBoard('192.168.7.50');
    expect(added).toMatchObject({ id: written.id, address: '192.168.7.50', mac: MAC });
    expect(added.slots[1]).toMatchObject({ sha256: 'b'.repeat(64), shown: 'old data' });
    expect(await list()).toHaveLength(1);
  });

  test('provisioned again it is the same board, with what it holds now', async () => {
    const first = await provision({ name: 'Bench 3' });
    const second = await provision({ running: 'PB', slots: [PROVISIONED.slots[0]!] });
    expect(second).toMatchObject({ id: first.id, name: 'Bench 3', running: 'PB' });
    expect(second.slots.map(({ role }) => role)).toEqual(['app', 'unknown']);
  });

  test('an address is of one board at a time', async () => {
    const old = await provision({ address: '192.168.7.50' });
    rig.lan.add('192.168.7.50', { mac: '24:0a:c4:99:99:99' });
    const other = await rig.addBoard('192.168.7.50');
    expect(other.id).not.toBe(old.id);
    const boards = await list();
    expect(boards.map(({ address }) => address)).toEqual([undefined, '192.168.7.50']);
  });

  test('boards behind a repeater, which shows its own MAC for all of them, are told apart by their addresses', async () => {
    for (const last of [50, 51]) rig.lan.add(`192.168.7.${last}`, { mac: MAC });
    const [one, other] = [await rig.addBoard('192.168.7.50'), await rig.addBoard('192.168.7.51')];
    expect(other.id).not.toBe(one.id);
    expect((await list()).map(({ address }) => address)).toEqual(['192.168.7.50', '192.168.7.51']);
    rig.lan.candidates = [52, 51, 50].map((last) => ({ address: `192.168.7.${last}`, mac: MAC }));
    const found = await rig.get<FoundBoard[]>('POST', '/api/boards/search', { how: 'scan' });
    expect(found.map(({ id }) => id)).toEqual([undefined, other.id, one.id]);
    // One that has really moved is the same.
    rig.lan.boards.delete('192.168.7.50');
    rig.lan.add('192.168.7.52', { mac: MAC });
    expect((await rig.addBoard('192.168.7.52')).id).toBe(one.id);
  });

  test('one that another board answers for is not it', async () => {
    const board = await provision({ address: '192.168.7.50' });
    rig.lan.add('192.168.7.50', { mac: '24:0a:c4:99:99:99' });
    expect(await rig.get('POST', `/api/boards/${board.id}/look`)).toMatchObject({ reach: 'other' });
  });

  test('it is renamed, moved, given a chip, removed', async () => {
    const { id } = await provision({ address: '192.168.7.50' });
    const change = (body: object) => rig.ask<BoardView>('PATCH', `/api/boards/${id}`, { body });
    expect((await change({ name: 'Bench 3', address: '192.168.7.60:8080', chip: 'ESP32-S3' })).body).toMatchObject({
      ...{ name: 'Bench 3', address: '192.168.7.60:8080', chip: 'esp32s3' },
    });
    expect((await change({ chip: 'esp9000' })).status).toBe(400);
    expect((await change({ address: '8.8.8.8' })).body).toMatchObject({ error: 'address-refused' });
    expect((await change({ mac: MAC })).status).toBe(400);
    expect((await rig.ask('DELETE', `/api/boards/${id}`)).status).toBe(204);
    expect((await rig.ask('DELETE', `/api/boards/${id}`)).status).toBe(404);
    expect(await list()).toEqual([]);
  });

  test('only private addresses are spoken to', async () => {
    for (const address of ['8.8.8.8', '[2001:db8::1]', '0.0.0.0', '192.168.7.256']) {
      const answer = await rig.ask('POST', '/api/boards', { body: { address } });
      expect(answer).toMatchObject({ status: 422, body: { error: 'address-refused' } });
    }
  });

  test('what a search finds is told apart from what is known, and known boards have moved', async () => {
    const { id } = await provision({ address: '192.168.7.50' });
    rig.lan.candidates = [{ address: '192.168.7.61', mac: MAC }, { address: '192.168.7.62' }];
    const found = await rig.get<FoundBoard[]>('POST', '/api/boards/search', { how: 'mdns' });
    expect(found.map((one) => one.id)).toEqual([id, undefined]);
    expect((await list())[0]?.address).toBe('192.168.7.61');
    rig.lan.add('192.168.7.62');
    expect((await rig.addBoard('192.168.7.62')).from).toBe('found');
  });

  test('what the page says is text', async () => {
    const hex = Buffer.from('<b>\u0007\u202e\n').toString('hex');
    rig.lan.add('192.168.7.50', { shown: `${hex}ff` });
    const { slots } = await rig.addBoard('192.168.7.50');
    expect(slots[1]?.shown).toBe('<b>....');
  });
});

describe('what the slots hold', () => {
  const RECORD: BoardRecord = {
    id: 'x',
    from: 'provisioned',
    mac: MAC,
    running: 'PA',
    holdings: PROVISIONED.slots,
  };
  const seen = (page: BoardPage): unknown =>
    currentSlots(RECORD, page).slots.map(({ role, sha256, version }) => [role, sha256?.[0], version]);

  test.each<{ what: string; page: BoardPage; slots: unknown }>([
    {
      what: 'as it was written',
      page: { running: 'PA', project: 'voice_box', version: '1.0.0', shown: '6f' },
      slots: [
        ['app', 'a', '1.0.0'],
        ['data', 'b', 'tag'],
      ],
    },
    {
      what: 'another version',
      page: { running: 'PA', project: 'voice_box', version: '1.0.1', shown: '6f' },
      slots: [
        ['app', undefined, '1.0.1'],
        ['data', undefined, undefined],
      ],
    },
    {
      what: 'the other slot',
      page: { running: 'PB', project: 'voice_box', version: '1.0.0', shown: '3254cdab01' },
      slots: [
        ['app', undefined, undefined],
        ['app', undefined, '1.0.0'],
      ],
    },
    {
      what: 'the other slot, the first one erased',
      page: { running: 'PB', shown: 'ffffffff' },
      slots: [
        ['unknown', undefined, undefined],
        ['app', undefined, undefined],
      ],
    },
    {
      what: 'a page that does not tell',
      page: {},
      slots: [
        ['app', 'a', '1.0.0'],
        ['data', 'b', 'tag'],
      ],
    },
  ])('$what', ({ page, slots }) => expect(seen(page)).toEqual(slots));

  test('sizes stay known, whatever runs', () => {
    expect(currentSlots(RECORD, { running: 'PB' }).slots.map(({ size }) => size)).toEqual([0x8_0000, 0x8_0000]);
  });

  test('a board that runs from factory', () => {
    expect(currentSlots({ id: 'x', from: 'added', holdings: [] }, { running: 'factory', shown: '6f' })).toEqual({
      running: 'factory',
      slots: [
        { slot: 'PA', role: 'data', shown: 'o' },
        { slot: 'PB', role: 'unknown' },
      ],
    });
  });
});

test.each([
  [MAC, true],
  ['24:0a:c4:00:00:13', true],
  ['26:0a:c4:00:00:10', true],
  ['24:0a:c4:00:00:14', false],
  ['24:0a:c4:00:00:0f', false],
  ['24:0a:c4:00:01:10', false],
  ['25:0a:c4:00:00:10', false],
  ['', false],
])(`the interfaces of one chip have addresses in a row: ${MAC} and %s`, (seen, same) => {
  expect(isSameBoard(MAC, seen)).toBe(same);
});
