/** The Provision screen in a real Chromium, with the virtual board in the page. Used by its tests and by the screenshots. */
import { type FastifyInstance } from 'fastify';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { fileURLToPath } from 'node:url';
import { createStation } from '../../../src/station/server.ts';
import { findBrowser } from '../../support/browser.ts';

/** Where the built page lies. */
const PAGE_FOLDER = process.env['TWOSTEP_PAGE'] ?? fileURLToPath(new URL('../../../dist/page', import.meta.url));

export type Chip = 'ESP32' | 'ESP32-S3' | 'ESP32-C3';

export interface OpenOptions {
  /** Seconds of the virtual board for a second of the day. */
  speed?: number;
  /** See src/app/demo/demo-faults.ts. */
  fault?: string;
  context?: BrowserContextOptions;
  /** Runs in the page before anything else. */
  before?: () => void;
}

export interface Rig {
  browser: Browser;
  address: string;
  close(): Promise<void>;
}

/** The built page behind the station, and a browser. */
export async function startRig(): Promise<Rig> {
  const station: FastifyInstance = await createStation({ pageFolder: PAGE_FOLDER });
  const address = await station.listen({ host: '127.0.0.1', port: 0 });
  const browser = await chromium.launch({
    executablePath: findBrowser(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  });
  const close = async (): Promise<void> => {
    await browser.close();
    await station.close();
  };
  return { browser, address, close };
}

/** The screen, ready. What the page complains about is collected in `troubles`. */
export async function openProvision(
  { browser, address }: Rig,
  { speed = 20, fault, context = {}, before }: OpenOptions = {},
): Promise<{ page: Page; troubles: string[] }> {
  const opened = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...context });
  const page = await opened.newPage();
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('requestfailed', (request) => troubles.push(`failed: ${request.url()}`));
  if (before) await page.addInitScript(before);
  const search = new URLSearchParams({
    demoSpeed: String(speed),
    ...(fault === undefined ? {} : { demoFault: fault }),
  });
  await page.goto(`${address}/?${search.toString()}`);
  await page.getByRole('heading', { level: 1, name: 'Provision a board' }).waitFor();
  return { page, troubles };
}

export async function takeDemoRelease(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Try with the demo release' }).click();
  await page.getByText('manifest for', { exact: false }).waitFor();
}

export async function useVirtualBoard(page: Page, chip: Chip = 'ESP32'): Promise<void> {
  await page.getByRole('group', { name: 'Chip of the virtual board' }).getByText(chip, { exact: true }).click();
  await page.getByRole('button', { name: 'Use the virtual board' }).first().click();
}

export async function connected(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Disconnect' }).waitFor();
}

export const fillWifi = async (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Fill in its Wi-Fi' }).click();

export const writeNow = async (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Write and start' }).click();

export const verdict = (page: Page) => page.getByRole('group', { name: 'Result' });

/** After a change of the colour scheme: colours may change over several frames, from parent to child. */
export async function coloursSettled(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const frame = (): Promise<unknown> => new Promise((done) => requestAnimationFrame(done));
    for (let quiet = 0; quiet < 3; quiet++) {
      await frame();
      if (document.getAnimations().some((animation) => animation instanceof CSSTransition)) quiet = 0;
    }
  });
}

/** Compares the virtual board's flash with every write of the plan. @returns labels of those that differ. */
export async function differingWrites(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const handle = (
      globalThis as unknown as {
        __twostepDemo: {
          flash(): Promise<Uint8Array>;
          plan(): { writes: { label: string; offset: number; data: Uint8Array; transient?: boolean }[] };
        };
      }
    ).__twostepDemo;
    const flash = await handle.flash();
    const writes = handle.plan().writes.filter(({ transient }) => !transient);
    if (writes.length === 0) return ['nothing was planned'];
    return writes
      .filter(({ data, offset }) => data.some((byte, index) => flash[offset + index] !== byte))
      .map(({ label }) => label);
  });
}
