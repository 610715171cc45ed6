/** The built page, served by the station, in a real Chromium. */
import { type FastifyInstance } from 'fastify';
import { type Browser, chromium } from 'playwright-core';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStation } from '../../src/station/server.ts';

let station: FastifyInstance;
let browser: Browser;
let address: string;

beforeAll(async () => {
  station = await createStation({ pageFolder: fileURLToPath(new URL('../../dist/page', import.meta.url)) });
  address = await station.listen({ host: '127.0.0.1', port: 0 });
  browser = await chromium.launch({
    executablePath: process.env['CHROME_PATH'] ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  });
});

afterAll(async () => {
  await browser?.close();
  await station?.close();
});

test.each([
  { width: 1440, height: 900, colorScheme: 'light' as const },
  { width: 390, height: 844, colorScheme: 'dark' as const },
])(
  'the start page shows itself at $width px in $colorScheme, without errors and without scrolling sideways',
  async ({ width, height, colorScheme }) => {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    const troubles: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
    });
    page.on('pageerror', (error) => troubles.push(String(error)));
    page.on('requestfailed', (request) => troubles.push(`failed: ${request.url()}`));
    page.on('response', (response) => {
      if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
    });

    await page.goto(address);
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(await page.getByRole('figure').count()).toBe(2);
    const { scroll, client } = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth,
      client: document.documentElement.clientWidth,
    }));
    expect(scroll).toBe(client);
    expect(troubles).toEqual([]);
    await page.close();
  },
);

test('the page works from a sub-path: it names no file by an absolute path', async () => {
  const page = await browser.newPage();
  const html = await (await fetch(address)).text();
  expect(html).not.toMatch(/(src|href)="\//);
  await page.close();
});
