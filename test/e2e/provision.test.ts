/** The Provision screen with the virtual board in the page, in a real Chromium. */
import axe from 'axe-core';
import { fileURLToPath } from 'node:url';
import { type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeNvs } from '#formats/nvs/nvs-writer.ts';
import { encodePartitionTable } from '#formats/partition-table.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import { payload, row, text, TWO_SLOTS } from '../workflows/boards.ts';
import {
  type Chip,
  coloursSettled,
  connected,
  differingWrites,
  fillWifi,
  openProvision,
  pendingFaults,
  placeBoard,
  type OpenOptions,
  type Rig,
  startRig,
  takeDemoRelease,
  takeFiles,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';

const RUNNING = 'Running 2.4.0, on workshop as 192.168.1.57';
const samples = (path: string): string => fileURLToPath(new URL(`../fixtures/release/${path}`, import.meta.url));

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(async () => rig?.close());

/** Opens the screen, and holds that the page complains about nothing. */
async function onPage(options: OpenOptions, body: (page: Page) => Promise<void>): Promise<void> {
  const { page, troubles } = await openProvision(rig, options);
  await body(page);
  expect(troubles).toEqual([]);
  await page.context().close();
}

async function readyToWrite(page: Page, chip: Chip = 'ESP32'): Promise<void> {
  await takeDemoRelease(page);
  await useVirtualBoard(page, chip);
  await connected(page);
  await fillWifi(page);
}

async function writtenAsPlanned(page: Page): Promise<void> {
  await page.getByText('For a blank board').waitFor();
  await useVirtualBoard(page);
  await connected(page);
  await writeNow(page);
  await verdict(page).waitFor();
  expect(await differingWrites(page)).toEqual([]);
}

const again = (page: Page) => page.getByRole('button', { name: 'Write again' });

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

test('Enter goes from the network to its password, and on to the one button; nothing is sent', async () => {
  await onPage({}, async (page) => {
    const address = page.url();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.getByLabel('Network', { exact: true }).fill('workshop');
    await page.keyboard.press('Enter');
    await page.keyboard.type('two steps ahead');
    expect(await page.getByLabel('Password', { exact: true }).inputValue()).toBe('two steps ahead');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.textContent.trim())).toBe('Choose a build folder');
    expect([page.url(), requests]).toEqual([address, []]);
  });
});

/** Goes on by the tab key until the focus is on the button of that name. */
async function tabTo(page: Page, name: string): Promise<void> {
  const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.textContent.trim());
  for (let presses = 0; presses < 60; presses++) {
    if ((await focused()) === name) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`The tab key does not lead to ${name}`);
}

test('a board is provisioned by keyboard alone, and the focus is never lost on the way', async () => {
  await onPage({}, async (page) => {
    const next = (name: string) => page.getByRole('region', { name: 'Next step' }).getByRole('button', { name });
    const focusIsIn = (name: string): Promise<boolean> =>
      page.getByRole('region', { name, exact: true }).evaluate((region) => region.contains(document.activeElement));
    await tabTo(page, 'Try with the demo release');
    await page.keyboard.press('Enter');
    await page.getByText('manifest for').waitFor();
    await expect.poll(() => focusIsIn('Next step')).toBe(true);
    await tabTo(page, 'Use the virtual board');
    await page.keyboard.press('Enter');
    await connected(page);
    await expect.poll(() => focusIsIn('Next step')).toBe(true);
    await page.keyboard.press('Shift+Tab');
    await tabTo(page, 'Fill in its Wi-Fi');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Write and start');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel' }).waitFor();
    expect(await focusIsIn('Next step')).toBe(true);
    // One key too many does not stop it.
    await page.keyboard.press('Enter');
    await verdict(page).getByText(RUNNING).waitFor();
    await tabTo(page, 'Next board');
    await page.keyboard.press('Enter');
    await next('Connect').waitFor();
    expect(await focusIsIn('Next step')).toBe(true);
  });
});

test('a double click is one press', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByRole('button', { name: 'Write and start' }).dblclick();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
    await page.getByRole('button', { name: 'Next board' }).dblclick();
    await page.getByRole('button', { name: 'Use the virtual board' }).waitFor();
    expect(await page.getByRole('button', { name: 'Connect', exact: true }).getAttribute('aria-busy')).toBeNull();
  });
});

test('a virtual board whose cable was pulled while nothing went on is connected again by the one button', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByRole('button', { name: 'Pull its cable' }).click();
    await page.getByRole('region', { name: 'Board', exact: true }).getByText('port-lost', { exact: true }).waitFor();
    await page.getByRole('region', { name: 'Next step' }).getByRole('button', { name: 'Connect' }).click();
    await connected(page);
    await page.getByRole('button', { name: 'Write and start' }).waitFor();
  });
});

