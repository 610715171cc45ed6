/** Sessions with stations on other computers: paired once, kept in a file for its owner alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { type StationAccess } from './station-client.ts';

const FileSchema = v.record(v.string(), v.string());

export function stationSessions(file: string): NonNullable<StationAccess['sessions']> {
  const read = (): Record<string, string> => {
    try {
      return v.parse(FileSchema, JSON.parse(readFileSync(file, 'utf8')));
    } catch {
      return {}; // missing or damaged: the user pairs again
    }
  };
  return {
    get: (url) => read()[url],
    set: (url, cookie) => {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ ...read(), [url]: cookie }), { mode: 0o600 });
    },
  };
}
