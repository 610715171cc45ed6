/** Lines in the format of ESP-IDF's log: level, milliseconds since the chip started, tag, text. */

/** Error, warning, information; ESP-IDF's letters. */
export type LogLevel = 'E' | 'W' | 'I';

export interface LogLine {
  level: LogLevel;
  tag: string;
  text: string;
}

export const error = (tag: string, text: string): LogLine => ({ level: 'E', tag, text });
export const warning = (tag: string, text: string): LogLine => ({ level: 'W', tag, text });
export const info = (tag: string, text: string): LogLine => ({ level: 'I', tag, text });

/** The line as it goes over the wire; `ms` is cut to whole milliseconds. The console ends lines with CR LF. */
export const formatLogLine = ({ level, tag, text }: LogLine, ms: number): string =>
  `${level} (${Math.floor(ms)}) ${tag}: ${text}\r\n`;

/** Numbers padded as C's `%08x` and `%02x` do. */
export const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
export const hex2 = (value: number): string => value.toString(16).padStart(2, '0');
