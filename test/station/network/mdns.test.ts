import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, expect, test } from 'vitest';
import makeMdns, { type MulticastDNS } from 'multicast-dns';
import { ModelClock } from '#model-clock.ts';
import { browseMdns } from '../../../src/station/network/mdns.ts';

/** Bound to the group, a socket hears what is sent to it and nothing else. */
const GROUP = '224.0.0.251';

let board: MulticastDNS;
let port: number;

beforeEach(async () => {
  port = await freePort();
  board = makeMdns({ interface: '127.0.0.1', bind: GROUP, port });
  await new Promise((resolve) => board.once('ready', () => resolve(undefined)));
});

afterEach(() => new Promise<void>((resolve) => board.destroy(resolve)));

async function freePort(): Promise<number> {
  const socket: Socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

test('boards that announce a web server are found at the address that answers, each once', async () => {
  const clock = new ModelClock();
  board.on('query', ({ questions }) => {
    expect(questions).toMatchObject([{ name: '_http._tcp.local', type: 'PTR' }]);
    board.respond({
      answers: [{ name: '_http._tcp.local', type: 'PTR', data: 'Voice box._http._tcp.local' }],
      additionals: [
        { name: 'Voice box._http._tcp.local', type: 'SRV', data: { port: 8080, target: 'box.local' } },
        // Where it says that it is, does not count.
        { name: 'box.local', type: 'A', data: '203.0.113.7' },
        { name: 'Printer._ipp._tcp.local', type: 'SRV', data: { port: 631, target: 'box.local' } },
      ],
    });
  });
  // Whoever is in the group hears an answer, the one who gave it too.
  const heard = new Promise<void>((resolve) => board.once('response', () => resolve()));
  const browsing = browseMdns(['127.0.0.1'], undefined, { clock, port, bind: GROUP });
  await clock.advance(0);
  await heard;
  await clock.advance(3000);
  const found = await browsing;
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^\d+(\.\d+){3}:8080$/);
});

test('without a network there is nobody to ask', async () => {
  expect(await browseMdns([])).toEqual([]);
});

test('it can be called off', async () => {
  const abort = new AbortController();
  const browsing = browseMdns(['127.0.0.1'], abort.signal, { port, bind: GROUP });
  abort.abort();
  await expect(browsing).rejects.toMatchObject({ name: 'AbortError' });
});
