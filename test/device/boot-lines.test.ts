import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type BootEvent, isWatchdogReset, recogniseBootLine } from '#device/boot-lines.ts';

const LINES: [string, BootEvent | undefined][] = [
  ['ets Jun  8 2016 00:22:57', { code: 'rom-banner', name: 'esp32' }],
  ['ESP-ROM:esp32c3-api1-20210207', { code: 'rom-banner', name: 'esp32c3' }],
  ['ESP-ROM:esp32s3-20210327', { code: 'rom-banner', name: 'esp32s3' }],
  [
    'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)',
    { code: 'reset-reason', reset: 1, resetName: 'POWERON_RESET', boot: 0x13, mode: 'normal' },
  ],
  [
    'rst:0x1 (POWERON),boot:0x5 (DOWNLOAD(USB/UART0/1))',
    { code: 'reset-reason', reset: 1, resetName: 'POWERON', boot: 5, mode: 'download' },
  ],
  [
    'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))',
    { code: 'reset-reason', reset: 1, resetName: 'POWERON_RESET', boot: 3, mode: 'download' },
  ],
  [
    'rst:0x1 (POWERON_RESET),boot:0xb (HSPI_FLASH_BOOT)',
    { code: 'reset-reason', reset: 1, resetName: 'POWERON_RESET', boot: 0xb, mode: 'normal' },
  ],
  ['waiting for download', { code: 'download-mode' }],
  ['wait uart0 download', { code: 'download-mode' }],
  ['invalid header: 0xffffffff', { code: 'invalid-header', found: 0xffff_ffff }],
  ['flash read err, 1000', { code: 'flash-read-error' }],
  ['ets_main.c 371 ', { code: 'flash-read-error' }],
  ['csum err:0xd6!=0x29', { code: 'boot-checksum', found: 0xd6, expected: 0x29 }],
  ['Brownout detector was triggered', { code: 'brownout' }],
  ['E (31) boot: Failed to verify partition table', { code: 'table-invalid' }],
  ['E (31) flash_parts: partition 0 invalid magic number 0x5a5a', { code: 'table-invalid' }],
  ['E (31) boot: load partition table error!', { code: 'table-invalid' }],
  [
    'E (42) flash_parts: partition 5 invalid - offset 0x3d0000 size 0x40000 exceeds flash chip size 0x400000',
    { code: 'table-row-beyond-flash', offset: 0x3d_0000, found: 0x40_0000 },
  ],
  ['E (31) flash_parts: Incorrect MD5 checksum', { code: 'table-bad-md5' }],
  ['E (500) partition: No MD5 found in partition table', { code: 'table-no-md5' }],
  ['I (55) boot: Defaulting to factory image', { code: 'boot-factory' }],
  ['I (55) boot: No factory image, trying OTA 0', { code: 'boot-first-slot' }],
  ['E (55) boot: ota data partition invalid, falling back to factory', { code: 'otadata-invalid' }],
  ['E (55) boot: ota data partition invalid and no factory, will try all partitions', { code: 'otadata-invalid' }],
  [
    'E (60) esp_image: image at 0x1f0000 has invalid magic byte (nothing flashed here?)',
    { code: 'slot-invalid-magic', offset: 0x1f_0000 },
  ],
  [
    'E (60) esp_image: Checksum failed. Calculated 0xef read 0x0',
    { code: 'data-image-in-boot-slot', expected: 0xef, found: 0 },
  ],
  [
    'E (60) esp_image: Checksum failed. Calculated 0x76 read 0x89',
    { code: 'image-checksum', expected: 0x76, found: 0x89 },
  ],
  [
    'E (60) esp_image: Checksum failed. Calculated 0xef read 0x03',
    { code: 'image-checksum', expected: 0xef, found: 3 },
  ],
  ['E (60) esp_image: Image hash failed - image is corrupt', { code: 'image-hash' }],
  ['E (60) esp_image: invalid segment length 0xffffffff', { code: 'image-damaged' }],
  ['E (60) esp_image: image at 0x1f0000 segment count 17 exceeds max 16', { code: 'image-damaged' }],
  ['E (60) boot_comm: mismatch chip ID, expected 0, found 5', { code: 'wrong-chip', expected: 0, found: 5 }],
  [
    'E (60) boot_comm: Image requires chip rev >= v9.0, but chip is v3.0',
    { code: 'chip-revision', expected: 900, found: 300 },
  ],
  ['E (60) boot: OTA app partition slot 1 is not bootable', { code: 'slot-not-bootable', slot: 1 }],
  ['E (60) boot: No bootable app partitions in the partition table', { code: 'no-bootable-app' }],
  ['I (120) boot: Loaded app from partition at offset 0x10000', { code: 'loaded-app', offset: 0x1_0000 }],
  [
    'E (300) spi_flash: Detected size(2048k) smaller than the size in the binary image header(4096k). Probe failed.',
    { code: 'flash-smaller-than-header', expected: 0x40_0000, found: 0x20_0000 },
  ],
  [
    "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.",
    { code: 'panic', name: 'LoadProhibited' },
  ],
  ['abort() was called at PC 0x40081234 on core 0', { code: 'abort' }],
  [
    'I (2500) esp_netif_handlers: sta ip: 192.168.1.57, mask: 255.255.255.0, gw: 192.168.1.1',
    { code: 'got-ip', address: '192.168.1.57' },
  ],
  ['I (2500) wifi station: got ip:192.168.1.57', { code: 'got-ip', address: '192.168.1.57' }],
  [
    '[  1234][W][WiFiGeneric.cpp:1062] _eventCallback(): Reason: 202 - AUTH_FAIL',
    { code: 'wifi-disconnected', reason: 202 },
  ],
  ['I (900) wifi: disconnected, reason: 15', { code: 'wifi-disconnected', reason: 15 }],
  ['I (4300) wifi:state: run -> init (0xf00)', { code: 'wifi-disconnected', reason: 15 }],
  ['I (4300) wifi:state: auth -> init (200)', { code: 'wifi-disconnected', reason: 2 }],
  ['I (4300) wifi:state: init -> auth (0xb0)', undefined],
  ['I (30) boot: ESP-IDF v5.4.2 2nd stage bootloader', undefined],
  ['hello, reason enough', undefined],
];

