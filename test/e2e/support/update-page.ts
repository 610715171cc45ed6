/** The Update screen in a real Chromium, before a scripted station. Used by its tests and by the screenshots. */
import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { fileURLToPath } from 'node:url';
import { FakeStation, type Script } from './fake-station.ts';

const PAGE_FOLDER = process.env['TWOSTEP_PAGE'] ?? fileURLToPath(new URL('../../../dist/page', import.meta.url));

export const startFake = (script: Script = {}): Promise<FakeStation> => new FakeStation(PAGE_FOLDER, script).start();

export interface UpdateScene {
  station: FakeStation;
  context: BrowserContext;
  page: Page;
  /** What the page complains about. */
  troubles: string[];
  close(): Promise<void>;
}

export async function openUpdate(
  browser: Browser,
  script: Script = {},
  { context: options = {}, before }: { context?: Parameters<Browser['newContext']>[0]; before?: () => void } = {},
): Promise<UpdateScene> {
  const station = await startFake(script);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const troubles: string[] = [];
  const page = await openTab(context, station, { troubles, before });
  const close = async (): Promise<void> => {
    await context.close();
    await station.stop();
  };
  return { station, context, page, troubles, close };
}

/** One more tab of the same browser. */
export async function openTab(
  context: BrowserContext,
  station: FakeStation,
  { troubles = [], before }: { troubles?: string[]; before?: (() => void) | undefined } = {},
): Promise<Page> {
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  if (before) await page.addInitScript(before);
  await page.goto(`${station.address}/#/update`);
  await page.getByRole('heading', { level: 1, name: 'Update boards' }).waitFor();
  await page.getByText('Looking for the station').waitFor({ state: 'detached' });
  return page;
}

export const bar = (page: Page) => page.getByRole('region', { name: 'Next step' }).filter({ visible: true });
