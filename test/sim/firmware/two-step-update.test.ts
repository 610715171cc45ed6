/** The whole two-step update in modelled time: app into PB, restart, data into PA. */
import { expect, test } from 'vitest';
import { padBytes } from '#formats/bytes.ts';
import { appFor } from '../support/boot-flash.ts';
import { dataImage } from '../support/house-board.ts';
import { NetworkBoard } from '../support/network-board.ts';

const TITLE = '**************** app 0 *****************<br><br><br>';

const app = appFor('esp32', { version: '2.0.0', constants: 100_000 });
const packed = padBytes(dataImage('NEW-DATA-2'), 90_000, 0x5a);
const raw = padBytes(new TextEncoder().encode(`${'x'.repeat(32)}NEW-DATA-2`), 70_000, 0x5a);

test.each([
  { firmware: 'seed', data: packed },
  { firmware: 'seed-4.4', data: packed },
  { firmware: 'seed-4.4.0', data: packed },
  { firmware: 'seed-5.5', data: packed },
  { firmware: 'seed-5.5-rollback', data: packed },
  { firmware: 'seed-5.5-raw-data', data: raw },
] as const)('$firmware takes a new app, restarts into it, and takes new data', async ({ firmware, data }) => {
  const bench = await new NetworkBoard({
    firmware,
    content: { ota_1: dataImage('OLD-DATA-1 and more') },
    files: { '/app': app, '/data': data },
  }).online();
  expect(await bench.page()).toBe(
    `${TITLE}App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 1.2.3<br><br>Data Partition: ota_1<br>data: OLD-DATA-1`,
  );

  await bench.update('/app');
  expect(bench.lines).toContain('I TWO_STEP_OTA: ESP_HTTPS_OTA upgrade successful. Rebooting ...');
  expect(await bench.page()).toContain('App Partitoin: ota_1<br>project: two_slot_demo<br>Version: 2.0.0');
  expect(bench.slot('ota_1', app.length)).toEqual(new Uint8Array(app));
  expect(bench.server.ranges.slice(-2)).toEqual(['bytes=0-65535', 'bytes=65536-']);

  await bench.update('/data');
  expect(bench.slot('ota_0', data.length)).toEqual(new Uint8Array(data));
  expect(await bench.page()).toMatch(/App Partitoin: ota_1.*Data Partition: ota_0<br>data: NEW-DATA-2$/);
});
