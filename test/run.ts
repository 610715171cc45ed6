/**
 * `npm test`: types, lint, format, unit tests, then the page in a real Chromium. One count for all of it.
 * then boards behind real Web Serial. With an argument (`static`, `unit`, `e2e`, `serial`) only that part runs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser } from './support/browser.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const count = { passed: 0, failed: 0, skipped: 0 };
const parts = process.argv.slice(2);
const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part);

const PARTS = ['static', 'unit', 'e2e', 'serial'];
const unknown = parts.find((part) => !PARTS.includes(part));
if (unknown !== undefined) throw new Error(`No part of the tests is called ${unknown}: ${PARTS.join(', ')}`);

/** Runs a program of node_modules; its output goes through. True when it ends with 0. */
function run(program: string, args: string[], env: NodeJS.ProcessEnv = {}): boolean {
  const { status } = spawnSync(join(ROOT, 'node_modules', '.bin', program), args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
  });
  return status === 0;
}

function check(title: string, program: string, args: string[]): void {
  const started = performance.now();
  const ok = run(program, args);
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${title} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  count[ok ? 'passed' : 'failed']++;
}

interface VitestSummary {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  success: boolean;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
}

function vitest(args: string[], env: NodeJS.ProcessEnv = {}): void {
  const folder = mkdtempSync(join(tmpdir(), 'twostep-test-'));
  const file = join(folder, 'summary.json');
  const ok = run('vitest', ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args], env);
  let summary: VitestSummary | undefined;
  try {
    summary = JSON.parse(readFileSync(file, 'utf8')) as VitestSummary;
  } catch (error) {
    console.error('The test runner left no summary:', error);
  }
  rmSync(folder, { recursive: true });
  count.passed += summary?.numPassedTests ?? 0;
  count.failed += summary?.numFailedTests ?? 0;
  for (const test of summary?.testResults.flatMap((result) => result.assertionResults) ?? []) {
    if (test.status !== 'passed' && test.status !== 'failed') {
      count.skipped++;
      console.log(`skipped: ${test.fullName}`);
    }
  }
  // A file that does not even load, or an error outside any test, fails the run without a failed test.
  if (!ok && !summary?.numFailedTests) count.failed++;
}

if (wanted('static')) {
  check('types', 'tsc', ['--noEmit']);
  check('types in components', 'svelte-check', ['--fail-on-warnings', '--output', 'human']);
  check('lint', 'eslint', ['.']);
  check('unused code', 'knip', ['--no-progress']);
  check('format', 'prettier', ['--check', '--log-level', 'warn', '.']);
}
if (wanted('unit')) vitest([]);
if (wanted('e2e') || wanted('serial')) check('page builds', 'vite', ['build', '--logLevel', 'warn']);
if (wanted('e2e')) {
  try {
    vitest(['--config', 'test/e2e/vitest.config.ts'], { CHROME_PATH: findBrowser() });
  } catch (error) {
    console.error((error as Error).message);
    count.failed++;
  }
}
// These find their browser and compiler themselves, and skip, counted and with the reason, where they cannot run.
if (wanted('serial')) {
  vitest(['--config', 'test/serial/vitest.config.ts'], { TWOSTEP_PAGE: join(ROOT, 'dist', 'page') });
}

console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed === 0 && count.passed > 0 ? 0 : 1;
