import { describe, expect, test } from 'vitest';
import { concatBytes, equalBytes } from '#formats/bytes.ts';
import { chipByName } from '#formats/chips.ts';
import { packDataImage } from '#formats/data/data-image.ts';
import { encodeOtadata } from '#formats/otadata.ts';
import { VirtualEsp32 } from '#sim/virtual-esp32.ts';
import { ModelClock } from '#model-clock.ts';
import { appFor, bootLoaderFor, flashWith, MB, tableOf } from './support/boot-flash.ts';
import { bootHouse, credentials, dataImage, NETWORK, SSID } from './support/house-board.ts';

describe('a board with everything in place', () => {
  test.each(['esp32', 'esp32s3', 'esp32c3'])('%s is on the network and shows its data', async (chip) => {
    const content = { nvs: credentials(), ota_1: dataImage('HELLO-WORLD and more', chip) };
    const { bench, state, lines } = await bootHouse({ chip, content });
    expect(state).toMatchObject({
      phase: 'online',
      runningSlot: 'ota_0',
      project: 'two_slot_demo',
      version: '1.2.3',
      ssid: SSID,
      credentialsFrom: 'wifi',
      address: '192.168.1.57',
      data: { slot: 'ota_1', content: 'data' },
    });
    expect(new TextDecoder().decode(state.data!.bytes)).toBe('HELLO-WORL');
    expect(lines).toContain('I wifi station: got ip:192.168.1.57');
    expect(lines).toContain('I esp_netif_handlers: sta ip: 192.168.1.57, mask: 255.255.255.0, gw: 192.168.1.1');
    expect(lines).toContain('I house: data slot ota_1 at 0x110000: "HELLO-WORL" (48454c4c4f2d574f524c)');
    expect(bench.resets).toEqual([]);
  });

  test('the log begins as ESP-IDF 5.2 and later begin it', async () => {
    const { lines } = await bootHouse();
    const from = lines.indexOf('I cpu_start: Multicore app');
    expect(lines.slice(from, from + 9)).toEqual([
      'I cpu_start: Multicore app',
      'I cpu_start: Pro cpu start user code',
      'I cpu_start: cpu freq: 160000000 Hz',
      'I app_init: Application information:',
      'I app_init: Project name:     two_slot_demo',
      'I app_init: App version:      1.2.3',
      'I app_init: Compile time:     Jan  2 2026 12:34:56',
      'I app_init: ELF file SHA256:  5a5a5a5a5...',
      'I app_init: ESP-IDF:          v5.4.2',
    ]);
  });

  test('an app of ESP-IDF 5.1 describes itself in cpu_start', async () => {
    const { lines } = await bootHouse({ content: { ota_0: appFor('esp32', { idf: 'v5.1.2', project: 'older' }) } });
    expect(lines).toContain('I cpu_start: Project name:     older');
  });

  test('the address is the one that the network hands out', async () => {
    const { state } = await bootHouse({
      content: { nvs: credentials() },
      network: { ...NETWORK, address: '10.0.0.7' },
    });
    expect(state.address).toBe('10.0.0.7');
  });

  test('nothing in flash changes but otadata', async () => {
    const flash = flashWith({ content: { ota_0: appFor('esp32'), nvs: credentials(), ota_1: dataImage('x') } });
    const before = flash.slice();
    await bootHouse({ flash });
    before.set(encodeOtadata({ sequence: 1 }), 0xd000);
    expect(equalBytes(flash, before)).toBe(true);
  });
});

describe('NVS', () => {
  test('without a free page it is erased, as the examples do', async () => {
    const page = credentials().slice(0, 0x1000);
    const nvs = concatBytes(page, page, page, page);
    const { bench, lines, state } = await bootHouse({ content: { nvs } });
    expect(lines).toContain('E house: nvs_flash_init: ESP_ERR_NVS_NO_FREE_PAGES (0x110d)');
    expect(bench.flash.isBlank(0x9000, 0x4000)).toBe(true);
    expect(state.phase).toBe('no-credentials');
  });

  test('rubbish is no credentials, and no crash', async () => {
    const { state } = await bootHouse({ content: { nvs: new Uint8Array(0x4000).fill(0x5a) } });
    expect(state.phase).toBe('no-credentials');
  });

  test('encrypted entries cannot be used', async () => {
    const nvs = credentials();
    for (let at = 64; at < 64 + 4 * 32; at++) nvs[at]! ^= 0xa5;
    const { state, lines } = await bootHouse({ content: { nvs } });
    expect(state.phase).toBe('no-credentials');
    expect(lines.some((line) => line.startsWith('E house: NVS holds no entry with a right CRC'))).toBe(true);
  });
});

