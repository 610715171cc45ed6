/** What all tests of the Provision screen begin with: a browser, a page that must not complain, a board that is ready. */
import { type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import {
  type Chip,
  connected,
  fillWifi,
  openProvision,
  type OpenOptions,
  type Rig,
  startRig,
  takeDemoRelease,
  useVirtualBoard,
} from './provision-page.ts';

/** The verdict on the demo release with the network of the virtual board. */
export const RUNNING = 'Running 2.4.0, on workshop as 192.168.1.57';

type OnPage = (options: OpenOptions, body: (page: Page, rig: Rig) => Promise<void>) => Promise<void>;

/**
 * A browser for all tests of a file; to be called where tests are declared. What it returns opens the screen, and holds that the page
 * complains about nothing.
 */
export function provisionScene(): OnPage {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => rig?.close());
  return async (options, body) => {
    const { page, troubles } = await openProvision(rig, options);
    await body(page, rig);
    expect(troubles).toEqual([]);
    await page.context().close();
  };
}

export async function readyToWrite(page: Page, chip: Chip = 'ESP32'): Promise<void> {
  await takeDemoRelease(page);
  await useVirtualBoard(page, chip);
  await connected(page);
  await fillWifi(page);
}

export const again = (page: Page) => page.getByRole('button', { name: 'Write again' });
