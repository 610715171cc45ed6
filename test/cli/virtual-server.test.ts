/** A virtual board as a process: the whole way over TCP, in real time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fixture } from '../workflows/boards.ts';
import { runCli } from './run-cli.ts';

let folder: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-virtual-'));
});

afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

const start = (...more: string[]): Promise<{ uart: string; control: string }> =>
  launch('--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...more);

async function launch<T>(...args: string[]): Promise<T> {
  child = spawn(process.execPath, ['src/cli/main.ts', 'virtual', '--json', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! });
  const [line] = (await once(lines, 'line')) as [string];
  return JSON.parse(line) as T;
}

async function stop(): Promise<void> {
  if (!child || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  await ended;
}

const portOf = (address: string): string => address.split(':').at(-1)!;

test('with eFuses burnt it refuses as a secured board does, and its flash stays as it is', async () => {
  const file = join(folder, 'board.bin');
  const { uart, control } = await start('--chip', 'esp32c3', '--flash', file, '--efuse', 'secure-boot,secure-download');
  const port = `tcp://${uart}?control=${portOf(control)}`;
  const build = 'test/fixtures/release/web-tools';
  const { code, records } = await runCli(['flash', build, '--port', port, '--json']);
  expect(code).toBe(2);
  const plan = records.find(({ event }) => event === 'plan') as { objections: { code: string }[] };
  expect(plan.objections.map((objection) => objection.code)).toContain('secure-download-mode');
  await stop();
  expect(new Uint8Array(readFileSync(file)).every((byte) => byte === 0xff)).toBe(true);
});

test.each([
  ['esp32', 'secure-download'],
  ['esp32c3', 'secure-boot-v1'],
  ['esp32c3', 'secure-boot,'],
  ['esp32s3', 'jtag'],
])('a virtual %s has no eFuse %s', async (chip, efuse) => {
  const { code, err } = await runCli(['virtual', '--chip', chip, '--efuse', efuse]);
  expect(code).toBe(2);
  expect(err).toContain('secure-boot');
});

test.each(['esp32', 'esp32s3', 'esp32c3'])('the MAC of a virtual %s is the one that was given', async (chip) => {
  const { uart, control } = await start('--chip', chip, '--speed', '10', '--mac', 'FE:DC:BA:98:76:54');
  const port = `tcp://${uart}?control=${portOf(control)}`;
  const { records } = await runCli(['identify', '--port', port, '--json']);
  expect(records.find(({ event }) => event === 'board')).toMatchObject({ mac: 'fe:dc:ba:98:76:54' });
});

test.each(['24:0a:c4:00:00', '24-0a-c4-00-00-02', '25:0a:c4:00:00:02', '00:00:00:00:00:00', 'board'])(
  'no board has the MAC %s',
  async (mac) => {
    const { code, records } = await runCli(['virtual', '--chip', 'esp32', '--mac', mac, '--json']);
    expect(code).toBe(2);
    expect(records.at(-1)).toMatchObject({ event: 'error', code: 'mac' });
  },
);

test('it is provisioned over TCP, comes up on its network, and its flash is in the file afterwards', async () => {
  const file = join(folder, 'board.bin');
  const options = ['--wifi', 'home:open sesame', '--mac', '24:0a:c4:00:00:02'];
  const { uart, control } = await start('--chip', 'esp32', '--flash', file, ...options);
  const port = `tcp://${uart}?control=${portOf(control)}`;
  const build = 'test/fixtures/release/idf-build';
  const args = ['flash', build, '--port', port, '--wifi-ssid', 'home', '--wifi-password-stdin', '--json'];
  const { code, records } = await runCli(args, { stdin: 'open sesame\n' });
  expect(records.at(-1)).toMatchObject({ event: 'done', address: '192.168.1.57', mac: '24:0a:c4:00:00:02' });
  expect(records.map(({ text }) => String(text)).join('\n')).toContain('mode : sta (24:0a:c4:00:00:02)');
  expect(code).toBe(0);
  await stop();
  expect(child?.exitCode).toBe(0);
  const flash = new Uint8Array(readFileSync(file));
  expect(flash.subarray(0x10_0000, 0x10_0000 + 1968)).toEqual(fixture('release/idf-build/app.bin'));
});

test('a second host is turned away while the first one is there', async () => {
  const { uart } = await start('--chip', 'esp32c3');
  const [host, port] = [uart.split(':')[0]!, Number(portOf(uart))];
  const first = connect({ host, port });
  await once(first, 'data');
  const second = connect({ host, port });
  await once(second, 'close');
  expect(first.destroyed).toBe(false);
  first.destroy();
});

test('lines that make no sense do no harm', async () => {
  const { uart, control } = await start('--chip', 'esp32s3', '--boot', 'download');
  const noise = connect({ host: '127.0.0.1', port: Number(portOf(control)) });
  noise.write('not json\n{"event":"nothing"}\n[1,2]\nnull\n{"event":"baud","baud":"x"}\n');
  await once(noise, 'connect');
  noise.end();
  await once(noise, 'close');
  const { code } = await runCli(['identify', '--port', `tcp://${uart}`, '--before', 'none']);
  expect(code).toBe(0);
});

test('a hand at the cable takes the board off the bus and puts it back, and the host is told', async () => {
  const { uart, control } = await start('--chip', 'esp32');
  const [lines, bytes] = [control, uart].map((address) =>
    connect({ host: '127.0.0.1', port: Number(portOf(address)) }),
  );
  const told = createInterface({ input: lines! })[Symbol.asyncIterator]();
  await once(bytes!, 'data');
  lines!.write('{"event":"cable","plugged":false}\n');
  expect((await told.next()).value).toBe('{"unplug":true}');
  lines!.write('{"event":"cable","plugged":true}\n');
  expect((await told.next()).value).toBe('{"plug":true}');
  // It starts anew.
  const [text] = (await once(bytes!, 'data')) as [Buffer];
  expect(text.toString()).toContain('ets Jul 29 2019');
  lines!.destroy();
  bytes!.destroy();
});

test('by RFC 2217 alone it takes no other port', async () => {
  const addresses = await launch<Record<string, string>>('--chip', 'esp32', '--rfc2217', '127.0.0.1:0');
  expect(Object.keys(addresses)).not.toContain('uart');
  const socket = connect({ host: '127.0.0.1', port: Number(portOf(addresses['rfc2217']!)) });
  const [greeting] = (await once(socket, 'data')) as [Buffer];
  expect([...greeting.subarray(0, 2)]).toEqual([255, 251]);
  socket.destroy();
});
