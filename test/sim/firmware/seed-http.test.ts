/** What the seed firmware answers, byte for byte. */
import { describe, expect, test } from 'vitest';
import { fromLatin1 } from '#sim/firmware/http-server.ts';
import { type LanSocket } from '#sim/network/lan.ts';
import { wifiEntries } from '#formats/nvs/wifi-credentials.ts';
import { appFor, bootLoaderFor, flashWith, MB, tableOf } from '../support/boot-flash.ts';
import { credentials, dataImage, nvsWith } from '../support/house-board.ts';
import { get } from '../support/lan-hosts.ts';
import { BOARD, NetworkBoard, STATION } from '../support/network-board.ts';
import { standInImage } from '../support/stand-in-images.ts';

const TITLE = '**************** app 0 *****************<br><br><br>';
const APP = 'App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 1.2.3';
const answer = (body: string, status = '200 OK'): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const UPDATING = answer('updating...') + answer('wrong query');
const board = (shape?: ConstructorParameters<typeof NetworkBoard>[0]) => new NetworkBoard(shape).online();

describe('GET /', () => {
  test('the whole answer, and the connection stays', async () => {
    const bench = await board({ content: { ota_1: dataImage('HELLO-WORLD') } });
    expect(await bench.ask(get('/'))).toEqual({
      text: answer(`${TITLE}${APP}<br><br>Data Partition: ota_1<br>data: HELLO-WORL`),
      closed: false,
    });
  });

  test.each([
    { what: 'erased flash is ten bytes FF', data: undefined, shown: '\xff'.repeat(10) },
    { what: 'data are cut at a NUL', data: dataImage('AB\0CD'), shown: 'AB' },
    { what: 'nothing is escaped', data: dataImage('<b>&\xe4'), shown: '<b>&\xc3\xa4' },
    { what: 'an app is shown as its description begins', data: appFor('esp32'), shown: '2T\xcd\xab' },
  ])('$what', async ({ data, shown }) => {
    const bench = await board({ content: data ? { ota_1: data } : {} });
    expect((await bench.page()).split('<br>data: ')[1]).toBe(shown);
  });

  test('an app without a description says nothing of itself', async () => {
    const plain = standInImage({ entry: 0x4008_0004, segments: [[0x4008_0000, 600]] });
    const bench = await board({ content: { ota_0: plain, ota_1: dataImage('DATA') } });
    expect(await bench.page()).toBe(`${TITLE}<br><br>Data Partition: ota_1<br>data: DATA`);
  });

  test('from the factory slot the other one is ota_0', async () => {
    const partitions = tableOf({ factory: true });
    const content = { factory: appFor('esp32'), ota_0: dataImage('IN-OTA-0') };
    const bench = await board({ partitions, content });
    expect(await bench.page()).toMatch(/^.*App Partitoin: factory<br>.*Data Partition: ota_0<br>data: IN-OTA-0$/);
  });

  test('labels are fixed: with others there is no data', async () => {
    const partitions = tableOf().map((row) => ({ ...row, name: row.name.replace('ota_', 'app') }));
    const bench = await board({ flash: flashWith({ partitions, content: { app0: appFor('esp32') } }) });
    expect(await bench.page()).toBe(`${TITLE}${APP.replace('ota_0', 'app0')}`);
  });

  test('a data slot that cannot be mapped ends in a restart, and the connection drops', async () => {
    const partitions = tableOf({ size: 4 * MB });
    const flashSize = 16 * MB;
    const bootLoader = bootLoaderFor('esp32', { flashSizeCode: 4 });
    const flash = flashWith({ partitions, flashSize, bootLoader, content: { ota_0: appFor('esp32') } });
    const bench = await board({ flash });
    expect(await bench.ask(get('/'))).toEqual({ text: '', closed: true });
    expect(bench.output).toContain('(ESP_ERR_NO_MEM)');
    await bench.online();
    expect(bench.output.match(/- IPv4 address/g)).toHaveLength(2);
  });

  test.each(['/?x', '/?', 'http://board/'])('%s is the page too', async (path) => {
    expect((await (await board()).ask(get(path))).text).toContain('Partitoin');
  });
});

