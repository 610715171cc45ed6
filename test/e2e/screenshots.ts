/**
 * `node test/e2e/screenshots.ts FOLDER [NAME…]`: pictures of every state of the Provision screen, at 1440 and 390 px, light and dark.
 * The page must have been built.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Page } from 'playwright-core';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodePartitionTable } from '#formats/partition-table.ts';
import { type ObjectionCode } from '#workflows/plan-notices.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import { APP, payload, row, text, TWO_SLOTS } from '../workflows/boards.ts';
import { OBJECTION_CASES, provoke } from './support/objection-cases.ts';
import {
  coloursSettled,
  connected,
  fillWifi,
  openProvision,
  type OpenOptions,
  startRig,
  takeDemoRelease,
  takeFiles,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';

interface Shot extends OpenOptions {
  name: string;
  prepare: (page: Page) => Promise<void>;
}

async function ready(page: Page): Promise<void> {
  await takeDemoRelease(page);
  await useVirtualBoard(page);
  await connected(page);
  await fillWifi(page);
  await page.getByText('“workshop”', { exact: true }).waitFor();
}

async function provisioned(page: Page): Promise<void> {
  await ready(page);
  await writeNow(page);
  await verdict(page).waitFor();
}

async function beforeMeasuring(page: Page): Promise<void> {
  await ready(page);
  await page.getByText('Measure this board').click();
  await page.getByRole('button', { name: 'Measure', exact: true }).waitFor();
}

/** The page with what raises the objection. */
const objected =
  (code: ObjectionCode) =>
  async (page: Page): Promise<void> => {
    const provoked = OBJECTION_CASES[code];
    if ('never' in provoked) throw new Error(`${code}: ${provoked.never}`);
    await provoke(page, provoked);
    await page.getByRole('button', { name: 'Show what is in the way' }).click();
    await page.locator(`[data-objection=${code}]`).waitFor();
  };

const insecure = (): void => {
  delete (Navigator.prototype as unknown as Record<string, unknown>)['serial'];
  Object.defineProperty(globalThis, 'isSecureContext', { value: false });
};

const withoutSerial = (): void => {
  delete (Navigator.prototype as unknown as Record<string, unknown>)['serial'];
};

