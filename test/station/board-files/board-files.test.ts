import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addRange, type ByteRange, coveredBytes } from '#workflows/byte-ranges.ts';
import { type BoardFiles, createBoardFiles, type OfferHandle } from '../../../src/station/board-files/board-files.ts';
import { createBoardNetwork } from '../../../src/station/network/board-network.ts';
import { RawClient } from './support.ts';

const NAME = 'q3Zk_9aB-17cXy0w';
const SIZE = 300_000;
const BYTES = randomBytes(SIZE);
const network = createBoardNetwork({
  networks: () => [
    { address: '192.168.1.5', network: '192.168.1.0/24', interface: 'eth0' },
    { address: '10.0.0.5', network: '10.0.0.0/24', interface: 'wlan0' },
  ],
});

let folder: string;
let path: string;
let files: BoardFiles;
let offer: OfferHandle;
let served: ByteRange[];
let clients: RawClient[];
let onServed: () => void;

const listener = (limits = {}): BoardFiles =>
  createBoardFiles({ address: '127.0.0.1', port: 0, network, limits: { close: 50, reset: 50, look: 10, ...limits } });

const describeFile = (name = NAME) => ({
  name,
  path,
  size: SIZE,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
});

function client(): RawClient {
  const one = new RawClient(files.state.port);
  clients.push(one);
  return one;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-files-'));
  path = join(folder, 'image.bin');
  writeFileSync(path, BYTES);
  clients = [];
  await serve(listener());
});

async function serve(what: BoardFiles): Promise<void> {
  files = what;
  await files.open();
  served = [];
  onServed = () => undefined;
  offer = files.offer(describeFile(), (range) => {
    served.push(range);
    onServed();
  });
}

afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  await files.close();
  rmSync(folder, { recursive: true });
});

/** Resolves when another range was told. */
const nextServed = (): Promise<void> => new Promise((resolve) => (onServed = resolve));

describe('a download', () => {
  test('as esp_https_ota does it: HEAD, then ranges, a new connection for each', async () => {
    const first = client();
    first.send(`HEAD /f/${NAME} HTTP/1.1`, 'Host: 127.0.0.1');
    const head = await first.answer({ hasBody: false });
    await first.close();
    expect([head.status, head.headers['Content-Length']]).toEqual([200, String(SIZE)]);
    const pieces: Buffer[] = [];
    for (let from = 0; from < SIZE; from += 65_536) {
      const one = client();
      const last = from + 65_536 < SIZE ? from + 65_535 : '';
      const { status, headers, body } = await one.get(NAME, `Range: bytes=${from}-${last}`);
      expect([status, headers['Content-Range']]).toEqual([206, `bytes ${from}-${from + body.length - 1}/${SIZE}`]);
      pieces.push(body);
      await one.close();
    }
    expect(Buffer.concat(pieces).equals(BYTES)).toBe(true);
    expect(served.reduce(addRange, [])).toEqual([[0, SIZE]]);
    expect(offer).toMatchObject({ open: false, sent: SIZE });
  });

  test('in thousands of small ranges over one connection', async () => {
    const one = client();
    const size = 97;
    const pieces: Buffer[] = [];
    for (let from = 0; from < SIZE; from += size) {
      pieces.push((await one.get(NAME, `Range: bytes=${from}-${from + size - 1}`)).body);
    }
    expect(pieces.length).toBeGreaterThan(3000);
    expect(Buffer.concat(pieces).equals(BYTES)).toBe(true);
    // Of the last one nothing is known until the connection is closed.
    expect(coveredBytes(served.reduce<ByteRange[]>(addRange, []))).toBe(SIZE - (SIZE % size));
    const told = nextServed();
    await Promise.all([one.close(), told]);
    expect(served.reduce(addRange, [])).toEqual([[0, SIZE]]);
  });

  test('in one, without ranges', async () => {
    const one = client();
    const { status, body } = await one.get(NAME);
    expect(status).toBe(200);
    expect(body.equals(BYTES)).toBe(true);
    expect(offer).toMatchObject({ open: true, sent: SIZE });
    await one.close();
    expect(served).toEqual([[0, SIZE]]);
  });

  test('is closed by the listener where the client wants that, or speaks HTTP/1.0', async () => {
    for (const version of ['HTTP/1.1', 'HTTP/1.0']) {
      const one = client();
      one.send(`GET /f/${NAME} ${version}`, 'Connection: close', 'Range: bytes=0-9');
      const { headers, body } = await one.answer();
      expect([headers['Connection'], body.length]).toEqual(['close', 10]);
      await one.over();
    }
  });
});

