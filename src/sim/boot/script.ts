/**
 * Code of the virtual chip that takes time, written as a generator: it yields the milliseconds to wait before it
 * goes on. What it prints between two waits happens at one moment.
 */
import { type Clock } from '#clock.ts';

export type Script = Generator<number, void, void>;

/** Runs a script on a clock, starting with the next turn of it. The returned function ends it where it waits. */
export function runScript(clock: Clock, script: Script): () => void {
  let stopped = false;
  const step = (): void => {
    const { done, value } = script.next();
    // A script that resets the machine is stopped while it runs: it ends itself, and only its next wait is left out.
    if (!done && !stopped) cancelTimer = clock.after(value, step);
  };
  let cancelTimer = clock.after(0, step);
  return () => {
    stopped = true;
    cancelTimer();
  };
}