describe('what the server refuses, and then closes', () => {
  test.each([
    { send: get('/favicon.ico'), status: '404 Not Found', body: 'Nothing matches the given URI' },
    { send: get('/ota/'), status: '404 Not Found', body: 'Nothing matches the given URI' },
    { send: get('//'), status: '404 Not Found', body: 'Nothing matches the given URI' },
    {
      send: get('/').replace('GET', 'HEAD'),
      status: '405 Method Not Allowed',
      body: 'Specified method is invalid for this resource',
    },
    {
      send: get('/ota?url=x').replace('GET', 'POST'),
      status: '405 Method Not Allowed',
      body: 'Specified method is invalid for this resource',
    },
    { send: get(`/?${'x'.repeat(512)}`), status: '414 URI Too Long', body: 'URI is too long' },
    {
      send: get('/', `User-Agent: ${'x'.repeat(500)}`),
      status: '431 Request Header Fields Too Large',
      body: 'Header fields are too long',
    },
    { send: 'nonsense\r\n\r\n', status: '400 Bad Request', body: 'Bad request syntax' },
    {
      send: get('/').replace('1.1', '2.0'),
      status: '505 Version Not Supported',
      body: 'HTTP version not supported by server',
    },
  ])('$status', async ({ send, status, body }) => {
    const bench = await board();
    expect(await bench.ask(send)).toEqual({ text: answer(body, status), closed: true });
    expect(bench.lines).toContain(`W httpd_txrx: httpd_resp_send_err: ${status} - ${body}`);
  });

  test('a request that stops half-way, after five seconds', async () => {
    const bench = await board();
    const half = get('/').slice(0, -2);
    expect(await bench.ask(half, { ms: 4900 })).toEqual({ text: '', closed: false });
    const { text, closed } = await bench.ask(half, { ms: 5500 });
    expect({ text, closed }).toEqual({
      text: answer('Server closed this connection', '408 Request Timeout'),
      closed: true,
    });
  });

  test('ESP-IDF 5.5 takes headers of 1024 bytes', async () => {
    const bench = await board({ firmware: 'seed-5.5' });
    expect((await bench.ask(get('/', `User-Agent: ${'x'.repeat(900)}`))).text).toContain('200 OK');
  });
});

test('of a URI without a path it makes nothing, not even an answer', async () => {
  expect(await (await board()).ask(get('http://board'))).toEqual({ text: '', closed: true });
});

describe('connections', () => {
  test('whoever asks to close is not closed, and may ask again', async () => {
    const bench = await board();
    const { text, closed } = await bench.ask(get('/', 'Connection: close') + get('/nothing'));
    expect(closed).toBe(true);
    expect(text.split('HTTP/1.1 ').map((part) => part.slice(0, 3))).toEqual(['', '200', '404']);
    expect((await bench.ask(get('/', 'Connection: close'), { ms: 60_000 })).closed).toBe(false);
  });

  test('a body is thrown away', async () => {
    const bench = await board();
    const { text } = await bench.ask(`${get('/', 'Content-Length: 600')}${'x'.repeat(600)}${get('/')}`);
    expect(text.match(/200 OK/g)).toHaveLength(2);
  });

  test('the eighth waits until one of seven is closed', async () => {
    const bench = await board();
    const sockets: LanSocket[] = [];
    for (let count = 0; count < 8; count++) sockets.push(await bench.clock.run(bench.station.connect(BOARD, 80)));
    let answered = false;
    sockets[7]!.onData = () => (answered = true);
    sockets[7]!.send(fromLatin1(get('/')));
    await bench.advance(60_000);
    expect(answered).toBe(false);
    sockets[3]!.end();
    await bench.advance(100);
    expect(answered).toBe(true);
  });
});

