/**
 * `node test/e2e/screenshots.ts FOLDER [NAME…]`: pictures of every state of the screens Provision and Update, at 1440 and 390 px, light and dark.
 * The page must have been built.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Page } from 'playwright-core';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodePartitionTable } from '#formats/partition-table.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { type ObjectionCode } from '#workflows/plan-notices.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import {
  oldRelease,
  PATHS,
  sampleBoard,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../support/update-samples.ts';
import { APP, payload, row, text, TWO_SLOTS } from '../workflows/boards.ts';
import { OBJECTION_CASES, provoke } from './support/objection-cases.ts';
import {
  addFault,
  coloursSettled,
  connected,
  fillWifi,
  openProvision,
  type OpenOptions,
  type PlacedBoard,
  placeBoard,
  startRig,
  takeDemoRelease,
  takeFiles,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';
import { type Script } from './support/fake-station.ts';
import { openUpdate } from './support/update-page.ts';

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

/** Until the block is being written. */
async function measuring(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Measure', exact: true }).click();
  await page.getByRole('listitem').filter({ hasText: 'Erase, write, read, hash, running' }).waitFor();
}

async function loseWhileMeasured(page: Page): Promise<void> {
  await measuring(page);
  await page.getByRole('button', { name: 'Pull its cable' }).click();
  await page.getByText('The board was lost while it was measured').waitFor();
}

