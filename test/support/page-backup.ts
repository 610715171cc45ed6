/** A backup that the page makes, in a real Chromium. */
import { type Page } from 'playwright-core';
import { expect } from 'vitest';
import { decodeBackup } from '#formats/backup/backup-reader.ts';
import { equalBytes } from '#formats/bytes.ts';

/** What a function of the page gives, as bytes: numbers one by one would take half a minute. */
export async function bytesOfBlob(page: Page, source: () => Promise<Blob>): Promise<Uint8Array> {
  const blob = await page.evaluateHandle(source);
  const text = await blob.evaluate(
    (bytes) =>
      new Promise<string>((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve((reader.result as string).replace(/^data:[^,]*,?/, ''));
        reader.readAsDataURL(bytes);
      }),
  );
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** The picker, with a file of the page's own as what the user chooses: a real stream behind it. */
export const withChosenFile = (): void => {
  Object.assign(globalThis, {
    showSaveFilePicker: async ({ suggestedName }: { suggestedName: string }) =>
      (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true }),
  });
};

/** What is in that file. */
export const chosenFile = async (page: Page): Promise<Uint8Array> =>
  bytesOfBlob(page, async () => {
    const folder = await navigator.storage.getDirectory();
    const [name = ''] = await Array.fromAsync(folder.keys());
    return (await folder.getFileHandle(name)).getFile();
  });

/** Compares all of the flash with the backup. */
export function expectSame(backup: Uint8Array, flash: Uint8Array): void {
  const { manifest, stretches } = decodeBackup(backup);
  expect(manifest.ranges).toEqual([{ offset: 0, length: flash.length }]);
  const restored = new Uint8Array(flash.length).fill(0xff);
  for (const { offset, data } of stretches) restored.set(data, offset);
  expect(equalBytes(restored, flash)).toBe(true);
}
