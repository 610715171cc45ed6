import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BoardView, type JournalLine, type ReleaseView, type UpdateView } from '#api.ts';
import { HttpBoard } from './support/http-board.ts';
import { releaseFile } from './support/station-rig.ts';

const PROGRAM = join(import.meta.dirname, 'support', 'station-process.ts');

let data: string;
let ports: [page: number, boards: number];
let child: ChildProcess | undefined;
let board: HttpBoard;
let cookie = '';

beforeEach(async () => {
  data = mkdtempSync(join(tmpdir(), 'twostep-killed-'));
  ports = [await freePort(), await freePort()];
  board = new HttpBoard();
  await board.start();
});

afterEach(async () => {
  await kill();
  board.stop();
  rmSync(data, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

async function start(): Promise<void> {
  child = spawn(process.execPath, [PROGRAM, data, ...ports.map(String)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
}

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const origin = `http://127.0.0.1:${ports[0]}`;
  const isFile = body instanceof Uint8Array;
  const type = isFile ? 'application/octet-stream' : 'application/json';
  const answer = await fetch(`${origin}/api/${path}`, {
    method,
    headers: { origin, cookie, ...(body !== undefined && { 'content-type': type }) },
    ...(body !== undefined && { body: isFile ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

async function begin(): Promise<string> {
  await start();
  await ask('POST', 'session');
  const release = await ask<ReleaseView>('POST', 'releases?name=voice.zip', releaseFile('2.0.0'));
  const { id } = await ask<BoardView>('POST', 'boards', { address: board.address });
  await ask('POST', 'boards-listener', { open: true });
  const wish = { release: release.id, boards: [id], consents: ['no-way-back'], onFailure: 'retry' };
  const [update] = await ask<UpdateView[]>('POST', 'updates', wish);
  return update!.id;
}

async function end(id: string): Promise<UpdateView['state']['position']> {
  const position = async () => (await ask<UpdateView>('GET', `updates/${id}`)).state.position;
  await expect.poll(async () => (await position()).at, { timeout: 20_000, interval: 50 }).toBe('ended');
  return position();
}

test('an update over real sockets: both files as they are', async () => {
  const id = await begin();
  expect(await end(id)).toEqual({ at: 'ended', outcome: 'complete' });
  expect([board.running, board.data, board.asked]).toEqual(['ota_1', 'data 2.0.0', 2]);
});

test.each([0, 1, 2])('killed before range %i of the app, and started again: it ends complete', async (last) => {
  let reached = (): void => undefined;
  const there = new Promise<void>((resolve) => (reached = resolve));
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  board.beforeRange = async (range) => {
    if (range !== last || board.asked > 1) return;
    reached();
    await held;
  };
  const id = await begin();
  await there;
  await kill();
  goOn();
  await start();
  expect(await end(id)).toEqual({ at: 'ended', outcome: 'complete' });
  expect([board.running, board.data]).toEqual(['ota_1', 'data 2.0.0']);
  const [known] = await ask<BoardView[]>('GET', 'boards');
  expect(known).toMatchObject({ running: 'PB', slots: [{ role: 'data' }, { role: 'app', version: '2.0.0' }] });
  // Each request to the board has its line, written before it went out.
  const lines = await ask<JournalLine[]>('GET', `updates/${id}/journal`);
  expect(lines.filter(({ position, event }) => event === 'prepared' && position === 'asking')).toHaveLength(
    board.asked,
  );
});
