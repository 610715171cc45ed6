/** Single values that outlive a restart. */
import { type Database } from './database.ts';

/** `boards-listener`: `open` while the user has agreed that it is. */
export type SettingName = 'boards-listener';

export class SettingsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(name: SettingName): string | undefined {
    return this.#database.get('SELECT value FROM settings WHERE name = :name', { name })?.['value'] as
      string | undefined;
  }

  set(name: SettingName, value: string): void {
    this.#database.run(
      'INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value',
      { name, value },
    );
  }
}
