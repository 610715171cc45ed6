/** Sockets of this machine behind the interface of the board's network. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type LanSocket } from '#sim/network/lan.ts';
import { NodeLan } from '../../src/cli/node-lan.ts';

const lans: NodeLan[] = [];

afterEach(() => {
  for (const lan of lans.splice(0)) lan.close();
});

/** An interface; `listening` is done as soon as it is, or failed. */
function open(address: string): { lan: NodeLan; listening: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const lan = new NodeLan(address, { onListening: resolve, onError: reject });
  lans.push(lan);
  return { lan, listening: promise };
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** Two ends of a connection from 127.0.0.8 to 127.0.0.9. */
async function pair(): Promise<{ near: LanSocket; far: LanSocket; near8: NodeLan; port: number }> {
  const port = await freePort('127.0.0.9');
  const { lan, listening } = open('127.0.0.9');
  const { lan: near8 } = open('127.0.0.8');
  const arrived = new Promise<LanSocket>((resolve) => lan.listen(port, resolve));
  await listening;
  const near = await near8.connect('127.0.0.9', port);
  return { near, far: await arrived, near8, port };
}

test('connections come from the address of the interface, and end on both sides', async () => {
  const { near, far } = await pair();
  expect(far.remote.host).toBe('127.0.0.8');
  expect(near.remote.host).toBe('127.0.0.9');
  const seen: string[] = [];
  far.onData = (bytes) => seen.push(new TextDecoder().decode(bytes));
  far.onEnd = () => {
    seen.push('end');
    far.send(new TextEncoder().encode('back'));
    far.end();
  };
  near.onData = (bytes) => seen.push(new TextDecoder().decode(bytes));
  const closed = new Promise<boolean>((resolve) => (near.onClose = resolve));
  near.send(new TextEncoder().encode('there'));
  near.end();
  expect(await closed).toBe(false);
  expect(seen).toEqual(['there', 'end', 'back']);
});

test('a closed interface breaks its connections and listens no more', async () => {
  const { near, near8, port } = await pair();
  const closed = new Promise<boolean>((resolve) => (near.onClose = resolve));
  lans[0]!.close();
  expect(await closed).toBe(true);
  await expect(near8.connect('127.0.0.9', port)).rejects.toMatchObject({ code: 'refused' });
});

test('whoever pauses gets nothing until it resumes', async () => {
  const { near, far } = await pair();
  let received = 0;
  far.pause();
  far.onData = (bytes) => (received += bytes.length);
  const ended = new Promise<void>((resolve) => (far.onEnd = resolve));
  near.send(new Uint8Array(100_000));
  near.end();
  // A whole exchange on another connection, so that the bytes have had their time.
  await pair();
  expect(received).toBe(0);
  far.resume();
  await ended;
  expect(received).toBe(100_000);
});

test('an address that this machine does not have cannot be listened on, nor be the start of a connection', async () => {
  const { lan, listening } = open('192.0.2.1');
  lan.listen(8080, () => undefined);
  await expect(listening).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  await expect(lan.connect('127.0.0.1', 9)).rejects.toMatchObject({ code: 'unreachable' });
});
