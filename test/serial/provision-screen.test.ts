/** The Provision screen as a user meets it: the page of a station, a build folder, the Wi-Fi, a real port of the browser, one button. */
import { sha256 } from '@noble/hashes/sha2.js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BoardView } from '#api.ts';
import { toHex } from '#formats/bytes.ts';
import { nvsString } from '#formats/nvs/nvs.ts';
import { noise } from '../device/support/bench.ts';
import { chosenFile, expectSame, withChosenFile } from '../support/page-backup.ts';
import { APP, layOut, TWO_SLOTS } from '../workflows/boards.ts';
import { type RunningStation, startHere } from '../../src/station/start.ts';
import { builtPage } from './built-page.ts';
import { flashAfter } from './flash-after.ts';
import { startRigIfPossible } from './serial-rig.ts';
import { VirtualBoard, type VirtualBoardOptions } from './virtual-board.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'release');
const RELEASES = { esp32: join(FIXTURES, 'idf-build'), esp32s3: join(FIXTURES, 'web-tools') };
const { rig, hindrance } = await startRigIfPossible();

const CP2102 = { chip: 'esp32', usb: { vendor: 0x10c4, product: 0xea60 }, wifi: 'workshop:correct horse' } as const;
/** They do not compress: at 921600 baud the line has some seven seconds to go with them. */
const DATA = noise(600_000);
/** Bytes that the host has sent when most of the data is written, and not all. */
const IN_THE_MIDDLE = 400_000;

let folder: string;
let station: RunningStation;
let context: BrowserContext;
let origin: string;

type Writes = { offset: number; data: Uint8Array }[];

/** What the page says that it writes; offered to tests with `?demoSpeed`. */
const plannedWrites = (page: Page): Promise<Writes> =>
  page.evaluate(() => {
    const { __twostepDemo: handle } = window as unknown as {
      __twostepDemo: { plan(): { writes: { offset: number; data: Uint8Array }[] } };
    };
    return handle.plan().writes.map(({ offset, data }) => ({ offset, data }));
  });

async function withRelease(page: Page, chip: keyof typeof RELEASES = 'esp32'): Promise<void> {
  await page.goto(`${origin}/?demoSpeed=1`);
  await page.locator('input[data-pick="folder"]').first().setInputFiles(RELEASES[chip]);
  await page.getByLabel('Network', { exact: true }).fill('workshop');
  await page.getByLabel('Password', { exact: true }).fill('correct horse');
}

const next = (page: Page) => page.getByRole('region', { name: 'Next step' });
const press = (page: Page, name: string): Promise<void> =>
  next(page).getByRole('button', { name, exact: true }).click();
const verdict = (page: Page) => page.getByRole('group', { name: 'Result' }).getByText(/^Running/);

/** With a page and a board that are there for this test alone. */
async function onBoard(
  options: VirtualBoardOptions,
  use: (page: Page, board: VirtualBoard) => Promise<void>,
): Promise<void> {
  const board = await VirtualBoard.start(rig!, options);
  const page = await context.newPage();
  try {
    await use(page, board);
  } finally {
    await page.close();
    await board.stop();
  }
}

/** A run with much data, up to the middle of them. @returns what it was to write. */
async function writeHalf(page: Page, board: VirtualBoard): Promise<Writes> {
  await withRelease(page);
  await page
    .locator('input[data-pick="data"]')
    .setInputFiles({ name: 'voices.bin', mimeType: '', buffer: Buffer.from(DATA) });
  await press(page, 'Connect');
  await press(page, 'Write and start');
  await expect.poll(() => board.received, { timeout: 60_000, interval: 20 }).toBeGreaterThan(IN_THE_MIDDLE);
  return plannedWrites(page);
}

/** Holds that the board has all of both plans, and that what was sent for the second is no more than a rest. */
async function expectFinished(
  page: Page,
  board: VirtualBoard,
  { first, sent }: { first: Writes; sent: number },
): Promise<void> {
  await verdict(page).waitFor();
  expect(board.received - sent).toBeLessThan(DATA.length - IN_THE_MIDDLE / 2);
  const writes = [...first, ...(await plannedWrites(page))];
  expect(Buffer.compare(await board.stop(), flashAfter(writes))).toBe(0);
}

