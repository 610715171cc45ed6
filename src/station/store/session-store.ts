/** Sessions by the digest of their token: whoever reads the database cannot use them. */
import { type Database } from './database.ts';

export interface SessionRecord {
  createdAt: number;
  usedAt: number;
}

export class SessionStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(tokenHash: string, now: number): void {
    this.#database.run('INSERT INTO sessions (token_hash, created_at, used_at) VALUES (:tokenHash, :now, :now)', {
      tokenHash,
      now,
    });
  }

  get(tokenHash: string): SessionRecord | undefined {
    return this.#database.get(
      'SELECT created_at AS createdAt, used_at AS usedAt FROM sessions WHERE token_hash = :tokenHash',
      { tokenHash },
    ) as SessionRecord | undefined;
  }

  touch(tokenHash: string, now: number): void {
    this.#database.run('UPDATE sessions SET used_at = :now WHERE token_hash = :tokenHash', { tokenHash, now });
  }

  /** Of all sessions only the `most` that were used last, and only those used since `since`. */
  prune(since: number, most: number): void {
    this.#database.run(
      `DELETE FROM sessions WHERE used_at < :since OR token_hash NOT IN
         (SELECT token_hash FROM sessions ORDER BY used_at DESC, rowid DESC LIMIT :most)`,
      { since, most },
    );
  }
}
