/** Numbers as people read them. */

/** `1.31 MiB`, `24 KiB`, `512 bytes`; at most three digits that matter. */
export function bytesText(bytes: number): string {
  if (bytes >= 0x10_0000) return `${trim(bytes / 0x10_0000)} MiB`;
  if (bytes >= 1024) return `${trim(bytes / 1024)} KiB`;
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

/** `v3.1` of 301. */
export const revisionText = (revision: number): string => `v${Math.floor(revision / 100)}.${revision % 100}`;

/** `0x9000`. */
export const addressText = (address: number): string => `0x${address.toString(16)}`;

/** `12 s`, `1 min 20 s`. */
export function secondsText(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `84 KiB/s`. */
export const rateText = (bytesASecond: number): string => `${bytesText(Math.round(bytesASecond))}/s`;

const trim = (value: number): string =>
  value
    .toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');

/** `1 setting`, `12 settings`; `many` where the plural is another word. */
export const countText = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/** The text as it begins a sentence. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
