/**
 * The station's database: one file in its data folder, for one process at a time; what is committed is on the disk.
 *
 * In WAL with an exclusive lock SQLite needs no shared memory, and the lock is the operating system's: a process that is killed
 * leaves none behind.
 */
import { chmodSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { StartError } from '../start-error.ts';
import { MIGRATIONS } from './migrations.ts';

/** SQLite's result codes (sqlite3.h). */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;

export type Row = Record<string, SQLInputValue>;

export class Database {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #waiting: { work: () => void; resolve: () => void; reject: (error: unknown) => void }[] = [];

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens the file, or makes it, and brings it to the newest shape. `:memory:` for tests.
   *
   * @throws {StartError} `data-in-use`, `data-newer`, `data-unusable`.
   */
  static open(file: string, migrations: readonly string[] = MIGRATIONS): Database {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(file, { timeout: 0 });
      database.exec('PRAGMA locking_mode = EXCLUSIVE');
      database.exec('PRAGMA journal_mode = WAL');
      database.exec('PRAGMA synchronous = FULL');
      database.exec('PRAGMA foreign_keys = ON');
      // The lock is taken with the first access.
      database.exec('BEGIN IMMEDIATE; COMMIT');
      if (file !== ':memory:') chmodSync(file, 0o600);
      migrate(database, migrations);
      return new Database(database);
    } catch (error) {
      database?.close();
      throw asStartError(error, file);
    }
  }

  /** Statements are prepared once. */
  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** @returns how many rows were changed. */
  run(sql: string, values: Row = {}): number {
    return Number(this.#prepared(sql).run(values).changes);
  }

  all(sql: string, values: Row = {}): Row[] {
    return this.#prepared(sql).all(values);
  }

  get(sql: string, values: Row = {}): Row | undefined {
    return this.#prepared(sql).get(values);
  }

  /** All of it or nothing. Not to be nested. */
  transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * Does the work in a transaction that it shares with all others of this turn of the event loop: one wait for the disk, however many
   * boards have something to write down.
   *
   * @returns when it is on the disk.
   */
  soon(work: () => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#waiting.push({ work, resolve, reject }) === 1) setImmediate(() => this.#commitWaiting());
    return promise;
  }

  #commitWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      this.transaction(() => waiting.forEach(({ work }) => work()));
      waiting.forEach(({ resolve }) => resolve());
    } catch (error) {
      waiting.forEach(({ reject }) => reject(error));
    }
  }

  close(): void {
    this.#commitWaiting();
    if (this.#database.isOpen) this.#database.close();
  }
}

function migrate(database: DatabaseSync, migrations: readonly string[]): void {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (version > migrations.length) {
    throw new StartError('data-newer', 'The data folder was written by a newer version of Twostep', {
      todo: 'Start that version, or give another folder with --data.',
    });
  }
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(sql);
      database.exec(`PRAGMA user_version = ${index + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

function asStartError(error: unknown, file: string): StartError {
  if (error instanceof StartError) return error;
  const code = (error as { errcode?: number }).errcode;
  if (code === SQLITE_BUSY || code === SQLITE_LOCKED) {
    return new StartError('data-in-use', 'Another station uses this data folder', {
      todo: 'Use that one, or give another folder with --data.',
      cause: error,
    });
  }
  return new StartError('data-unusable', `The database ${file} cannot be opened`, {
    todo: 'Check the folder of --data, or give another one.',
    cause: error,
  });
}

/** Only the columns that have a value. */
export function present<T extends object>(row: T): { [K in keyof T]?: Exclude<T[K], null | undefined> } {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], null | undefined>;
  };
}
