/** Tables for a terminal. */

/** Rows under a heading; all columns but those named in `left` are aligned to the right. */
export function formatTable(heading: readonly string[], rows: readonly string[][], left: readonly string[]): string {
  const table = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const isLeft = heading.map((title) => left.includes(title));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isLeft[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  return table.map(line).join('\n');
}

/** Three digits, or as many as stand before the point. */
export const number = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
