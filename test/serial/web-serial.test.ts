/** Device layer and workflows in a real Chromium, through its own Web Serial, with virtual boards as processes. */
import { type FastifyInstance } from 'fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noise } from '../device/support/bench.ts';
import { createPageServer } from '../support/page-server.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import { payload, releaseFiles, TWO_SLOTS } from '../workflows/boards.ts';
import { flashAfter } from './flash-after.ts';
import { type Job, type Outcome, type Usb } from './page/bench.ts';
import { startRigIfPossible } from './serial-rig.ts';
import { VirtualBoard, type VirtualBoardOptions } from './virtual-board.ts';

const { rig, hindrance } = await startRigIfPossible();
const CP2102: Usb = { vendor: 0x10c4, product: 0xea60 };
const CH340: Usb = { vendor: 0x1a86, product: 0x7523 };
const FT232: Usb = { vendor: 0x0403, product: 0x6001 };
const NATIVE: Usb = { vendor: 0x303a, product: 0x1001 };
/** Bridges of the tests that run beside the others. */
const ABORTED: Usb = { vendor: 0x10c4, product: 0xea70 };
const PULLED: Usb = { vendor: 0x1a86, product: 0x55d4 };
const FIRST_OF_TWO: Usb = { vendor: 0x10c4, product: 0xea71 };
const SECOND_OF_TWO: Usb = { vendor: 0x1a86, product: 0x7522 };
const SHARED: Usb = { vendor: 0x0403, product: 0x6010 };

const WIFI = { ssid: 'workshop', password: 'correct horse' };
const NETWORK = 'workshop:correct horse';
/** Released as a build folder, as a merged image with a manifest, and as a made build for the chip of which there is no sample. */
const RELEASES = {
  esp32: releaseFiles('idf-build'),
  esp32s3: releaseFiles('web-tools'),
  esp32c3: makeReleaseFiles({ chip: 'esp32c3', kind: 'idf', partitions: TWO_SLOTS }),
};

let folder: string;
let station: FastifyInstance;
let context: BrowserContext;
let page: Page;

/** Runs a test with a board that is plugged in, and takes it away afterwards. */
async function onBoard(options: VirtualBoardOptions, use: (board: VirtualBoard) => Promise<void>): Promise<void> {
  const board = await VirtualBoard.start(rig!, { wifi: NETWORK, ...options });
  try {
    await listed(options.usb);
    await use(board);
  } finally {
    await board.stop();
  }
}

/** Waits until the browser has the port, or has it no more. */
async function listed(usb: Usb, present = true): Promise<void> {
  await page.waitForFunction(
    async ([{ vendor, product }, wanted]) =>
      (await window.bench.list()).some((port) => port.vendor === vendor && port.product === product) === wanted,
    [usb, present] as const,
    { polling: 50 },
  );
}

const arrivals = (usb: Usb): Promise<number> => page.evaluate((ids) => window.bench.arrivals(ids), usb);

const provision = (usb: Usb, job: Job): Promise<Outcome> =>
  page.evaluate(([port, what]) => window.bench.provision(port, what), [usb, job] as const);

const written = (name: string, share: number): Promise<unknown> =>
  page.waitForFunction(([job, least]) => window.bench.share(job) >= least, [name, share] as const, { polling: 50 });

/** Ends the board and holds its flash to all that was to be written. */
async function expectWritten(board: VirtualBoard, ...outcomes: Outcome[]): Promise<void> {
  const writes = outcomes.flatMap((outcome) => outcome.writes);
  expect(writes.length).toBeGreaterThan(4);
  expect(Buffer.compare(await board.stop(), flashAfter(writes))).toBe(0);
}

