/** The Provision screen in a real Chromium, with the virtual board in the page. Used by its tests and by the screenshots. */
import { type FastifyInstance } from 'fastify';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { fileURLToPath } from 'node:url';
import { type DemoHandle } from '#app/demo/demo-handle.ts';
import { type DemoChip, type DemoSettings } from '#app/demo/demo-messages.ts';
import { type ReleaseFile } from '#formats/release/release.ts';
import { createPageServer } from '../../support/page-server.ts';
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
  const station: FastifyInstance = await createPageServer(PAGE_FOLDER);
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

/** The screen in a context of its own, ready. What the page complains about is collected in `troubles`. */
export async function openProvision(
  { browser, address }: Rig,
  { context = {}, ...options }: OpenOptions = {},
): Promise<{ page: Page; troubles: string[] }> {
  return openIn(await browser.newContext({ viewport: { width: 1440, height: 900 }, ...context }), address, options);
}

/** The screen as one more page of the context. */
export async function openIn(
  context: BrowserContext,
  address: string,
  { speed = 20, fault, before }: Omit<OpenOptions, 'context'> = {},
): Promise<{ page: Page; troubles: string[] }> {
  const page = await context.newPage();
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
      const changes = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
      // Widths change as long as a run goes on; in what is folded away, changes stay listed when they are over.
      const goesOn = ({ transitionProperty, playState }: CSSTransition): boolean =>
        transitionProperty !== 'width' && playState === 'running';
      if (changes.some(goesOn)) quiet = 0;
    }
  });
}

/** Gives files as the picker for files does, also such as lie in folders. */
export async function takeFiles(page: Page, files: readonly ReleaseFile[], pick = 'files'): Promise<void> {
  await page
    .locator(`input[data-pick=${pick}]`)
    .setInputFiles(files.map(({ path, bytes }) => ({ name: path, mimeType: '', buffer: Buffer.from(bytes) })));
}

export interface PlacedBoard {
  chip?: DemoChip;
  fault?: string;
  flashSize?: number;
  /** Bytes at offsets of its flash. */
  contents?: Readonly<Record<number, Uint8Array>>;
}

/** Has the virtual board be one of this make. It is not connected. */
export async function placeBoard(page: Page, { chip = 'esp32', contents = {}, ...more }: PlacedBoard): Promise<void> {
  const filled = Object.entries(contents).map(([offset, bytes]) => ({ offset: Number(offset), bytes }));
  await page.evaluate((board) => (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo.place(board), {
    chip,
    contents: filled,
    ...more,
  } satisfies Omit<DemoSettings, 'speed'>);
}

/** How many of the virtual board's faults have not happened yet. */
export const addFault = (page: Page, fault: string): Promise<void> =>
  page.evaluate((name) => (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo.addFault(name), fault);

export const pendingFaults = (page: Page): Promise<number | undefined> =>
  page.evaluate(() => (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo.pendingFaults());

/** Compares the virtual board's flash with every write of the plan. @returns labels of those that differ. */
export async function differingWrites(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const handle = (globalThis as unknown as { __twostepDemo: DemoHandle }).__twostepDemo;
    const flash = await handle.flash();
    const writes = handle.plan()?.writes.filter(({ transient }) => !transient) ?? [];
    if (!flash || writes.length === 0) return ['nothing was planned'];
    return writes
      .filter(({ data, offset }) => data.some((byte, index) => flash[offset + index] !== byte))
      .map(({ label }) => label);
  });
}
