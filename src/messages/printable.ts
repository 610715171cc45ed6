/** Text that came from a file or a board, as a terminal may show it: without what would control it. */
export const printable = (text: string): string => text.replaceAll(/\p{Cc}/gu, '\ufffd');
