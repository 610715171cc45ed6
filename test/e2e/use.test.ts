/** How the Provision screen is used: by keyboard, on any width, with a screen reader, by hasty hands, and without a hitch. */
import axe from 'axe-core';
import { type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { expectAccessible } from './support/accessible.ts';
import { connected, differingWrites, fillWifi, useVirtualBoard, verdict, writeNow } from './support/provision-page.ts';
import { again, provisionScene, readyToWrite, RUNNING } from './support/provision-scene.ts';

const onPage = provisionScene();

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
  await onPage({ speed: 4 }, async (page, rig) => {
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
