import { expect, test } from 'vitest';
import { recogniseBootLine } from '#device/boot-lines.ts';
import {
  BOOT_START,
  type BootExpectation,
  type BootState,
  bootDeadline,
  nextBootState,
} from '#workflows/boot-watch.ts';

const QUIET: BootExpectation = { check: { timeoutSeconds: 5 } };
const RESET = 'rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)';
const LOADED = 'I (52) boot: Loaded app from partition at offset 0x10000';

/** Feeds `[time, text]` lines, then lets time pass until the state rests. */
function watch(lines: [at: number, text: string][], expected: BootExpectation): BootState {
  let state = BOOT_START;
  for (const [at, text] of lines) {
    for (let due = bootDeadline(state, expected); due < at && state.phase !== 'done' && state.phase !== 'failed';) {
      state = nextBootState(state, { at: due }, expected);
      due = bootDeadline(state, expected);
      if (state.phase === 'up' && due >= at) break;
    }
    const event = recogniseBootLine(text);
    state = nextBootState(state, { at, line: { text, ...(event ? { event } : {}) } }, expected);
  }
  for (let round = 0; round < 10 && state.phase !== 'done' && state.phase !== 'failed'; round++) {
    state = nextBootState(state, { at: bootDeadline(state, expected) }, expected);
  }
  return state;
}

test('"Loaded app" and two seconds without a crash is up', () => {
  expect(
    watch(
      [
        [100, RESET],
        [150, LOADED],
      ],
      QUIET,
    ),
  ).toMatchObject({ phase: 'done', by: 'loaded-app', appOffset: 0x1_0000, upAt: 2150 });
});

test('silence for five seconds is probably running', () => {
  expect(watch([], QUIET)).toMatchObject({ phase: 'done', by: 'quiet', upAt: 5000 });
});

test('five seconds count from the last reset', () => {
  expect(
    watch(
      [
        [100, RESET],
        [3000, RESET],
      ],
      QUIET,
    ),
  ).toMatchObject({ phase: 'done', by: 'quiet', upAt: 8000 });
});

test('the sign of life of a release goes before everything else', () => {
  const expected: BootExpectation = { check: { line: '^app: ready', timeoutSeconds: 20 } };
  expect(
    watch(
      [
        [100, RESET],
        [150, LOADED],
        [9000, 'app: ready'],
      ],
      expected,
    ),
  ).toMatchObject({ phase: 'done', by: 'boot-check' });
  expect(
    watch(
      [
        [100, RESET],
        [150, LOADED],
      ],
      expected,
    ),
  ).toMatchObject({ phase: 'failed', failure: { code: 'boot-check-missed' } });
});

test.each([
  [
    'a panic',
    [
      [100, RESET],
      [150, LOADED],
      [900, "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled."],
    ],
    'boot-panic',
  ],
  [
    'an abort of the app',
    [
      [100, RESET],
      [150, LOADED],
      [300, 'abort() was called at PC 0x400d1234 on core 0'],
    ],
    'boot-panic',
  ],
  [
    'a restart loop',
    [
      [100, RESET],
      [600, RESET],
      [1100, RESET],
      [1600, RESET],
      [2100, RESET],
    ],
    'boot-loop',
  ],
  [
    'no app that could start',
    [
      [100, RESET],
      [130, 'E (30) boot: No bootable app partitions in the partition table'],
    ],
    'boot-no-app',
  ],
  [
    'a blank flash',
    [
      [100, RESET],
      [110, 'invalid header: 0xffffffff'],
    ],
    'boot-refused',
  ],
  [
    'a damaged table',
    [
      [100, RESET],
      [130, 'E (30) flash_parts: Incorrect MD5 checksum'],
    ],
    'boot-refused',
  ],
  [
    'download mode',
    [
      [100, 'rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))'],
      [101, 'waiting for download'],
    ],
    'boot-refused',
  ],
] as [string, [number, string][], string][])('%s is a failure', (_, lines, code) => {
  expect(watch(lines, QUIET)).toMatchObject({ phase: 'failed', failure: { code } });
});

test('another slot than the one that was written is a failure', () => {
  const expected: BootExpectation = { ...QUIET, appOffset: 0x11_0000 };
  expect(
    watch(
      [
        [100, RESET],
        [150, LOADED],
      ],
      expected,
    ),
  ).toMatchObject({
    phase: 'failed',
    failure: { code: 'boot-other-slot', values: { found: 0x1_0000, expected: 0x11_0000 } },
  });
});

test('with Wi-Fi the address is waited for, and found', () => {
  const expected: BootExpectation = { ...QUIET, wifi: true };
  const lines: [number, string][] = [
    [100, RESET],
    [150, LOADED],
    [4000, 'I (3900) esp_netif_handlers: sta ip: 192.168.1.57, mask: 255.255.255.0, gw: 192.168.1.1'],
  ];
  expect(watch(lines, expected)).toMatchObject({ phase: 'done', address: '192.168.1.57' });
});

test('a firmware that says nothing of Wi-Fi is up, without an address', () => {
  const state = watch(
    [
      [100, RESET],
      [150, LOADED],
    ],
    { ...QUIET, wifi: true },
  );
  expect(state).toMatchObject({ phase: 'done', by: 'loaded-app' });
  expect(state.address).toBeUndefined();
});

test.each([
  [202, 'wifi-refused-by-network'],
  [15, 'wifi-refused-by-network'],
  [201, 'wifi-network-not-found'],
])('the same refusal again and again (reason %i) is an answer', (reason, code) => {
  const refused = `I (900) wifi:disconnected, reason:${reason}`;
  const lines: [number, string][] = [
    [100, RESET],
    [150, LOADED],
    [2500, refused],
    [3500, refused],
    [4500, refused],
  ];
  expect(watch(lines, { ...QUIET, wifi: true })).toMatchObject({
    phase: 'failed',
    failure: { code, values: { reason } },
  });
});

test('one refusal before a join is nothing', () => {
  const lines: [number, string][] = [
    [100, RESET],
    [150, LOADED],
    [2500, 'wifi:disconnected, reason:2'],
    [5000, 'got ip:10.0.0.9'],
  ];
  expect(watch(lines, { ...QUIET, wifi: true })).toMatchObject({ phase: 'done', address: '10.0.0.9' });
});

test('what the boot loader complained about goes along with the failure', () => {
  const lines: [number, string][] = [
    [100, RESET],
    [130, 'E (31) esp_image: Checksum failed. Calculated 0xef read 0x0'],
    [131, 'E (31) boot: OTA app partition slot 1 is not bootable'],
    [132, 'E (33) boot: No bootable app partitions in the partition table'],
  ];
  expect(watch(lines, QUIET).failure).toMatchObject({
    code: 'boot-no-app',
    values: { trouble: 'data-image-in-boot-slot' },
  });
});
