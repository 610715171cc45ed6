/** Keeps in the browser which rate worked for an adapter and a board. */
import { type BaudMemory } from '#device/baud-rates.ts';

const PREFIX = 'twostep.baud.';

/** Where the user blocks storage, nothing is remembered. */
export const browserBauds: BaudMemory = {
  recall(key) {
    try {
      const baud = Number(localStorage.getItem(PREFIX + key));
      return Number.isInteger(baud) && baud >= 9600 ? baud : undefined;
    } catch {
      return undefined; // blocked: as if nothing was known
    }
  },
  note(key, baud) {
    try {
      localStorage.setItem(PREFIX + key, String(baud));
    } catch {
      // Full or blocked: it is found out again next time.
    }
  },
};
