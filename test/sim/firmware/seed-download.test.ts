/** Downloads of the seed firmware: what it asks a server for, what it takes, and what lies in flash afterwards. */
import { describe, expect, test } from 'vitest';
import { padBytes } from '#formats/bytes.ts';
import { decodeOtadata, encodeOtadata } from '#formats/otadata.ts';
import { type FirmwareName } from '#sim/firmware/firmwares.ts';
import { SEED_BUILDS } from '#sim/firmware/seed-options.ts';
import { appFor, flashWith, tableOf } from '../support/boot-flash.ts';
import { dataImage } from '../support/house-board.ts';
import { NetworkBoard, type NetworkBoardShape, STATION } from '../support/network-board.ts';
import { standInImage } from '../support/stand-in-images.ts';

const SMALL_SLOTS = tableOf({ size: 0x1_0000 });
const app = (constants = 4000): Uint8Array => appFor('esp32', { version: '2.0.0', constants });
const data = (length: number): Uint8Array => padBytes(dataImage('NEW-DATA'), length, 0x5a);
const FAILED = 'E TWO_STEP_OTA: ESP_HTTPS_OTA upgrade failed';

interface Outcome {
  bench: NetworkBoard;
  /** Lines since the update was asked for. */
  lines: string[];
  restarts: number;
}

/** An update with that file. */
async function update(file: Uint8Array, shape: NetworkBoardShape = {}, ms?: number): Promise<Outcome> {
  const bench = await new NetworkBoard({ files: { '/f': file }, ...shape }).online();
  const before = bench.lines.length;
  await bench.update('/f', ms);
  const lines = bench.lines.slice(before);
  return { bench, lines, restarts: lines.filter((line) => line.startsWith('rst:')).length };
}

