/** Virtual boards on the real network of this machine, each a process with an address of its own. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { appFor, flashWith } from '../sim/support/boot-flash.ts';
import { credentials, dataImage } from '../sim/support/house-board.ts';
import { CliProcess } from '../support/cli-process.ts';
import { runCli } from './run-cli.ts';

let folder: string;
let flash: string;
const boards: CliProcess[] = [];
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-http-'));
  flash = join(folder, 'board.bin');
  writeFileSync(
    flash,
    flashWith({ content: { ota_0: appFor('esp32'), ota_1: dataImage('OLD-DATA'), nvs: credentials() } }),
  );
});

afterEach(async () => {
  for (const board of boards.splice(0)) await board.stop();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

/** Starts a board. */
function start(...options: string[]): CliProcess {
  const chip = ['--chip', 'esp32', '--listen', '127.0.0.1:0', '--flash', flash, '--speed', '10'];
  const board = new CliProcess('virtual', ...chip, ...options);
  boards.push(board);
  return board;
}

/** What comes back for a request, up to the end of so many bodies. */
function ask(address: string, path: string, bodies = 1): Promise<string> {
  const at = address.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (more) => {
      text += more.toString();
      const heads = [...text.matchAll(/Content-Length: (\d+)\r\n\r\n/g)];
      const last = heads[bodies - 1];
      if (!last || text.length < last.index + last[0].length + Number(last[1])) return;
      socket.destroy();
      resolve(text);
    });
    socket.on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: board\r\n\r\n`, 'latin1');
  });
}

/** @returns its address, and from where it was asked. */
async function serveFile(bytes: Uint8Array): Promise<{ place: string; clients: Set<string> }> {
  const clients = new Set<string>();
  const server = createServer(({ method, headers, socket }, response) => {
    clients.add(socket.remoteAddress ?? '');
    const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
    const part = range ? bytes.subarray(Number(range[1]), range[2] ? Number(range[2]) + 1 : undefined) : bytes;
    response.writeHead(range ? 206 : 200, { 'Content-Length': part.length });
    response.end(method === 'HEAD' ? undefined : part);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, clients };
}

test.each([
  { firmware: 'seed', address: '127.0.0.2', answers: 2 },
  { firmware: 'house', address: '127.0.0.3', answers: 1 },
])(
  '$firmware serves at its own address, and downloads from it',
  async ({ firmware, address, answers }) => {
    const app = appFor('esp32', { version: '2.0.0', constants: 8000 });
    const { place, clients } = await serveFile(app);
    const board = start('--http', `${address}:0`, '--firmware', firmware);
    const { http } = (await board.next('online')) as unknown as { http: string };
    expect(http).toMatch(new RegExp(`^${address}:\\d+$`));
    expect(await ask(http, '/')).toContain('App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 1.2.3');
    const updating = await ask(http, `/ota?url=http://${place}/app.bin`, answers);
    expect(updating.endsWith(answers === 2 ? 'wrong query' : 'updating...')).toBe(true);
    expect(await board.next('online')).toMatchObject({ http });
    expect(await ask(http, '/')).toContain('App Partitoin: ota_1<br>project: two_slot_demo<br>Version: 2.0.0');
    expect(clients).toEqual(new Set([address]));
  },
  20_000,
);

test('after a restart in the middle of a download it has the other address, and its file the first bytes', async () => {
  const app = appFor('esp32', { version: '2.0.0', constants: 20_000 });
  const { place } = await serveFile(app);
  const board = start(
    '--http',
    '127.0.0.4:0',
    '--firmware',
    'seed',
    '--network-fault',
    'restart:9000,new-address:127.0.0.5',
  );
  const { http } = (await board.next('online')) as unknown as { http: string };
  await ask(http, `/ota?url=http://${place}/app.bin`, 2);
  const again = (await board.next('online')) as unknown as { http: string };
  expect(again.http).toBe(http.replace('127.0.0.4', '127.0.0.5'));
  expect(await ask(again.http, '/')).toContain('Version: 1.2.3');
  await expect(ask(http, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await expect
    .poll(() => readFileSync(flash).subarray(0x11_0000, 0x11_1000).equals(app.subarray(0, 0x1000)), { timeout: 5000 })
    .toBe(true);
}, 20_000);

test('the hand at the board: restart, Wi-Fi, supply', async () => {
  const board = start('--http', '127.0.0.6:0', '--firmware', 'seed', '--control', '127.0.0.1:0');
  const { control } = (await board.next('listening')) as unknown as { control: string };
  const { http } = (await board.next('online')) as unknown as { http: string };
  const hand = connect(Number(control.split(':').at(-1)), '127.0.0.1');
  hand.on('error', () => undefined);
  const tell = (line: object): boolean => hand.write(`${JSON.stringify(line)}\n`);
  tell({ event: 'restart' });
  await board.next('online');
  tell({ event: 'wifi', gone: 7000 });
  await expect
    .poll(() => Promise.race([ask(http, '/'), new Promise((resolve) => setTimeout(resolve, 100, 'silence'))]))
    .toBe('silence');
  expect(await ask(http, '/')).toContain('Partitoin');
  tell({ event: 'power', off: true });
  await expect.poll(() => ask(http, '/').catch((error: NodeJS.ErrnoException) => error.code)).toBe('ECONNREFUSED');
  tell({ event: 'power', off: false });
  await board.next('online');
  hand.destroy();
}, 30_000);

describe('what makes no sense is refused', () => {
  test.each([
    { code: 'firmware', options: ['--firmware', 'mine'] },
    { code: 'speed', options: ['--speed', '0.5'] },
    { code: 'speed', options: ['--speed', 'fast'] },
    { code: 'http-address', options: ['--http', 'localhost:8080'] },
    { code: 'http-address', options: ['--http', '192.0.2.1:8080'] },
    { code: 'tcp-address', options: ['--http', '127.0.0.2'] },
    { code: 'listen-failed', options: ['--listen', '192.0.2.1:5555'] },
    { code: 'network-fault', options: ['--network-fault', 'cut:10'] },
    ...['nothing', 'cut', 'cut:-1', 'cut:1:2', 'wifi-gone:5', 'slow:1:2:0', 'new-address:board', 'restart:x'].map(
      (fault) => ({
        code: 'network-fault',
        options: ['--http', '127.0.0.2:0', '--network-fault', fault],
      }),
    ),
    { code: 'http-address', options: ['--http', '127.0.0.2:0', '--network-fault', 'new-address:192.0.2.1'] },
  ])('$options: $code', async ({ code, options }) => {
    const result = await runCli(['virtual', '--chip', 'esp32', '--json', ...options]);
    expect(result.code).toBe(2);
    expect(result.records.at(-1)).toMatchObject({ event: 'error', code });
  });
});