describe.skipIf(!rig)(rig ? 'the Provision screen' : `the Provision screen (not here: ${hindrance ?? ''})`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-serial-screen-'));
    station = await startHere({
      ...{ host: '127.0.0.1', port: 0, version: '1', log: (line) => console.error(line) },
      data: join(folder, 'station'),
      pageFolder: builtPage(join(folder, 'page')),
    });
    ({ origin } = new URL(station.url));
    context = await rig!.launch(origin);
  });

  afterAll(async () => {
    await rig?.dispose();
    await station?.close();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['an ESP32 on a CP2102N bridge', { ...CP2102, wiring: 'uart' }],
    [
      'an ESP32-S3 on its own USB',
      { ...CP2102, chip: 'esp32s3', usb: { vendor: 0x303a, product: 0x1001 }, wiring: 'usb-serial-jtag' },
    ],
  ] as const)('brings %s onto the network', async (_, kind) =>
    onBoard(kind, async (page, board) => {
      await withRelease(page, kind.chip);
      await press(page, 'Connect');
      await press(page, 'Write and start');
      await verdict(page).getByText('192.168.1.57').waitFor();
      expect(Buffer.compare(await board.stop(), flashAfter(await plannedWrites(page)))).toBe(0);
    }),
  );

  test('leaves in the station what the board holds: the Update screen has it by its MAC', async () => {
    const mac = '24:0a:c4:00:00:07';
    await onBoard({ ...CP2102, mac }, async (page) => {
      await withRelease(page);
      await page
        .locator('input[data-pick="data"]')
        .setInputFiles({ name: 'voices.bin', mimeType: '', buffer: Buffer.from(DATA.subarray(0, 5000)) });
      await press(page, 'Connect');
      await press(page, 'Write and start');
      await verdict(page).waitFor();
      const images = [APP, ...(await plannedWrites(page)).map(({ data }) => data)];
      await page.getByRole('link', { name: 'Update', exact: true }).click();
      const boards = page.getByRole('region', { name: 'Boards', exact: true });
      await boards
        .getByRole('button', { name: new RegExp(`^${mac}.*192\\.168\\.1\\.57.*1\\.0\\.0 from PA`, 's') })
        .click();
      const kept = await page.evaluate(() =>
        fetch('api/boards').then((answer) => answer.json() as Promise<BoardView[]>),
      );
      const { slots = [] } = kept.find((one) => one.mac === mac) ?? {};
      expect(slots.map(({ slot, role }) => [slot, role])).toEqual([
        ['PA', 'app'],
        ['PB', 'data'],
      ]);
      const digests = images.map((image) => toHex(sha256(image)));
      for (const slot of slots) expect(digests).toContain(slot.sha256);
    });
  });

  test('offers the rest of a run by itself when the board is plugged in again', async () =>
    onBoard(CP2102, async (page, board) => {
      const first = await writeHalf(page, board);
      await board.pullCable();
      await page.getByText('port-lost', { exact: true }).waitFor();
      await next(page).getByText('It waits until the board is plugged in.').waitFor();
      const sent = board.received;
      await board.plugIn();
      await next(page).getByText('The board is back. It goes on where it was').waitFor();
      await press(page, 'Write again');
      await expectFinished(page, board, { first, sent });
    }));

  test('goes on after a reload with what it had, and sends the rest only', async () =>
    onBoard(CP2102, async (page, board) => {
      page.on('dialog', (dialog) => void dialog.accept());
      const first = await writeHalf(page, board);
      await page.reload();
      const sent = board.received;
      await page.getByRole('button', { name: 'Go on with it' }).click();
      await page.getByText(/^Connect the board [0-9a-f:]{17}/).waitFor();
      await page.getByText('voices.bin').first().waitFor();
      await press(page, 'Connect');
      await press(page, 'Write and start');
      await expectFinished(page, board, { first, sent });
      await page.reload();
      await page.getByRole('heading', { level: 1 }).waitFor();
      await next(page).getByRole('button', { name: 'Choose a build folder' }).waitFor();
      expect(await page.getByRole('button', { name: 'Go on with it' }).count()).toBe(0);
    }));

  test('backs up a board before it is overwritten, down to the last byte', async () => {
    const contents = { 0x10_0000: APP, 0x20_0000: noise(100_000) };
    const settings = [nvsString('product', 'serial', 'A-0042')];
    const flash = layOut({ partitions: TWO_SLOTS, boots: 0, settings, contents }).bytes;
    await onBoard({ ...CP2102, flash }, async (page, board) => {
      await page.addInitScript(withChosenFile);
      await withRelease(page);
      await press(page, 'Connect');
      await page.getByRole('button', { name: 'Back up first' }).click();
      await page.getByText(/\.backup holds the whole flash/).waitFor();
      expectSame(await chosenFile(page), flash);
      // Nothing of it was changed, and what comes next is what it was.
      await next(page).getByRole('button', { name: 'Write and start' }).waitFor();
      expect(Buffer.compare(await board.stop(), flash)).toBe(0);
    });
  });
});
