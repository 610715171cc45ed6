/** What a command gets from the process around it, so that tests can give it something else. */
import { type Output } from './output.ts';

export interface CommandContext {
  output: Output;
  /** Aborts when the user presses Ctrl-C. */
  signal: AbortSignal;
  /** One line from standard input, without its line end; never echoed, never logged. */
  readPassword(): Promise<string>;
}
