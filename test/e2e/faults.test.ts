/** What goes wrong, seen from the Provision screen: every kind of fault of the virtual board, and users who change their mind. */
import { expect, test } from 'vitest';
import {
  addFault,
  connected,
  differingWrites,
  fillWifi,
  pendingFaults,
  takeDemoRelease,
  useVirtualBoard,
  verdict,
  writeNow,
} from './support/provision-page.ts';
import { again, provisionScene, readyToWrite, RUNNING } from './support/provision-scene.ts';

const onPage = provisionScene();

test('a cancelled run says what state the board is in, and the same again brings it up', async () => {
  await onPage({ speed: 4 }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText(/^Writing: [\d.]+ KiB of/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('The flash is half-written').waitFor();
    await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a pulled cable is told apart; plugged in again, the run goes through', async () => {
  await onPage({ fault: 'unplug:250000' }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText('port-lost', { exact: true }).waitFor();
    await again(page).click();
    await page.getByText('plug the board in').waitFor();
    await page.getByRole('button', { name: 'Plug it in' }).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test.concurrent.each([
  ['a supply that fails', 'power-cut:1'],
  ['a chip that hangs', 'hang:20000'],
  ['a turned bit on the way to the board', 'flip:20000'],
  ['a turned bit on the way from the board', 'flip-back:20'],
  ['bytes lost on the way to the board', 'drop:20000'],
  ['bytes lost on the way from the board', 'drop-back:20'],
])('%s in the middle of a write is survived or told, and the next run goes through', async (_name, fault) => {
  await onPage({ speed: 8 }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await page.getByText(/^Writing: [\d.]+ KiB of/).waitFor();
    await addFault(page, fault);
    await verdict(page).or(again(page)).waitFor();
    if (await again(page).isVisible()) await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await pendingFaults(page)).toBe(0);
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a turned bit while the board is read is survived', async () => {
  await onPage({ fault: 'flip-back:6000' }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await pendingFaults(page)).toBe(0);
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a worn sector ends in a failure that names what to do', async () => {
  await onPage({ fault: 'bad-sector:40' }, async (page) => {
    await readyToWrite(page);
    await writeNow(page);
    await again(page).waitFor();
    await page.getByText(/verify-failed|flash-failed/).waitFor();
  });
});

test.concurrent.each([
  ['a board that hears nothing', 'deaf', 'download-no-reply'],
  ['a board that says nothing', 'silent', 'silent'],
  ['a port that another program has open', 'busy', 'port-in-use-or-missing'],
])('%s is told at the board, and another one takes its place', async (_name, fault, code) => {
  await onPage({ fault }, async (page) => {
    await takeDemoRelease(page);
    await useVirtualBoard(page);
    const card = page.getByRole('region', { name: 'Board', exact: true });
    await card.getByRole('alert').getByText(code, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Take a blank one' }).click();
    await connected(page);
    await fillWifi(page);
    await writeNow(page);
    await verdict(page).getByText(RUNNING).waitFor();
    expect(await differingWrites(page)).toEqual([]);
  });
});

test('a wrong password is found on the network; the right one brings it up', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByLabel('Password', { exact: true }).fill('not the password');
    await writeNow(page);
    await page.getByText('wifi-refused-by-network', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Change the Wi-Fi' }).click();
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('two steps ahead');
    await again(page).click();
    await verdict(page).getByText(RUNNING).waitFor();
  });
});

test('a board that does not listen is waited for until its boot button is held', async () => {
  await onPage({ fault: 'no-reset' }, async (page) => {
    await takeDemoRelease(page);
    await useVirtualBoard(page);
    await page.getByText('normal-boot', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Hold BOOT, tap RESET' }).click();
    await connected(page);
  });
});

test('a virtual board whose cable was pulled while nothing went on is connected again by the one button', async () => {
  await onPage({}, async (page) => {
    await readyToWrite(page);
    await page.getByRole('button', { name: 'Pull its cable' }).click();
    await page.getByRole('region', { name: 'Board', exact: true }).getByText('port-lost', { exact: true }).waitFor();
    await page.getByRole('region', { name: 'Next step' }).getByRole('button', { name: 'Connect' }).click();
    await connected(page);
    await page.getByRole('button', { name: 'Write and start' }).waitFor();
  });
});
