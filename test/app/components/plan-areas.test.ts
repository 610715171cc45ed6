import { describe, expect, test } from 'vitest';
import { type FlashArea } from '../../../src/app/components/FlashMap/flash-area.ts';
import { areasOfBoard, areasOfPlan, type RunProgress } from '../../../src/app/components/FlashMap/plan-areas.ts';
import { type FlashPlan, plannedBytes } from '#workflows/flash-plan.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import {
  APP,
  type BoardLayout,
  MIB,
  payload,
  readBoard,
  row,
  sample,
  swappedBoard,
  text,
  TWO_SLOTS,
} from '../../workflows/boards.ts';

const DATA = { name: 'voices.bin', bytes: payload(70_000) };
const SETTINGS = [text('app', 'name', 'kitchen'), text('app', 'token', 'abc')];

const planned = async (layout: BoardLayout = {}, options: ProvisionOptions = { data: DATA }): Promise<FlashPlan> =>
  planProvision(sample('idf-build'), await readBoard(layout), options);

const states = (areas: FlashArea[]): Record<string, string> =>
  Object.fromEntries(areas.map(({ label, state }) => [label, state ?? '']));

const area = (areas: FlashArea[], label: string): FlashArea => {
  const found = areas.find((one) => one.label === label);
  if (!found) throw new Error(`No area ${label} among ${areas.map((one) => one.label).join(', ')}`);
  return found;
};

describe('the areas of a plan', () => {
  test('are boot loader, table and partitions, with what will be written and how much of each', async () => {
    const areas = areasOfPlan(await planned());
    expect(areas.map(({ label, role }) => [label, role])).toEqual([
      ['boot loader', 'boot'],
      ['partition table', 'table'],
      ['nvs', 'settings'],
      ['otadata', 'settings'],
      ['phy_init', 'settings'],
      ['PA app', 'app'],
      ['PB data', 'data'],
    ]);
    expect(states(areas)).toEqual({
      'boot loader': 'planned',
      'partition table': 'planned',
      nvs: '',
      otadata: 'planned',
      phy_init: '',
      'PA app': 'planned',
      'PB data': 'planned',
    });
    expect(area(areas, 'PA app')).toMatchObject({ offset: MIB, size: MIB, used: APP.length });
    expect(area(areas, 'nvs').used).toBe(0);
    expect(new Set(areas.map(({ id }) => id)).size).toBe(areas.length);
  });

  test('show settings that stay as kept, with their number', async () => {
    const areas = areasOfPlan(await planned({ partitions: TWO_SLOTS, settings: SETTINGS }));
    expect(area(areas, 'nvs')).toMatchObject({ state: 'kept', detail: '2 settings' });
  });

  test('show the roles of a swapped board: the app in PB, the data in PA', async () => {
    const areas = areasOfPlan(planProvision(sample('idf-build'), await readBoard(swappedBoard()), { data: DATA }));
    expect(area(areas, 'PB app')).toMatchObject({ role: 'app', state: 'planned' });
    expect(area(areas, 'PA data')).toMatchObject({ role: 'data', state: 'planned' });
  });

  test('of a plan without a table are none', async () => {
    const plan = planProvision(sample('idf-build'), await readBoard({ chip: 'esp32s3' }));
    expect(plan.objections.map(({ code }) => code)).toContain('wrong-chip');
    expect(areasOfPlan(plan)).toEqual([]);
  });
});

