/** The Provision screen with the virtual board in the page, in a real Chromium: what is given to it, and what comes of it. */
import { fileURLToPath } from 'node:url';
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodePartitionTable } from '#formats/partition-table.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import { payload, row, text, TWO_SLOTS } from '../workflows/boards.ts';
import {
  connected,
  differingWrites,
  placeBoard,
  takeDemoRelease,
  takeFiles,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';
import { provisionScene, readyToWrite, RUNNING } from './support/provision-scene.ts';

const onPage = provisionScene();

const samples = (path: string): string => fileURLToPath(new URL(`../fixtures/release/${path}`, import.meta.url));

async function writtenAsPlanned(page: Page): Promise<void> {
  await page.getByText('For a blank board').waitFor();
  await useVirtualBoard(page);
  await connected(page);
  await writeNow(page);
  await verdict(page).waitFor();
  expect(await differingWrites(page)).toEqual([]);
}

test.each(['ESP32', 'ESP32-S3', 'ESP32-C3'] as const)(
  'the demo release is written to a virtual %s, which gets onto its network',
  async (chip) => {
    await onPage({}, async (page) => {
      await readyToWrite(page, chip);
      await writeNow(page);
      await verdict(page).getByText(RUNNING).waitFor();
      expect(await differingWrites(page)).toEqual([]);
      expect(await page.title()).toContain('Done');
      await page.getByRole('button', { name: 'Next board' }).click();
      await page.getByRole('button', { name: 'Use the virtual board' }).waitFor();
    });
  },
);

test.each([
  ['a build folder of ESP-IDF', 'idf-build'],
  ['a build folder of Arduino', 'arduino-build'],
])('%s is recognised, planned and written', async (_name, folder) => {
  await onPage({}, async (page) => {
    await page.locator('input[data-pick=folder]').setInputFiles(samples(folder));
    await writtenAsPlanned(page);
  });
});

test('a merged image is recognised, planned and written', async () => {
  await onPage({}, async (page) => {
    await takeFiles(page, makeReleaseFiles({ chip: 'esp32', kind: 'merged', partitions: TWO_SLOTS }));
    await writtenAsPlanned(page);
  });
});

test('of a board with content the map shows what stays and what is lost, above what comes', async () => {
  await onPage({}, async (page) => {
    const [settings, spiffs] = [encodeNvs([text('app', 'name', 'kitchen')], 0x4000), payload(100)];
    const partitions = [...TWO_SLOTS, row('spiffs', [1, 0x82], [0x30_0000, 0x1_0000])];
    const contents = { 0x8000: encodePartitionTable(partitions), 0x9000: settings, 0x30_0000: spiffs };
    await page.locator('input[data-pick=folder]').setInputFiles(samples('idf-build'));
    await placeBoard(page, { contents });
    await page.getByRole('button', { name: 'Use the virtual board' }).click();
    await connected(page);
    const now = page.getByRole('listbox', { name: 'Flash as it is now' });
    await now.getByRole('option', { name: /^nvs, .*1 setting.* kept$/ }).waitFor();
    await now.getByRole('option', { name: /^spiffs, .* will be lost$/ }).waitFor();
    const after = page.getByRole('listbox', { name: 'Flash after writing' });
    expect(await after.getByRole('option', { name: /^spiffs/ }).count()).toBe(0);
    await page.locator('.states').getByText('will be lost').waitFor();
  });
});

test('of a board that has some of it already the plan says how much is to be sent, and only that is', async () => {
  await onPage({}, async (page) => {
    const writes = (text: RegExp) => page.getByRole('region', { name: 'Plan' }).getByText(text);
    await readyToWrite(page);
    await writes(/^[\d.]+ KiB, [\d.]+ KiB to send$/).waitFor();
    await writeNow(page);
    await verdict(page).waitFor();
    await page.getByRole('button', { name: 'Next board' }).click();
    await useVirtualBoard(page);
    await connected(page);
    await writes(/^nothing: the board holds all .* already$/).waitFor();
    await page.getByText('it is only started').waitFor();
    const buffer = Buffer.from(payload(100_000, 'new voices'));
    await page.getByRole('button', { name: 'Remove the data file' }).click();
    await page.locator('input[data-pick=data]').setInputFiles({ name: 'new.bin', mimeType: '', buffer });
    await writes(/KiB, [\d.]+ KiB to send$/).waitFor();
    await writeNow(page);
    await verdict(page).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('what stands in the way stands at its card, and the button leads there', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    const buffer = Buffer.alloc(3_000_000, 7);
    await page
      .locator('input[data-pick=data]')
      .setInputFiles({ name: 'large.bin', mimeType: 'application/octet-stream', buffer });
    await page.getByRole('button', { name: 'Show what is in the way' }).click();
    const card = page.getByRole('region', { name: 'Release' });
    const objection = card.locator('[data-objection=too-large]');
    await objection.waitFor();
    expect(await objection.evaluate((element) => element === document.activeElement)).toBe(true);
    await card.getByRole('button', { name: 'Remove the data file' }).click();
    await page.getByRole('button', { name: 'Write and start' }).waitFor();
  });
});

test('a release for another chip is refused at the release', async () => {
  await onPage({}, async (page) => {
    await page.locator('input[data-pick=folder]').setInputFiles(samples('idf-build'));
    await useVirtualBoard(page, 'ESP32-C3');
    await connected(page);
    await page.getByRole('region', { name: 'Release' }).locator('[data-objection=wrong-chip]').waitFor();
  });
});

test('half a password keeps anything from being written, and is said at its field', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Show what is in the way' }).click();
    await page.getByText('A password has 8 to 63 characters').waitFor();
    expect(await page.getByLabel('Password', { exact: true }).getAttribute('aria-invalid')).toBe('true');
  });
});

test('files that are no release are refused by name, with a code', async () => {
  await onPage({}, async (page) => {
    await page
      .locator('input[data-pick=files]')
      .setInputFiles({ name: 'letter.txt', mimeType: 'text/plain', buffer: Buffer.from('Dear board') });
    await page.getByRole('region', { name: 'Release' }).getByRole('alert').getByText('release-').waitFor();
  });
});

test('without Web Serial it says so, and the one button leads to the virtual board', async () => {
  const before = (): void => {
    delete (Navigator.prototype as unknown as Record<string, unknown>)['serial'];
  };
  await onPage({ before }, async (page) => {
    await page.getByText('This browser has no Web Serial').waitFor();
    await takeDemoRelease(page);
    await page
      .getByRole('region', { name: 'Next step' })
      .getByRole('button', { name: 'Use the virtual board' })
      .click();
    await connected(page);
  });
});
