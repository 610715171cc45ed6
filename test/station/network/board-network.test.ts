import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ModelClock } from '#model-clock.ts';
import { type BoardNetworkOptions, createBoardNetwork } from '../../../src/station/network/board-network.ts';
import { dialTcp } from '../../../src/station/network/dial.ts';
import { Wire } from '../../device/support/wire.ts';

const BODY = '* app 0 *<br><br><br>App Partitoin: ota_0<br>project: voice-box<br>Version: 2.3.1';
const PAGE = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** A real server on this computer. */
async function listen(host: string, onData: (socket: Socket, text: string) => void, port = 0): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', (bytes) => onData(socket, bytes.toString('latin1')));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

describe('over TCP', () => {
  test('a page is read, and the connection closed', async () => {
    const closed: Promise<void>[] = [];
    const port = await listen('127.0.0.1', (socket) => {
      closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
      socket.write(PAGE);
    });
    expect(await createBoardNetwork().readPage(`127.0.0.1:${port}`)).toEqual({
      running: 'PA',
      project: 'voice-box',
      version: '2.3.1',
    });
    await Promise.all(closed);
    expect(closed).toHaveLength(1);
  });

  test('a download is asked for byte for byte', async () => {
    const heard: string[] = [];
    const port = await listen('127.0.0.1', (socket, text) => {
      heard.push(text);
      const answer = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n';
      socket.write(`${answer}updating...${answer}wrong query`);
    });
    const url = 'http://127.0.0.1:4601/f/q3Zk_9aB-17cXy0w';
    expect(await createBoardNetwork().startDownload({ address: `127.0.0.1:${port}`, url })).toBe('taken');
    expect(heard).toEqual([`GET /ota?url=${url} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`]);
  });

  test('a closed port is silent, and nothing was delivered', async () => {
    const port = await listen('127.0.0.1', () => undefined);
    await new Promise((resolve) => servers.pop()?.close(resolve));
    const network = createBoardNetwork();
    expect(await network.readPage(`127.0.0.1:${port}`)).toBe('silent');
    expect(await network.startDownload({ address: `127.0.0.1:${port}`, url: 'http://127.0.0.1/f/a' })).toBe(
      'not-delivered',
    );
  });

  test('a reset is silent', async () => {
    const port = await listen('127.0.0.1', (socket) => void socket.resetAndDestroy());
    const network = createBoardNetwork();
    expect(await network.readPage(`127.0.0.1:${port}`)).toBe('silent');
    expect(await network.startDownload({ address: `127.0.0.1:${port}`, url: 'http://127.0.0.1/f/a' })).toBe('unknown');
  });

  test('a board that has moved is found on its port', async () => {
    const port = await listen('127.0.0.9', (socket) => void socket.write(PAGE));
    await listen(
      '127.0.0.12',
      (socket) => void socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
      port,
    );
    const network = createBoardNetwork({ announced: async () => [], neighbours: async () => [] });
    expect(await network.find({ lastAddress: `127.0.0.2:${port}` })).toEqual([
      { address: `127.0.0.9:${port}`, project: 'voice-box', version: '2.3.1', running: 'PA' },
    ]);
  });

  test('a dial that is called off leaves no connection', async () => {
    const port = await listen('127.0.0.1', () => undefined);
    const abort = new AbortController();
    const dialling = dialTcp({ host: '127.0.0.1', port }, { signal: abort.signal });
    abort.abort();
    await expect(dialling).rejects.toMatchObject({ name: 'AbortError' });
    await expect(dialTcp({ host: '127.0.0.1', port }, { signal: abort.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('addresses that are nobody’s business', () => {
  test.each(['8.8.8.8', '[2001:db8::1]', 'board.local', '192.168.1.57:0', '', '192.168.1.57/ota'])(
    '%s',
    async (address) => {
      const clock = new ModelClock();
      const wire = new Wire(clock, () => []);
      const network = createBoardNetwork({ dial: wire.dial, clock });
      await expect(network.readPage(address)).rejects.toThrow(RangeError);
      await expect(network.startDownload({ address, url: 'http://10.0.0.1/f/a' })).rejects.toThrow(RangeError);
      await expect(network.macOf(address)).rejects.toThrow(RangeError);
      expect(() => network.addressFor(address)).toThrow(RangeError);
      expect(() => network.servedAt(address)).toThrow(RangeError);
      expect(wire.dialled).toEqual([]);
    },
  );

  test.each(['8.8.8.8', 'localhost', '2001:db8::1'])('are not dialled either: %s', async (host) => {
    await expect(dialTcp({ host, port: 80 }, { signal: new AbortController().signal })).rejects.toThrow(RangeError);
  });
});

describe('a search', () => {
  const NETWORKS = [{ address: '192.168.7.1', network: '192.168.7.0/29', interface: 'wlan0' }];
  const MAC = '7c:df:a1:00:3f:01';

  function modelled(boards: readonly string[], options: BoardNetworkOptions = {}) {
    const clock = new ModelClock();
    const wire = new Wire(clock, ({ host }) => (boards.includes(host) ? [PAGE] : 'lost'));
    const network = createBoardNetwork({
      clock,
      dial: wire.dial,
      networks: () => NETWORKS,
      neighbours: async () => [{ address: '192.168.7.3', mac: MAC }],
      announced: async (own) => [...own.map((address) => address.replace(/1$/, '3')), '203.0.113.7'],
      ...options,
    });
    return { network, clock, wire };
  }

  test('by scan looks once at every address of the own networks', async () => {
    const { network, clock, wire } = modelled(['192.168.7.3', '192.168.7.5']);
    const page = { project: 'voice-box', version: '2.3.1', running: 'PA' };
    expect(await clock.run(network.search('scan'))).toEqual([
      { address: '192.168.7.3', mac: MAC, ...page },
      { address: '192.168.7.5', ...page },
    ]);
    expect(wire.dialled.map(({ host }) => host)).toEqual([2, 3, 4, 5, 6].map((last) => `192.168.7.${last}`));
    expect(wire.sent.every((text) => text.startsWith('GET / '))).toBe(true);
    expect(clock.now()).toBeLessThan(6000);
  });

  test('by mDNS looks at who answered, where that is a private address', async () => {
    const { network, clock, wire } = modelled(['192.168.7.3']);
    expect(await clock.run(network.search('mdns'))).toMatchObject([{ address: '192.168.7.3', mac: MAC }]);
    expect(wire.dialled).toHaveLength(1);
  });

  test('finds virtual boards on their port, beside real ones on port 80', async () => {
    const { network, clock, wire } = modelled(['192.168.7.3', '127.0.0.2', '127.0.0.254'], { virtualBoards: 8080 });
    const found = await clock.run(network.search('scan'));
    expect(found.map(({ address }) => address)).toEqual(['127.0.0.2:8080', '127.0.0.254:8080', '192.168.7.3']);
    expect(wire.dialled.every(({ host, port }) => port === (host.startsWith('127.') ? 8080 : 80))).toBe(true);
  });

  test.each([
    { lastAddress: '192.168.7.3:81', ports: [80, 81], hosts: /^192\.168\.7\./ },
    { lastAddress: '127.0.0.2:81', ports: [81, 8080], hosts: /^127\.0\.0\./ },
  ])('for the board that was at $lastAddress stays with its kind', async ({ lastAddress, ports, hosts }) => {
    const { network, clock, wire } = modelled([], { virtualBoards: 8080 });
    await clock.run(network.find({ lastAddress }));
    const scanned = wire.dialled.filter(({ host }) => host !== '192.168.7.3' || hosts.test(host));
    expect(new Set(scanned.map(({ port }) => port))).toEqual(new Set(ports));
    expect(scanned.every(({ host }) => hosts.test(host))).toBe(true);
  });

  test('a board that told its address alone serves on port 80, a virtual one on the port of virtual boards', () => {
    const addresses = ['192.168.7.4', '127.0.0.4', '127.0.0.4:81', '[::1]'];
    const served = (options: BoardNetworkOptions): string[] => {
      const { network } = modelled([], options);
      return addresses.map((address) => network.servedAt(address));
    };
    expect(served({ virtualBoards: 8080 })).toEqual(['192.168.7.4', '127.0.0.4:8080', '127.0.0.4:81', '[::1]:8080']);
    expect(served({})).toEqual(addresses);
  });

  test('knows MACs and own addresses', async () => {
    const { network } = modelled([]);
    expect(await network.macOf('192.168.7.3:8080')).toBe(MAC);
    expect(await network.macOf('192.168.7.4')).toBeUndefined();
    expect(network.addressFor('192.168.7.4:8080')).toBe('192.168.7.1');
    expect(network.addressFor('192.168.8.4')).toBeUndefined();
    expect(network.addressFor('127.0.0.4:8080')).toBe('127.0.0.1');
    expect(network.networks()).toEqual(NETWORKS);
  });

  test('can be called off', async () => {
    const { network, clock } = modelled([]);
    const abort = new AbortController();
    clock.after(1000, () => abort.abort());
    await expect(clock.run(network.search('scan', abort.signal))).rejects.toMatchObject({ name: 'AbortError' });
  });
});
