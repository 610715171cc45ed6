/**
 * Settings that only the board has survive whatever cuts a run short: after each sector that is written the run ends,
 * with the next sector erased, and the same command is run again.
 */
import { describe, expect, test } from 'vitest';
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import { encodePartitionTable, type Partition } from '#formats/partition-table.ts';
import { boardHints } from '#workflows/board-hints.ts';
import { readBoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { runFlashPlan } from '#workflows/run-flash-plan.ts';
import { planProvision, type ProvisionOptions } from '#workflows/provision-plan.ts';
import { noise } from '../device/support/bench.ts';
import { MemoryFlash } from '../support/memory-flash.ts';
import {
  type BoardLayout,
  identity,
  layOut,
  NVS_ROW,
  payload,
  sample,
  swappedBoard,
  text,
  TWO_SLOTS,
} from './boards.ts';

/** Several pages of settings. */
const SETTINGS = Array.from({ length: 150 }, (_, index) => text('app', `key${index}`, `value ${index}`));
const WIFI = { store: { kind: 'idf' } as const, ssid: 'workshop', password: 'correct horse' };
const release = sample('idf-build');

class PowerCut extends Error {}

/** Fails when so many sectors are written; the sector that would come next is already erased. */
class CutFlash extends MemoryFlash {
  sectorsLeft = Infinity;

  override async write(offset: number, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += 0x1000) {
      if (this.sectorsLeft-- <= 0) {
        this.bytes.fill(0xff, offset + at, offset + at + 0x1000);
        throw new PowerCut();
      }
      await super.write(offset + at, data.subarray(at, at + 0x1000));
    }
  }
}

async function run(flash: MemoryFlash, options: ProvisionOptions): Promise<FlashPlan> {
  const state = await readBoardState(flash, identity(), { hints: boardHints(release, options.table) });
  const plan = planProvision(release, state, options);
  expect(plan.objections).toEqual([]);
  await runFlashPlan(flash, plan);
  return plan;
}

const csv = (...rows: string[]): ProvisionOptions['table'] => ({
  kind: 'csv',
  name: 'table.csv',
  bytes: new TextEncoder().encode(rows.join('\n')),
});

const moved = (nvs: string): ProvisionOptions['table'] =>
  csv(nvs, 'otadata,data,ota,0x20000,8K', 'a,app,ota_0,0x30000,1M', 'b,app,ota_1,,1M');

const AWAY = csv('otadata,data,ota,0x20000,8K', 'nvs,data,nvs,,32K', 'a,app,ota_0,0x30000,1M', 'b,app,ota_1,,1M');

const board: BoardLayout = { partitions: TWO_SLOTS, settings: SETTINGS, boots: 0 };
const tableAt7000: BoardLayout = { ...board, tableOffset: 0x7000 };

const SCENARIOS: [string, BoardLayout, ProvisionOptions][] = [
  ['merged in place', board, { wifi: WIFI }],
  ['moved by less than their size', board, { wifi: WIFI, table: moved('nvs,data,nvs,0xa000,20K') }],
  ['moved away', board, { table: AWAY }],
  ['on a swapped board', { ...swappedBoard(), settings: SETTINGS }, { wifi: WIFI }],
  ['of a board whose table moves', tableAt7000, { wifi: WIFI }],
  [
    'with a proposed table',
    board,
    { wifi: WIFI, table: { kind: 'two-slot' }, data: { name: 'd', bytes: payload(9000) } },
  ],
];

const settingsOf = (flash: MemoryFlash, plan: FlashPlan): NvsEntry[] => {
  const row = plan.table!.partitions.find(({ name }) => name === 'nvs')!;
  return decodeNvs(flash.bytes.subarray(row.offset, row.offset + row.size)).entries;
};

describe.each(SCENARIOS)('settings %s', (_, layout, options) => {
  test('survive an interruption after any sector', async () => {
    const start = layOut(layout).bytes;
    const whole = new CutFlash(start.length);
    whole.bytes.set(start);
    const plan = await run(whole, options);
    const sectors = whole.writes.length;
    expect(sectors).toBeGreaterThan(10);
    expect(settingsOf(whole, plan)).toEqual(expect.arrayContaining(SETTINGS));

    for (let cut = 0; cut < sectors; cut++) {
      const flash = new CutFlash(start.length);
      flash.bytes.set(start);
      flash.sectorsLeft = cut;
      await expect(run(flash, options)).rejects.toBeInstanceOf(PowerCut);
      flash.sectorsLeft = Infinity;
      const again = await run(flash, options);
      const kept = settingsOf(flash, again);
      for (const entry of SETTINGS) expect(kept, `cut after ${cut} sectors`).toContainEqual(entry);
    }
  });
});

test('nothing of the copy stays in the app slot', async () => {
  const flash = layOut(board);
  const plan = await run(flash, { wifi: WIFI });
  const { offset, size } = plan.roles!.app;
  const slot = Buffer.from(flash.bytes.subarray(offset, offset + size));
  expect(slot.includes('twostep:nvs-copy')).toBe(false);
  expect(slot.includes('value 42')).toBe(false);
  expect(slot.includes(WIFI.password)).toBe(false);
});

test('a copy that is not whole is not used', async () => {
  const flash = layOut(board);
  const state = await readBoardState(flash, identity());
  const plan = planProvision(release, state, { wifi: WIFI });
  const copy = plan.writes.find(({ transient }) => transient)!;
  flash.bytes.set(copy.data.subarray(0, copy.data.length / 2), copy.offset);
  const after = await readBoardState(flash, identity());
  expect(after.nvs).toMatchObject({ partition: { offset: NVS_ROW.offset } });
  expect(after.nvs?.rescued).toBeUndefined();
  expect(after.nvs?.decoded.entries).toEqual(SETTINGS);
});

test('foreign bytes where settings are to lie need no copy, wherever the run that clears them is cut short', async () => {
  const start = noise(0x40_0000);
  const whole = new CutFlash(start.length);
  whole.bytes.set(start);
  const plan = await run(whole, {});
  expect(plan.writes.map(({ why }) => why).slice(0, 2)).toEqual(['nvs-new', 'table-from-release']);
  expect(plan.writes.some(({ transient }) => transient)).toBe(false);
  for (let cut = 0; cut < whole.writes.length; cut++) {
    const flash = new CutFlash(start.length);
    flash.bytes.set(start);
    flash.sectorsLeft = cut;
    await expect(run(flash, {})).rejects.toBeInstanceOf(PowerCut);
    flash.sectorsLeft = Infinity;
    const again = await run(flash, {});
    expect(settingsOf(flash, again), `cut after ${cut} sectors`).toEqual([]);
  }
});

test('an old table that the new one does not cover is erased at the end', async () => {
  const flash = layOut(tableAt7000);
  const { writes } = await run(flash, {});
  expect(writes.at(-1)).toMatchObject({ offset: 0x7000, why: 'old-table-erased' });
  const partitions: Partition[] = (await readBoardState(flash, identity())).table!.partitions;
  expect(encodePartitionTable(partitions)).toEqual(encodePartitionTable(TWO_SLOTS));
});
