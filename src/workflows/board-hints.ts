/** What a release and the user's wishes tell of a board's flash before it is read. */
import { type Release } from '#formats/release/release.ts';
import { type BoardHints } from './board-state.ts';
import { parseWishedCsv, type TableWish } from './table-choice.ts';

/**
 * @throws {FormatError} when the user's CSV is wrong: before a board is touched.
 */
export function boardHints(release: Release, wish?: TableWish): BoardHints {
  const tables = release.builds.flatMap(({ table }) => (table ? [table] : []));
  const tableOffset = tables[0]?.offset;
  const parsed = tables.map(({ partitions }) => partitions);
  if (wish?.kind === 'csv') {
    // Rows of the boot loader itself need its offset; all chips of one release are taken to share what matters here.
    const primaryBootloaderOffset = release.builds[0]?.chip.bootloaderOffset ?? 0;
    const options = { primaryBootloaderOffset, ...(tableOffset === undefined ? {} : { tableOffset }) };
    parsed.unshift(parseWishedCsv(wish, options).partitions);
  }
  return { ...(tableOffset === undefined ? {} : { tableOffset }), tables: parsed };
}
