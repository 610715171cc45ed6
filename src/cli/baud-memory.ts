/** Keeps in the user's cache which rate worked for an adapter and a board. */
import { type BaudMemory } from '#device/baud-rates.ts';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';

const FileSchema = v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(9600)));

/** `XDG_CACHE_HOME`, or what the system has in its place. */
export function cacheFolder(env: Readonly<Record<string, string>>): string {
  // Set to nothing they count as not set.
  const base = env['XDG_CACHE_HOME'] || env['LOCALAPPDATA'] || join(homedir(), '.cache');
  return join(base, 'twostep');
}

export function fileBauds(file: string): BaudMemory {
  const read = (): Record<string, number> => {
    try {
      return v.parse(FileSchema, JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      return {}; // missing or damaged: it is only a cache
    }
  };
  return {
    recall: (key) => read()[key],
    note(key, baud) {
      const known = read();
      if (known[key] === baud) return;
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, `${JSON.stringify({ ...known, [key]: baud }, undefined, 2)}\n`);
      } catch {
        // A cache that cannot be written: it is found out again next time.
      }
    },
  };
}
