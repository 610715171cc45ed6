/** The Provision screen as a user meets it: a build folder, the Wi-Fi, a real port of the browser, one button. */
import { type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStation } from '../../src/station/server.ts';
import { builtPage } from './built-page.ts';
import { flashAfter } from './flash-after.ts';
import { startRigIfPossible } from './serial-rig.ts';
import { VirtualBoard } from './virtual-board.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'release');
const RELEASES = { esp32: join(FIXTURES, 'idf-build'), esp32s3: join(FIXTURES, 'web-tools') };
const { rig, hindrance } = await startRigIfPossible();

let folder: string;
let station: FastifyInstance;
let context: BrowserContext;
let origin: string;

/** What the page says that it writes; offered to tests with `?demoSpeed`. */
const plannedWrites = (page: Page): Promise<{ offset: number; data: Uint8Array }[]> =>
  page.evaluate(() => {
    const { __twostepDemo: handle } = window as unknown as {
      __twostepDemo: { plan(): { writes: { offset: number; data: Uint8Array }[] } };
    };
    return handle.plan().writes.map(({ offset, data }) => ({ offset, data }));
  });

describe.skipIf(!rig)(rig ? 'the Provision screen' : `the Provision screen (not here: ${hindrance ?? ''})`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-serial-screen-'));
    station = await createStation({ pageFolder: builtPage(folder) });
    origin = await station.listen({ host: '127.0.0.1', port: 0 });
    context = await rig!.launch(origin);
  });

  afterAll(async () => {
    await rig?.dispose();
    await station?.close();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['an ESP32 on a CP2102N bridge', { chip: 'esp32', usb: { vendor: 0x10c4, product: 0xea60 }, wiring: 'uart' }],
    [
      'an ESP32-S3 on its own USB',
      { chip: 'esp32s3', usb: { vendor: 0x303a, product: 0x1001 }, wiring: 'usb-serial-jtag' },
    ],
  ] as const)('brings %s onto the network', async (_, kind) => {
    const board = await VirtualBoard.start(rig!, { wifi: 'workshop:correct horse', ...kind });
    try {
      const page = await context.newPage();
      await page.goto(`${origin}/?demoSpeed=1`);
      await page.locator('input[data-pick="folder"]').first().setInputFiles(RELEASES[kind.chip]);
      await page.getByLabel('Network', { exact: true }).fill('workshop');
      await page.getByLabel('Password', { exact: true }).fill('correct horse');
      const next = page.getByRole('region', { name: 'Next step' });
      await next.getByRole('button', { name: 'Connect' }).click();
      await next.getByRole('button', { name: 'Write and start' }).click();
      await page.getByRole('group', { name: 'Result' }).getByText('192.168.1.57').waitFor();
      const writes = await plannedWrites(page);
      expect(Buffer.compare(await board.stop(), flashAfter(writes))).toBe(0);
      await page.close();
    } finally {
      await board.stop();
    }
  });
});
