/** The Update screen in a real Chromium, before a scripted station whose runs go by the real state machine. */
import { type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { choicesOf } from '#workflows/update-state.ts';
import { updateNotice } from '#workflows/update-notices.ts';
import { makeReleaseFiles } from '../support/releases.ts';
import {
  APP_SIZE,
  confirmingState,
  oldRelease,
  PATHS,
  sampleBoard,
  sampleRelease,
  sampleStation,
  sampleUpdate,
  stateAfter,
} from '../support/update-samples.ts';
import { TWO_SLOTS } from '../workflows/boards.ts';
import { violations } from './support/axe.ts';
import { type Script } from './support/fake-station.ts';
import { coloursSettled, type Rig, startRig, takeFiles } from './support/provision-page.ts';
import { bar, openTab, openUpdate, type UpdateScene } from './support/update-page.ts';

let rig: Rig;
let scene: UpdateScene | undefined;
/** What a decision of such a run answers. */
const BROKEN_OFF = { transfer: 'app', attempt: 1, failure: 'broken-off' };
/** Requests that fail are what this test is about. */
let mayFail = false;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig?.close());
afterEach(async () => {
  const troubles = scene?.troubles ?? [];
  await scene?.close();
  scene = undefined;
  if (!mayFail) expect(troubles).toEqual([]);
  mayFail = false;
});

async function open(script: Script = {}, options: Parameters<typeof openUpdate>[2] = {}): Promise<UpdateScene> {
  scene = await openUpdate(rig.browser, script, options);
  return scene;
}

const region = (page: Page, name: string | RegExp): Locator => page.getByRole('region', { name });
const press = (page: Page, name: string | RegExp): Promise<void> => bar(page).getByRole('button', { name }).click();
const CLOSED = { boardsListener: { ...sampleStation().boardsListener, state: 'closed' as const } };

/** A run that is where this path leads. */
function running(path: string, more: Script = {}): Script {
  const update = sampleUpdate(stateAfter(PATHS[path]!));
  const isOver = update.endedAt !== undefined;
  return {
    boards: [sampleBoard(isOver ? {} : { updateId: update.id })],
    releases: [sampleRelease(), oldRelease()],
    updates: [update],
    ...more,
  };
}

