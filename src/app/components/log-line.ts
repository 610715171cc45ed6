/** A line of a console, as LogView shows it. */
export interface LogLine {
  /** Grows from line to line. */
  id: number;
  text: string;
  /** Seconds or a clock time, as text; stands before the line. */
  at?: string;
  /** A recognised line: how good or bad it is. */
  mark?: 'info' | 'good' | 'warn' | 'bad';
  /** What a recognised line means, in a few words. */
  note?: string;
}