/** The next visit after a reload, with the board as it was left, or with more on it since. */
async function cutOffWhileMeasured(page: Page, since: PlacedBoard['contents'] = {}): Promise<void> {
  page.on('dialog', (dialog) => void dialog.accept());
  const [head, full] = [new Uint8Array(0x1000), new Uint8Array(0x40_0000 - 0x1000).fill(0x5a)];
  await placeBoard(page, { contents: { 0: head, 0x1000: full } });
  await page.getByRole('button', { name: 'Use the virtual board' }).first().click();
  await connected(page);
  await page.getByText('Measure this board').click();
  await measuring(page);
  await page.reload();
  await takeDemoRelease(page);
  await placeBoard(page, { contents: { 0: head, 0x1000: full.subarray(0, 0x3e_f000), ...since } });
  await page.getByRole('button', { name: 'Use the virtual board' }).first().click();
  await connected(page);
  await page.getByText('Measuring this board was cut off').waitFor();
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

interface UpdateShot {
  name: string;
  script?: Script;
  prepare: (page: Page) => Promise<unknown>;
  /** The station goes away once the page was loaded. */
  goesAway?: boolean;
}

async function planned(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Plan' }).getByText('Step 2').waitFor();
}

async function shown(page: Page): Promise<void> {
  await page.getByRole('region', { name: /^Slots of/ }).waitFor();
}

const boardOf = (number: number) =>
  sampleBoard({ id: `b${number}`, name: `workshop-${number}`, address: `192.168.1.${56 + number}` });

function runScript(path: string): Script {
  const update = sampleUpdate(stateAfter(PATHS[path]!));
  const board = sampleBoard(update.endedAt === undefined ? { updateId: 'u1' } : {});
  return { boards: [board], releases: [sampleRelease(), oldRelease()], updates: [update] };
}

function campaignScript(): Script {
  const paths = ['complete', 'step 2 downloading', 'broken-off', 'ready', 'ready'];
  const updates = paths.map((path, index) =>
    sampleUpdate(stateAfter(PATHS[path]!), {
      id: `u${index}`,
      board: { id: `b${index + 1}`, name: `workshop-${index + 1}` },
      place: index,
      ...(path === 'ready' && { queued: 'waiting' }),
    }),
  );
  const boards = paths.map((path, index) => ({
    ...boardOf(index + 1),
    ...(path !== 'complete' && { updateId: `u${index}` }),
  }));
  return { boards, updates };
}

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
      await measuring(page);
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
      await loseWhileMeasured(page);
    },
  },
  {
    name: '29b-cut-off-while-measured',
    speed: 1,
    prepare: async (page) => {
      await cutOffWhileMeasured(page);
      await page.getByRole('button', { name: 'Show what is in the way' }).waitFor();
    },
  },
  {
    name: '29c-cut-off-and-written-since',
    speed: 1,
    prepare: async (page) => cutOffWhileMeasured(page, { 0x3f_8000: payload(0x100) }),
  },
  {
    name: '29d-not-put-back',
    prepare: async (page) => {
      await placeBoard(page, { contents: { 0: new Uint8Array(0x40_0000).fill(0x5a) } });
      await page.getByRole('button', { name: 'Use the virtual board' }).first().click();
      await connected(page);
      await page.getByText('Measure this board').click();
      await loseWhileMeasured(page);
      await page.getByRole('button', { name: 'Plug it in' }).click();
      await addFault(page, 'bad-sector:1008');
      await page.getByRole('button', { name: 'Use the virtual board' }).first().click();
      await page.getByRole('button', { name: 'Save what was there' }).waitFor();
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

/** The Update screen before a scripted station. */
const UPDATE_SHOTS: readonly UpdateShot[] = [
  {
    name: '40-update-no-station',
    script: { isPlain: true },
    prepare: async (page) => page.getByText('needs a station').waitFor(),
  },
  { name: '41-update-pairing', script: { info: { session: 'pair' } }, prepare: async () => undefined },
  { name: '42-update-empty', script: { boards: [], releases: [] }, prepare: async () => undefined },
  { name: '43-update-plan', prepare: planned },
  {
    name: '44-update-consents',
    script: {
      info: { boardsListener: { ...sampleStation().boardsListener, state: 'closed' }, secureOrigin: false },
      plan: () => ({
        wayBack: undefined,
        warnings: [updateNotice('slot-sizes-assumed', 'board', { PA: 4_000_000, PB: 4_000_000 })],
        consents: [
          updateNotice('no-way-back', 'way-back'),
          updateNotice('other-project', 'board', { runs: 'a', release: 'b' }),
        ],
      }),
    },
    prepare: async (page) => {
      await planned(page);
      await page.locator('[data-consent=no-way-back]').check();
    },
  },
  {
    name: '45-update-objections',
    script: {
      releases: [sampleRelease(), oldRelease()],
      plan: () => ({
        steps: [],
        objections: [
          updateNotice('board-silent', 'board', { address: '192.168.1.57' }),
          updateNotice('too-large', 'app', { size: 5_000_000, room: 4_000_000 }),
        ],
      }),
    },
    prepare: async (page) => {
      await page.getByRole('radio').first().check();
      await page.locator('[data-objection]').first().waitFor();
    },
  },
  {
    name: '46-update-found',
    script: {
      found: [
        { address: '192.168.1.60', mac: '7c:df:a1:00:22:10', project: 'voice_box', version: '2.2.0', running: 'PB' },
        { address: '192.168.1.57', id: 'b1', project: 'voice_box', version: '2.3.1', running: 'PA' },
      ],
    },
    prepare: async (page) => {
      await page.getByText('Find or add boards').click();
      await page.getByRole('button', { name: 'Find by mDNS' }).click();
      await page.getByRole('list', { name: 'Found boards' }).waitFor();
      await page.getByRole('button', { name: /^Change/ }).click();
    },
  },
  ...[
    'waiting',
    'downloading',
    'picking',
    'step 2 downloading',
    'complete',
    'broken-off',
    'gone',
    'step 2 broken-off',
    'restore downloading',
    'restored',
    'left',
  ].map((path, index): UpdateShot => ({
    name: `${50 + index}-update-${path.replaceAll(' ', '-')}`,
    script: runScript(path),
    prepare: shown,
  })),
  {
    name: '61-update-campaign',
    script: campaignScript(),
    prepare: async (page) => page.getByRole('list', { name: 'Boards of this update' }).waitFor(),
  },
  {
    name: '62-update-several',
    script: { boards: [1, 2, 3, 4].map(boardOf) },
    prepare: async (page) => {
      await page.getByRole('button', { name: 'Choose all' }).click();
      await page.getByText('How it goes on').click();
    },
  },
  {
    name: '63-update-history',
    script: {
      ...runScript('complete'),
      journal: [
        { at: 1_777_896_000_000, event: 'start', position: 'preparing' },
        { at: 1_777_896_002_000, event: 'prepared', position: 'asking', detail: 'app, try 1' },
      ],
    },
    prepare: async (page) => {
      await shown(page);
      await page.getByRole('button', { name: 'Plan another update' }).click();
      await page
        .getByRole('region', { name: /^Runs of/ })
        .locator('summary')
        .first()
        .click();
      await page.getByRole('button', { name: 'As table' }).click();
    },
  },
  { name: '64-update-lost', prepare: async (page) => page.getByText('Not connected').waitFor(), goesAway: true },
];

const [folder, ...names] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder for the pictures');
mkdirSync(folder, { recursive: true });

const rig = await startRig();
try {
  const isChosen = ({ name }: { name: string }): boolean =>
    names.length === 0 || names.some((wanted) => name.startsWith(wanted));
  for (const { name, script, prepare, goesAway } of UPDATE_SHOTS.filter(isChosen)) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width === 390 ? 844 : 900 };
      const scene = await openUpdate(rig.browser, script, { context: { viewport, reducedMotion: 'reduce' } });
      if (goesAway) await scene.station.stop();
      const ended = script?.updates?.find(({ endedAt }) => endedAt !== undefined);
      if (ended && script?.updates?.length === 1) {
        await scene.page.goto(`${scene.station.address}/#/update?board=${ended.board.id}&run=${ended.id}`);
        await scene.page.reload();
      }
      await prepare(scene.page);
      await takePicture(scene.page, { name, viewport });
      if (scene.troubles.length > 0) console.log(name, width, scene.troubles);
      await scene.close();
    }
    console.log(name);
  }
  const chosen = SHOTS.filter(isChosen);
  for (const { name, prepare, ...options } of chosen) {
    for (const width of [1440, 390]) {
      const viewport = { width, height: width === 390 ? 844 : 900 };
      const { page, troubles } = await openProvision(rig, {
        ...options,
        context: { viewport, reducedMotion: 'reduce' },
      });
      await prepare(page);
      await takePicture(page, { name, viewport });
      if (troubles.length > 0) console.log(name, width, troubles);
      await page.context().close();
    }
    console.log(name);
  }
} finally {
  await rig.close();
}

async function takePicture(
  page: Page,
  { name, viewport }: { name: string; viewport: { width: number; height: number } },
): Promise<void> {
  const { width } = viewport;
  // As high as the page, so that what sticks to an edge is where it belongs.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, viewport.height) });
  await page.evaluate(() => scrollTo(0, 0));
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await coloursSettled(page);
    await page.screenshot({ path: join(folder ?? '.', `${name}-${width}-${colorScheme}.png`), fullPage: true });
  }
}
