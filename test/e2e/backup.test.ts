/** The backup that the page offers before it overwrites a board, in a real Chromium. */
import { readFileSync } from 'node:fs';
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { bytesOfBlob, chosenFile, expectSame, withChosenFile } from '../support/page-backup.ts';
import { connected, type OpenOptions, useVirtualBoard, verdict, writeNow } from './support/provision-page.ts';
import { provisionScene, readyToWrite } from './support/provision-scene.ts';

const onPage = provisionScene();

/** With a connected board that has an app. */
async function withFilledBoard(options: OpenOptions, body: (page: Page) => Promise<void>): Promise<void> {
  await onPage(options, async (page) => {
    await readyToWrite(page);
    expect(await offer(page).count()).toBe(0);
    await writeNow(page);
    await verdict(page).waitFor();
    await page.getByRole('button', { name: 'Next board' }).click();
    await useVirtualBoard(page);
    await connected(page);
    await body(page);
  });
}

const offer = (page: Page) => page.getByRole('button', { name: 'Back up first' });
const backedUp = (page: Page) => page.getByRole('status').getByText(/^esp32-240ac4123456-.*\.backup holds/);

/** All of the virtual board's flash. */
const flashOf = async (page: Page): Promise<Uint8Array> =>
  bytesOfBlob(page, async () => {
    const { __twostepDemo: demo } = globalThis as unknown as {
      __twostepDemo: { flash(this: void): Promise<Uint8Array<ArrayBuffer>> };
    };
    return new Blob([await demo.flash()]);
  });

/** Where the browser cannot write files. */
const withoutPicker = (): void => {
  delete (globalThis as { showSaveFilePicker?: unknown }).showSaveFilePicker;
};

test('a backup is downloaded, and is what the flash holds', async () => {
  await withFilledBoard({ before: withoutPicker }, async (page) => {
    await page.getByText(/All 4 MiB into a file, at most about \d+ s\./).waitFor();
    const download = page.waitForEvent('download');
    await offer(page).click();
    const file = await (await download).path();
    await backedUp(page).waitFor();
    expectSame(new Uint8Array(readFileSync(file)), await flashOf(page));
    // What comes next is what it was.
    await page.getByRole('button', { name: 'Write and start' }).waitFor();
  });
});

test('a backup goes into the file that was chosen while it is read; cancelled, nothing is in it', async () => {
  await withFilledBoard({ before: withChosenFile, speed: 4 }, async (page) => {
    await offer(page).click();
    await page.getByText(/^Backing up: [\d.]+ MiB of 4 MiB/).waitFor();
    const write = page.getByRole('button', { name: 'Write and start' });
    expect(await write.getAttribute('aria-disabled')).toBe('true');
    await page.getByRole('button', { name: 'Cancel the backup' }).click();
    await offer(page).waitFor();
    expect(await write.getAttribute('aria-disabled')).toBeNull();
    expect(await chosenFile(page)).toHaveLength(0);
    await offer(page).click();
    await backedUp(page).waitFor();
    expectSame(await chosenFile(page), await flashOf(page));
  });
});
