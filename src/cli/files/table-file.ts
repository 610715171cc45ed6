/** A partition table as users have it: the binary that lies in flash, or the CSV that it is made of. */
import { readU16 } from '#formats/bytes.ts';
import { type FormatIssue } from '#formats/format-error.ts';
import { parsePartitionCsv, type PartitionCsvOptions } from '#formats/partition-csv.ts';
import {
  decodePartitionTable,
  type Partition,
  PARTITION_MAGIC,
  type PartitionTable,
} from '#formats/partition-table.ts';

export type TableFile =
  ({ kind: 'binary' } & PartitionTable) | { kind: 'csv'; partitions: Partition[]; warnings: FormatIssue[] };

/**
 * As the official tool: what begins with a row is a binary, anything else a CSV. `options` are for a CSV; a binary is read as it is.
 *
 * @throws {FormatError} as `decodePartitionTable` and `parsePartitionCsv`.
 */
export function readTableFile(bytes: Uint8Array, options: PartitionCsvOptions): TableFile {
  const isBinary = bytes.length >= 2 && readU16(bytes, 0) === PARTITION_MAGIC;
  if (isBinary) return { kind: 'binary', ...decodePartitionTable(bytes) };
  return { kind: 'csv', ...parsePartitionCsv(bytes, options) };
}