describe('while a plan is carried out', () => {
  const at = async (make: (plan: FlashPlan) => RunProgress): Promise<Record<string, string>> => {
    const plan = await planned();
    return states(areasOfPlan(plan, make(plan)));
  };
  /** Bytes of the writes before this one. */
  const before = (plan: FlashPlan, index: number): number =>
    plan.writes.slice(0, index).reduce((sum, { data }) => sum + data.length, 0);
  const step = (plan: FlashPlan, kind: 'write' | 'verify', index: number): RunProgress['step'] => ({
    kind,
    write: plan.writes[index]!,
    index,
    count: plan.writes.length,
    toSend: plan.writes[index]!.data.length,
  });

  test('what was acknowledged is written, what comes later planned, and the current write fills', async () => {
    const plan = await planned();
    const index = plan.writes.findIndex(({ role }) => role === 'data');
    const half = plan.writes[index]!.data.length / 2;
    const areas = areasOfPlan(plan, { step: step(plan, 'write', index), done: before(plan, index) + half });
    expect(area(areas, 'PB data')).toMatchObject({ state: 'writing', done: 0.5 });
    expect(states(areas)).toMatchObject({ 'boot loader': 'written', 'PA app': 'written', nvs: '' });
    const earlier = areasOfPlan(plan, { step: step(plan, 'write', 0), done: 0 });
    expect(states(earlier)).toMatchObject({ 'partition table': 'writing', 'PA app': 'planned' });
  });

  test('where the run stopped it is half-written, and nothing is being written any more', async () => {
    const plan = await planned();
    const index = plan.writes.findIndex(({ role }) => role === 'data');
    const half = plan.writes[index]!.data.length / 2;
    const areas = areasOfPlan(plan, {
      step: step(plan, 'write', index),
      done: before(plan, index) + half,
      stopped: true,
    });
    expect(area(areas, 'PB data')).toMatchObject({ state: 'stopped', done: 0.5 });
    expect(states(areas)).toMatchObject({ 'boot loader': 'written', 'PA app': 'written' });
  });

  test('what was compared is verified, the rest still only written', async () => {
    const found = await at((plan) => ({ step: step(plan, 'verify', 2), done: plannedBytes(plan) }));
    expect(found).toMatchObject({
      'partition table': 'verified',
      otadata: 'verified',
      'boot loader': 'written',
      'PB data': 'written',
    });
  });

  test('at its end everything that was written is verified', async () => {
    const found = await at((plan) => ({ done: plannedBytes(plan), finished: true }));
    expect(Object.values(found).filter((state) => state === 'verified')).toHaveLength(5);
    expect(Object.values(found)).not.toContain('written');
  });
});

describe('the areas of a board', () => {
  test('say what lies in its slots and how many settings it has', async () => {
    const areas = areasOfBoard(
      await readBoard({ partitions: TWO_SLOTS, settings: SETTINGS, contents: { [MIB]: APP } }),
    );
    expect(area(areas, 'PA app').detail).toMatch(/\S+ \S+/);
    expect(area(areas, 'PB').used).toBe(0);
    expect(area(areas, 'nvs').detail).toBe('2 settings');
    expect(area(areas, 'phy_init').used).toBe(0);
    expect(area(areas, 'boot loader')).toMatchObject({ used: 0 });
  });

  test('with a plan show what stays and what goes away, and leave what is replaced by its like as it is', async () => {
    const spiffs = row('spiffs', [1, 0x82], [0x30_0000, 0x1_0000]);
    const board = await readBoard({
      partitions: [...TWO_SLOTS, spiffs],
      settings: SETTINGS,
      contents: { [MIB]: APP, [spiffs.offset]: payload(100) },
    });
    const areas = areasOfBoard(board, planProvision(sample('idf-build'), board, { data: DATA }));
    expect(states(areas)).toMatchObject({ nvs: 'kept', 'PA app': '', spiffs: 'lost' });
  });

  test('show a swapped board with its app in PB', async () => {
    const areas = areasOfBoard(await readBoard(swappedBoard()));
    expect(area(areas, 'PB app').role).toBe('app');
    expect(area(areas, 'PA data').role).toBe('data');
  });

  test('of a blank board are none: the map shows it as free', async () => {
    expect(areasOfBoard(await readBoard({}))).toEqual([]);
  });

  test('of a board whose table is gone, or that lets nothing be read, are one that is not known', async () => {
    const whole = [{ role: 'other', offset: 0, size: 4 * MIB }];
    expect(areasOfBoard(await readBoard({ contents: { [MIB]: APP } }))).toMatchObject(whole);
    expect(areasOfBoard(await readBoard({ security: { secureDownload: true } }))).toMatchObject(whole);
  });
});