describe('a run', () => {
  test('is shown in every position, by its phases, its slots and what can be decided', async () => {
    const { page, station } = await open(running('ready'));
    await region(page, 'Update of workshop-1').waitFor();
    for (const path of Object.keys(PATHS)) {
      const state = stateAfter(PATHS[path]!);
      const { position } = state;
      station.setUpdate(sampleUpdate(state));
      const choices = choicesOf(state);
      const offered = page.locator('[data-choice]:not([data-choice=older])');
      await expect.poll(() => offered.count(), { message: path }).toBe(choices.length);
      const names = await offered.evaluateAll((buttons) => buttons.map((button) => button.dataset['choice'] ?? ''));
      expect(names, path).toEqual([...choices]);
      const showsCandidates = await page.getByRole('list', { name: 'Candidates' }).isVisible();
      expect(showsCandidates, path).toBe(position.at === 'picking');
      if (position.at === 'ended') {
        await bar(page).getByRole('button', { name: 'Plan another update' }).waitFor();
        expect(await page.getByRole('group', { name: 'Result' }).isVisible(), path).toBe(
          position.outcome === 'complete',
        );
      } else if (position.at === 'deciding' || position.at === 'picking') {
        await bar(page).getByRole('button', { name: 'Show the ways on' }).waitFor();
        expect(await page.title(), path).toMatch(/^Decide/);
      } else {
        await bar(page).getByRole('button', { name: 'Stop' }).waitFor();
      }
      expect(await page.locator('.primary:visible').count(), path).toBeLessThanOrEqual(1);
    }
    station.setUpdate(sampleUpdate(confirmingState()));
    await page.getByText('confirms itself').waitFor();
  });

  test('tells bytes, rate and time left in the bar, the share of all steps in the title', async () => {
    const { page } = await open(running('downloading'));
    await bar(page).getByText('586 KiB of 1.32 MiB').waitFor();
    await bar(page)
      .getByText(/82 KiB\/s · about 9 s left/)
      .waitFor();
    expect(await page.title()).toMatch(/^13 % · Update/);
    await page.getByRole('link', { name: 'Provision' }).click();
    await expect.poll(() => page.title()).toMatch(/^Provision · Update 13 %/);
  });

  test('is the same after a reload, in a second tab, and by its address when it is over', async () => {
    const { page, station, context, troubles } = await open(running('step 2 downloading'));
    const second = await openTab(context, station, { troubles });
    for (const tab of [page, second]) {
      await bar(tab).getByText('Step 2 of 2').waitFor();
      await tab.reload();
      await bar(tab).getByText('Step 2 of 2').waitFor();
    }
    station.setUpdate(sampleUpdate(stateAfter(PATHS['complete']!)));
    for (const tab of [page, second]) await tab.getByRole('group', { name: 'Result' }).waitFor();
    expect(await page.title()).toMatch(/^Done/);
    await page.reload();
    await page.getByRole('group', { name: 'Result' }).waitFor();
    await press(page, 'Plan another update');
    await region(page, 'Plan').waitFor();
    await region(page, 'Runs of workshop-1').waitFor();
  });

  test.each(['retry', 'restore', 'leave'] as const)('is told the decision %s once', async (choice) => {
    const { page, station } = await open(running('broken-off'));
    const way = page.locator(`[data-choice=${choice}]`);
    await way.dblclick();
    await way.waitFor({ state: 'detached' });
    expect(station.seen('POST updates/u1/decision')).toEqual([{ choice, after: BROKEN_OFF }]);
  });

  test('that was decided elsewhere meanwhile says so, and stays', async () => {
    mayFail = true;
    const { page } = await open(running('gone', { refuse: { 'POST updates/u1/decision': 'choice-not-offered' } }));
    await page.locator('[data-choice=look]').click();
    await region(page, /^Update of/)
      .getByRole('alert')
      .waitFor();
    expect(await page.locator('[data-choice]').count()).toBe(4);
  });

  test('whose board could be several is told which', async () => {
    const { page, station } = await open(running('picking'));
    await page
      .getByRole('list', { name: 'Candidates' })
      .getByRole('button', { name: /192\.168\.1\.62/ })
      .click();
    await region(page, /^Update of/)
      .getByText('192.168.1.62')
      .waitFor();
    expect(station.seen('POST updates/u1/decision')).toEqual([{ picked: '192.168.1.62' }]);
  });

  test('that is stopped asks what now', async () => {
    const { page, station } = await open(running('downloading'));
    await press(page, 'Stop');
    await page.getByRole('group', { name: 'Ways on' }).waitFor();
    expect(station.seen('POST updates/u1/stop')).toHaveLength(1);
  });

  test('whose step 2 failed can be followed by one back to the old release, whose plan comes first', async () => {
    const { page, station } = await open(running('step 2 broken-off'));
    await page.locator('[data-choice=older]').click();
    await region(page, 'Plan').getByText('Step 2').waitFor();
    expect(station.seen('POST updates/u1/decision')).toEqual([
      { choice: 'leave', after: { ...BROKEN_OFF, transfer: 'data' } },
    ]);
    expect(await page.getByRole('radio', { name: /2\.3\.1/ }).isChecked()).toBe(true);
    await press(page, 'Update');
    await region(page, /^Update of/).waitFor();
    expect(station.seen('POST updates')).toMatchObject([{ release: 'r1', boards: ['b1'] }]);
  });

  test('has a journal, read when it is opened', async () => {
    const journal = [{ at: 1_777_896_000_000, event: 'answered', position: 'waiting', detail: '<b>quoted</b>' }];
    const { page } = await open(running('downloading', { journal }));
    await page.getByText('every step as it was written down').click();
    await page.getByRole('region', { name: 'Journal' }).getByText('<b>quoted</b>').waitFor();
  });
});

