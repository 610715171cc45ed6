/** Whether axe finds anything, in light and dark. */
import type axe from 'axe-core';
import { type Page } from 'playwright-core';
import { expect } from 'vitest';
import { coloursSettled } from './provision-page.ts';

/** `axe.source` must have been evaluated in the page. */
export async function expectAccessible(page: Page, state: string): Promise<void> {
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
