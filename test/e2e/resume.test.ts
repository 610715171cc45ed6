/** A run that a reload of the page cut off is offered again, in a real Chromium with its own storage. */
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { connected, differingWrites, useVirtualBoard, verdict, writeNow } from './support/provision-page.ts';
import { provisionScene, readyToWrite } from './support/provision-scene.ts';

const onPage = provisionScene();
const offer = (page: Page) => page.getByText('A run did not come to its end');

/** In the middle of the writes, with the Wi-Fi on the board already. */
async function reloadInTheMiddle(page: Page): Promise<void> {
  page.on('dialog', (dialog) => void dialog.accept());
  await readyToWrite(page);
  await writeNow(page);
  await page.getByText(/^(PA app|ota_0) · /).waitFor();
  await page.reload();
}

test('it is gone on with, with the release, the data and the settings that it had', async () => {
  await onPage({ speed: 3 }, async (page) => {
    await reloadInTheMiddle(page);
    await offer(page).waitFor();
    await page.getByText(/^Voice box 2\.4\.0 on 24:0a:c4:12:34:56\./).waitFor();
    await page.getByRole('button', { name: 'Go on with it' }).click();
    await page.getByText('Connect the board 24:0a:c4:12:34:56').waitFor();
    await page.getByText('manifest for', { exact: false }).waitFor();
    await page.getByText('voices.bin').first().waitFor();
    // The virtual board went with the page: the one that comes now is blank.
    await useVirtualBoard(page);
    await connected(page);
    await writeNow(page);
    await verdict(page).getByText('Running 2.4.0').waitFor();
    expect(await differingWrites(page)).toEqual([]);
    await page.reload();
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.getByRole('button', { name: 'Try with the demo release' }).waitFor();
    expect(await offer(page).count()).toBe(0);
  });
});

test('forgotten, it is not offered again', async () => {
  await onPage({ speed: 3 }, async (page) => {
    await reloadInTheMiddle(page);
    await page.getByRole('button', { name: 'Forget it' }).click();
    await offer(page).waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('button', { name: 'Try with the demo release' }).waitFor();
    expect(await offer(page).count()).toBe(0);
  });
});