describe('GET /ota', () => {
  test('two whole answers on one connection, which stays', async () => {
    const bench = await board();
    expect(await bench.ask(get(`/ota?url=http://${STATION}:8000/none`))).toEqual({ text: UPDATING, closed: false });
  });

  test.each([
    { what: 'nothing is decoded', query: 'url=http%3A%2F%2Fx%2F', url: 'http%3A%2F%2Fx%2F' },
    { what: 'it ends at an ampersand', query: `url=http://${STATION}:8000/a&b=c`, url: `http://${STATION}:8000/a` },
    { what: 'it may hold = and ?', query: `url=http://${STATION}:8000/a?b=c`, url: `http://${STATION}:8000/a?b=c` },
    { what: 'the key may be written large', query: `URL=http://${STATION}:8000/a`, url: `http://${STATION}:8000/a` },
  ])('the URL: $what', async ({ query, url }) => {
    const bench = await board();
    expect((await bench.ask(get(`/ota?${query}`))).text).toBe(UPDATING);
    expect(bench.lines).toContain(`I TWO_STEP_OTA: OTA url = ${url}`);
    await bench.advance(1000);
    const path = url.split(':8000')[1];
    expect(bench.server.lines).toEqual(path ? [`HEAD ${path} HTTP/1.1`] : []);
  });

  test('255 bytes fit; of more 255 are used, and the log calls it wrong', async () => {
    const bench = await board();
    const url = `http://${STATION}:8000/`.padEnd(255, 'x');
    await bench.ask(get(`/ota?url=${url}`));
    expect(bench.lines).toContain(`I TWO_STEP_OTA: OTA url = ${url}`);
    await bench.advance(1000);
    await bench.ask(get(`/ota?url=${url}y`));
    await bench.advance(1000);
    expect(bench.lines).toContain('I TWO_STEP_OTA: wrong query');
    const line = `HEAD ${url.slice(url.indexOf('/x'))} HTTP/1.1`;
    expect(bench.server.lines).toEqual([line, line]);
  });

  test('without a URL an update starts all the same: with none after the start, then with the last one', async () => {
    const bench = await board();
    expect((await bench.ask(get('/ota'))).text).toBe(UPDATING);
    await bench.advance(100);
    expect(bench.lines.slice(-2)).toEqual([
      'E esp_https_ota: Failed to initialise HTTP connection',
      'E TWO_STEP_OTA: ESP HTTPS OTA Begin failed',
    ]);
    await bench.ask(get(`/ota?url=http://${STATION}:8000/a`));
    await bench.advance(1000);
    for (const path of ['/ota', '/ota?x=y', '/ota?x&url=z']) {
      expect((await bench.ask(get(path))).text).toBe(UPDATING);
      await bench.advance(1000);
    }
    expect(bench.server.lines).toEqual(Array(4).fill('HEAD /a HTTP/1.1'));
    bench.board.reset('software');
    await bench.online();
    await bench.ask(get('/ota'));
    await bench.advance(1000);
    expect(bench.server.lines).toHaveLength(4);
  });

  test('two calls run two updates at once, into the same slot', async () => {
    const app = appFor('esp32', { version: '2.0.0', constants: 30_000 });
    const bench = await board({ files: { '/app': app } });
    const request = get(`/ota?url=http://${STATION}:8000/app`);
    expect((await bench.ask(request + request)).text).toBe(UPDATING + UPDATING);
    await bench.advance(20_000);
    expect(bench.server.lines.filter((line) => line.startsWith('GET'))).toHaveLength(2);
  });
});

describe('on its way to the network', () => {
  test('credentials in NVS are not looked at: it joins whatever it was built for', async () => {
    const own = { kind: 'namespace', namespace: 'wifi', ssidKey: 'ssid', passwordKey: 'password' } as const;
    const nvs = nvsWith(wifiEntries(own, { ssid: 'Elsewhere', password: 'something' }));
    const bench = await board({ content: { nvs }, accessPoint: { ssid: 'Here', password: 'not in NVS' } });
    expect(await bench.page()).toContain('Partitoin');
  });

  test('an NVS partition without a free page is erased', async () => {
    const page = credentials().slice(0, 0x1000);
    const nvs = new Uint8Array(0x4000);
    for (let at = 0; at < nvs.length; at += 0x1000) nvs.set(page, at);
    const bench = await board({ content: { nvs } });
    expect(bench.board.flash.isBlank(0x9000, 0x4000)).toBe(true);
    const kept = await board({ content: { nvs: credentials() } });
    expect(kept.board.flash.bytes.slice(0x9000, 0xd000)).toEqual(credentials());
  });

  test('it waits for an access point, and restarts when it was built to give up', async () => {
    const bench = new NetworkBoard();
    bench.wifi.goAway(60_000);
    await bench.advance(60_000);
    expect(bench.output).not.toContain('IPv4');
    await bench.online();
    expect(bench.output).toContain(`- IPv4 address: ${BOARD},`);

    const impatient = new NetworkBoard({ changes: { joinTries: 7 } });
    impatient.wifi.goAway(60_000);
    await impatient.advance(60_000);
    expect(impatient.output).toContain('ESP_ERROR_CHECK failed: esp_err_t 0xffffffff (ESP_FAIL)');
    expect(impatient.output.match(/^rst:/gm)!.length).toBeGreaterThan(2);
  });

  test('built so, it asks for name and password on its console, at each start', async () => {
    const bench = await board({
      changes: { credentials: 'stdin' },
      accessPoint: { ssid: 'Here', password: 'pass-word' },
    });
    expect(bench.lines.at(-1)).toBe('Please input ssid password:');
    bench.board.hostWrites(new TextEncoder().encode('Here pass'));
    bench.board.hostWrites(new TextEncoder().encode('-word\n'));
    await bench.online();
    expect(bench.output).toContain(`- IPv4 address: ${BOARD},`);
    bench.board.reset('software');
    await bench.online();
    expect(bench.lines.at(-1)).toBe('Please input ssid password:');
  });

  test('after a restart it may have another address', async () => {
    const bench = await board();
    bench.wifi.address = '192.168.1.99';
    bench.board.reset('software');
    await bench.online();
    expect(await bench.page()).toContain('Partitoin');
    await expect(bench.ask(get('/'), { host: BOARD })).rejects.toMatchObject({ code: 'unreachable' });
  });
});
