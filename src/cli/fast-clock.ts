/** The machine's time, so many times faster: for boards whose restarts nobody wants to wait for. */
import { type Clock, systemClock } from '#clock.ts';

/** @param factor at least 1. */
export const fastClock = (factor: number): Clock => ({
  now: () => systemClock.now() * factor,
  after: (ms, callback) => systemClock.after(ms / factor, callback),
  outside: (work) => work,
});
