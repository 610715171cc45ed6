/** The house firmware's partitions and NVS, opened as ESP-IDF opens them, with what it prints when something is wrong. */
import { decodeNvs } from '#formats/nvs/nvs-reader.ts';
import { type NvsEntry } from '#formats/nvs/nvs.ts';
import {
  DataSubtype,
  decodePartitionTable,
  findPartition,
  type Partition,
  PARTITION_TABLE_SIZE,
  PartitionType,
} from '#formats/partition-table.ts';
import { readFlash } from '#sim/boot/flash-bytes.ts';
import { error, info, type LogLine, warning } from '#sim/boot/log-line.ts';
import { type NorFlash } from '#sim/board/nor-flash.ts';

const TAG = 'house';
/** Fewer pages can only be read; a writable partition keeps one of them free. */
const SMALLEST_WRITABLE_PAGES = 3;

export interface AppPartitions {
  partitions: Partition[];
  /** What one look-up prints; with a table that the app refuses, every look-up says so again. */
  lookUpLines: LogLine[];
}

/** The table as the partition API of an app loads it: unlike the boot loader it insists on the MD5 row. */
export function loadAppPartitions(flash: Uint8Array, tableOffset: number): AppPartitions {
  const bytes = readFlash(flash, tableOffset, PARTITION_TABLE_SIZE);
  const { partitions, md5 } = decodePartitionTable(bytes, { lenient: true });
  if (md5 === 'right') return { partitions, lookUpLines: [] };
  const lookUpLines = [
    error('partition', 'No MD5 found in partition table'),
    error('partition', 'load_partitions returned 0x105'),
  ];
  return { partitions: [], lookUpLines };
}

export interface OpenedNvs {
  entries: NvsEntry[];
  lines: LogLine[];
}

/**
 * `nvs_flash_init`, and what every example does when it fails: erase the partition and begin anew. Entries with a wrong
 * CRC are as good as not there, so an encrypted partition looks empty to a firmware without its keys.
 */
export function openNvs(flash: NorFlash, partitions: readonly Partition[]): OpenedNvs {
  const partition = findPartition(partitions, PartitionType.Data, DataSubtype.Nvs);
  if (!partition) return { entries: [], lines: [error(TAG, 'nvs_flash_init: ESP_ERR_NOT_FOUND (0x105)')] };
  const nvs = decodeNvs(readFlash(flash.bytes, partition.offset, partition.size));
  const failure = initFailure(nvs);
  if (failure) {
    flash.erase(partition.offset, partition.size);
    return {
      entries: [],
      lines: [error(TAG, `nvs_flash_init: ${failure}`), warning(TAG, 'NVS erased, beginning anew')],
    };
  }
  if (nvs.verdict === 'encrypted') {
    return {
      entries: [],
      lines: [error(TAG, 'NVS holds no entry with a right CRC: encrypted with a key that is not here?')],
    };
  }
  if (nvs.verdict === 'blank') return { entries: [], lines: [info(TAG, 'NVS is blank')] };
  const lost = nvs.verdict === 'damaged' ? [warning(TAG, 'NVS is damaged: some entries were given up')] : [];
  return { entries: nvs.entries, lines: [...lost, info(TAG, `NVS holds ${nvs.entries.length} entries`)] };
}

/** The two errors that examples answer with an erase. */
function initFailure({ verdict, pages }: ReturnType<typeof decodeNvs>): string | undefined {
  if (verdict === 'newer-version') return 'ESP_ERR_NVS_NEW_VERSION_FOUND (0x1110)';
  const free = pages.some(({ state }) => state === 'blank' || state === 'corrupt');
  const writable = pages.length >= SMALLEST_WRITABLE_PAGES;
  return writable && !free ? 'ESP_ERR_NVS_NO_FREE_PAGES (0x110d)' : undefined;
}
