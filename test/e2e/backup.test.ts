/** The backup that the page offers before it overwrites a board, in a real Chromium. */
import { readFileSync } from 'node:fs';
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { decodeBackup } from '#formats/backup/backup-reader.ts';
import { equalBytes } from '#formats/bytes.ts';
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

/** What a page's function gives, as bytes: numbers one by one would take half a minute. */
async function bytesFrom(page: Page, source: 'flash' | 'file'): Promise<Uint8Array> {
  const text = await page.evaluate(async (what) => {
    const { __twostepDemo: demo } = globalThis as unknown as {
      __twostepDemo: { flash(this: void): Promise<Uint8Array<ArrayBuffer>> };
    };
    const chosen = async (): Promise<Blob> => {
      const [name = ''] = await Array.fromAsync((await navigator.storage.getDirectory()).keys());
      return (await (await navigator.storage.getDirectory()).getFileHandle(name)).getFile();
    };
    const blob = what === 'flash' ? new Blob([await demo.flash()]) : await chosen();
    return new Promise<string>((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve((reader.result as string).replace(/^data:[^,]*,?/, ''));
      reader.readAsDataURL(blob);
    });
  }, source);
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Compares all of the flash with the backup. */
function expectSame(backup: Uint8Array, flash: Uint8Array): void {
  const { manifest, stretches } = decodeBackup(backup);
  expect(manifest.ranges).toEqual([{ offset: 0, length: flash.length }]);
  const restored = new Uint8Array(flash.length).fill(0xff);
  for (const { offset, data } of stretches) restored.set(data, offset);
  expect(equalBytes(restored, flash)).toBe(true);
}

/** Where the browser cannot write files. */
const withoutPicker = (): void => {
  delete (globalThis as { showSaveFilePicker?: unknown }).showSaveFilePicker;
};

/** The picker, with a file of the page's own as what the user chooses: a real stream behind it. */
const withChosenFile = (): void => {
  Object.assign(globalThis, {
    showSaveFilePicker: async ({ suggestedName }: { suggestedName: string }) =>
      (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true }),
  });
};

test('a backup is downloaded, and is what the flash holds', async () => {
  await withFilledBoard({ before: withoutPicker }, async (page) => {
    await page.getByText(/All 4 MiB into a file, at most about \d+ s\./).waitFor();
    const download = page.waitForEvent('download');
    await offer(page).click();
    const file = await (await download).path();
    await backedUp(page).waitFor();
    expectSame(new Uint8Array(readFileSync(file)), await bytesFrom(page, 'flash'));
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
    expect(await bytesFrom(page, 'file')).toHaveLength(0);
    await offer(page).click();
    await backedUp(page).waitFor();
    expectSame(await bytesFrom(page, 'file'), await bytesFrom(page, 'flash'));
  });
});
