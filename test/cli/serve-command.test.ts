import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './run-cli.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'twostep-serve-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

test('serves until it is interrupted, in the folder of the user', async () => {
  const { code, records } = await runCli(['serve', '--listen', '127.0.0.1:0', '--json'], {
    env: { XDG_DATA_HOME: data, LOCALAPPDATA: data },
    interruptAt: '"serving"',
  });
  expect(code).toBe(0);
  expect(records).toHaveLength(1);
  expect(records[0]?.['url']).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
});

test('behind a proxy it shows the code for browsers', async () => {
  const { records } = await runCli(
    ['serve', '--listen', '127.0.0.1:0', '--data', data, '--behind-proxy', 'https://bench.example', '--json'],
    { interruptAt: '"pairing"' },
  );
  expect(records[0]).toEqual({ event: 'serving', url: 'https://bench.example/' });
  expect(records[1]?.['code']).toMatch(/^[A-Z2-9]{4}-[A-Z2-9]{4}$/);
});

test.each([
  { args: ['--listen', '0.0.0.0:0'], refused: 'insecure-listen' },
  { args: ['--listen', 'nonsense'], refused: 'tcp-address' },
  { args: ['--boards-listen', 'bench.local:4601'], refused: 'boards-listen' },
  { args: ['--boards-listen', '[::1]:4601'], refused: 'boards-listen' },
  { args: ['--virtual-boards', '0'], refused: 'commander.invalidArgument' },
  { args: ['--virtual-boards', '127.0.0.2:8080'], refused: 'commander.invalidArgument' },
  { args: ['--tls-cert', '/nowhere.pem'], refused: 'tls-unusable' },
  { args: ['--behind-proxy', 'bench.example'], refused: 'proxy-origin' },
  { args: ['--releases', '/nowhere'], refused: 'releases-unreadable' },
  { args: ['--policy', 'https://bench.example'], refused: 'policy-origin' },
])('refuses $args', async ({ args, refused }) => {
  const { code, records } = await runCli(['serve', '--data', data, '--json', ...args]);
  expect(code).toBe(2);
  expect(records.at(-1)).toMatchObject({ event: 'error', code: refused });
});

test('the policy file alone goes to standard output', async () => {
  const { code, out, err } = await runCli(['serve', '--policy', 'http://bench.local:4600/#/update']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ OverrideSecurityRestrictionsOnInsecureOrigin: ['http://bench.local:4600'] });
  expect(err).toContain('/etc/opt/chrome/policies/managed/');
});
