/** Measuring a board, and what the page says of one without a stub, of a wrong file, and of a board that has all of it, in a real Chromium. */
import axe from 'axe-core';
import { readFileSync } from 'node:fs';
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { type DemoHandle } from '#app/demo/demo-handle.ts';
import { expectAccessible } from './support/accessible.ts';
import {
  addFault,
  connected,
  placeBoard,
  takeDemoRelease,
  takeFiles,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';
import { provisionScene, readyToWrite } from './support/provision-scene.ts';
import { noise } from '../device/support/bench.ts';

const onPage = provisionScene();

const boardCard = (page: Page) => page.getByRole('region', { name: 'Board', exact: true });
const open = (page: Page): Promise<void> => boardCard(page).getByText('Measure this board').click();
const measure = (page: Page) => boardCard(page).getByRole('button', { name: 'Measure', exact: true });
const report = (page: Page) => boardCard(page).getByRole('region', { name: 'Report' });

/** Of the bytes that the virtual board holds. */
const digest = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const flash = await (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo.flash();
    return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(flash!)))).join();
  });

const flashOf = async (page: Page): Promise<Uint8Array> => {
  const text = await page.evaluate(async () => {
    const flash = await (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo.flash();
    return Array.from(flash!, (byte) => String.fromCharCode(byte)).join('');
  });
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
};

/** All of it is full: whatever is not put back shows. */
const FULL = noise(0x40_0000);

const connectVirtual = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Use the virtual board' }).first().click();

/** @returns the digest of what the board holds, once it is connected. */
async function connectFull(page: Page): Promise<string> {
  await placeBoard(page, { contents: { 0: FULL } });
  await connectVirtual(page);
  await connected(page);
  return digest(page);
}

/** Until the block is being written. `says`: what it does is told before. */
async function beginMeasuring(page: Page, says = /64 KiB at/): Promise<void> {
  await open(page);
  await boardCard(page).getByText(says).waitFor();
  await measure(page).click();
  await page.getByRole('listitem').filter({ hasText: 'Erase, write, read, hash, running' }).waitFor();
}

async function lose(page: Page): Promise<void> {
  await beginMeasuring(page);
  await page.getByRole('button', { name: 'Pull its cable' }).click();
  await boardCard(page).getByText('The board was lost while it was measured').waitFor();
  await page.getByRole('button', { name: 'Plug it in' }).click();
}

test('a board is measured by keyboard; the report can be saved, and what was to be written still can', async () => {
  await onPage({ speed: 4 }, async (page) => {
    await page.evaluate(axe.source);
    await readyToWrite(page);
    const before = await digest(page);
    await boardCard(page).locator('summary', { hasText: 'Measure this board' }).focus();
    await page.keyboard.press('Enter');
    await measure(page).waitFor();
    await boardCard(page)
      .getByText(/^64 KiB at 0x3f0000.*blank again afterwards/)
      .waitFor();
    await expectAccessible(page, 'what it will do');
    await measure(page).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('list', { name: 'Steps of measuring' }).waitFor();
    // The one button waits, and a key too many neither cancels nor writes.
    const write = page.getByRole('region', { name: 'Next step' }).getByRole('button');
    expect(await write.getAttribute('aria-disabled')).toBe('true');
    expect(await boardCard(page).evaluate((card) => card.contains(document.activeElement))).toBe(true);
    await page.keyboard.press('Enter');
    await expectAccessible(page, 'measuring');
    await report(page).waitFor();
    const text = await report(page).innerText();
    expect(text).toMatch(/921600 baud +writes/);
    expect(text).toMatch(/first line after \d+ ms/);
    expect(text).not.toContain('12:34:56');
    await expectAccessible(page, 'measured');
    const download = page.waitForEvent('download');
    await boardCard(page).getByRole('button', { name: 'Save it' }).click();
    expect(readFileSync(await (await download).path(), 'utf8')).toBe(`${text}\n`);
    expect(await digest(page)).toBe(before);
    await writeNow(page);
    await verdict(page).waitFor();
  });
});

test('cancelled, it puts back what was there, and the board is still connected', async () => {
  await onPage({ speed: 4 }, async (page) => {
    const before = await connectFull(page);
    await beginMeasuring(page, /put back afterwards/);
    await page.getByRole('button', { name: 'Cancel and put back' }).click();
    await boardCard(page)
      .getByText(/^Cancelled/)
      .waitFor();
    expect(await digest(page)).toBe(before);
    await connected(page);
  });
});

test('a board that is lost in the middle gets back what was there when it is connected again', async () => {
  await onPage({ speed: 4 }, async (page) => {
    const before = await connectFull(page);
    await lose(page);
    await connectVirtual(page);
    await boardCard(page).getByText('What was measured in is again as it was before.').waitFor();
    await connected(page);
    expect(await digest(page)).toBe(before);
  });
});

test('what a worn flash does not take back can be saved', async () => {
  await onPage({ speed: 4 }, async (page) => {
    await page.evaluate(axe.source);
    await connectFull(page);
    await lose(page);
    await addFault(page, `bad-sector:${0x3f_0000 / 0x1000}`);
    await connectVirtual(page);
    await boardCard(page).getByText('Not put back').waitFor();
    await connected(page);
    await expectAccessible(page, 'not put back');
    const download = page.waitForEvent('download');
    await boardCard(page).getByRole('button', { name: 'Save what was there' }).click();
    const saved = await download;
    expect(saved.suggestedFilename()).toMatch(/^[0-9a-f]{12}-0x3f0000\.bin$/);
    expect(Buffer.compare(readFileSync(await saved.path()), FULL.subarray(0x3f_0000))).toBe(0);
  });
});

test('a page that is reloaded in the middle offers to put back what was there, and the flash is what it was', async () => {
  await onPage({ speed: 1 }, async (page) => {
    page.on('dialog', (dialog) => void dialog.accept());
    await page.evaluate(axe.source);
    const before = await connectFull(page);
    await beginMeasuring(page);
    await expect.poll(() => digest(page)).not.toBe(before);
    // The virtual board goes with the page: one comes back that holds what this one does now.
    const held = await flashOf(page);
    await page.reload();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.evaluate(axe.source);
    await placeBoard(page, { contents: { 0: held } });
    await connectVirtual(page);
    await boardCard(page).getByText('Measuring this board was cut off').waitFor();
    await connected(page);
    await expectAccessible(page, 'asked');
    await boardCard(page).getByRole('button', { name: 'Put it back' }).click();
    await boardCard(page).getByText('What was measured in is again as it was before.').waitFor();
    await connected(page);
    expect(await digest(page)).toBe(before);
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await connectVirtual(page);
    await connected(page);
    expect(await boardCard(page).getByText('Measuring this board was cut off').count()).toBe(0);
  });
});

test('a board whose stub does not start says that its ROM does the work, and is written all the same', async () => {
  await onPage({ fault: 'no-stub' }, async (page) => {
    await readyToWrite(page);
    await boardCard(page).getByText('Without the flash loader').waitFor();
    await writeNow(page);
    await verdict(page).waitFor();
  });
});

test('a wrong file is objected to beside the release, which stays', async () => {
  await onPage({}, async (page) => {
    await takeDemoRelease(page);
    const card = page.getByRole('region', { name: 'Release' });
    await takeFiles(page, [{ path: 'letter.txt', bytes: new TextEncoder().encode('Dear board') }]);
    await card.getByRole('alert').getByText('The release above stays as it is.').waitFor();
    await card.getByText('manifest for').waitFor();
    await page.getByText('For a blank board').waitFor();
  });
});

test('another chip for the virtual board leaves no worker behind', async () => {
  await onPage({}, async (page) => {
    await useVirtualBoard(page, 'ESP32');
    await connected(page);
    const boards = (): number => page.workers().filter((worker) => worker.url().includes('virtual-board')).length;
    expect(boards()).toBe(1);
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await useVirtualBoard(page, 'ESP32-C3');
    await connected(page);
    await expect.poll(boards).toBe(1);
  });
});