describe('what it asks for', () => {
  test('HEAD, then ranges of 64 KB, the last one open, each by a connection of its own from its own address', async () => {
    const { bench, lines, restarts } = await update(app(150_000));
    const size = app(150_000).length;
    const head = (method: string, ...more: string[]): string[] => [
      `${method} /f HTTP/1.1`,
      'User-Agent: ESP32 HTTP Client/1.0',
      `Host: ${STATION}:8000`,
      'Content-Length: 0',
      ...more,
    ];
    expect(bench.server.requests).toEqual(
      [
        head('HEAD'),
        ...['0-65535', '65536-131071', '131072-'].map((range) => head('GET', `Range: bytes=${range}`)),
      ].map((lines, connection) => ({ from: bench.wifi.address, connection, head: lines })),
    );
    expect(lines).toContain('I esp_https_ota: Starting OTA...');
    expect(lines).toContain('I esp_https_ota: Writing to partition subtype 17 at offset 0x110000');
    expect(lines).toContain(`I TWO_STEP_OTA: Image bytes read: 1024 / ${size}, (0%)`);
    expect(lines).toContain(`I TWO_STEP_OTA: Image bytes read: ${size} / ${size}, (100%)`);
    expect(restarts).toBe(1);
  });

  test('a file of up to 64 KB without a range', async () => {
    const { bench } = await update(data(65_536));
    expect(bench.server.ranges).toEqual(['']);
    expect((await update(data(65_537))).bench.server.ranges).toEqual(['bytes=0-65535', 'bytes=65536-']);
  });

  test('a server that ignores ranges does as well', async () => {
    const { bench, restarts } = await update(app(100_000), { server: { ignoresRanges: true } });
    expect(restarts).toBe(1);
    expect(bench.server.lines).toHaveLength(2);
  });

  test('a server that keeps its connections open does as well', async () => {
    const { bench, restarts } = await update(app(100_000), { server: { keepsOpen: true } });
    expect(restarts).toBe(1);
    expect(bench.server.connections).toBe(3);
  });

  test.each([
    { redirects: 10, restarts: 1 },
    { redirects: 11, restarts: 0 },
  ])('$redirects redirects', async ({ redirects, restarts }) => {
    const answer = (_method: string, _path: string, count: number): string | undefined =>
      count <= redirects ? `HTTP/1.1 302 Found\r\nLocation: /f\r\nContent-Length: 0\r\n\r\n` : undefined;
    expect((await update(app(), { server: { answer } })).restarts).toBe(restarts);
  });

  test.each(['/a|b"c{d}', '/a?b=c%20d&&', '?q', ''])(
    'what stands behind the host goes out as it is: %s',
    async (path) => {
      const bench = await new NetworkBoard({ firmware: 'house' }).online();
      await bench.ask(`GET /ota?url=${encodeURIComponent(`http://${STATION}:8000${path}#x`)} HTTP/1.1\r\n\r\n`);
      await bench.advance(1000);
      expect(bench.server.lines[0]).toBe(`GET ${path.startsWith('/') ? path : `/${path}`} HTTP/1.1`);
    },
  );

  test('a redirect to nowhere', async () => {
    const answer = (): string => 'HTTP/1.1 302 Found\r\nLocation: gopher\r\n\r\n';
    expect((await update(app(), { server: { answer } })).lines).toContain('E HTTP_CLIENT: Error parse url gopher');
  });

  test('it stays where it was redirected to', async () => {
    const answer = (_method: string, path: string): string | undefined =>
      path === '/f' ? `HTTP/1.1 302 Found\r\nLocation: http://${STATION}:8000/g\r\n\r\n` : undefined;
    const { bench } = await update(app(), { files: { '/g': app() }, server: { answer } });
    expect(bench.server.lines).toEqual(['HEAD /f HTTP/1.1', 'HEAD /g HTTP/1.1', 'GET /g HTTP/1.1']);
  });
});

describe('answers that end it before anything is written', () => {
  const status = (method: string, line: string) => (asked: string) =>
    asked === method ? `HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n` : undefined;

  test.each([
    { answer: status('HEAD', '404 Not Found'), line: 'Received incorrect http status 404' },
    { answer: status('HEAD', '206 Partial Content'), line: 'Received incorrect http status 206' },
    { answer: status('HEAD', '403 Forbidden'), line: 'Received incorrect http status 403' },
    { answer: status('GET', '404 Not Found'), line: 'File not found(404)' },
    { answer: status('GET', '416 Range Not Satisfiable'), line: 'Client error (416)' },
    { answer: status('GET', '503 Service Unavailable'), line: 'Server error (503)' },
    { answer: () => 'garbage\r\n\r\n', line: 'ESP HTTP client perform failed: -1' },
  ])('$line', async ({ answer, line }) => {
    const { bench, lines, restarts } = await update(app(), { server: { answer } });
    expect(lines).toContain(`E esp_https_ota: ${line}`);
    expect(lines.at(-1)).toBe('E TWO_STEP_OTA: ESP HTTPS OTA Begin failed');
    expect(bench.board.flash.isBlank(0x11_0000, 0x1000)).toBe(true);
    expect(restarts).toBe(0);
  });

  test('built as it is shipped, it downloads nothing', async () => {
    const { bench, lines } = await update(app(), { firmware: 'seed-as-shipped' });
    expect(lines.at(-2)).toBe(
      'E esp_https_ota: No option for server verification is enabled in esp_http_client config.',
    );
    expect(bench.server.requests).toEqual([]);
  });

  test('an https URL', async () => {
    const bench = await new NetworkBoard().online();
    await bench.ask(`GET /ota?url=https://${STATION}/f HTTP/1.1\r\n\r\n`);
    expect(bench.lines.at(-1)).toBe('E TWO_STEP_OTA: ESP HTTPS OTA Begin failed');
  });

  test('a server that never answers, after 50 seconds', async () => {
    const bench = await new NetworkBoard({ server: { answer: () => '', keepsOpen: true } }).online();
    await bench.update('/f', 49_000);
    expect(bench.output).not.toContain('Begin failed');
    await bench.advance(2000);
    expect(bench.output).toContain('Begin failed');
  });
});

describe('header checks', () => {
  const foreign = (firmware: FirmwareName) => update(dataFor('esp32c3'), { firmware });
  const dataFor = (chip: string): Uint8Array => padBytes(dataImage('NEW-DATA', chip), 20_000, 0x5a);

  test.each(['seed-4.4', 'seed-5.1', 'seed-5.5'] as const)(
    '%s refuses a wrong chip id before it writes',
    async (firmware) => {
      const { bench, lines } = await foreign(firmware);
      expect(lines).toContain('E esp_https_ota: Mismatch chip id, expected 0, found 5');
      expect(lines.slice(-2)).toEqual(['E TWO_STEP_OTA: Complete data was not received.', FAILED]);
      expect(bench.board.flash.isBlank(0x11_0000, 0x1000)).toBe(true);
    },
  );

  test('seed-4.4.0 writes it, and fails at the end', async () => {
    const { bench, lines } = await foreign('seed-4.4.0');
    expect(lines.at(-1)).toBe(`${FAILED} 0x1503`);
    expect(bench.slot('ota_1', 20_000)).toEqual(dataFor('esp32c3'));
  });

  test.each([
    { firmware: 'seed-5.1', line: 'E esp_https_ota: Mismatch chip id, expected 0, found 23130' },
    { firmware: 'seed-4.4.0', line: 'E esp_ota_ops: OTA image has invalid magic byte (expected 0xE9, saw 0x5a)' },
  ] as const)(
    '$firmware refuses data without a header; the first sector may be erased by then',
    async ({ firmware, line }) => {
      const raw = new Uint8Array(20_000).fill(0x5a);
      const content = { ota_1: new Uint8Array(0x3000).fill(0x11) };
      const { bench, lines } = await update(raw, { firmware, content });
      expect(lines).toContain(line);
      const erased = firmware === 'seed-4.4.0' ? 0xff : 0x11;
      expect(bench.slot('ota_1', 0x2000)).toEqual(padBytes(new Uint8Array(0x1000).fill(erased), 0x2000, 0x11));
    },
  );

  test('ESP-IDF 5.5 compares the revision of the chip', async () => {
    const old = padBytes(dataImage('NEW-DATA'), 5000, 0);
    new DataView(old.buffer).setUint16(15, 999, true);
    const { lines } = await update(old, { firmware: 'seed-5.5' });
    expect(lines.some((line) => line.startsWith('E esp_https_ota: Image requires chip rev >= 999'))).toBe(true);
    expect((await update(old, { firmware: 'seed-5.1' })).lines).toContain(`${FAILED} 0x1503`);
  });

  test.each([
    { firmware: 'seed-4.4', enough: 289 },
    { firmware: 'seed-5.1', enough: 1024 },
  ] as const)('$firmware needs $enough bytes', async ({ firmware, enough }) => {
    const file = data(2048);
    expect((await update(file.slice(0, enough), { firmware })).lines.at(-1)).toBe(`${FAILED} 0x1503`);
    const { lines } = await update(file.slice(0, enough - 1), { firmware });
    expect(lines).toContain('E esp_https_ota: Complete headers were not received');
  });

  test('an empty file', async () => {
    const { lines } = await update(new Uint8Array());
    expect(lines).toContain('E esp_https_ota: Complete headers were not received');
  });

  test('erased in bulk, the slot is blank even where the header is refused then', async () => {
    const content = { ota_1: new Uint8Array(0x6000).fill(0x11) };
    const erasedWith = async (bulkErase: 'whole' | 'image') => {
      const changes = { ota: { ...SEED_BUILDS.seed.ota, bulkErase } };
      const { bench } = await update(dataFor('esp32c3'), { content, changes });
      return [...bench.slot('ota_1', 0x6000)].findIndex((byte) => byte !== 0xff);
    };
    expect(await erasedWith('whole')).toBe(-1);
    // 20 000 bytes, rounded up to sectors.
    expect(await erasedWith('image')).toBe(0x5000);
  });
});

describe('data', () => {
  test('fail at the end by design: they are there, nothing restarts, and the boot slot stays', async () => {
    const file = data(70_000);
    const { bench, lines, restarts } = await update(file);
    const otadata = bench.board.flash.bytes.slice(0xd000, 0xf000);
    expect(lines.slice(-3)).toEqual([
      'E esp_image: Checksum failed. Calculated 0xef read 0x0',
      'E TWO_STEP_OTA: Image validation failed, image is corrupted',
      `${FAILED} 0x1503`,
    ]);
    expect(restarts).toBe(0);
    expect(bench.slot('ota_1', file.length)).toEqual(file);
    expect(await bench.page()).toContain('data: NEW-DATA');
    bench.board.powerCycle();
    await bench.online();
    expect(await bench.page()).toContain('App Partitoin: ota_0');
    expect(decodeOtadata(otadata).entries).toEqual(
      decodeOtadata(bench.board.flash.bytes.slice(0xd000, 0xf000)).entries,
    );
  });

  test('whose byte 31 is EF become the boot slot, and the board starts again and again', async () => {
    const file = data(5000);
    file[31] = 0xef;
    const { bench, restarts } = await update(file);
    expect(restarts).toBeGreaterThan(2);
    await expect(bench.page()).rejects.toMatchObject({ code: 'unreachable' });
  });

  test.each(['seed-4.4', 'seed-5.1', 'seed-5.5'] as const)('%s: a slot that is filled completely', async (firmware) => {
    const partitions = SMALL_SLOTS;
    const { bench, lines } = await update(data(0x1_0000), { firmware, partitions });
    if (firmware === 'seed-5.5') {
      expect(lines.at(-1)).toBe(`${FAILED} 0x1503`);
      expect(bench.slot('ota_1', 0x1_0000, partitions)).toEqual(data(0x1_0000));
    } else {
      expect(lines).toContain('E esp_https_ota: Error: esp_ota_write failed! err=0x104');
      expect(lines.at(-1)).toBe(FAILED);
    }
    const short = await update(data(0xffff), { firmware, partitions });
    expect(short.lines.at(-1)).toBe(`${FAILED} 0x1503`);
  });

  test.each([
    { firmware: 'seed-5.1', next: 0xff },
    { firmware: 'seed-5.5', next: 0x11 },
  ] as const)('$firmware: the sector behind data that end at its border', async ({ firmware, next }) => {
    const content = { ota_1: new Uint8Array(0x4000).fill(0x11) };
    const { bench } = await update(data(0x2000), { firmware, content });
    expect(bench.slot('ota_1', 0x4000).slice(0x2000)).toEqual(
      padBytes(new Uint8Array(0x1000).fill(next), 0x2000, 0x11),
    );
  });

  test('that are larger than the slot fill it, and fail', async () => {
    const { bench, lines } = await update(data(0x1_0800), { firmware: 'seed-5.5', partitions: SMALL_SLOTS });
    expect(lines).toContain('E esp_https_ota: Error: esp_ota_write failed! err=0x104');
    expect(bench.slot('ota_1', 0x1_0000, SMALL_SLOTS)).toEqual(data(0x1_0000));
  });
});

describe('connections that fail in the middle', () => {
  test.each([
    { firmware: 'seed-5.1', line: 'E esp_https_ota: Connection closed, errno = 128' },
    { firmware: 'seed-5.5', line: 'E esp_https_ota: Connection closed before complete data was received!' },
  ] as const)('$firmware gives up, and what was written stays', async ({ firmware, line }) => {
    const { bench, lines } = await update(data(50_000), { firmware, faults: [{ kind: 'cut', at: 20_000 }] });
    expect(lines.slice(-3)).toEqual([line, 'E TWO_STEP_OTA: Complete data was not received.', FAILED]);
    expect(bench.slot('ota_1', 0x4000)).toEqual(data(0x4000));
    expect(await bench.page()).toContain('data: NEW-DATA');
  });

  test('a range that cannot be had', async () => {
    const answer = (method: string, _path: string, count: number): string | undefined =>
      method === 'GET' && count === 3 ? 'HTTP/1.1 404 Not Found\r\n\r\n' : undefined;
    const { bench, lines } = await update(data(100_000), { server: { answer } });
    expect(lines.slice(-2)).toEqual(['E TWO_STEP_OTA: Complete data was not received.', FAILED]);
    expect(bench.slot('ota_1', 65_536)).toEqual(data(65_536));
  });

  test('a server that falls silent is waited for without end', async () => {
    const { bench, lines } = await update(data(50_000), { faults: [{ kind: 'drop', at: 20_000 }] }, 600_000);
    expect(lines.at(-1)).toMatch(/^I TWO_STEP_OTA: Image bytes read: /);
    expect(new Set(lines.slice(-10)).size).toBe(1);
    expect(await bench.page()).toContain('Partitoin');
  });

  test('a file of unknown length is never complete', async () => {
    const answer = (): string =>
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n${String.fromCharCode(0xe9)}${'\0'.repeat(1999)}\r\n0\r\n\r\n`;
    const { lines, restarts } = await update(app(), { server: { answer } });
    expect(lines).toContain('I TWO_STEP_OTA: Image bytes read: 2000 / -1, (-200000%)');
    expect(lines.slice(-2)).toEqual(['E TWO_STEP_OTA: Complete data was not received.', FAILED]);
    expect(restarts).toBe(0);
  });
});

describe('apps', () => {
  test('a broken one is not started', async () => {
    const file = app();
    file[700]! ^= 1;
    const { bench, lines, restarts } = await update(file);
    expect(lines.at(-1)).toBe(`${FAILED} 0x1503`);
    expect(restarts).toBe(0);
    expect(bench.slot('ota_1', file.length)).toEqual(file);
  });

  test('a failure to select it is hidden by 5.1, which restarts into the old one, and told by 5.5', async () => {
    const partitions = tableOf({ otadata: false });
    const hidden = await update(app(), { partitions });
    expect(hidden.lines).toContain('E esp_https_ota: esp_ota_set_boot_partition failed! err=0x105');
    expect(hidden.restarts).toBe(1);
    expect(await hidden.bench.page()).toContain('App Partitoin: ota_0');
    const told = await update(app(), { partitions, firmware: 'seed-5.5' });
    expect(told.lines.at(-1)).toBe(`${FAILED} 0x105`);
    expect(told.restarts).toBe(0);
  });

  test('it cannot be selected where the counter of otadata is at its end', async () => {
    const otadata = encodeOtadata({ sequence: 0xffff_fffe });
    const { lines } = await update(app(), { firmware: 'seed-5.5', content: { otadata, ota_1: appFor('esp32') } });
    expect(lines).toContain('E esp_https_ota: esp_ota_set_boot_partition failed! err=0x105');
  });

  test('a factory app is followed by ota_0, and the last slot by the first', async () => {
    const partitions = tableOf({ factory: true });
    const { bench } = await update(app(), {
      partitions,
      flash: flashWith({ partitions, content: { factory: appFor('esp32') } }),
    });
    expect(await bench.page()).toContain('App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 2.0.0');
    await bench.update('/f');
    expect(await bench.page()).toContain('App Partitoin: ota_1');
    await bench.update('/f');
    expect(await bench.page()).toContain('App Partitoin: ota_0');
  });
});

describe('rollback', () => {
  const state = (bench: NetworkBoard): number[] =>
    decodeOtadata(bench.board.flash.bytes.slice(0xd000, 0xf000)).entries.flatMap((entry) =>
      entry ? [entry.state] : [],
    );

  test('an app confirms itself after a while; until then no update is taken', async () => {
    const { bench } = await update(app(), { firmware: 'seed-5.5-rollback' }, 5500);
    expect(state(bench)).toContain(1);
    const before = bench.lines.length;
    await bench.update('/f', 1000);
    expect(bench.lines.slice(before)).toContain(
      'E esp_https_ota: esp_ota_begin failed (ESP_ERR_OTA_ROLLBACK_INVALID_STATE)',
    );
    await bench.advance(4000);
    expect(bench.lines).toContain('I TWO_STEP_OTA: App is valid, rollback cancelled successfully');
    expect(state(bench)).toContain(2);
    bench.board.powerCycle();
    await bench.online();
    expect(await bench.page()).toContain('App Partitoin: ota_1');
  });

  test('one that never does is gone after the next restart', async () => {
    const { bench } = await update(app(), { firmware: 'seed-5.5-never-confirms' });
    expect(await bench.page()).toContain('App Partitoin: ota_1');
    bench.board.powerCycle();
    await bench.online();
    expect(await bench.page()).toContain('App Partitoin: ota_0<br>project: two_slot_demo<br>Version: 1.2.3');
  });
});

test('raw data are taken as they are by a firmware that looks at them first', async () => {
  const raw = new Uint8Array(0x1_0000).fill(0x42);
  const { bench, lines, restarts } = await update(raw, { firmware: 'seed-5.5-raw-data', partitions: SMALL_SLOTS });
  expect(lines.at(-1)).toBe('I TWO_STEP_OTA: Data written');
  expect(restarts).toBe(0);
  expect(bench.slot('ota_1', raw.length, SMALL_SLOTS)).toEqual(raw);
  expect((await update(raw.slice(0, 1023), { firmware: 'seed-5.5-raw-data' })).lines).toContain(
    'E esp_https_ota: Complete headers were not received',
  );
});

test('an app without segments is data to it', async () => {
  const empty = standInImage({ entry: 0, segments: [] });
  expect(empty[1]).toBe(0);
  const { restarts } = await update(padBytes(empty, 2000, 0), { firmware: 'seed-5.5-raw-data' });
  expect(restarts).toBe(0);
});