const SHOTS: readonly Shot[] = [
  { name: '01-empty', prepare: async () => undefined },
  {
    name: '02-release',
    prepare: async (page) => {
      await takeDemoRelease(page);
      await page.getByText('For a blank board').waitFor();
    },
  },
  { name: '03-connected', prepare: ready },
  {
    name: '04-more',
    prepare: async (page) => {
      await ready(page);
      await page.getByText('More', { exact: true }).click();
      await page.getByText('Every write').click();
    },
  },
  {
    name: '05-objection',
    prepare: async (page) => {
      await takeDemoRelease(page);
      await useVirtualBoard(page);
      await connected(page);
      await page.locator('input[data-pick=data]').setInputFiles({
        name: 'much-too-large.bin',
        mimeType: 'application/octet-stream',
        buffer: Buffer.alloc(3_000_000, 7),
      });
      await page.getByRole('button', { name: 'Show what is in the way' }).click();
    },
  },
  {
    name: '06-running',
    speed: 1,
    prepare: async (page) => {
      await ready(page);
      await writeNow(page);
      await page.getByText(/Writing: .* of/).waitFor();
      await page.waitForTimeout(4500);
    },
  },
  { name: '07-done', prepare: provisioned },
  {
    name: '08-again-on-a-provisioned-board',
    prepare: async (page) => {
      await provisioned(page);
      await page.getByRole('button', { name: 'Next board' }).click();
      await useVirtualBoard(page);
      await connected(page);
      await page.getByText('nothing: the board holds all').waitFor();
    },
  },
  {
    name: '09-failed',
    fault: 'unplug:300000',
    prepare: async (page) => {
      await ready(page);
      await writeNow(page);
      await page.getByRole('button', { name: 'Write again' }).waitFor();
    },
  },
  {
    name: '10-cancelled',
    speed: 2,
    prepare: async (page) => {
      await ready(page);
      await writeNow(page);
      await page.getByText(/Writing: .* of/).waitFor();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('button', { name: 'Write again' }).waitFor();
    },
  },
  {
    name: '11-waiting-for-boot-button',
    fault: 'no-reset',
    prepare: async (page) => {
      await takeDemoRelease(page);
      await useVirtualBoard(page);
      await page.getByText('Waiting for the board').first().waitFor();
    },
  },
  {
    name: '12-wrong-password',
    prepare: async (page) => {
      await ready(page);
      await page.getByLabel('Password', { exact: true }).fill('not the password');
      await writeNow(page);
      await page.getByRole('button', { name: 'Write again' }).waitFor();
    },
  },
  { name: '13-no-web-serial', before: withoutSerial, prepare: async () => undefined },
  {
    name: '14-help',
    prepare: async (page) => {
      await page.getByText('My board is not in the list').click();
    },
  },
  { name: '15-objection-at-the-release', prepare: objected('no-bootloader') },
  { name: '16-objection-at-the-settings', prepare: objected('nvs-unreadable') },
  { name: '17-objection-at-the-plan', prepare: objected('table-beyond-flash') },
  { name: '18-locked-chip', prepare: objected('secure-boot') },
  {
    name: '19-something-is-lost',
    prepare: async (page) => {
      const partitions = [...TWO_SLOTS, row('spiffs', [1, 0x82], [0x30_0000, 0x8_0000])];
      await provoke(page, {
        card: 'Plan',
        password: 'correct horse',
        board: {
          contents: {
            0x8000: encodePartitionTable(partitions),
            0x9000: encodeNvs([text('app', 'name', 'kitchen')], 0x4000),
            0x10_0000: APP,
            0x30_0000: payload(100),
          },
        },
      });
      await page.getByText('will be lost').waitFor();
    },
  },
  {
    name: '20-does-not-come-up',
    prepare: async (page) => {
      const check = { bootCheck: { line: 'app: ready', timeoutSeconds: 4 } };
      const own = { path: 'twostep.json', bytes: new TextEncoder().encode(JSON.stringify(check)) };
      await takeFiles(page, [...makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }), own]);
      await useVirtualBoard(page);
      await connected(page);
      await writeNow(page);
      await page.getByRole('button', { name: 'Write again' }).waitFor();
    },
  },
  {
    name: '21-native-usb-waiting',
    fault: 'no-reset',
    prepare: async (page) => {
      await takeDemoRelease(page);
      await useVirtualBoard(page, 'ESP32-S3');
      await page.getByText('Waiting for the board').first().waitFor();
    },
  },
  { name: '22-insecure-origin', before: insecure, prepare: async () => undefined },
  {
    name: '23-no-release',
    prepare: async (page) => {
      await takeFiles(page, [{ path: 'letter.txt', bytes: new TextEncoder().encode('Dear board') }]);
      await page.getByRole('region', { name: 'Release' }).getByRole('alert').waitFor();
    },
  },
  {
    name: '24-port-in-use',
    fault: 'busy',
    prepare: async (page) => {
      await takeDemoRelease(page);
      await useVirtualBoard(page);
      await page.getByRole('region', { name: 'Board', exact: true }).getByRole('alert').waitFor();
    },
  },
  {
    name: '25-starting',
    speed: 1,
    prepare: async (page) => {
      await takeFiles(page, makeReleaseFiles({ chip: 'esp32', kind: 'idf', partitions: TWO_SLOTS }));
      await useVirtualBoard(page);
      await connected(page);
      await fillWifi(page);
      await writeNow(page);
      await page.getByText('watching it come up').waitFor();
      await page.waitForTimeout(1500);
    },
  },
  { name: '26-before-measuring', prepare: beforeMeasuring },
  {
    name: '27-measuring',
    speed: 1,
    prepare: async (page) => {
      await beforeMeasuring(page);
      await page.getByRole('button', { name: 'Measure', exact: true }).click();
      await page.getByRole('listitem').filter({ hasText: 'Erase, write, read, hash, running' }).waitFor();
    },
  },
  {
    name: '28-measured',
    prepare: async (page) => {
      await beforeMeasuring(page);
      await page.getByRole('button', { name: 'Measure', exact: true }).click();
      await page.getByRole('region', { name: 'Report' }).waitFor();
    },
  },
  {
    name: '29-lost-while-measured',
    speed: 1,
    prepare: async (page) => {
      await beforeMeasuring(page);
      await page.getByRole('button', { name: 'Measure', exact: true }).click();
      await page.getByRole('listitem').filter({ hasText: 'Erase, write, read, hash, running' }).waitFor();
      await page.getByRole('button', { name: 'Pull its cable' }).click();
      await page.getByText('The board was lost while it was measured').waitFor();
    },
  },
  {
    name: '30-without-a-stub',
    fault: 'no-stub',
    prepare: ready,
  },
  {
    name: '31-a-wrong-file-after-a-release',
    prepare: async (page) => {
      await ready(page);
      await takeFiles(page, [{ path: 'letter.txt', bytes: new TextEncoder().encode('Dear board') }]);
      await page.getByRole('region', { name: 'Release' }).getByRole('alert').waitFor();
    },
  },
];

const [folder, ...names] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder for the pictures');
mkdirSync(folder, { recursive: true });

const rig = await startRig();
try {
  const chosen = SHOTS.filter(({ name }) => names.length === 0 || names.some((wanted) => name.startsWith(wanted)));
  for (const { name, prepare, ...options } of chosen) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width === 390 ? 844 : 900 };
      const { page, troubles } = await openProvision(rig, {
        ...options,
        context: { viewport, reducedMotion: 'reduce' },
      });
      await prepare(page);
      // As high as the page, so that what sticks to an edge is where it belongs.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      await page.setViewportSize({ width, height: Math.max(height, viewport.height) });
      await page.evaluate(() => scrollTo(0, 0));
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await coloursSettled(page);
        await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      }
      if (troubles.length > 0) console.log(name, width, troubles);
      await page.context().close();
    }
    console.log(name);
  }
} finally {
  await rig.close();
}
