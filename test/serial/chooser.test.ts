/** The browser's own list of ports, in which a user chooses: a window of the browser, on a screen of its own, by keyboard. */
import { type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPageServer } from '../support/page-server.ts';
import { builtPage } from './built-page.ts';
import { startRigIfPossible } from './serial-rig.ts';
import { VirtualBoard, type VirtualBoardOptions } from './virtual-board.ts';
import { startScreenIfPossible } from './virtual-screen.ts';

const BUILD = join(import.meta.dirname, '..', 'fixtures', 'release', 'idf-build');

const { screen, hindrance: noScreen } = await startScreenIfPossible();
const { rig, hindrance = noScreen } = screen ? await startRigIfPossible() : {};
if (screen && !rig) await screen.end();

let folder: string;
let station: FastifyInstance;
let context: BrowserContext;
let origin: string;

/** The Provision screen with a release, in front of all windows, and a board that is plugged in. */
async function onBoard(usb: VirtualBoardOptions['usb'], use: (page: Page) => Promise<void>): Promise<void> {
  const board = await VirtualBoard.start(rig!, { chip: 'esp32', usb });
  try {
    const page = await context.newPage();
    await page.goto(origin);
    await page.locator('input[data-pick="folder"]').setInputFiles(BUILD);
    await page.bringToFront();
    await use(page);
    await page.close();
  } finally {
    await board.stop();
  }
}

/** The list of ports takes the focus from the page as long as it is open. */
const isOpen = (page: Page): Promise<boolean> => page.evaluate(() => !document.hasFocus());

async function open(page: Page, button: string): Promise<void> {
  await expect.poll(() => isOpen(page)).toBe(false);
  await page.getByRole('button', { name: button, exact: true }).click();
  await expect.poll(() => isOpen(page), { timeout: 10_000 }).toBe(true);
}

/** From its button to the list, to the first port, which may not be listed yet. */
async function chooseFirst(page: Page): Promise<void> {
  screen!.press('Tab');
  await expect
    .poll(
      async () => {
        if (await isOpen(page)) screen!.press('Down', 'Return');
        return isOpen(page);
      },
      { timeout: 10_000, interval: 500 },
    )
    .toBe(false);
}

describe.skipIf(!rig)(rig ? 'the list of ports' : `the list of ports (not here: ${hindrance ?? ''})`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-serial-chooser-'));
    station = await createPageServer(builtPage(folder));
    origin = await station.listen({ host: '127.0.0.1', port: 0 });
    context = await rig!.launchOn(screen!.display);
  });

  afterAll(async () => {
    await rig?.dispose();
    await screen?.end();
    await station?.close();
    rmSync(folder, { recursive: true });
  });

  test('closed without a choice it leaves everything as it was; a chosen port is connected, and known from then on', async () =>
    onBoard({ vendor: 0x10c4, product: 0xea60 }, async (page) => {
      await open(page, 'Connect');
      screen!.press('Escape');
      await expect.poll(() => isOpen(page)).toBe(false);
      await page.getByText('No board yet.').waitFor();
      expect(await page.getByRole('region', { name: 'Board', exact: true }).getByRole('alert').count()).toBe(0);

      await open(page, 'Connect');
      await chooseFirst(page);
      await page.getByRole('button', { name: 'Write and start' }).waitFor();
      await page.getByRole('button', { name: 'Disconnect' }).click();
      const ports = page.getByRole('list', { name: 'Ports' });
      await ports.getByText('CP2102 bridge').waitFor();
      await page.reload();
      await ports.getByText('known from before').waitFor();
    }));

  test('a board behind an unusual bridge is there when all ports are asked for', async () =>
    onBoard({ vendor: 0x0d28, product: 0x0204 }, async (page) => {
      await page.getByText('My board is not in the list').click();
      await open(page, 'Show all ports');
      await chooseFirst(page);
      await page.getByRole('button', { name: 'Write and start' }).waitFor();
      await page.getByRole('button', { name: 'Disconnect' }).click();
      await page.getByText('USB serial port 0d28:0204').waitFor();
    }));
});
