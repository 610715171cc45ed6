/** The frame around the screens, and what it is of itself: places, themes, the map by keyboard, any folder, no network. */
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import { type BrowserContext, type Page } from 'playwright-core';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { violations } from './support/axe.ts';
import { type Rig, startRig, takeDemoRelease } from './support/provision-page.ts';

const PAGE_FOLDER = process.env['TWOSTEP_PAGE'] ?? fileURLToPath(new URL('../../dist/page', import.meta.url));

let rig: Rig;
let context: BrowserContext;
const troubles: string[] = [];

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig?.close());
afterEach(async () => {
  await context?.close();
  expect(troubles.splice(0)).toEqual([]);
});

async function open(hash: string, options: Parameters<Rig['browser']['newContext']>[0] = {}): Promise<Page> {
  context = await rig.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  return openIn(context, `${rig.address}/${hash}`);
}

async function openIn(where: BrowserContext, address: string): Promise<Page> {
  const page = await where.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    if (protocol.startsWith('http') && host !== new URL(address).host) troubles.push(`asks ${request.url()}`);
  });
  await page.goto(address);
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  return page;
}

const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? '');

describe('the place About', () => {
  test.each([
    { width: 3840, height: 2160, colorScheme: 'light' as const },
    { width: 1440, height: 900, colorScheme: 'light' as const },
    { width: 1440, height: 900, colorScheme: 'dark' as const },
    { width: 390, height: 844, colorScheme: 'light' as const },
    { width: 360, height: 740, colorScheme: 'dark' as const },
  ])('at $width px in $colorScheme does not scroll sideways, and axe finds nothing', async (look) => {
    const page = await open('#/about', { viewport: look, colorScheme: look.colorScheme });
    expect(await page.getByRole('listbox').count()).toBe(2);
    const widths = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(widths[0]).toBe(widths[1]);
    await page.getByRole('option', { name: /PB data/ }).hover();
    expect(await violations(page)).toEqual([]);
  });
});

describe('the places', () => {
  test('are reached by the links; title and focus follow', async () => {
    const page = await open('');
    expect(await page.title()).toMatch(/^Provision/);
    await page.getByRole('link', { name: 'About' }).click();
    await page.getByRole('heading', { level: 1, name: /Two slots/ }).waitFor();
    expect(await page.title()).toMatch(/^About/);
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName)).toBe('H1');
    expect(await focused(page)).toMatch(/Two slots/);
    expect(await page.getByRole('link', { name: 'About' }).getAttribute('aria-current')).toBe('page');
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Provision a board' }).waitFor();
  });

  test('an unknown address leads to the first', async () => {
    const page = await open('#/nowhere');
    expect(await page.title()).toMatch(/^Provision/);
  });

  test('a screen stays as it is while another is looked at', async () => {
    const page = await open('');
    await page.getByLabel('Network').fill('workshop');
    await page.getByRole('link', { name: 'About' }).click();
    await page.getByRole('heading', { level: 1, name: /Two slots/ }).waitFor();
    expect(await page.getByLabel('Network').isVisible()).toBe(false);
    await page.getByRole('link', { name: 'Provision' }).click();
    expect(await page.getByLabel('Network').inputValue()).toBe('workshop');
  });

  test('the first stop of the tab key leads over them to the content', async () => {
    const page = await open('#/about');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('To the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
    expect(await page.title()).toMatch(/^About/);
  });

  test('a file that is dropped beside a drop zone does not replace the page', async () => {
    const page = await open('#/about');
    const kept = await page.evaluate(() => {
      const event = new DragEvent('drop', { bubbles: true, cancelable: true });
      return !document.body.dispatchEvent(event);
    });
    expect(kept).toBe(true);
  });
});

test('the theme switch beats the system, and holds for the next visit', async () => {
  const page = await open('#/about', { colorScheme: 'light' });
  const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  const button = page.getByRole('button', { name: /^Theme/ });
  await button.click();
  expect(await ground()).toBe(light);
  await button.click();
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.reload();
  await page.getByRole('heading', { level: 1 }).first().waitFor();
  expect(await ground()).toBe(dark);
  await button.click();
  expect(await ground()).toBe(light);
});

