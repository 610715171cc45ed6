/** Each objection of a plan stands at the card of the thing that it objects to, and the one button leads there. */
import { type BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ObjectionCode } from '#workflows/plan-notices.ts';
import { OBJECTION_CASES, provoke } from './support/objection-cases.ts';
import { openIn, type Rig, startRig, takeFiles } from './support/provision-page.ts';

let rig: Rig;
let context: BrowserContext;
beforeAll(async () => {
  rig = await startRig();
  context = await rig.browser.newContext({ viewport: { width: 1440, height: 900 } });
});
afterAll(async () => rig?.close());

const CASES = Object.entries(OBJECTION_CASES).flatMap(([code, provoked]) =>
  'never' in provoked ? [] : [[code as ObjectionCode, provoked] as const],
);

test.concurrent.each(CASES)('%s', async (code, provoked) => {
  const { page, troubles } = await openIn(context, rig.address, { speed: 100 });
  await provoke(page, provoked);
  const card = page.getByRole('region', { name: provoked.card, exact: true });
  await card.locator(`[data-objection=${code}]`).waitFor();
  const shown = page.locator('[data-objection]');
  const codes = await shown.evaluateAll((all) => all.map((element) => element.getAttribute('data-objection')));
  expect(codes.toSorted()).toEqual([code, ...(provoked.also ?? [])].toSorted());

  await page.getByRole('button', { name: 'Show what is in the way' }).click();
  const reached = await page.evaluate(() => document.activeElement?.getAttribute('data-objection'));
  expect(reached).toBe(codes[0]);
  expect(troubles).toEqual([]);
  await page.close();
});

test('a partition CSV that cannot be read is told with its line, at the settings', async () => {
  const { page, troubles } = await openIn(context, rig.address, { speed: 100 });
  await provoke(page, { card: 'Wi-Fi and settings', csv: 'nvs,data,nvs,0x9000,16K\na,app,ota_9,,nothing\n' });
  const objection = page.getByRole('region', { name: 'Wi-Fi and settings' }).locator('[data-objection^=partition-]');
  await objection.getByText('mine.csv').getByText('2').waitFor();
  await page.getByRole('button', { name: 'Show what is in the way' }).click();
  expect(await objection.evaluate((element) => element === document.activeElement)).toBe(true);
  expect(troubles).toEqual([]);
  await page.close();
});

test('after a run that failed, what is in the way of the next one is shown', async () => {
  const { page } = await openIn(context, rig.address, { speed: 100 });
  await provoke(page, { card: 'Plan', board: { fault: 'bad-sector:256' } });
  await page.getByRole('button', { name: 'Write and start' }).click();
  await page.getByRole('button', { name: 'Write again' }).waitFor();
  await takeFiles(page, [{ path: 'mine.csv', bytes: new TextEncoder().encode('nvs,data,nvs,0x9000,16K\n') }], 'csv');
  await page.getByRole('button', { name: 'Show what is in the way' }).click();
  const objection = page
    .getByRole('region', { name: 'Plan', exact: true })
    .locator('[data-objection=no-app-partition]');
  expect(await objection.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.close();
});
