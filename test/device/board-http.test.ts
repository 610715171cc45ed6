import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNetAddress, netAddressText, readBoardPage, startBoardDownload } from '#device/board-http.ts';
import { concatBytes } from '#formats/bytes.ts';
import { SEED_FIRMWARE } from '#formats/release/firmware-profile.ts';
import { ModelClock } from '#model-clock.ts';
import { ascii, type Coming, RESET, SILENCE, Wire } from './support/wire.ts';

const BOARD = { host: '192.168.1.57', port: 80 };
const HEADER = '**************** app 0 *****************<br><br><br>';
const APP = 'App Partitoin: ota_0<br>project: voice-box<br>Version: 2.3.1';
const DATA = '<br><br>Data Partition: ota_1<br>data: voices-2.3';

const page = (body: string | Uint8Array): Uint8Array => {
  const bytes = typeof body === 'string' ? ascii(body) : body;
  return concatBytes(
    ascii(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${bytes.length}\r\n\r\n`),
    bytes,
  );
};

async function read(answer: Coming | 'refused' | 'lost' | 'send-fails') {
  const clock = new ModelClock();
  const wire = new Wire(clock, () => answer);
  const result = await clock.run(readBoardPage(BOARD, { dial: wire.dial, clock }));
  expect(wire.open).toBe(0);
  return { result, wire, ms: clock.now() };
}

test('the index page is asked for with few headers, on a connection of its own', async () => {
  const { result, wire } = await read([page(HEADER + APP + DATA)]);
  expect(wire.sent).toEqual(['GET / HTTP/1.1\r\nHost: 192.168.1.57\r\nConnection: close\r\n\r\n']);
  expect(result).toEqual({ running: 'PA', project: 'voice-box', version: '2.3.1', shown: '766f696365732d322e33' });
});

describe('the page', () => {
  test.each<[string, string, object | 'unknown']>([
    ['of a swapped board', HEADER + APP.replace('ota_0', 'ota_1') + DATA.replace('ota_1', 'ota_0'), { running: 'PB' }],
    [
      'of the factory app',
      HEADER + APP.replace('ota_0', 'factory') + DATA.replace('ota_1', 'ota_0'),
      { running: 'factory' },
    ],
    [
      'with labels of Arduino has no data part',
      HEADER + APP.replace('ota_0', 'app1'),
      { running: 'PB', project: 'voice-box' },
    ],
    [
      'of a product with labels of Arduino',
      HEADER + APP.replace('ota_0', 'app1') + DATA.replace('ota_1', 'app0'),
      { running: 'PB', project: 'voice-box', version: '2.3.1', shown: '766f696365732d322e33' },
    ],
    ['with labels that nobody knows', HEADER + APP.replace('ota_0', 'left'), { project: 'voice-box' }],
    ['of an app without description, from PA', HEADER + DATA, { running: 'PA', shown: '766f696365732d322e33' }],
    ['of an app without description, not from PA', HEADER + DATA.replace('ota_1', 'ota_0'), { running: 'PB' }],
    ['without both parts', HEADER, {}],
    ['with its spelling put right', HEADER + APP.replace('Partitoin', 'Partition') + DATA, { running: 'PA' }],
    ['with no data', `${HEADER}${APP}<br><br>Data Partition: ota_1<br>data: `, { shown: '' }],
    ['with an empty version', HEADER + APP.replace('2.3.1', '') + DATA, { version: '', running: 'PA' }],
    [
      'whose version looks like data',
      `${HEADER}${APP}<br><br>Data Partition: x${DATA}`,
      { version: '2.3.1<br><br>Data Partition: x', shown: '766f696365732d322e33' },
    ],
    ['of a router', '<html><h1>Welcome</h1></html>', 'unknown'],
    ['that is empty', '', 'unknown'],
  ])('%s', async (_name, body, expected) => {
    const { result } = await read([page(body)]);
    if (expected === 'unknown') expect(result).toBe(expected);
    else expect(result).toMatchObject(expected);
    if (body === HEADER) expect(result).toEqual({});
  });

  test.each<[string, number[], string]>([
    ['erased flash', Array<number>(10).fill(0xff), 'ff'.repeat(10)],
    ['an old app', [0x32, 0x54, 0xcd, 0xab], '3254cdab'],
    ['markup', [...ascii('<br>data: ')], '3c62723e646174613a20'],
    ['bytes that are no UTF-8', [0xc3, 0x28, 0xe2, 0x82, 0x0a, 0x0d, 0x0a, 0x0d, 0x80, 0x01], 'c328e2820a0d0a0d8001'],
  ])('shows %s byte for byte', async (_name, bytes, hex) => {
    const body = concatBytes(ascii(`${HEADER}${APP}<br><br>Data Partition: ota_1<br>data: `), Uint8Array.from(bytes));
    const { result } = await read([page(body)]);
    expect(result).toMatchObject({ shown: hex, running: 'PA', version: '2.3.1' });
  });

  test('is the same in pieces of one byte', async () => {
    const whole = page(HEADER + APP + DATA);
    const { result } = await read([...whole].map((byte) => Uint8Array.of(byte)));
    expect(result).toMatchObject({ running: 'PA', shown: '766f696365732d322e33' });
  });

  test('may end with the connection where it has no length', async () => {
    const { result } = await read([`HTTP/1.0 200 OK\r\n\r\n${HEADER}${APP}${DATA}`]);
    expect(result).toMatchObject({ running: 'PA', shown: '766f696365732d322e33' });
  });
});

test('a page of anything is one or none, and names stay as short as they can be', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      HEADER,
      APP,
      DATA,
      '<br>',
      '<br>project: ',
      '<br>Version: ',
      '<br>data: ',
      '<br><br>Data Partition: ota_0',
    ),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => String.fromCharCode(...bytes)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const { result } = await read([page(pieces.join(''))]);
      const { project = '', version = '', shown = '' } = typeof result === 'string' ? {} : result;
      expect(result).not.toBe('silent');
      expect(project.length).toBeLessThanOrEqual(32);
      expect(version.length).toBeLessThanOrEqual(32);
      expect(shown).toMatch(/^([0-9a-f]{2}){0,10}$/);
    }),
  );
});

/** More than was ever asked for, made while it is taken. */
function* megabytes(piece: Uint8Array): Generator<Uint8Array> {
  for (let count = 0; count < 1000; count++) yield piece;
}

describe('a board that answers', () => {
  const MIB = new Uint8Array(0x10_0000).fill(0x41);
  test.each<[string, Coming | 'refused' | 'lost' | 'send-fails', 'silent' | 'unknown']>([
    ['with a refused connection', 'refused', 'silent'],
    ['nowhere', 'lost', 'silent'],
    ['with a reset', 'send-fails', 'silent'],
    ['nothing', [SILENCE], 'silent'],
    ['by closing', [], 'silent'],
    ['half a page', [page(HEADER + APP + DATA).subarray(0, 120)], 'silent'],
    ['half a page and a reset', [page(HEADER + APP + DATA).subarray(0, 120), RESET], 'silent'],
    [
      'one byte a minute',
      Array.from(page(HEADER + APP + DATA), (byte) => [Uint8Array.of(byte), 60_000]).flat(),
      'silent',
    ],
    ['as another protocol', ['SSH-2.0-OpenSSH_9.2\r\n', SILENCE], 'unknown'],
    ['an error', ['HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'], 'unknown'],
    ['a redirect', ['HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n'], 'unknown'],
    ['in chunks', ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'], 'unknown'],
    ['megabytes of garbage', megabytes(MIB), 'unknown'],
    ['megabytes of headers', concat('HTTP/1.1 200 OK\r\n', megabytes(ascii('X: y\r\n'))), 'unknown'],
    [
      'megabytes that it announces',
      concat('HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n', megabytes(MIB)),
      'unknown',
    ],
    ['megabytes without a length', concat('HTTP/1.1 200 OK\r\n\r\n', megabytes(MIB)), 'unknown'],
  ])('%s is told apart and let go', async (_name, answer, expected) => {
    const { result, wire, ms } = await read(answer);
    expect(result).toBe(expected);
    expect(ms).toBeLessThanOrEqual(15_000);
    expect(wire.taken).toBeLessThanOrEqual(2 * MIB.length);
  });
});

function* concat(first: string, rest: Iterable<Uint8Array>): Generator<Uint8Array | string> {
  yield first;
  yield* rest;
}

test('a look that is called off ends at once', async () => {
  const clock = new ModelClock();
  const wire = new Wire(clock, () => [SILENCE]);
  const abort = new AbortController();
  const looking = readBoardPage(BOARD, { dial: wire.dial, clock, signal: abort.signal });
  clock.after(100, () => abort.abort());
  await expect(clock.run(looking)).rejects.toMatchObject({ name: 'AbortError' });
  expect(clock.now()).toBe(100);
  expect(wire.open).toBe(0);
});

describe('a download', () => {
  const URL_OF_FILE = 'http://192.168.1.5:4601/f/q3Zk_9aB-17cXy0w';
  const ANSWERS =
    'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\nupdating...' +
    'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\nwrong query';

  async function start(answer: Coming | 'refused' | 'lost' | 'send-fails', url = URL_OF_FILE, profile = SEED_FIRMWARE) {
    const clock = new ModelClock();
    const wire = new Wire(clock, () => answer);
    const result = await clock.run(startBoardDownload({ ...BOARD, url, profile }, { dial: wire.dial, clock }));
    expect(wire.dialled).toEqual([BOARD]);
    expect(wire.open).toBe(0);
    return { result, wire };
  }

  test('is asked for once, with the URL as it is, and the second answer is left alone', async () => {
    const { result, wire } = await start([ANSWERS, SILENCE]);
    expect(result).toBe('taken');
    expect(wire.sent).toEqual([
      `GET /ota?url=${URL_OF_FILE} HTTP/1.1\r\nHost: 192.168.1.57\r\nConnection: close\r\n\r\n`,
    ]);
  });

  test('is taken by the first answer, however it is cut', async () => {
    const cuts = Array.from(ANSWERS, (character) => [character, 5]).flat();
    expect((await start([...cuts, SILENCE])).result).toBe('taken');
  });

  test('is encoded for firmware that decodes', async () => {
    const { wire } = await start([ANSWERS], 'http://10.0.0.1/a b&c', { ...SEED_FIRMWARE, urlDecoding: 'percent' });
    expect(wire.sent[0]).toMatch(/^GET \/ota\?url=http%3A%2F%2F10\.0\.0\.1%2Fa%20b%26c HTTP\/1\.1\r\n/);
  });

  test.each<[string, Coming | 'refused' | 'lost' | 'send-fails', 'taken' | 'not-delivered' | 'unknown']>([
    ['refused connection', 'refused', 'not-delivered'],
    ['connection that does not come about', 'lost', 'not-delivered'],
    ['URI too long', ['HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\n\r\n'], 'not-delivered'],
    [
      'headers too long',
      ['HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 2\r\n\r\nno'],
      'not-delivered',
    ],
    ['nothing like it', ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'], 'not-delivered'],
    ['error of the firmware', ['HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'], 'unknown'],
    ['connection that breaks while it is asked', 'send-fails', 'unknown'],
    ['connection that is closed without an answer', [], 'unknown'],
    ['connection that breaks within the answer', [ANSWERS.slice(0, 30), RESET], 'unknown'],
    ['silence', [SILENCE], 'unknown'],
    ['garbage', ['\0\0\0\0'], 'unknown'],
  ])('with a %s is told apart', async (_name, answer, expected) => {
    expect((await start(answer)).result).toBe(expected);
  });

  test.each([
    'http://10.0.0.1/a b',
    'http://10.0.0.1/a&b',
    'http://10.0.0.1/#a',
    'http://10.0.0.1/\r\nX: y',
    'http://10.0.0.1/ä',
    '',
  ])('of %j is not even begun', async (url) => {
    const clock = new ModelClock();
    const wire = new Wire(clock, () => []);
    await expect(startBoardDownload({ ...BOARD, url }, { dial: wire.dial, clock })).rejects.toThrow(RangeError);
    expect(wire.dialled).toEqual([]);
  });

  test('keeps within the headers that the firmware takes, with the longest address there is', async () => {
    const clock = new ModelClock();
    const wire = new Wire(clock, () => [ANSWERS]);
    const host = 'fd00:1111:2222:3333:4444:5555:6666:7777';
    const profile = { ...SEED_FIRMWARE, headerLimit: 128 };
    const started = startBoardDownload({ host, port: 65_535, url: URL_OF_FILE, profile }, { dial: wire.dial, clock });
    expect(await clock.run(started)).toBe('taken');
    const headers = wire.sent[0]!.slice(wire.sent[0]!.indexOf('\r\n') + 2);
    expect(headers).toContain(`Host: [${host}]:65535\r\n`);
    expect(headers.length).toBeLessThanOrEqual(128);
  });
});

test.each<[string, { host: string; port: number } | undefined, string?]>([
  ['192.168.1.57', { host: '192.168.1.57', port: 80 }],
  ['192.168.1.57:8080', { host: '192.168.1.57', port: 8080 }],
  ['192.168.1.57:80', { host: '192.168.1.57', port: 80 }, '192.168.1.57'],
  ['[fd00::57]', { host: 'fd00::57', port: 80 }],
  ['[fd00::57]:8080', { host: 'fd00::57', port: 8080 }],
  ['fd00::57', undefined],
  ['192.168.1.57:0', undefined],
  ['192.168.1.57:65536', undefined],
  ['192.168.1', undefined],
  ['board.local', undefined],
  ['192.168.1.57/ota', undefined],
  ['', undefined],
])('the address %j is taken apart and put together', (text, expected, shortest = text) => {
  const address = parseNetAddress(text);
  expect(address).toEqual(expected);
  if (address) expect(netAddressText(address)).toBe(shortest);
});
