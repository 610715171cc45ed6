/** Updates from the page of a real station to virtual boards with the seed firmware, each a process of its own: flash byte for byte. */
import { type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { chooseBootSlot, decodeOtadata, OTADATA_SIZE } from '#formats/otadata.ts';
import { type Partition } from '#formats/partition-table.ts';
import { TWO_SLOTS } from '../workflows/boards.ts';
import { type NetworkBoard, NetworkScene } from './support/network-scene.ts';
import { type Rig, startRig, takeFiles } from './support/provision-page.ts';
import { bar } from './support/update-page.ts';
import { makeVersion, type Version } from './support/versions.ts';

const [V1, V2, V3] = [makeVersion('1.0.0'), makeVersion('2.0.0'), makeVersion('3.0.0')];
/** Milliseconds for a board to get a whole file, on a machine that has other things to do. */
const LONG = { timeout: 100_000 };

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig?.close());

/** A station of the test's own, over with it. `mayFail`: requests that fail are what it is about. */
async function sceneOf({ onTestFinished }: TestContext, { mayFail = false } = {}): Promise<NetworkScene> {
  const scene = await NetworkScene.start(rig.browser);
  onTestFinished(async () => {
    await scene.close();
    if (!mayFail) expect(scene.troubles).toEqual([]);
  });
  return scene;
}

const region = (page: Page, name: string | RegExp): Locator => page.getByRole('region', { name, exact: true });
const press = (page: Page, name: string | RegExp): Promise<void> => bar(page).getByRole('button', { name }).click();

/** By its address; it has answered when its row is there. */
async function addBoard(page: Page, { address }: NetworkBoard, name: string): Promise<void> {
  const boards = region(page, 'Boards');
  const field = boards.getByRole('textbox', { name: 'Address' });
  if (!(await field.isVisible())) await boards.getByText('Find or add boards').click();
  await field.fill(address);
  await boards.getByRole('textbox', { name: /^Name/ }).fill(name);
  await boards.getByRole('button', { name: 'Add', exact: true }).click();
  await boards.getByRole('button', { name: `Change ${name}` }).waitFor();
}

/** Gives the station a release; it is chosen then. */
async function upload(page: Page, { file, version }: Version): Promise<void> {
  await takeFiles(page, [file]);
  await page.getByRole('radio', { name: new RegExp(version), checked: true }).waitFor(LONG);
}

/** A board of the list, once its row tells that it runs this. */
const boardRow = (page: Page, name: string, runs: string): Locator =>
  region(page, 'Boards').getByRole('button', { name: new RegExp(`^${name}.*${runs}`, 's') });

/** Agrees to what the plan asks, and begins. */
async function update(page: Page, button = 'Update'): Promise<void> {
  await region(page, 'Plan').getByText('Step 2').waitFor();
  const listener = page.locator('[data-consent=boards-listener]');
  if (await listener.isVisible()) await listener.check();
  await press(page, button);
}

/** What the flash of a board must be: as it was before, but for its slots and the choice between them. */
function expectFlash(
  flash: Uint8Array,
  before: Uint8Array,
  held: { slot: 0 | 1; app: Uint8Array; data: Uint8Array },
): void {
  const [{ offset: otadata }, ...slots] = [
    ...TWO_SLOTS.filter(({ name }) => name === 'otadata'),
    ...TWO_SLOTS.filter(({ type }) => type === 0),
  ] as [Partition, Partition, Partition];
  const holds = (offset: number, bytes: Uint8Array): boolean =>
    Buffer.compare(flash.subarray(offset, offset + bytes.length), bytes) === 0;
  expect(holds(slots[held.slot].offset, held.app), 'the app in its slot').toBe(true);
  expect(holds(slots[1 - held.slot]!.offset, held.data), 'the data in the other').toBe(true);
  const { reason, order } = chooseBootSlot(decodeOtadata(flash.subarray(otadata, otadata + OTADATA_SIZE)), {
    slotCount: 2,
    hasFactory: false,
  });
  expect([reason, order[0]]).toEqual(['selected', held.slot]);
  expect(holds(0, before.subarray(0, otadata)), 'boot loader, table, settings').toBe(true);
  const end = slots[1].offset + slots[1].size;
  expect(holds(end, before.subarray(end)), 'what lies behind the slots').toBe(true);
}