describe('the flash map', () => {
  test('goes from area to area by arrow keys, and says what the area is', async () => {
    const page = await open('#/about');
    const map = page.getByRole('listbox', { name: 'Two steps' });
    await map.getByRole('option').first().focus();
    await page.keyboard.press('End');
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toMatch(/PB data/);
    await page.keyboard.press('ArrowLeft');
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toMatch(/PA app/);
    expect(await page.locator('.details', { hasText: '0x10000' }).count()).toBe(1);
  });

  test('is copied as a picture; where the clipboard is closed to the page, it is saved as a file', async () => {
    const page = await open('', { permissions: ['clipboard-read', 'clipboard-write'] });
    await takeDemoRelease(page);
    const button = page.getByRole('button', { name: 'Copy picture' });
    await button.click();
    await page.getByText('The picture is in the clipboard').waitFor({ state: 'attached' });
    const size = await page.evaluate(async () => {
      const [item] = await navigator.clipboard.read();
      const { width, height } = await createImageBitmap(await item!.getType('image/png'));
      return { width, height };
    });
    expect(size.width).toBeGreaterThan(1200);
    expect(size.height).toBeGreaterThan(250);
    // What a picture does not bring along is drawn with a font of the system.
    const drawn = await page.evaluate(async () => {
      const source = new Promise<string>((resolve) => {
        globalThis.Image = class extends Image {
          override decode(): Promise<void> {
            resolve(decodeURIComponent(this.src));
            return super.decode();
          }
        };
      });
      const buttons = [...document.querySelectorAll('button')];
      buttons.find(({ textContent }) => textContent.includes('Copy picture'))?.click();
      return source;
    });
    expect(drawn.match(/font-family: '[^']+'; font-weight: 100 900; src: url\(data:font\/woff2/g)).toHaveLength(2);
    await page.evaluate(() => {
      navigator.clipboard.write = () => Promise.reject(new DOMException('closed', 'NotAllowedError'));
    });
    const [saved] = await Promise.all([page.waitForEvent('download'), button.click()]);
    expect(saved.suggestedFilename()).toBe('flash-map.png');
  });
});

/** The built page below a folder, as a project's pages on a shared host. */
async function startBelow(folder: string): Promise<{ address: string; close(): Promise<void> }> {
  const server = fastify({ forceCloseConnections: true });
  await server.register(fastifyStatic, { root: PAGE_FOLDER, prefix: `/${folder}/` });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  return { address: `${address}/${folder}/`, close: () => server.close() };
}

test('from a folder of any host the page works, and once it was loaded, without a network too', async () => {
  const host = await startBelow('some/folder');
  context = await rig.browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await openIn(context, host.address);
  await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state);
  expect(await page.evaluate(async () => (await navigator.serviceWorker.ready).scope)).toBe(host.address);
  await host.close();
  await page.reload();
  await page.getByRole('heading', { level: 1, name: 'Provision a board' }).waitFor();
  // A screen that was not looked at before.
  await page.getByRole('link', { name: 'About' }).click();
  await page.getByRole('heading', { level: 1, name: /Two slots/ }).waitFor();
  const kept = await page.evaluate(async () => {
    const names = ['./manifest.webmanifest', './icon-512.png', './icon-maskable-512.png'];
    return Promise.all(names.map(async (name) => (await fetch(name)).ok));
  });
  expect(kept).toEqual([true, true, true]);
});

test('the web manifest names icons that are there, in their sizes, and no absolute path', async () => {
  const manifest = JSON.parse(readFileSync(`${PAGE_FOLDER}/manifest.webmanifest`, 'utf8')) as {
    start_url: string;
    scope: string;
    icons: { src: string; sizes: string; type: string }[];
  };
  expect([manifest.start_url, manifest.scope]).toEqual(['./', './']);
  for (const { src, sizes, type } of manifest.icons) {
    const bytes = readFileSync(new URL(src, `file://${PAGE_FOLDER}/`));
    if (type === 'image/png') expect(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`).toBe(sizes);
  }
  expect(readFileSync(`${PAGE_FOLDER}/index.html`, 'utf8')).not.toMatch(/(src|href)="\//);
});
