/**
 * What a line on a board's console means. One table, for the texts of the ROM, the second-stage boot loader, ESP-IDF's
 * start-up code, its Wi-Fi driver and the panic handler, over the versions 4.4 to 6.0.
 */

export type BootEventCode =
  /** The ROM's first line after any reset; tells the chip family. */
  | 'rom-banner'
  /** Why the chip started, and which way the boot pins sent it. */
  | 'reset-reason'
  /** The ROM waits for a host. */
  | 'download-mode'
  /** The ROM found no boot loader where it looked. `found` is FFFFFFFF on an erased flash. */
  | 'invalid-header'
  /** The ROM cannot read the flash. */
  | 'flash-read-error'
  /** The boot loader in flash is damaged. */
  | 'boot-checksum'
  /** The supply sags. */
  | 'brownout'
  /** A watchdog restarted the chip. */
  | 'watchdog'
  /** No partition table, or a damaged one, where this boot loader looks for it. */
  | 'table-invalid'
  /** A partition lies beyond the flash that the boot loader's header tells. */
  | 'table-row-beyond-flash'
  /** The table was changed without its digest. */
  | 'table-bad-md5'
  /** The app found a table without digest, and uses none of it. */
  | 'table-no-md5'
  /** otadata is blank: factory, or the first slot. */
  | 'boot-factory'
  | 'boot-first-slot'
  /** otadata has wrong checksums. */
  | 'otadata-invalid'
  /** A slot holds no image. `offset` says which. */
  | 'slot-invalid-magic'
  /** The slot chosen to boot holds packed data. */
  | 'data-image-in-boot-slot'
  | 'image-checksum'
  | 'image-hash'
  /** The image is damaged or cut off. */
  | 'image-damaged'
  | 'wrong-chip'
  /** The chip is older, or newer, than the image allows. */
  | 'chip-revision'
  | 'slot-not-bootable'
  | 'no-bootable-app'
  /** The boot loader starts the app at `offset`. */
  | 'loaded-app'
  /** The image was built for more flash than there is. */
  | 'flash-smaller-than-header'
  /** The app crashed. */
  | 'panic'
  /** The app gave up by itself. */
  | 'abort'
  /** On the network, with `address`. */
  | 'got-ip'
  /** Not, or no longer, on the network; `reason` is the driver's number. */
  | 'wifi-disconnected';

/** A recognised line. Only the fields that the code calls for are there. */
export interface BootEvent {
  code: BootEventCode;
  /** Reset reason as the ROM numbers it, and its word: 1, `POWERON_RESET`. */
  reset?: number;
  resetName?: string;
  /** Strapping pins as the ROM prints them, e.g. 0x13, and what they lead to. */
  boot?: number;
  mode?: 'normal' | 'download' | 'other';
  /** Byte offset in flash. */
  offset?: number;
  /** Index of the OTA slot. */
  slot?: number;
  /** Number that was wanted, and the one that was there: chip ids, revisions × 100, bytes of flash, checksums. */
  expected?: number;
  found?: number;
  /** Chip family or cause of a panic, as printed. */
  name?: string;
  address?: string;
  reason?: number;
}

type Groups = Readonly<Record<string, string | undefined>>;
type Rule = readonly [pattern: RegExp, event: BootEventCode | ((groups: Groups) => BootEvent)];

const number = (text: string | undefined): number => Number(text ?? Number.NaN);
/** Revision `3.1`, or plain `3` of older boot loaders, as 301. */
const revision = (text: string | undefined): number => {
  const [major, minor] = (text ?? '').split('.');
  return 100 * Number(major) + Number(minor ?? 0);
};

const bootMode = (words: string): NonNullable<BootEvent['mode']> => {
  if (/DOWNLOAD|UART0?_BOOT|USB_BOOT/i.test(words)) return 'download';
  return /FLASH_BOOT/i.test(words) ? 'normal' : 'other';
};

