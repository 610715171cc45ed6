/** The house firmware on the network: the seed's page, and updates as a well-behaved product takes them. */
import { describe, expect, test } from 'vitest';
import { padBytes } from '#formats/bytes.ts';
import { appFor, flashWith, tableOf } from '../support/boot-flash.ts';
import { credentials, dataImage, PASSWORD, SSID } from '../support/house-board.ts';
import { get } from '../support/lan-hosts.ts';
import { NetworkBoard, type NetworkBoardShape, STATION } from '../support/network-board.ts';

const app = appFor('esp32', { version: '2.0.0', constants: 70_000 });
const packed = padBytes(dataImage('NEW-DATA'), 9000, 0x5a);
const raw = padBytes(new TextEncoder().encode(`${'x'.repeat(32)}RAW-DATA`), 9000, 0);
const PLACE = `http://${STATION}:8000`;

const house = (shape: NetworkBoardShape = {}) =>
  new NetworkBoard({
    firmware: 'house',
    files: { '/app': app, '/packed': packed, '/raw': raw },
    content: { nvs: credentials(), ota_1: dataImage('OLD-DATA') },
    ...shape,
  }).online();

test('one answer to each request', async () => {
  const bench = await house();
  const answers = await bench.ask(get(`/ota?url=${PLACE}/none`) + get('/'));
  expect(answers.text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(answers.text).toMatch(/updating\.\.\.HTTP.*data: OLD-DATA$/s);
});

test.each([
  { path: '/packed', shown: 'NEW-DATA', file: packed },
  { path: '/raw', shown: 'RAW-DATA', file: raw },
])('an app, then data from $path, over kept connections', async ({ path, shown, file }) => {
  const bench = await house({ server: { keepsOpen: true } });
  await bench.update('/app');
  expect(await bench.page()).toMatch(/App Partitoin: ota_1<br>.*Version: 2.0.0/);
  // One that looks at the first bytes, one for the download.
  expect(bench.server.connections).toBe(2);
  await bench.update(path);
  expect(bench.slot('ota_0', file.length)).toEqual(file);
  expect(await bench.page()).toMatch(new RegExp(`Data Partition: ota_0<br>data: ${shown}$`));
});

test('the slots may have any labels', async () => {
  const partitions = tableOf().map((row) => ({ ...row, name: row.name.replace('ota_', 'app') }));
  const flash = flashWith({
    partitions,
    content: { app0: appFor('esp32'), app1: dataImage('DATA'), nvs: credentials() },
  });
  const bench = await house({ flash });
  expect(await bench.page()).toMatch(/App Partitoin: app0<br>.*Data Partition: app1<br>data: DATA$/);
});

describe('URLs', () => {
  test.each([
    { what: 'raw', url: `${PLACE}/a?b=c`, path: '/a?b=c' },
    { what: 'raw, with a percent sign of its own', url: `${PLACE}/a?50%`, path: '/a?50%' },
    { what: 'percent-encoded', url: encodeURIComponent(`${PLACE}/a?b=c&d=e`), path: '/a?b=c&d=e' },
    { what: 'of 8 KB', url: `${PLACE}/`.padEnd(8192, 'x'), path: '/'.padEnd(8192 - PLACE.length, 'x') },
  ])('$what', async ({ url, path }) => {
    const bench = await house();
    expect((await bench.ask(get(`/ota?url=${url}`))).text).toContain('updating...');
    await bench.advance(1000);
    expect(bench.server.lines[0]).toBe(`GET ${path} HTTP/1.1`);
  });

  test.each([
    { query: '', status: 400 },
    { query: '?url=', status: 400 },
    { query: '?url=ftp://x/', status: 400 },
    { query: `?url=${PLACE}/${'x'.repeat(8192)}`, status: 414 },
  ])('"$query" is answered with $status, and nothing starts', async ({ query, status }) => {
    const bench = await house();
    expect((await bench.ask(get(`/ota${query}`))).text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    await bench.advance(1000);
    expect(bench.server.requests).toEqual([]);
  });
});

test('a second update while one runs is refused', async () => {
  const bench = await house();
  const request = get(`/ota?url=${PLACE}/app`);
  expect((await bench.ask(request + request)).text).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 409 /s);
  await bench.advance(30_000);
  expect(await bench.page()).toContain('Version: 2.0.0');
});

test('it joins with what is in NVS, and only the network of that name', async () => {
  const accessPoint = { ssid: SSID, password: PASSWORD };
  expect(await (await house({ accessPoint })).page()).toContain('Partitoin');
  const elsewhere = await house({ accessPoint: { ssid: 'Elsewhere', password: PASSWORD } });
  await expect(elsewhere.page()).rejects.toMatchObject({ code: 'unreachable' });
});

test('a network that takes every board takes one without credentials', async () => {
  expect(await (await house({ content: {} })).page()).toContain('Partitoin');
});