describe('a range is told', () => {
  test('when more is asked for over the same connection', async () => {
    const one = client();
    await one.get(NAME, 'Range: bytes=0-9');
    expect(served).toEqual([]);
    await one.get(NAME, 'Range: bytes=10-19');
    expect(served).toEqual([[0, 10]]);
    await one.get('another-name-of-16');
    expect(served).toEqual([
      [0, 10],
      [10, 20],
    ]);
  });

  test('not by a request that was sent before its answer came', async () => {
    const one = client();
    const request = (range: string): string => `GET /f/${NAME} HTTP/1.1\r\nRange: ${range}\r\n\r\n`;
    one.socket.write(request('bytes=0-9') + request('bytes=10-19'));
    await one.answer();
    await one.answer();
    expect(served).toEqual([]);
    await one.close();
    expect(served).toEqual([
      [0, 10],
      [10, 20],
    ]);
  });

  test('never when the connection is reset', async () => {
    const one = client();
    await one.get(NAME, 'Range: bytes=0-');
    expect(offer.open).toBe(true);
    one.socket.resetAndDestroy();
    await gone();
    expect(served).toEqual([]);
  });

  test('never when the board closes within it, although the system had taken all of it', async () => {
    const one = client();
    one.socket.pause();
    one.send(`GET /f/${NAME} HTTP/1.1`, 'Range: bytes=200000-');
    await until(() => offer.sent === SIZE - 200_000);
    // First its half, in order; then the rest, with everything unread.
    one.socket.end();
    await gone();
    one.socket.destroy();
    // What is begun later is decided later: by then the first one is.
    const told = nextServed();
    const other = client();
    await other.get(NAME, 'Range: bytes=299990-');
    await Promise.all([other.close(), told]);
    expect(served).toEqual([[299_990, SIZE]]);
  });
});

/** Resolves when no board holds a connection to the file. */
const gone = (): Promise<void> => until(() => !offer.open);

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe('an offer that is withdrawn', () => {
  test('is not there any more, and breaks open connections', async () => {
    const idle = client();
    await idle.get(NAME, 'Range: bytes=0-9');
    const other = files.offer(describeFile('0000000000000001'), () => undefined);
    const elsewhere = client();
    await elsewhere.get('0000000000000001', 'Range: bytes=0-9');
    offer.withdraw();
    offer.withdraw();
    await idle.over();
    expect(offer.open).toBe(false);
    expect((await client().get(NAME)).status).toBe(404);
    expect((await elsewhere.get('0000000000000001', 'Range: bytes=0-9')).status).toBe(206);
    expect(other.open).toBe(true);
    expect(served).toEqual([]);
  });

  test('may be offered anew under its name', async () => {
    offer.withdraw();
    files.offer(describeFile(), () => undefined);
    expect((await client().get(NAME)).status).toBe(200);
  });
});