describe('a plan', () => {
  test('stands before the deed; one press starts it, and the slots are shown in all three states', async () => {
    const { page, station } = await open();
    await region(page, 'Plan').getByText('Step 2').waitFor();
    const boxes = page.getByRole('listbox', { name: 'Slots of workshop-1' }).getByRole('option');
    await expect.poll(() => boxes.count()).toBe(6);
    expect(station.seen('POST updates')).toEqual([]);
    await press(page, 'Update');
    await region(page, 'Update of workshop-1').waitFor();
    expect(station.seen('POST updates')).toMatchObject([
      { release: 'r2', boards: ['b1'], consents: [], onFailure: 'ask' },
    ]);
  });

  test('has its warnings at the board until the run begins', async () => {
    const warnings = [updateNotice('slot-sizes-assumed', 'board', { PA: 4_000_000, PB: 4_000_000 })];
    const { page } = await open({ plan: () => ({ warnings }) });
    const notice = region(page, 'Boards').getByText('How large the slots of the board are');
    await notice.waitFor();
    await press(page, 'Update');
    await region(page, 'Update of workshop-1').waitFor();
    await notice.waitFor({ state: 'detached' });
  });

  test('is asked for once, however often the station tells of the board', async () => {
    const { page, station } = await open();
    await region(page, 'Plan').getByText('Step 2').waitFor();
    for (let time = 0; time < 3; time++) station.setBoard(sampleBoard({ seenAt: time, name: `board ${time}` }));
    await region(page, 'Boards').getByText('board 2').waitFor();
    expect(station.seen('POST updates/plan')).toHaveLength(1);
  });

  test('wants each consent by itself, and leads to those that are missing', async () => {
    const consents = [updateNotice('no-way-back', 'way-back'), updateNotice('other-project', 'board')];
    const { page, station } = await open({ info: CLOSED, plan: () => ({ consents }) });
    for (const code of ['no-way-back', 'other-project', 'boards-listener']) {
      await press(page, 'Show what to agree to');
      expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['consent'])).toBe(code);
      await page.keyboard.press('Space');
    }
    expect(station.seen('POST boards-listener')).toEqual([]);
    await press(page, 'Update');
    await region(page, /^Update of/).waitFor();
    expect(station.seen('POST boards-listener')).toEqual([{ open: true }]);
    expect(station.seen('POST updates')).toMatchObject([{ consents: ['no-way-back', 'other-project'] }]);
  });

  test('has its objections where the things are that they are about', async () => {
    const objections = [
      updateNotice('board-silent', 'board', { address: '192.168.1.57' }),
      updateNotice('too-large', 'app', { size: 5, room: 4 }),
      updateNotice('url-too-long', 'other', { length: 70, limit: 60 }),
    ];
    const { page } = await open({ plan: () => ({ steps: [], objections }) });
    await press(page, 'Show what is in the way');
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['objection'])).toBe(
      'board-silent',
    );
    for (const [card, code] of [
      ['Boards', 'board-silent'],
      ['Release', 'too-large'],
      ['Plan', 'url-too-long'],
    ] as const) {
      expect(await region(page, card).locator(`[data-objection=${code}]`).count(), code).toBe(1);
    }
  });

  test('of a board whose chip nobody knows is made once the user has said which', async () => {
    const board = sampleBoard();
    delete board.chip;
    const builds = ['esp32', 'esp32s3'].map((chip) => ({ ...sampleRelease().builds[0]!, chip }));
    const { page, station } = await open({
      boards: [board],
      releases: [sampleRelease({ builds })],
      plan: ({ chip }) => (chip ? {} : { steps: [], objections: [updateNotice('chip-unknown', 'chip')] }),
    });
    await page.getByLabel('Chip of workshop-1').selectOption('esp32');
    await region(page, 'Plan').getByText('Step 2').waitFor();
    expect(station.seen('PATCH boards/b1')).toEqual([{ chip: 'esp32' }]);
  });

  test('for several boards has its settings, and its runs stand together', async () => {
    const boards = [1, 2, 3].map((number) => sampleBoard({ id: `b${number}`, name: `unit-${number}` }));
    const { page, station } = await open({ boards });
    await page.getByRole('button', { name: 'Choose all' }).click();
    await page.getByText('How it goes on').click();
    await page.getByLabel('Test group').fill('2');
    await page.getByLabel('Stop after').fill('0');
    await page.getByLabel('When a board fails').selectOption('restore');
    await press(page, 'Update 3 boards');
    const together = page.getByRole('list', { name: 'Boards of this update' });
    await expect.poll(() => together.getByRole('button').count()).toBe(3);
    expect(station.seen('POST updates')).toMatchObject([
      { boards: ['b1', 'b2', 'b3'], testGroup: 2, stopAfter: 1, atOnce: 4, onFailure: 'restore' },
    ]);
    const names = ['unit-1', 'unit-2', 'unit-3'];
    const inTurn = async (): Promise<void> => {
      const rows = await together.getByRole('button').allTextContents();
      expect(rows.map((row, index) => row.includes(names[index]!))).toEqual([true, true, true]);
    };
    await inTurn();
    await page.reload();
    await together.getByRole('button').first().waitFor();
    await inTurn();
    await together.getByRole('button', { name: /unit-2/ }).click();
    await region(page, 'Update of unit-2').getByText('waits for its turn', { exact: false }).waitFor();
  });

  test('leaves out boards that cannot be updated when it is told to', async () => {
    const boards = [1, 2].map((number) => sampleBoard({ id: `b${number}`, name: `unit-${number}` }));
    const silent = { steps: [], objections: [updateNotice('board-silent', 'board')] };
    const { page, station } = await open({ boards, plan: ({ id }) => (id === 'b2' ? silent : {}) });
    await page.getByRole('button', { name: 'Choose all' }).click();
    await page.getByRole('button', { name: /^Leave out/ }).click();
    await press(page, 'Update');
    await region(page, 'Update of unit-1').waitFor();
    expect(station.seen('POST updates')).toMatchObject([{ boards: ['b1'] }]);
  });
});