/** First match wins. */
const RULES: readonly Rule[] = [
  [/^ets (?:Jun|Jul) +\d+ \d{4}/, () => ({ code: 'rom-banner', name: 'esp32' })],
  [/^ESP-ROM:(?<name>esp32[a-z]*\d*)/, ({ name }) => ({ code: 'rom-banner', name: name ?? '' })],
  [
    /rst:(?<reset>0x[0-9a-f]+) \((?<resetName>\w+)\),boot:(?<boot>0x[0-9a-f]+) \((?<words>.*)\)/i,
    ({ reset, resetName, boot, words }) => ({
      code: 'reset-reason',
      reset: number(reset),
      resetName: resetName ?? '',
      boot: number(boot),
      mode: bootMode(words ?? ''),
    }),
  ],
  [/^(?:waiting for download|wait (?:uart\d?|usb|spi) download)/, 'download-mode'],
  [/invalid header: (?<found>0x[0-9a-f]+)/i, ({ found }) => ({ code: 'invalid-header', found: number(found) })],
  [/flash read err|ets_main\.c/, 'flash-read-error'],
  [
    /csum err:(?<found>0x[0-9a-f]+)!=(?<expected>0x[0-9a-f]+)/i,
    ({ found, expected }) => ({ code: 'boot-checksum', found: number(found), expected: number(expected) }),
  ],
  [/Brownout detector was triggered/i, 'brownout'],
  [/Task watchdog got triggered|Interrupt wdt timeout/i, 'watchdog'],
  [
    /partition \d+ invalid - offset (?<offset>0x[0-9a-f]+) size 0x[0-9a-f]+ exceeds flash chip size (?<found>0x[0-9a-f]+)/i,
    ({ offset, found }) => ({ code: 'table-row-beyond-flash', offset: number(offset), found: number(found) }),
  ],
  [/Incorrect MD5 checksum/, 'table-bad-md5'],
  [/No MD5 found in partition table/, 'table-no-md5'],
  [/flash_parts: .*invalid magic|Failed to verify partition table|load partition table error/, 'table-invalid'],
  [/ota data partition invalid/, 'otadata-invalid'],
  [/Defaulting to factory image/, 'boot-factory'],
  [/No factory image, trying OTA 0/, 'boot-first-slot'],
  [
    /image at (?<offset>0x[0-9a-f]+) has invalid magic byte/i,
    ({ offset }) => ({ code: 'slot-invalid-magic', offset: number(offset) }),
  ],
  // A header without segments: the checksum of nothing is EF, and it is read from the first byte that is not there.
  [
    /Checksum failed\. Calculated (?<expected>0xef) read (?<found>0x0+)\b/i,
    ({ expected, found }) => ({ code: 'data-image-in-boot-slot', expected: number(expected), found: number(found) }),
  ],
  [
    /Checksum failed\. Calculated (?<expected>0x[0-9a-f]+) read (?<found>0x[0-9a-f]+)/i,
    ({ expected, found }) => ({ code: 'image-checksum', expected: number(expected), found: number(found) }),
  ],
  [/Image hash failed/, 'image-hash'],
  [
    /esp_image: .*(?:invalid segment length|segment count \d+ exceeds|Segment \d+ .*(?:invalid|overlap))/i,
    'image-damaged',
  ],
  [
    /mismatch chip ID, expected (?<expected>\d+), found (?<found>\d+)/i,
    ({ expected, found }) => ({ code: 'wrong-chip', expected: number(expected), found: number(found) }),
  ],
  [
    /Image requires chip rev [<>]= v(?<expected>\d+(?:\.\d+)?), but chip is v(?<found>\d+(?:\.\d+)?)/i,
    ({ expected, found }) => ({ code: 'chip-revision', expected: revision(expected), found: revision(found) }),
  ],
  [
    /chip revision check failed\. Required [<>]= v(?<expected>\d+(?:\.\d+)?),? found v(?<found>\d+(?:\.\d+)?)/i,
    ({ expected, found }) => ({ code: 'chip-revision', expected: revision(expected), found: revision(found) }),
  ],
  [
    /chip is revision v?(?<found>\d+(?:\.\d+)?) but the application is configured for minimum revision v?(?<expected>\d+(?:\.\d+)?)/i,
    ({ expected, found }) => ({ code: 'chip-revision', expected: revision(expected), found: revision(found) }),
  ],
  [/chip revision check failed|can't be run on this chip revision/i, 'chip-revision'],
  [
    /OTA app partition slot (?<slot>\d+) is not bootable/,
    ({ slot }) => ({ code: 'slot-not-bootable', slot: number(slot) }),
  ],
  [/Factory app partition is not bootable/, 'slot-not-bootable'],
  [/No bootable app partitions/, 'no-bootable-app'],
  [
    /Loaded app from partition at offset (?<offset>0x[0-9a-f]+)/i,
    ({ offset }) => ({ code: 'loaded-app', offset: number(offset) }),
  ],
  [
    /Detected size\((?<found>\d+)k\) smaller than the size in the binary image header ?\((?<expected>\d+)k\)/i,
    ({ expected, found }) => ({
      code: 'flash-smaller-than-header',
      expected: 1024 * number(expected),
      found: 1024 * number(found),
    }),
  ],
  [/Guru Meditation Error: Core +\d+ panic'ed \((?<name>[^)]*)\)/, ({ name }) => ({ code: 'panic', name: name ?? '' })],
  [/Guru Meditation Error|Fatal exception/, 'panic'],
  [/^(?:abort\(\) was called|assert failed:|ESP_ERROR_CHECK failed)/, 'abort'],
  // esp_netif prints "sta ip: a, mask: b, gw: c"; examples and Arduino "got ip:a".
  [
    /\b(?:got ip|sta ip)[:\s]+(?<address>\d+\.\d+\.\d+\.\d+)/i,
    ({ address }) => ({ code: 'got-ip', address: address ?? '' }),
  ],
  [
    /(?:disconnect\w*|wifi\w*).*?\breason[:=\s(]+(?<reason>\d+)/i,
    ({ reason }) => ({ code: 'wifi-disconnected', reason: number(reason) }),
  ],
  // The driver's own: state and reason in one hexadecimal number, the reason above bit 8.
  [
    /wifi:\s*state: \w+ -> init \((?:0x)?(?<state>[0-9a-f]+)\)/i,
    ({ state }) => ({ code: 'wifi-disconnected', reason: Number.parseInt(state ?? '', 16) >>> 8 }),
  ],
  // Arduino: "STA Disconnected: SSID: …, Reason: 202 - AUTH_FAIL".
  [/\bReason: (?<reason>\d+) - [A-Z_]+/, ({ reason }) => ({ code: 'wifi-disconnected', reason: number(reason) })],
];

/** What the line means, if it is one of those that matter; `text` is a line without its end and without colours. */
export function recogniseBootLine(text: string): BootEvent | undefined {
  for (const [pattern, event] of RULES) {
    const match = pattern.exec(text);
    if (match) return typeof event === 'string' ? { code: event } : event(match.groups ?? {});
  }
  return undefined;
}

/** Numbers of a reset reason that mean a watchdog, on any of the chips (RESET_REASON in each chip's rom/rtc.h). */
const WATCHDOG_RESETS = new Set([7, 8, 9, 0xb, 0xd, 0x10, 0x11, 0x12]);

/** Whether the reset came from a watchdog: repeated, it is a boot that gets stuck. */
export const isWatchdogReset = (reset: number): boolean => WATCHDOG_RESETS.has(reset);
