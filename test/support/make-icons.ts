/**
 * Draws the PNG icons of the web manifest from static/icon.svg. Run after changing it: `node test/support/make-icons.ts`.
 * The maskable one fills the whole square, its drawing inside the middle that every platform's mask leaves.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { findBrowser } from './browser.ts';

const STATIC = new URL('../../static/', import.meta.url);
const icon = readFileSync(new URL('icon.svg', STATIC), 'utf8');
/** Share of the maskable icon's width that the drawing takes; masks leave a circle of 80 %. */
const SAFE = 0.76;

const maskable = icon
  .replace(/(<rect[^>]*?) rx="\d+"/, '$1')
  .replace(
    /(<rect[^>]*>)([\s\S]*)<\/svg>/,
    `$1<g transform="translate(16 16) scale(${SAFE}) translate(-16 -16)">$2</g></svg>`,
  );

const browser = await chromium.launch({ executablePath: findBrowser(), args: ['--no-sandbox', '--disable-gpu'] });
for (const [name, svg, size] of [
  ['icon-192', icon, 192],
  ['icon-512', icon, 512],
  ['icon-maskable-512', maskable, 512],
] as const) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>body{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`);
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, STATIC)), omitBackground: true });
}
await browser.close();