describe('the slots', () => {
  test('a swapped board runs from ota_1 and finds its data in ota_0', async () => {
    const content = { otadata: encodeOtadata({ sequence: 2 }), ota_0: dataImage('SWAPPED'), ota_1: appFor('esp32') };
    const { state, lines } = await bootHouse({ content });
    expect(state).toMatchObject({ runningSlot: 'ota_1', data: { slot: 'ota_0', content: 'data' } });
    expect(lines).toContain('I house: data slot ota_0 at 0x10000: "SWAPPED" (53574150504544000000)');
  });

  test('from the factory app the data is looked for in ota_0', async () => {
    const partitions = tableOf({ factory: true });
    const { state } = await bootHouse({ partitions, content: { factory: appFor('esp32'), ota_0: dataImage('DATA') } });
    expect(state).toMatchObject({ runningSlot: 'factory', data: { slot: 'ota_0', content: 'data' } });
  });

  test.each([
    {
      what: 'blank',
      bytes: new Uint8Array(0),
      content: 'blank',
      line: 'W house: data slot ota_1 at 0x110000 is blank',
    },
    {
      what: 'an app',
      bytes: appFor('esp32'),
      content: 'app',
      line: 'W house: data slot ota_1 at 0x110000 holds an app, not data: 3254cdab000000000000',
    },
  ])('a data slot that holds $what is told', async ({ bytes, content, line }) => {
    const { state, lines } = await bootHouse({ content: { ota_1: bytes } });
    expect(state.data!.content).toBe(content);
    expect(lines).toContain(line);
  });

  test('bytes that do not print are shown as hex', async () => {
    const payload = Uint8Array.of(0x41, 0x01, 0xff, 0x5c, 0x22, 0x42, 0x42, 0x42, 0x42, 0x42, 0x42);
    const { lines } = await bootHouse({
      content: { ota_1: packDataImage(payload, { chip: chipByName('esp32')!, slotSize: MB }) },
    });
    expect(lines).toContain('I house: data slot ota_1 at 0x110000: "A\\x01\\xff\\x5c"BBBBB" (4101ff5c224242424242)');
  });

  test('with one OTA slot there is no data slot', async () => {
    const { state, lines } = await bootHouse({ partitions: tableOf({ slots: 1 }) });
    expect(state.data).toBeUndefined();
    expect(lines).toContain('W house: no data slot: the table has no other OTA slot');
  });

  test('an ESP32 cannot map a data slot of four megabytes, an ESP32-S3 can', async () => {
    for (const [chip, content] of [
      ['esp32', 'unmapped'],
      ['esp32s3', 'data'],
    ] as const) {
      const partitions = tableOf({ size: 4 * MB });
      const bootLoader = bootLoaderFor(chip, { flashSizeCode: 4 });
      const flash = flashWith({
        chip,
        partitions,
        flashSize: 16 * MB,
        bootLoader,
        content: { ota_0: appFor(chip), ota_1: dataImage('BIG', chip) },
      });
      const { state } = await bootHouse({ chip, flash, ms: 3000 });
      expect(state.data!.content).toBe(content);
    }
  });

  test('a data image in the boot slot: the two lines of the boot loader, then the other slot', async () => {
    const content = { otadata: encodeOtadata({ sequence: 2 }), ota_1: dataImage('DATA') };
    const { state, lines } = await bootHouse({ content });
    expect(lines).toContain('E esp_image: Checksum failed. Calculated 0xef read 0x0');
    expect(lines).toContain('E boot: OTA app partition slot 1 is not bootable');
    expect(state).toMatchObject({ runningSlot: 'ota_0', data: { slot: 'ota_1', content: 'data' } });
  });

  test.each([
    {
      what: 'no app',
      content: { ota_0: new Uint8Array(0) },
      line: 'E esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)',
    },
    {
      what: 'an app for another chip',
      content: { ota_0: appFor('esp32c3') },
      line: 'E boot_comm: mismatch chip ID, expected 0, found 5',
    },
  ])('$what: nothing but the boot loader, in a loop', async ({ content, line }) => {
    const { bench, lines, state } = await bootHouse({ content, ms: 2000 });
    expect(lines).toContain(line);
    expect(lines).toContain('E boot: No bootable app partitions in the partition table');
    expect(bench.resets.length).toBeGreaterThan(2);
    expect(state).toBeUndefined();
  });
});