describe('boards and releases', () => {
  test('a board is found, added, renamed and removed', async () => {
    const found = [{ address: '192.168.1.60', project: '<i>voice</i>', version: '2.2.0' }];
    const { page, station } = await open({ boards: [], found });
    await press(page, 'Find boards');
    await page.getByRole('list', { name: 'Found boards' }).getByText('<i>voice</i> 2.2.0').waitFor();
    await page.getByRole('button', { name: 'Add 192.168.1.60' }).click();
    await page.getByRole('button', { name: 'Change 192.168.1.60' }).click();
    await page.getByRole('list', { name: 'Boards' }).getByLabel('Name').fill('attic');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: 'Change attic' }).click();
    await page.getByRole('button', { name: 'Remove from the list' }).click();
    await page.getByText('No board yet').waitFor();
    expect(station.requests.filter(({ what }) => what !== 'POST updates/plan').map(({ what }) => what)).toEqual([
      'POST boards/search',
      'POST boards',
      'PATCH boards/b1',
      'DELETE boards/b1',
    ]);
  });

  test('an address that is none is told before it is sent', async () => {
    const { page, station } = await open({ boards: [] });
    const address = page.getByLabel('Address');
    await address.fill('voice-box.local');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    expect(await address.getAttribute('aria-invalid')).toBe('true');
    expect(station.requests).toEqual([]);
    await address.fill('192.168.1.99');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Change 192.168.1.99' }).waitFor();
  });

  test('a build of many files is packed and given to the station, and chosen', async () => {
    const { page, station } = await open({ releases: [] });
    const files = makeReleaseFiles({ chip: 'esp32s3', kind: 'idf', partitions: TWO_SLOTS, project: 'voice_box' });
    await takeFiles(page, files);
    await region(page, 'Plan').getByText('Step 2').waitFor();
    const [size] = station.seen('POST releases') as number[];
    expect(size).toBeGreaterThan(1000);
    expect(await page.getByRole('radiogroup', { name: 'Release' }).getByRole('radio').isChecked()).toBe(true);
  });

  test('files that are no release are told with their place, and not sent', async () => {
    const { page, station } = await open({ releases: [] });
    await takeFiles(page, [{ path: 'flasher_args.json', bytes: new TextEncoder().encode('{"a":') }]);
    await region(page, 'Release').getByRole('alert').getByText('flasher_args.json', { exact: false }).waitFor();
    expect(station.seen('POST releases')).toEqual([]);
  });

  test('names of boards are text, whatever they hold', async () => {
    const name = '<img src=x onerror="document.title=1">';
    const { page } = await open({ boards: [sampleBoard({ name })] });
    await region(page, 'Boards').getByText(name).waitFor();
    expect(await page.locator('img[src=x]').count()).toBe(0);
  });
});

describe('the station', () => {
  test('is explained where there is none, with the command to copy, and looked for once', async () => {
    mayFail = true;
    const { page, station } = await open({ isPlain: true });
    await page.getByText('This screen needs a station').waitFor();
    await page.getByText('npm start').waitFor();
    await page.getByRole('button', { name: 'Copy the command' }).first().waitFor();
    station.script.isPlain = false;
    await page.getByRole('button', { name: 'Look again' }).click();
    await region(page, 'Boards').waitFor();
  });

  test('from another computer wants its code, and is there once it has it', async () => {
    mayFail = true;
    const { page, station } = await open({ info: { session: 'pair' }, code: 'blue-fox' });
    await page.getByRole('button', { name: 'Pair' }).click();
    expect(station.seen('POST pairing')).toEqual([]);
    await page.getByLabel('Pairing code').fill('red-fox');
    await page.getByRole('button', { name: 'Pair' }).click();
    await region(page, /^Pair/).getByRole('alert').waitFor();
    await page.getByLabel('Pairing code').fill(' blue-fox ');
    await page.keyboard.press('Enter');
    await region(page, 'Boards').waitFor();
    expect(station.seen('POST pairing')).toEqual([{ code: 'red-fox' }, { code: 'blue-fox' }]);
  });

  test('that goes away is missed, what it told stays; when it is back, so is the page', async () => {
    mayFail = true;
    const { page, station } = await open(running('downloading'));
    await station.stop();
    await page.getByText('Not connected to the station').waitFor();
    expect(await region(page, 'Update of workshop-1').isVisible()).toBe(true);
    station.updates = [sampleUpdate(stateAfter(PATHS['complete']!))];
    station.boards = [sampleBoard()];
    await station.start();
    await page.getByRole('group', { name: 'Result' }).waitFor({ timeout: 30_000 });
    expect(await page.getByText('Not connected to the station').isVisible()).toBe(false);
  });

  test('at an insecure origin explains itself, and has the policy file', async () => {
    const { page } = await open({ info: { secureOrigin: false } });
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'Get the policy file' }).click(),
    ]);
    expect(file.suggestedFilename()).toMatch(/\.json$/);
  });
});