// They wait for their boards most of the time.
describe.concurrent('from the page of a station', { timeout: 180_000 }, () => {
  test('two boards get app and data, then another release: the slots are swapped, and swapped back', async (context) => {
    const scene = await sceneOf(context);
    // The first is slow for a while: long enough for two tabs to be opened in the middle.
    const boards = await Promise.all([
      scene.startBoard('127.0.0.2', V1, 'slow:10000:100000:3'),
      scene.startBoard('127.0.0.3', V1),
    ]);
    const page = await scene.openTab();
    for (const [index, board] of boards.entries()) await addBoard(page, board, `bench-${index + 1}`);
    await upload(page, V1);
    await upload(page, V2);
    await page.getByRole('button', { name: 'Choose all' }).click();
    await update(page, 'Update 2 boards');

    // The test group is one board: the other waits.
    await region(page, 'Boards of this update').getByText('waits for its turn').waitFor();
    await region(page, 'Boards of this update')
      .getByRole('button', { name: /^bench-1/ })
      .click();
    await bar(page).getByText('Step 1 of 2').waitFor();
    const second = await scene.openTab(page.url());
    await page.reload();
    for (const tab of [page, second]) {
      await bar(tab)
        .getByText(/Step [12] of 2/)
        .waitFor();
      await region(tab, 'Update of bench-1').waitFor();
      expect(tab.url()).toBe(page.url());
    }
    for (const tab of [page, second])
      await region(tab, 'Boards of this update').getByText('2 of 2 updated').waitFor(LONG);
    await second.close();
    for (const name of ['bench-1', 'bench-2']) await boardRow(page, name, '2\\.0\\.0 from PB').waitFor();

    await press(page, 'Plan another update');
    await upload(page, V3);
    await page.getByRole('button', { name: 'Choose all' }).click();
    await update(page, 'Update 2 boards');
    await region(page, 'Boards of this update').getByText('2 of 2 updated').waitFor(LONG);
    for (const name of ['bench-1', 'bench-2']) await boardRow(page, name, '3\\.0\\.0 from PA').waitFor();
    for (const board of boards) expectFlash(await board.flash(), board.before, { slot: 0, app: V3.app, data: V3.data });
  });

  test('a board that restarts in the middle of the new app: the old data are put back', async (context) => {
    const scene = await sceneOf(context);
    const board = await scene.startBoard('127.0.0.4', V1, 'restart:100000');
    const page = await scene.openTab();
    await addBoard(page, board, 'bench-4');
    await upload(page, V1);
    await upload(page, V2);
    await update(page);
    await bar(page).getByRole('button', { name: 'Show the ways on' }).click(LONG);
    await region(page, 'What now with bench-4?').locator('code', { hasText: 'broken-off' }).waitFor();
    await page.locator('[data-choice=restore]').click();
    await region(page, 'Update of bench-4').getByText('The run is over').waitFor(LONG);
    await boardRow(page, 'bench-4', '1\\.0\\.0 from PA').waitFor();
    expectFlash(await board.flash(), board.before, { slot: 0, app: V1.app, data: V1.data });
  });

  test('a station that is killed while a board downloads, and started again: the page is back, the run ends complete', async (context) => {
    const scene = await sceneOf(context, { mayFail: true });
    const board = await scene.startBoard('127.0.0.5', V1, 'slow:10000:100000:3');
    const page = await scene.openTab();
    await addBoard(page, board, 'bench-5');
    await upload(page, V1);
    await upload(page, V2);
    await page.getByText('On failure').click();
    await page.getByLabel('When a board fails').selectOption('retry');
    await update(page);
    await bar(page)
      .getByText(/KiB of/)
      .waitFor(LONG);
    await scene.killStation();
    await page.getByText('Not connected to the station').waitFor();
    await scene.startStation();
    await page.getByText('Not connected to the station').waitFor({ state: 'detached' });
    await page.getByRole('group', { name: 'Result' }).waitFor(LONG);
    await boardRow(page, 'bench-5', '2\\.0\\.0 from PB').waitFor();
    expectFlash(await board.flash(), board.before, { slot: 1, app: V2.app, data: V2.data });
  });
});