test('a window that changes its size during a run shows all of it in each', async () => {
  await onPage({ speed: 0.5 }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText(/^Writing: [\d.]+ KiB of/).waitFor();
    await page.evaluate(axe.source);
    await expectNoSideways(page, 'running');
    await expectAccessible(page, 'running');
    expect(await page.getByRole('button', { name: 'Cancel' }).isVisible()).toBe(true);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await again(page).waitFor();
    await page.getByRole('option', { name: /half-written, \d+ %$/ }).waitFor();
    await expectAccessible(page, 'half-written');
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

test('a cancelled run says what state the board is in, and the same again brings it up', async () => {
  await onPage({ speed: 4 }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText(/^Writing: [\d.]+ KiB of/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('The flash is half-written').waitFor();
    await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a pulled cable is told apart; plugged in again, the run goes through', async () => {
  await onPage({ fault: 'unplug:250000' }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText('port-lost', { exact: true }).waitFor();
    await again(page).click();
    await page.getByText('plug the board in').waitFor();
    await page.getByRole('button', { name: 'Plug it in' }).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test.concurrent.each([
  ['a supply that fails in the middle', 'power-cut:12'],
  ['a chip that hangs in the middle', 'hang:150000'],
  ['a turned bit on the way to the board', 'flip:150000'],
  ['a turned bit on the way from the board', 'flip-back:188000'],
  ['bytes lost on the way to the board', 'drop:150000'],
  ['bytes lost on the way from the board', 'drop-back:188000'],
  ['a turned bit while the board is read', 'flip-back:45000'],
])('%s is survived or told, and the next run goes through', async (_name, fault) => {
  await onPage({ fault }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await verdict(page).or(again(page)).waitFor();
    if (await again(page).isVisible()) await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await pendingFaults(page)).toBe(0);
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a worn sector ends in a failure that names what to do', async () => {
  await onPage({ fault: 'bad-sector:40' }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await again(page).waitFor();
    await page.getByText(/verify-failed|flash-failed/).waitFor();
  });
});

test.concurrent.each([
  ['a board that hears nothing', 'deaf', 'download-no-reply'],
  ['a board that says nothing', 'silent', 'silent'],
  ['a port that another program has open', 'busy', 'port-in-use-or-missing'],
])('%s is told at the board, and another one takes its place', async (_name, fault, code) => {
  await onPage({ fault }, async (page) => {
    await takeDemoRelease(page);
    await useVirtualBoard(page);
    const card = page.getByRole('region', { name: 'Board', exact: true });
    await card.getByRole('alert').getByText(code, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Take a blank one' }).click();
    await connected(page);
    await fillWifi(page);
    await writeNow(page);
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a wrong password is found on the network; the right one brings it up', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByLabel('Password', { exact: true }).fill('not the password');
    await writeNow(page);
    await page.getByText('wifi-refused-by-network', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Change the Wi-Fi' }).click();
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('two steps ahead');
    await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
  });
});

test('a board that does not listen is waited for until its boot button is held', async () => {
  await onPage({ fault: 'no-reset' }, async (page) => {
    await takeDemoRelease(page);
    await useVirtualBoard(page);
    await page.getByText('normal-boot', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Hold BOOT, tap RESET' }).click();
    await connected(page);
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

test('the page asks before it is left during a run, and not otherwise', async () => {
  await onPage({ speed: 1 }, async (page) => {
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.dismiss();
    });
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText(/^Writing: /).waitFor();
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => asked).toEqual(['beforeunload']);
  });
});

/** Events of a trace, as Chromium writes them; times in microseconds. */
interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** Time on the processor: unlike `dur` without that in which others had it. */
  tdur?: number;
  args?: { name?: string };
}

test('nothing holds up the page for more than 50 ms while it writes', async () => {
  await onPage({ speed: 4 }, async (page) => {
    await readyToWrite(page);
    await page.getByText('“workshop”', { exact: true }).waitFor();
    await rig.browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] });
    await writeNow(page);
    await verdict(page).waitFor();
    const { traceEvents } = JSON.parse((await rig.browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
    const main = traceEvents.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
    const tasks = traceEvents.filter(
      ({ name, pid, tid }) => /RunTask$/.test(name) && main.some((thread) => thread.pid === pid && thread.tid === tid),
    );
    expect(tasks.length).toBeGreaterThan(100);
    const longest = Math.max(...tasks.map(({ tdur = 0 }) => tdur / 1000));
    expect(longest).toBeGreaterThan(0.5);
    expect(longest).toBeLessThan(50);
  });
});

async function expectAccessible(page: Page, state: string): Promise<void> {
  // As high as the page: what sticks to the lower edge covers nothing then.
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: 1440, height });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await coloursSettled(page);
    const found = await page.evaluate(async () => {
      const inPage = globalThis as unknown as { axe: typeof axe };
      const { violations } = await inPage.axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
    });
    expect(found, `${state}, ${colorScheme}`).toEqual([]);
  }
}

async function expectNoSideways(page: Page, state: string): Promise<void> {
  for (const width of [360, 390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    const { scroll, client } = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      client: document.documentElement.clientWidth,
    }));
    expect(scroll, `${state} at ${width} px`).toBeLessThanOrEqual(client);
  }
}

test('every state is accessible in light and dark, and none scrolls sideways', async () => {
  await onPage({ fault: 'unplug:250000' }, async (page) => {
    await page.evaluate(axe.source);
    const check = async (state: string): Promise<void> => {
      await expectNoSideways(page, state);
      await expectAccessible(page, state);
    };
    await check('empty');
    await page.getByText('My board is not in the list').click();
    await page.getByText('More', { exact: true }).click();
    await check('help and options');
    await readyToWrite(page);
    await page.getByText('Every write').click();
    await check('plan');
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Show what is in the way' }).click();
    await check('objection');
    await fillWifi(page);
    await writeNow(page);
    await again(page).waitFor();
    await check('failed');
    await page.getByRole('button', { name: 'Plug it in' }).click();
    await again(page).click();
    await verdict(page).waitFor();
    await check('done');
    await page.getByRole('button', { name: 'Next board' }).click();
    await useVirtualBoard(page);
    await connected(page);
    await check('a board with content');
  });
});