describe.skipIf(!rig)(rig ? 'real Web Serial' : `real Web Serial (not here: ${hindrance ?? ''})`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'twostep-serial-page-'));
    const root = join(import.meta.dirname, 'page');
    await build({
      configFile: false,
      logLevel: 'error',
      root,
      build: { outDir: folder, target: 'es2023' },
    });
    station = await createPageServer(folder);
    const origin = await station.listen({ host: '127.0.0.1', port: 0 });
    context = await rig!.launch(origin);
    page = await context.newPage();
    await page.goto(origin);
    // The browser looks for ports when it is first asked, and would have one twice that is plugged in meanwhile: once
    // found and once announced. The second would stay for good.
    expect(await page.evaluate(() => window.bench.list())).toEqual([]);
  });

  afterAll(async () => {
    await rig?.dispose();
    await station?.close();
    rmSync(folder, { recursive: true });
  });

  test.concurrent.each([
    ['esp32', CP2102, 921_600],
    ['esp32s3', CH340, 921_600],
    ['esp32c3', FT232, 3_000_000],
  ] as const)('an %s comes up with the flash that was planned, beside the others', async (chip, usb, baud) =>
    onBoard({ chip, usb }, async (board) => {
      const job = { name: chip, files: RELEASES[chip], data: payload(60_000, 'voices'), wifi: WIFI };
      const outcome = await provision(usb, job);
      expect(outcome).toMatchObject({ chip, baud, verdict: { address: '192.168.1.57' } });
      await expectWritten(board, outcome);
    }),
  );

  test.concurrent('an aborted job says so, leaves the port free, and the next one mends the board', async () =>
    onBoard({ chip: 'esp32', usb: ABORTED }, async (board) => {
      const job = { name: 'aborted', files: RELEASES.esp32, data: payload(150_000, 'voices'), wifi: WIFI };
      const running = provision(ABORTED, job);
      await written('aborted', 0.3);
      await page.evaluate(() => window.bench.abort('aborted'));
      const aborted = await running;
      expect(aborted).toMatchObject({ chip: 'esp32', error: 'AbortError' });
      const again = await provision(ABORTED, { ...job, name: 'again' });
      expect(again.verdict?.address).toBe('192.168.1.57');
      await expectWritten(board, aborted, again);
    }),
  );

  test.concurrent('a pulled cable is told; plugged in again, the board is another port and is mended', async () =>
    onBoard({ chip: 'esp32', usb: PULLED }, async (board) => {
      const before = await arrivals(PULLED);
      const job = { name: 'pulled', files: RELEASES.esp32, data: payload(150_000, 'voices'), wifi: WIFI };
      const running = provision(PULLED, job);
      await written('pulled', 0.3);
      await board.pullCable();
      const lost = await running;
      expect(lost).toMatchObject({ chip: 'esp32', error: 'port-lost' });
      // The browser hears of a port that has left a moment later than whoever reads from it.
      await listed(PULLED, false);
      await board.plugIn();
      await listed(PULLED);
      expect((await arrivals(PULLED)) - before).toBe(1);
      const again = await provision(PULLED, { ...job, name: 'plugged in' });
      expect(again.verdict?.address).toBe('192.168.1.57');
      await expectWritten(board, lost, again);
    }),
  );

  // One after the other: two of them cannot be told apart by their ids while they are followed.
  test.concurrent('a board on its own USB is followed from port to port', async () => {
    for (const chip of ['esp32s3', 'esp32c3'] as const) {
      await onBoard({ chip, usb: NATIVE, wiring: 'usb-serial-jtag' }, async (board) => {
        const before = await arrivals(NATIVE);
        const outcome = await provision(NATIVE, { name: `native ${chip}`, files: RELEASES[chip], wifi: WIFI });
        expect(outcome).toMatchObject({ chip, verdict: { address: '192.168.1.57' } });
        // Once into the loader, once out of it.
        expect((await arrivals(NATIVE)) - before).toBe(2);
        await expectWritten(board, outcome);
      });
    }
  });

  test.concurrent('two boards are written at the same time, by one page', async () =>
    onBoard({ chip: 'esp32', usb: FIRST_OF_TWO }, async (first) =>
      onBoard({ chip: 'esp32c3', usb: SECOND_OF_TWO }, async (second) => {
        const job = (chip: 'esp32' | 'esp32c3') => ({
          name: `both ${chip}`,
          files: RELEASES[chip],
          data: noise(400_000),
        });
        const running = [provision(FIRST_OF_TWO, job('esp32')), provision(SECOND_OF_TWO, job('esp32c3'))] as const;
        // Each in the middle while the other is.
        await page.waitForFunction(
          (names) => names.map((name) => window.bench.share(name)).every((share) => share > 0.1 && share < 0.95),
          ['both esp32', 'both esp32c3'],
          { polling: 20 },
        );
        const [one, other] = await Promise.all(running);
        expect([one, other]).toMatchObject([
          { chip: 'esp32', verdict: {} },
          { chip: 'esp32c3', verdict: {} },
        ]);
        await expectWritten(first, one);
        await expectWritten(second, other);
      }),
    ),
  );

  test.concurrent('a port that another page has open is told to be in use', async () =>
    onBoard({ chip: 'esp32', usb: SHARED }, async () => {
      const other = await context.newPage();
      await other.goto(page.url());
      const running = provision(SHARED, { name: 'holder', files: RELEASES.esp32, data: payload(100_000, 'voices') });
      await written('holder', 0.1);
      const job = { name: 'second', files: [] };
      const second = await other.evaluate(([port, what]) => window.bench.provision(port, what), [SHARED, job] as const);
      expect(second.error).toBe('port-in-use-or-missing');
      await page.evaluate(() => window.bench.abort('holder'));
      expect((await running).error).toBe('AbortError');
      await other.close();
    }),
  );

  test('a hidden tab is no slower than one that is seen', async () =>
    onBoard({ chip: 'esp32', usb: CP2102 }, async () => {
      const run = async (name: string): Promise<number> => {
        const started = performance.now();
        const outcome = await provision(CP2102, { name, files: RELEASES.esp32, data: noise(60_000) });
        expect(outcome.error).toBeUndefined();
        return performance.now() - started;
      };
      await page.bringToFront();
      const seen = await run('seen');
      const other = await context.newPage();
      await other.bringToFront();
      expect(await page.evaluate(() => document.visibilityState)).toBe('hidden');
      const hidden = await run('hidden');
      await other.close();
      // Timers of the page itself would be held back to one a second, which makes it more than twice.
      expect(hidden / seen).toBeLessThan(1.6);
    }));
});