describe('everything else', () => {
  test.each(['/', '/f/', `/f/${NAME}/`, `/f/${NAME}?x`, `/f/../f/${NAME}`, '/f/0000000000000000', '/api/boards'])(
    '%s is not there',
    async (target) => {
      const one = client();
      one.send(`GET ${target} HTTP/1.1`);
      const { status, headers, body } = await one.answer();
      expect([status, headers['Content-Length'], body.length]).toEqual([404, '0', 0]);
      expect(Object.keys(headers).sort()).toEqual(['Connection', 'Content-Length', 'Date']);
      expect(offer.open).toBe(false);
    },
  );

  test('a request with a body is refused and ends the connection', async () => {
    const one = client();
    one.send(`POST /f/${NAME} HTTP/1.1`, 'Content-Length: 50');
    one.socket.write(`GET /f/${NAME} HTTP/1.1\r\n\r\n`);
    const { status, headers } = await one.answer();
    expect([status, headers['Connection']]).toEqual([405, 'close']);
    await expect(one.answer()).rejects.toThrow();
  });

  test.each<[string, string, number]>([
    ['another protocol', '\x16\x03\x01\x02\x00\r\n\r\n', 400],
    ['a head without end', `GET / HTTP/1.1\r\nX: ${'y'.repeat(9000)}`, 431],
    ['a head that is too long', `GET / HTTP/1.1\r\nX: ${'y'.repeat(9000)}\r\n\r\n`, 431],
  ])('%s is refused and ends the connection', async (_name, text, status) => {
    const one = client();
    one.socket.write(text, 'latin1');
    expect((await one.answer()).status).toBe(status);
    await one.over();
  });

  test('a peer that is no neighbour gets no answer at all', async () => {
    await files.close();
    const peers: string[] = [];
    files = createBoardFiles({
      address: '127.0.0.1',
      port: 0,
      network,
      isPeer: (address) => peers.push(address) === 2,
    });
    await files.open();
    files.offer(describeFile(), () => undefined);
    await expect(client().get(NAME)).rejects.toThrow();
    expect((await client().get(NAME)).status).toBe(200);
    expect(peers).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  test('a file that became shorter breaks the connection instead of ending as if it were whole', async () => {
    truncateSync(path, 150_000);
    const one = client();
    await expect(one.get(NAME)).rejects.toThrow();
    expect(served).toEqual([]);
    rmSync(path);
    const other = files.offer({ ...describeFile('0000000000000002'), path: join(folder, 'none') }, () => undefined);
    await expect(client().get('0000000000000002')).rejects.toThrow();
    expect(other.open).toBe(false);
    writeFileSync(path, BYTES);
  });
});

describe('time is limited', () => {
  test.each<[string, object, (one: RawClient) => void]>([
    ['for the first request', { request: 40 }, ({ socket }) => socket.write('GET / HT')],
    ['for nothing at all', { request: 40 }, () => undefined],
    ['for taking what was asked for', { stalled: 60 }, stall],
    ['for the next request', { idle: 40 }, (one) => void one.get(NAME, 'Range: bytes=0-9').catch(() => undefined)],
  ])('%s', async (_name, limits, behave) => {
    await files.close();
    // More than all buffers between them hold.
    truncateSync(path, 64 * 0x10_0000);
    files = listener(limits);
    await files.open();
    offer = files.offer({ ...describeFile(), size: 64 * 0x10_0000 }, (range) => served.push(range));
    const one = client();
    const closed = new Promise((resolve) => one.socket.once('close', resolve));
    behave(one);
    if (behave === stall) {
      await until(() => offer.sent > 0);
      await gone();
      one.socket.resume();
    }
    one.socket.on('end', () => one.socket.end());
    await closed;
    expect(offer.open).toBe(false);
    expect(served).toEqual([]);
  });
});

function stall(one: RawClient): void {
  one.socket.pause();
  one.send(`GET /f/${NAME} HTTP/1.1`);
}

describe('the listener', () => {
  test('opens once, closes, and opens again with what is offered', async () => {
    await Promise.all([files.open(), files.open()]);
    expect(files.state).toMatchObject({ state: 'open', address: '127.0.0.1' });
    expect(files.state.port).toBeGreaterThan(0);
    const one = client();
    await one.get(NAME, 'Range: bytes=0-9');
    await files.close();
    await one.over();
    expect(files.state.state).toBe('closed');
    expect(served).toEqual([]);
    await files.open();
    expect((await client().get(NAME, 'Range: bytes=0-9')).status).toBe(206);
  });

  test('says why it could not be opened, and can be tried again', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const second = createBoardFiles({ address: '127.0.0.1', port, network });
    await expect(second.open()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(second.state).toMatchObject({ state: 'failed', port });
    expect(second.state.detail).toContain('EADDRINUSE');
    await new Promise((resolve) => other.close(resolve));
    await second.open();
    expect(second.state).toMatchObject({ state: 'open', port });
    expect(second.state.detail).toBeUndefined();
    await second.close();
  });

  test.each<[string, string, string | undefined]>([
    ['0.0.0.0', '192.168.1.57', `http://192.168.1.5:4601/f/${NAME}`],
    ['0.0.0.0', '10.0.0.57:8080', `http://10.0.0.5:4601/f/${NAME}`],
    ['0.0.0.0', '172.16.0.57', undefined],
    ['0.0.0.0', '127.0.0.2:8080', `http://127.0.0.1:4601/f/${NAME}`],
    ['0.0.0.0', '[::1]', undefined],
    ['192.168.1.5', '192.168.1.57', `http://192.168.1.5:4601/f/${NAME}`],
    ['192.168.1.5', '10.0.0.57', undefined],
    ['127.0.0.1', '127.0.0.2', `http://127.0.0.1:4601/f/${NAME}`],
    ['127.0.0.1', '192.168.1.57', undefined],
  ])('at %s tells a board at %s the right URL, or none', (address, board, expected) => {
    const url = createBoardFiles({ address, port: 4601, network }).urlFor(NAME, board);
    expect(url).toBe(expected);
  });

  test('tells in which networks it can be reached', () => {
    const at = (address: string): string[] =>
      createBoardFiles({ address, port: 4601, network }).state.networks.map((own) => own.address);
    expect(at('0.0.0.0')).toEqual(['192.168.1.5', '10.0.0.5']);
    expect(at('10.0.0.5')).toEqual(['10.0.0.5']);
    expect(at('127.0.0.1')).toEqual(['127.0.0.1']);
  });

  test('keeps the longest URL under 60 characters', () => {
    const longest = createBoardNetwork({
      networks: () => [{ address: '192.168.100.100', network: '192.168.100.0/24', interface: 'eth0' }],
    });
    const at = createBoardFiles({ address: '0.0.0.0', port: 65_535, network: longest });
    const name = 'x'.repeat(28);
    at.offer(describeFile(name), () => undefined);
    expect(at.urlFor(name, '192.168.100.101')?.length).toBeLessThan(60);
  });

  test.each(['short', 'x'.repeat(29), 'with a space 1234', 'with&ampersand1234', '../../etc/passwd0', NAME])(
    'takes no name like %j',
    (name) => {
      expect(() => files.offer(describeFile(name), () => undefined)).toThrow(RangeError);
    },
  );
});
