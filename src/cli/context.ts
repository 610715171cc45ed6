/** What a command gets from the process around it, so that tests can give it something else. */
import { type Output } from './output.ts';
import { type Prompt } from './prompt.ts';

/** `boards`: what was said before tells of each. `station`: of a station that goes on by itself. */
type Changed = 'nothing' | 'part' | 'all' | 'boards' | 'station';

export interface CommandContext {
  output: Output;
  /** How far the board was changed, for what is said when the work ends early. */
  changed: Changed;
  /** Aborts when the user presses Ctrl-C. */
  signal: AbortSignal;
  /** Variables of the environment, for files that may name them. */
  env: Readonly<Record<string, string>>;
  /** Questions to the user. */
  prompt: Prompt;
  /** One line from standard input, without its line end; never echoed, never logged. */
  readPassword(): Promise<string>;
}