test('by keyboard alone: choose the board, update, decide', async () => {
  const boards = [sampleBoard(), sampleBoard({ id: 'b2', name: 'workshop-2' })];
  const { page, station } = await open({ boards });
  const tabTo = async (name: string | RegExp): Promise<void> => {
    for (let stops = 0; stops < 60; stops++) {
      const text = await page.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
      if (typeof name === 'string' ? text === name : name.test(text)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`No stop of the tab key is ${String(name)}`);
  };
  await tabTo(/^workshop-2/);
  await page.keyboard.press('Enter');
  await region(page, 'Plan').getByText('Step 2').waitFor();
  await tabTo('Update');
  await page.keyboard.press('Enter');
  await region(page, 'Update of workshop-2').waitFor();
  station.setUpdate(
    sampleUpdate(stateAfter(PATHS['broken-off']!), { board: { id: 'b2', name: 'workshop-2' }, startedAt: Date.now() }),
  );
  await bar(page).getByRole('button', { name: 'Show the ways on' }).waitFor();
  await tabTo('Show the ways on');
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset['choice'])).toBe('retry');
  await page.keyboard.press('Enter');
  await bar(page).getByRole('button', { name: 'Stop' }).waitFor();
  expect(station.seen('POST updates/u1/decision')).toEqual([{ choice: 'retry', after: BROKEN_OFF }]);
});

test('the slots go from box to box by arrow keys, say what they are, and are a table on demand', async () => {
  const { page } = await open(running('downloading'));
  const boxes = page.getByRole('listbox', { name: 'Slots of workshop-1' }).getByRole('option');
  await boxes.first().focus();
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
  const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '');
  expect(label).toMatch(new RegExp(`^Now: PB, .*being downloaded, ${Math.floor((100 * 600_000) / APP_SIZE)} %$`));
  await page.getByRole('button', { name: 'As table' }).click();
  expect(
    await region(page, /Slots of .*, table/)
      .getByRole('row')
      .count(),
  ).toBe(3);
});

test('a screen reader hears each position, and at once what asks for a decision', async () => {
  const { page, station } = await open(running('waiting'));
  station.setUpdate(sampleUpdate(stateAfter(PATHS['downloading']!)));
  await page.locator('p.unseen[role=status]', { hasText: 'workshop-1' }).waitFor({ state: 'attached' });
  station.setUpdate(sampleUpdate(stateAfter(PATHS['refused']!)));
  await page.locator('p.unseen[role=alert]', { hasText: 'workshop-1' }).waitFor({ state: 'attached' });
});

describe('axe finds nothing, and nothing scrolls sideways', () => {
  const consents = [updateNotice('no-way-back', 'way-back')];
  const warnings = [updateNotice('same-version', 'app')];
  const objections = [updateNotice('board-silent', 'board')];
  /** What is there once the state is. */
  const states: [string, string, Script][] = [
    ['a plan', '[data-consent]', { info: { ...CLOSED, secureOrigin: false }, plan: () => ({ consents, warnings }) }],
    ['objections', '[data-objection]', { plan: () => ({ steps: [], objections }) }],
    ['no boards', '.drop', { boards: [], releases: [] }],
    ['pairing', 'form', { info: { session: 'pair' } }],
    ...['downloading', 'picking', 'broken-off', 'step 2 broken-off', 'restore downloading'].map(
      (path): [string, string, Script] => [path, '.picture svg', running(path)],
    ),
  ];
  test.each(states)('%s', async (_, mark, script) => {
    const { page } = await open(script);
    await page.locator(mark).first().waitFor();
    for (const [width, colorScheme] of [
      [1440, 'light'],
      [390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await coloursSettled(page);
      expect(await violations(page), `${width} ${colorScheme}`).toEqual([]);
      const [scroll, client] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        document.documentElement.clientWidth,
      ]);
      expect(scroll, `${width}`).toBe(client);
    }
  });
});
