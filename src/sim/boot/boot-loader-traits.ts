/**
 * How a boot loader was built, as far as its image tells. A boot loader is configured when it is compiled: what it
 * logs, whether it can roll an app back, and where it looks for the partition table.
 */
import { type AppImage, parseImage } from '#formats/app-image.ts';
import { concatBytes, toHex } from '#formats/bytes.ts';
import { DEFAULT_TABLE_OFFSET, findPartitionTable } from '#formats/partition-table.ts';
import { sha256 } from '@noble/hashes/sha2.js';
import { includesBytes } from './flash-bytes.ts';

/** Most that it logs. */
export type BootLogLevel = 'error' | 'warning' | 'info';

export interface BootLoaderTraits {
  logLevel: BootLogLevel;
  /** CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE. */
  rollback: boolean;
  /** CONFIG_PARTITION_TABLE_OFFSET. */
  tableOffset: number;
}

/** SHA-256 over the segments' data of boot loaders that are known to roll back; nothing in an image says so. */
const WITH_ROLLBACK: ReadonlySet<string> = new Set([
  // MicroPython v1.26.1 for ESP32_GENERIC (ESP-IDF v5.4.2)
  'd8a4cb9578ce44e2e41304cb86163d2125bb834eed5dc69e3b25410ca507351e',
]);

/** Part of a text that each log level leaves in the image, the quietest last. */
const MARKS: readonly (readonly [BootLogLevel, string])[] = [
  ['info', '2nd stage bootloader'],
  ['warning', 'Falling back to test app'],
  ['error', 'load partition table error'],
];

/**
 * Reads the traits of a boot loader image.
 *
 * * Log level: by the texts that the image holds. One without any (a synthetic image) counts as the usual build, `info`.
 * * Rollback: by the segments of known boot loaders; off otherwise, as ESP-IDF has it by default.
 * * Table offset: 0x8000, unless the boot loader is too long for that: then the table that lies behind it.
 */
export function bootLoaderTraits(image: Uint8Array, flash: Uint8Array, bootloaderOffset: number): BootLoaderTraits {
  const parsed = parseImage(image);
  const text = new TextEncoder();
  const mark = MARKS.find(([, words]) => includesBytes(image, text.encode(words)));
  const end = bootloaderOffset + parsed.length;
  const behind = Math.ceil(end / 0x1000) * 0x1000;
  const found = end > DEFAULT_TABLE_OFFSET ? findPartitionTable(flash, { from: behind })?.offset : undefined;
  return {
    logLevel: mark?.[0] ?? 'info',
    rollback: WITH_ROLLBACK.has(segmentsDigest(image, parsed)),
    tableOffset: found ?? DEFAULT_TABLE_OFFSET,
  };
}

/** The header is left out: tools change it when they write a boot loader. */
function segmentsDigest(image: Uint8Array, { segments }: AppImage): string {
  const data = segments.map(({ fileOffset, length }) => image.subarray(fileOffset, fileOffset + length));
  return toHex(sha256(concatBytes(...data)));
}
