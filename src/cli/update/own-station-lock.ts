/**
 * One station of a command's own at a time: two of them know nothing of each other, and could ask one board twice. SQLite's lock is held, which
 * a process that was killed does not keep.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { InputError } from '../input-error.ts';

/**
 * @returns what gives the lock back.
 * @throws {InputError} `update-running` when another command has it.
 */
export function lockOwnStation(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const database = new DatabaseSync(join(folder, 'own-station.lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new InputError('update-running', 'Another twostep update is under way', {
      todo: 'Wait for its end, give all boards to one command, or let a station do it with --station.',
      cause,
    });
  }
  return () => database.close();
}
