/**
 * The partition table as the second-stage boot loader takes it: fewer checks than the tools make, and other words.
 * Source: ESP-IDF `components/bootloader_support/src/flash_partitions.c` and `bootloader_utility.c`.
 */
import { equalBytes, hexAddress, readU16, readU32, textUntilNul } from '#formats/bytes.ts';
import {
  MD5_ROW_MAGIC,
  type Partition,
  PARTITION_MAGIC,
  PARTITION_ROW_SIZE,
  PARTITION_TABLE_SIZE,
} from '#formats/partition-table.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { hex2, hex8, info, type LogLine } from './log-line.ts';

export type BootTable = { ok: true; partitions: Partition[] } | { ok: false; fault: string };

/** Reads the table; `flashSize` is the one of the boot loader's header. Overlap, alignment and names are not looked at. */
export function readBootTable(bytes: Uint8Array, flashSize: number): BootTable {
  const partitions: Partition[] = [];
  let md5Seen = false;
  for (let index = 0; index < PARTITION_TABLE_SIZE / PARTITION_ROW_SIZE; index++) {
    const row = bytes.subarray(index * PARTITION_ROW_SIZE, (index + 1) * PARTITION_ROW_SIZE);
    const magic = readU16(row, 0);
    if (magic === PARTITION_MAGIC) {
      const partition = decodeRow(row);
      const { offset, size } = partition;
      if (offset > flashSize || (offset + size) % 2 ** 32 > flashSize) {
        const place = `offset ${hexAddress(offset)} size ${hexAddress(size)}`;
        return refuse(`partition ${index} invalid - ${place} exceeds flash chip size ${hexAddress(flashSize)}`);
      }
      partitions.push(partition);
    } else if (magic === MD5_ROW_MAGIC) {
      if (md5Seen) return refuse('Only one MD5 checksum is allowed');
      if (!equalBytes(row.subarray(16), md5(bytes.subarray(0, index * PARTITION_ROW_SIZE)))) {
        return refuse('Incorrect MD5 checksum');
      }
      md5Seen = true;
    } else if (magic === 0xffff && row[2] === 0xff && row[3] === 0xff) {
      return { ok: true, partitions };
    } else {
      return refuse(`partition ${index} invalid magic number ${hexAddress(magic)}`);
    }
  }
  return refuse('partition table has no terminating entry, not valid');
}

const refuse = (fault: string): BootTable => ({ ok: false, fault });

function decodeRow(row: Uint8Array): Partition {
  return {
    name: textUntilNul(row.subarray(12, 28)),
    type: row[2] ?? 0,
    subtype: row[3] ?? 0,
    offset: readU32(row, 4),
    size: readU32(row, 8),
    flags: readU32(row, 28),
  };
}

/** The table as the boot loader lists it at log level info. */
export function tableLines(partitions: readonly Partition[]): LogLine[] {
  return [
    info('boot', 'Partition Table:'),
    info('boot', '## Label            Usage          Type ST Offset   Length'),
    ...partitions.map((partition, index) => {
      const { name, type, subtype, offset, size } = partition;
      const number = String(index).padStart(2);
      const words = `${name.padEnd(16)} ${usage(partition).padEnd(16)}`;
      return info('boot', `${number} ${words} ${hex2(type)} ${hex2(subtype)} ${hex8(offset)} ${hex8(size)}`);
    }),
    info('boot', 'End of partition table'),
  ];
}

const DATA_USAGE = ['OTA data', 'RF data', 'WiFi data', 'Unknown data', 'NVS keys', 'efuse'];

function usage({ type, subtype }: Partition): string {
  if (type === 1) return DATA_USAGE[subtype] ?? 'Unknown data';
  if (type !== 0) return 'unknown';
  if (subtype === 0) return 'factory app';
  if (subtype === 0x20) return 'test app';
  return (subtype & ~0xf) === 0x10 ? 'OTA app' : 'Unknown app';
}