test.each(LINES)('%s', (text, event) => {
  expect(recogniseBootLine(text)).toEqual(event);
});

test('watchdog resets are told from power-on and software', () => {
  expect([1, 3, 0xc, 0xf].some(isWatchdogReset)).toBe(false);
  expect([7, 8, 9, 0x10].every(isWatchdogReset)).toBe(true);
});

// Logs of a real ESP32 boot loader; the folder is filled by the tests of the virtual board.
const LOGS = new URL('../fixtures/boot/', import.meta.url);
const NOTHING_TO_SAY =
  /^(?:|configsip:.*|clk_drv:.*|mode:.*|load:.*|entry .*|MicroPython .*|Type "help.*|>>>.*|>|OK|Falling back .*|Performing .*|E \(\d+\) partition: load_partitions .*|[a-z.(]?.*OSError.*|Traceback.*| {2}File.*)$/;

function errorLines(): { file: string; line: string }[] {
  const files = readdirSync(LOGS).filter((name) => name.endsWith('.json') && name !== 'manifest.json');
  return files.flatMap((file) => {
    const { log = '' } = JSON.parse(readFileSync(new URL(file, LOGS), 'utf8')) as { log?: string };
    return log
      .split(/\r?\n/)
      .filter((line) => /^(?:E \(|rst:|ets |csum|invalid)/.test(line) && !NOTHING_TO_SAY.test(line))
      .map((line) => ({ file, line }));
  });
}

test('every line of a boot loader that complains is recognised', () => {
  const lines = errorLines();
  expect(lines.length).toBeGreaterThan(50);
  expect(lines.filter(({ line }) => recogniseBootLine(line) === undefined)).toEqual([]);
});
