import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Database } from '../../src/station/store/database.ts';
import { MIGRATIONS } from '../../src/station/store/migrations.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'twostep-database-'));
  file = join(folder, 'station.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const STEPS = ['CREATE TABLE one (x INTEGER)', 'ALTER TABLE one ADD COLUMN y INTEGER DEFAULT 7'];
const versionOf = (database: Database): unknown => database.get('PRAGMA user_version')?.['user_version'];

describe('the shape of the database', () => {
  test('each step is applied once, and what is there stays', () => {
    const first = Database.open(file, STEPS.slice(0, 1));
    first.run('INSERT INTO one (x) VALUES (1)');
    first.close();
    for (let time = 0; time < 2; time++) {
      const later = Database.open(file, STEPS);
      expect(versionOf(later)).toBe(2);
      expect(later.all('SELECT * FROM one')).toEqual([{ x: 1, y: 7 }]);
      later.close();
    }
  });

  test('a step that fails leaves nothing of it behind', () => {
    Database.open(file, STEPS.slice(0, 1)).close();
    const broken = [STEPS[0]!, 'CREATE TABLE two (x INTEGER); CREATE TABLE one (x INTEGER)'];
    expect(() => Database.open(file, broken)).toThrow(expect.objectContaining({ code: 'data-unusable' }));
    const after = Database.open(file, STEPS.slice(0, 1));
    expect(versionOf(after)).toBe(1);
    expect(after.all(`SELECT name FROM sqlite_schema WHERE name = 'two'`)).toEqual([]);
    after.close();
  });

  test('a newer one is refused, and left alone', () => {
    Database.open(file, [...MIGRATIONS, 'CREATE TABLE later (x INTEGER)']).close();
    expect(() => Database.open(file)).toThrow(expect.objectContaining({ code: 'data-newer' }));
  });

  test('what is no database is refused', () => {
    expect(() => Database.open(folder)).toThrow(expect.objectContaining({ code: 'data-unusable' }));
  });

  test('it is for the disk: WAL, every commit written through, references held', () => {
    const database = Database.open(file);
    const pragma = (name: string): unknown => Object.values(database.get(`PRAGMA ${name}`) ?? {})[0];
    expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys')]).toEqual(['wal', 2, 1]);
    database.close();
  });
});

describe('transactions', () => {
  test('what fails leaves nothing', () => {
    const database = Database.open(':memory:', STEPS);
    expect(() =>
      database.transaction(() => {
        database.run('INSERT INTO one (x) VALUES (1)');
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(database.all('SELECT * FROM one')).toEqual([]);
  });

  test('what is written down in one turn goes together, and whoever waits is told', async () => {
    const database = Database.open(':memory:', STEPS);
    const insert = (x: number) => database.soon(() => database.run('INSERT INTO one (x) VALUES (:x)', { x }));
    await Promise.all([insert(1), insert(2)]);
    expect(database.all('SELECT x FROM one')).toEqual([{ x: 1 }, { x: 2 }]);
    const bad = database.soon(() => database.run('INSERT INTO nowhere (x) VALUES (1)'));
    await expect(Promise.all([insert(3), bad])).rejects.toThrow('nowhere');
    expect(database.all('SELECT x FROM one')).toHaveLength(2);
  });

  test('closing writes what waits', () => {
    const database = Database.open(file, STEPS);
    void database.soon(() => database.run('INSERT INTO one (x) VALUES (5)'));
    database.close();
    const later = Database.open(file, STEPS);
    expect(later.all('SELECT x FROM one')).toEqual([{ x: 5 }]);
    later.close();
  });
});

describe('one process for each folder', () => {
  test('a second one is refused, in this process and in another', async () => {
    const database = Database.open(file);
    expect(() => Database.open(file)).toThrow(expect.objectContaining({ code: 'data-in-use' }));
    expect(await holdElsewhere(false)).toBe('data-in-use');
    database.close();
    expect(await holdElsewhere(false)).toBe('open');
  });

  test('one that was killed keeps nothing', async () => {
    expect(await holdElsewhere(true)).toBe('open');
    Database.open(file).close();
  });
});

/** Opens it in another process, which is killed then, or ends by itself. */
async function holdElsewhere(kill: boolean): Promise<string> {
  const source = `
    import { Database } from ${JSON.stringify(join(import.meta.dirname, '../../src/station/store/database.ts'))};
    try {
      const database = Database.open(${JSON.stringify(file)});
      console.log('open');
      if (${kill}) setInterval(() => database, 1000);
    } catch (error) {
      console.log(error.code);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  if (kill) child.kill('SIGKILL');
  await exited;
  return said.toString().trim();
}