describe('tables and flash sizes that do not fit', () => {
  test('a table without MD5 boots, and the app sees no partition', async () => {
    const flash = flashWith({
      md5: false,
      content: { ota_0: appFor('esp32'), nvs: credentials(), ota_1: dataImage('x') },
    });
    const { state, lines } = await bootHouse({ flash });
    expect(lines).toContain('E partition: No MD5 found in partition table');
    expect(lines).toContain('E partition: load_partitions returned 0x105');
    expect(lines).toContain('E house: nvs_flash_init: ESP_ERR_NOT_FOUND (0x105)');
    expect(state).toMatchObject({ phase: 'no-credentials', partitions: [] });
    expect(state.data).toBeUndefined();
  });

  test('a boot loader header with more flash than there is: the app aborts, again and again', async () => {
    const flash = flashWith({
      flashSize: 2 * MB,
      partitions: tableOf({ size: 0x8_0000 }),
      content: { ota_0: appFor('esp32') },
    });
    const { bench, lines } = await bootHouse({ flash, ms: 3000 });
    expect(lines).toContain(
      'E spi_flash: Detected size(2048k) smaller than the size in the binary image header(4096k). Probe failed.',
    );
    expect(lines).toContain('Rebooting...');
    expect(bench.resets.length).toBeGreaterThan(2);
    expect(bench.resets.every(({ reason }) => reason === 'cpu-software')).toBe(true);
  });

  test('a header with less flash than there is gets a warning only', async () => {
    const bootLoader = bootLoaderFor('esp32', { flashSizeCode: 1 });
    const flash = flashWith({
      bootLoader,
      partitions: tableOf({ size: 0x8_0000 }),
      content: { ota_0: appFor('esp32'), nvs: credentials() },
    });
    const { state, lines } = await bootHouse({ flash });
    expect(lines.some((line) => line.startsWith('W spi_flash: Detected size(4096k) larger'))).toBe(true);
    expect(state.phase).toBe('online');
  });
});

describe('the trial start after an update', () => {
  const trial = { otadata: encodeOtadata({ sequence: 2, state: 0 }), ota_1: appFor('esp32'), nvs: credentials() };

  test('once on the network the app confirms itself', async () => {
    const { bench, state } = await bootHouse({ content: trial, rollback: true });
    expect(state).toMatchObject({ runningSlot: 'ota_1', phase: 'online' });
    expect(bench.flash.bytes[0xd000 + 24]).toBe(2);
  });

  test('an app that does not get there is left behind by the next start', async () => {
    const { bench } = await bootHouse({ content: trial, rollback: true, network: {} });
    expect(bench.flash.bytes[0xd000 + 24]).toBe(1);
    bench.reset('power-on');
    await bench.clock.advance(2000);
    expect(bench.program!.startedApp!.target).toBe(0);
  });
});

test('a firmware that is stopped says nothing more', async () => {
  const { bench } = await bootHouse({ content: { nvs: credentials() }, ms: 600 });
  expect(bench.program!.app).toBeDefined();
  bench.program!.stop();
  const { output } = bench;
  await bench.clock.advance(60_000);
  expect(bench.output).toBe(output);
});

test('the virtual board boots it, over its serial line', async () => {
  const clock = new ModelClock();
  const flash = flashWith({ content: { ota_0: appFor('esp32'), nvs: credentials(), ota_1: dataImage('HELLO') } });
  const board = new VirtualEsp32({ chip: 'esp32', clock, flash, network: NETWORK });
  let output = '';
  const decoder = new TextDecoder();
  board.attach({ receive: (bytes) => (output += decoder.decode(bytes)), lost: () => undefined });
  board.setHostBaud(115_200);
  await clock.advance(6000);
  expect(output).toMatch(/^ets Jul 29 2019[^]*rst:0x1 [^]*entry 0x40080000\r\nI \(\d+\) boot: ESP-IDF/);
  expect(output).toContain('got ip:192.168.1.57\r\n');
  expect(output).toContain('"HELLO"');
  expect(output).toContain('mode : sta (24:0a:c4:12:34:56)');
});
