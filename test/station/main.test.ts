/** What `npm start` runs takes PORT and HOST from the environment, and nothing else. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test.each([
  { args: ['--data', 'elsewhere'], port: '0', says: /--data/ },
  { args: [], port: 'abc', says: /"abc"/ },
  { args: [], port: '70000', says: /"70000"/ },
  { args: [], port: '-1', says: /"-1"/ },
])('is refused before anything is opened: $args PORT=$port', ({ args, port, says }) => {
  const home = mkdtempSync(join(tmpdir(), 'twostep-main-'));
  const env = { ...process.env, PORT: port, HOME: home, XDG_DATA_HOME: home, XDG_STATE_HOME: home };
  const { status, stderr } = spawnSync(process.execPath, ['src/station/main.ts', ...args], { env, encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toMatch(says);
  expect(readdirSync(home)).toEqual([]);
  rmSync(home, { recursive: true });
});
